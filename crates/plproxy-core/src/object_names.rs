//! Types whose values stand for objects of the catalogs, such as `regclass`: how to have their full names written.
//!
//! The text of such a value is the object's name, without its schema where the session's `search_path` finds it so; under
//! another `search_path` that is another object or none.

use postgres_types::{Kind, Type};

/// What a value of the type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectType {
    /// `regclass`
    Relation,
    /// `regproc`: a function by its name alone.
    Function,
    /// `regprocedure`: a function with its arguments.
    Procedure,
    /// `regoper`: an operator by its name alone.
    OperatorName,
    /// `regoperator`: an operator with its arguments.
    Operator,
    /// `regtype`
    Type,
    /// `regconfig`
    Configuration,
    /// `regdictionary`
    Dictionary,
    /// `regcollation`
    Collation,
}

impl ObjectType {
    /// What values of the built-in type of that OID stand for. Roles and schemas have no schema themselves.
    pub fn of(oid: u32) -> Option<Self> {
        Self::of_type(&Type::from_oid(oid)?)
    }

    pub(crate) fn of_type(ty: &Type) -> Option<Self> {
        Some(match *ty {
            Type::REGCLASS => Self::Relation,
            Type::REGPROC => Self::Function,
            Type::REGPROCEDURE => Self::Procedure,
            Type::REGOPER => Self::OperatorName,
            Type::REGOPERATOR => Self::Operator,
            Type::REGTYPE => Self::Type,
            Type::REGCONFIG => Self::Configuration,
            Type::REGDICTIONARY => Self::Dictionary,
            Type::REGCOLLATION => Self::Collation,
            _ => return None,
        })
    }

    /// The OID of the catalog that has the objects.
    fn catalog(self) -> u32 {
        match self {
            Self::Relation => 1259,
            Self::Function | Self::Procedure => 1255,
            Self::OperatorName | Self::Operator => 2617,
            Self::Type => 1247,
            Self::Configuration => 3602,
            Self::Dictionary => 3600,
            Self::Collation => 3456,
        }
    }

    /// The name of the type's output function.
    fn output_function(self) -> &'static str {
        match self {
            Self::Relation => "regclassout",
            Self::Function => "regprocout",
            Self::Procedure => "regprocedureout",
            Self::OperatorName => "regoperout",
            Self::Operator => "regoperatorout",
            Self::Type => "regtypeout",
            Self::Configuration => "regconfigout",
            Self::Dictionary => "regdictionaryout",
            Self::Collation => "regcollationout",
        }
    }

    /// SQL that gives the full name of an object, as text; where there is no such object, what the type's output function
    /// gives. `value` is SQL of the type, and may be evaluated several times.
    fn full_name(self, value: &str) -> String {
        let catalog = self.catalog();
        let name = |last: &dyn Fn(&str) -> String| {
            let names = format!(
                "((pg_catalog.pg_identify_object_as_address({catalog}, {value}::pg_catalog.oid, 0)).object_names)"
            );
            format!(
                "pg_catalog.quote_ident({names}[1]) operator(pg_catalog.||) '.' operator(pg_catalog.||) {}",
                last(&format!("{names}[2]"))
            )
        };
        let name = match self {
            Self::Function => name(&|name| format!("pg_catalog.quote_ident({name})")),
            Self::OperatorName => name(&str::to_owned),
            _ => format!(
                "(pg_catalog.pg_identify_object({catalog}, {value}::pg_catalog.oid, 0)).identity"
            ),
        };
        // The output function itself: a cast may be somebody's own.
        format!(
            "coalesce({name}, pg_catalog.textin(pg_catalog.{}({value})))",
            self.output_function()
        )
    }
}

/// Such a type, or an array of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectNames {
    /// What a value, or an element, stands for.
    pub object: ObjectType,
    /// Whether it is an array.
    pub is_array: bool,
}

impl ObjectNames {
    /// SQL that gives a value as text with full names. `value` is SQL of the type, and may be evaluated several times. Arrays of
    /// several dimensions are as the output function has them.
    pub(crate) fn text(self, value: &str) -> String {
        if !self.is_array {
            return self.object.full_name(value);
        }
        let element = self.object.full_name("u.e");
        format!(
            "case when pg_catalog.array_ndims({value}) operator(pg_catalog.=) 1 \
             then (select case when pg_catalog.array_lower({value}, 1) operator(pg_catalog.=) 1 then '' \
             else pg_catalog.concat('[', pg_catalog.array_lower({value}, 1), ':', pg_catalog.array_upper({value}, 1), ']=') end \
             operator(pg_catalog.||) pg_catalog.textin(pg_catalog.array_out(pg_catalog.array_agg({element} order by u.i))) \
             from pg_catalog.unnest({value}) with ordinality u(e, i)) \
             else pg_catalog.textin(pg_catalog.array_out({value})) end"
        )
    }
}

/// Whether the text of values of a built-in type has such names in it.
pub(crate) fn names_objects(ty: &Type) -> bool {
    match ty.kind() {
        Kind::Array(element) => names_objects(element),
        _ => ObjectType::of_type(ty).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (oid, expected) in [
            (2205, Some(ObjectType::Relation)),
            (24, Some(ObjectType::Function)),
            (4191, Some(ObjectType::Collation)),
            // regrole, regnamespace, an array, oid, an unknown one
            (4096, None),
            (4089, None),
            (2210, None),
            (26, None),
            (16384, None),
        ] {
            assert_eq!(ObjectType::of(oid), expected, "{oid}");
        }
        assert!(names_objects(&Type::REGTYPE_ARRAY) && names_objects(&Type::REGTYPE));
        assert!(!names_objects(&Type::REGROLE_ARRAY) && !names_objects(&Type::OID_ARRAY));
    }

    #[test]
    fn sql() {
        let names = |object, is_array| ObjectNames { object, is_array };
        assert_eq!(
            names(ObjectType::Relation, false).text("r::regclass"),
            "coalesce((pg_catalog.pg_identify_object(1259, r::regclass::pg_catalog.oid, 0)).identity, pg_catalog.textin(pg_catalog.regclassout(r::regclass)))"
        );
        let array = names(ObjectType::OperatorName, true).text("r::_regoper");
        for part in [
            "array_ndims(r::_regoper)",
            "unnest(r::_regoper) with ordinality",
            ".object_names)[1]) operator(pg_catalog.||) '.'",
            "regoperout(u.e)",
            "else pg_catalog.textin(pg_catalog.array_out(r::_regoper)) end",
        ] {
            assert!(array.contains(part), "{part}: {array}");
        }
    }
}
