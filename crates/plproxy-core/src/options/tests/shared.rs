//! `shared_connections`: its values, and what does not go with it.

use super::*;

const STREAMING: &str = "XX000 Pl/Proxy: streaming and shared_connections exclude each other (Who reads a stream slowly would \
     keep others from the partition.)";

#[test]
fn the_validator_knows_shared_connections() {
    for (given, expected) in [
        ("shared_connections=10000", "ok"),
        ("Shared_Connections=0,streaming=1", "ok"),
        ("shared_connections=2,streaming=0", "ok"),
        ("streaming=1,shared_connections=2", STREAMING),
        ("shared_connections=0,transaction_mode=two_phase", "ok"),
        ("shared_connections=2,transaction_mode=autocommit", "ok"),
        ("shared_connections=2,transaction_mode=two_phase", "ok"),
        ("transaction_mode=two_phase,shared_connections=2", "ok"),
        (
            "shared_connections=-1",
            "XX000 Pl/Proxy: only integer options are allowed: shared_connections=-1",
        ),
        (
            "shared_connections=two",
            "XX000 Pl/Proxy: only integer options are allowed: shared_connections=two",
        ),
        (
            "shared_connections=10001",
            "XX000 shared_connections: Expect a number from 0 to 10000, got '10001'",
        ),
        (
            "shared_connections=99999999999999999999",
            "XX000 shared_connections: Expect a number from 0 to 10000, got '99999999999999999999'",
        ),
    ] {
        assert_eq!(
            told(validate(Kind::Wrapper, &options(given))),
            expected,
            "{given:?}"
        );
        let given = format!("p0=a,{given}");
        assert_eq!(
            told(validate(Kind::Server, &options(&given))),
            expected,
            "{given:?}"
        );
    }
}

#[test]
fn shared_connections_are_read() {
    let read = |text: &str| {
        let rows: Vec<_> = options(text)
            .into_iter()
            .map(|(key, value)| (Some(key), value))
            .collect();
        parse_config(&rows).map(|config| config.shared_connections)
    };
    assert_eq!(read("shared_connections=2"), Ok(2));
    assert_eq!(read("shared_connections="), Ok(0));
    for (given, message) in [
        ("streaming=1,shared_connections=1", STREAMING),
        (
            "shared_connections=-2",
            "XX000 shared_connections: Expect a number from 0 to 10000, got '-2'",
        ),
        (
            "shared_connections=2 ",
            "XX000 shared_connections: Expect a number from 0 to 10000, got '2 '",
        ),
    ] {
        assert_eq!(told(read(given).map(drop)), message, "{given:?}");
    }
}

#[test]
fn a_wrapper_s_option_counts_for_its_servers() {
    let wrapper = options("streaming=1");
    let server = options("p0=a,shared_connections=1");
    assert_eq!(told(parse_server(&wrapper, &server).map(drop)), STREAMING);
    let wrapper = options("transaction_mode=two_phase");
    assert_eq!(told(parse_server(&wrapper, &server).map(drop)), "ok");
}
