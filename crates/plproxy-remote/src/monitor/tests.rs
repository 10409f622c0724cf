//! The monitor's own tests: streams in pieces of any size, and what it refuses.

use plproxy_core::conninfo::{AuthMethod, ChannelBinding, RequireAuth};

use super::*;
use crate::tls::Channel;

fn monitor(required: RequireAuth, encoding: Encoding) -> Monitor {
    let channel = Channel {
        encrypted: false,
        wanted: ChannelBinding::Prefer,
        unbindable: None,
    };
    Monitor::new(Authentication::new(required, channel), encoding)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn column(name: &str, type_oid: u32) -> Vec<u8> {
    let fixed = [&[0; 6][..], &type_oid.to_be_bytes(), &[0; 8]].concat();
    [name.as_bytes(), &[0], &fixed].concat()
}

fn description(columns: &[(&str, u32)]) -> Vec<u8> {
    let mut body = (columns.len() as u16).to_be_bytes().to_vec();
    columns
        .iter()
        .for_each(|(name, type_oid)| body.extend(column(name, *type_oid)));
    message(b'T', &body)
}

fn startup() -> Vec<u8> {
    let key = message(b'K', &[0, 0, 1, 2, 9, 9, 9, 9]);
    [message(b'R', &[0; 4]), key, message(b'Z', b"I")].concat()
}

/// Lets a stream pass in pieces of a size; what the library sees of it.
fn pass(monitor: &mut Monitor, stream: &[u8], piece: usize) -> io::Result<Vec<u8>> {
    let mut seen = stream.to_vec();
    seen.chunks_mut(piece)
        .try_for_each(|piece| monitor.received(piece))?;
    Ok(seen)
}

#[test]
fn pieces_of_any_size_tell_the_same() {
    let given = [
        message(b't', &[0, 2, 0, 0, 0, 23, 0, 1, 0, 0]),
        description(&[("a", 23), ("", 4_000_000_000), ("längs", 705)]),
        message(b'S', "role\0ä\0".as_bytes()),
        message(b'A', "\0\0\0\x01ä\0ö\0".as_bytes()),
        message(b'D', &[0, 0]),
        message(b'n', b""),
        message(b'Z', b"T"),
    ]
    .concat();
    let hidden = [
        message(b't', &[0, 2, 0, 0, 2, 0xc1, 0, 0, 2, 0xc1]),
        description(&[("a", 705), ("", 705), ("l??ngs", 705)]),
        message(b'S', b"role\0??\0"),
        message(b'A', b"\0\0\0\x01??\0??\0"),
        message(b'D', &[0, 0]),
        message(b'n', b""),
        message(b'Z', b"T"),
    ]
    .concat();
    for piece in 1..=given.len() {
        let mut monitor = monitor(RequireAuth::Any, Encoding::Utf8);
        monitor.sent(&[0, 0, 0, 8, 0, 3, 0, 0]);
        pass(&mut monitor, &startup(), piece).unwrap();
        assert_eq!(monitor.process_id(), 258);
        assert!(monitor.is_idle());
        message(b'S', b"")
            .chunks(piece)
            .for_each(|piece| monitor.sent(piece));
        assert!(!monitor.is_answered());
        assert_eq!(
            pass(&mut monitor, &given, piece).unwrap(),
            hidden,
            "in pieces of {piece}"
        );
        assert!(monitor.is_answered() && !monitor.is_idle());
        let columns = monitor.description(1).unwrap();
        let columns: Vec<_> = columns
            .iter()
            .map(|column| (&*column.name, column.type_oid))
            .collect();
        let expected: [(&[u8], u32); 3] =
            [(b"a", 23), (b"", 4_000_000_000), ("längs".as_bytes(), 705)];
        assert_eq!(columns, expected);
        assert!(monitor.description(1).is_none());
    }
}

#[test]
fn another_encoding_than_agreed_is_noticed() {
    let check = |agreed: Encoding, reported: &[&str], expected: bool| {
        let mut monitor = monitor(RequireAuth::Any, agreed);
        monitor.sent(&[0, 0, 0, 8, 0, 3, 0, 0]);
        let status = |name: &str| message(b'S', format!("client_encoding\0{name}\0").as_bytes());
        pass(&mut monitor, &[status("UTF8"), startup()].concat(), 7).unwrap();
        for name in reported {
            monitor.sent(&message(b'Q', b"set"));
            let answer = [status(name), message(b'Z', b"I")].concat();
            pass(&mut monitor, &answer, 7).unwrap();
        }
        assert_eq!(monitor.is_idle(), expected, "{agreed:?} {reported:?}");
    };
    check(Encoding::Utf8, &[], true);
    check(Encoding::Utf8, &["LATIN1"], false);
    check(Encoding::Utf8, &["SQL_ASCII"], false);
    check(Encoding::Utf8, &["LATIN1", "UTF8"], true);
    check(Encoding::Raw, &["SQL_ASCII"], true);
    check(Encoding::Raw, &["SQL_ASCII", "UTF8"], false);
}

#[test]
fn rounds_are_counted_as_they_go_out() {
    let mut monitor = monitor(RequireAuth::Any, Encoding::Utf8);
    let check = |monitor: &mut Monitor, bytes: &[u8], asked: u64| {
        monitor.sent(bytes);
        assert_eq!(monitor.asked(), asked, "{bytes:?}");
    };
    check(&mut monitor, &[0, 0, 0, 9, 0, 3, 0, 0, b'S'], 1);
    check(&mut monitor, &message(b'p', b"SQSQ"), 1);
    check(&mut monitor, &message(b'P', b"select"), 1);
    check(&mut monitor, &message(b'S', b""), 2);
    check(&mut monitor, &message(b'Q', b"select"), 3);
    check(
        &mut monitor,
        &[message(b'B', b"S"), message(b'E', b"Q"), message(b'S', b"")].concat(),
        4,
    );
}

#[test]
fn what_no_server_sends_is_refused() {
    let check = |stream: &[u8], words: &str| {
        let mut monitor = monitor(RequireAuth::Any, Encoding::Utf8);
        pass(&mut monitor, &startup(), 7).unwrap();
        monitor.sent(&[&[0, 0, 0, 4][..], &message(b'S', b"")].concat());
        let Err(error) = pass(&mut monitor, stream, 3) else {
            panic!("not refused: {words}");
        };
        assert!(error.to_string().contains(words), "{error}");
    };
    check(&[b'D', 0x7f, 0xff, 0xff, 0xff], "impossible length");
    check(&[b'D', 0, 0, 0, 3], "impossible length");
    check(&[b'T', 0x10, 0, 0, 0], "impossible length");
    check(&message(b'T', &[0, 1]), "malformed");
    check(
        &message(b'T', &[&[0, 1][..], &column("a", 1), &[0]].concat()),
        "malformed",
    );
    check(&[description(&[]), description(&[])].concat(), "twice");
    check(
        &[message(b'Z', b"I"), message(b'Z', b"I")].concat(),
        "without having been asked",
    );
    let mut settings = Vec::new();
    (0..40_000).for_each(|at| settings.extend(message(b'S', format!("{at}\0\0").as_bytes())));
    check(&settings, "too many settings");
    let scram = [&11_u32.to_be_bytes()[..], b"r=x,s=eA==,i=99999999"].concat();
    check(&message(b'R', &scram), "absurd");
}

#[test]
fn authentication_must_be_as_required() {
    let check = |required: RequireAuth, codes: &[u32], allowed: bool| {
        let mut monitor = monitor(required.clone(), Encoding::Utf8);
        let stream: Vec<u8> = codes
            .iter()
            .flat_map(|code| {
                let offered: &[u8] = if *code == 10 {
                    b"SCRAM-SHA-256\0\0"
                } else {
                    b""
                };
                message(b'R', &[&code.to_be_bytes(), offered].concat())
            })
            .collect();
        assert_eq!(
            pass(&mut monitor, &stream, 4).is_ok(),
            allowed,
            "{required:?} {codes:?}"
        );
    };
    let only = |method| RequireAuth::OneOf(vec![method]);
    check(RequireAuth::Any, &[3, 0], true);
    check(only(AuthMethod::ScramSha256), &[10, 11, 12, 0], true);
    check(only(AuthMethod::ScramSha256), &[0], false);
    check(only(AuthMethod::ScramSha256), &[5], false);
    check(only(AuthMethod::None), &[0], true);
    check(RequireAuth::NoneOf(vec![AuthMethod::Password]), &[3], false);
    check(
        RequireAuth::NoneOf(vec![AuthMethod::Password]),
        &[5, 0],
        true,
    );
}
