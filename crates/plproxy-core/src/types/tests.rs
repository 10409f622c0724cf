//! What each of the built-in types is, one by one.

use super::*;

fn describe(ty: &Type) -> String {
    let BuiltInType {
        binary,
        hashable,
        text,
    } = BuiltInType::of_type(ty);
    let mut words = vec![match binary {
        BinaryForm::No => "no",
        BinaryForm::SameAsText => "text",
        BinaryForm::Exact => "exact",
        BinaryForm::HoldsText => "holds-text",
    }];
    let flags = [
        (hashable, "hash"),
        (text.digits, "digits"),
        (text.style, "style"),
        (text.zone, "zone"),
        (text.names, "names"),
    ];
    words.extend(flags.iter().filter(|(on, _)| *on).map(|(_, word)| word));
    format!("{} {}", ty.name(), words.join(" "))
}

#[test]
fn every_built_in_type_is_what_the_list_says() {
    let found: Vec<String> = (0..16_384)
        .filter_map(Type::from_oid)
        .map(|ty| describe(&ty))
        .collect();
    let listed: Vec<&str> = include_str!("built_in_types.txt").lines().collect();
    assert_eq!(found, listed);
}

#[test]
fn other_types_are_unknown() {
    assert_eq!(BuiltInType::of(0), None);
    assert_eq!(BuiltInType::of(16_384), None);
    assert_eq!(BuiltInType::of(u32::MAX), None);
}
