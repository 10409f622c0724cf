//! Options as the validator and as the reader at run time see them.

mod shared;

use super::*;

/// `p0=a,query_timeout=5,x` is three options, the last without a value.
fn options(text: &str) -> Vec<(String, Option<String>)> {
    text.split(',')
        .filter(|option| !option.is_empty())
        .map(|option| match option.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (option.to_owned(), None),
        })
        .collect()
}

fn told(result: Result<(), OptionError>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => {
            let hint = error
                .hint
                .map(|hint| format!(" ({hint})"))
                .unwrap_or_default();
            let function = if error.in_function { "P " } else { "" };
            format!("{} {function}{}{hint}", error.sqlstate, error.message)
        }
    }
}

#[test]
fn servers_are_validated() {
    const CONSECUTIVE: &str =
        "42601 Pl/Proxy: partition numbers must start from 0 and be numbered consecutively";
    const COUNT: &str = "42601 Pl/Proxy: invalid number of partitions (the number of partitions in a cluster must be \
                         power of 2 (attempted";
    for (given, expected) in [
        ("p0=a", "ok".to_owned()),
        ("p1=b,partition_00=a", "ok".to_owned()),
        ("p0=a,p1=b,p2=c,modular_mapping=1", "ok".to_owned()),
        ("p0=,p1=", "ok".to_owned()),
        ("p=a", "ok".to_owned()),
        ("partition_=a,p +1=b", "ok".to_owned()),
        (
            "p0=a,Query_Timeout=5,keepalive_idle=,statement_timeout=99999999999999999999",
            "ok".to_owned(),
        ),
        (
            "p0=a,connect_timeout=5,default_user=session_user,prepared_statements=off",
            "ok".to_owned(),
        ),
        (
            "p0=a,idle_timeout=60,reset_query=discard all",
            "ok".to_owned(),
        ),
        ("p0=a,idle_timeout=,reset_query=", "ok".to_owned()),
        ("p0=a,lock_timeout=2500", "ok".to_owned()),
        (
            "p0=a,lock_timeout=10s",
            "XX000 Pl/Proxy: only integer options are allowed: lock_timeout=10s".to_owned(),
        ),
        (
            "p0=a,idle_timeout=1min",
            "XX000 Pl/Proxy: only integer options are allowed: idle_timeout=1min".to_owned(),
        ),
        (
            "p0=a,reset_query",
            "XX000 Pl/Proxy: option \"reset_query\" requires a value".to_owned(),
        ),
        ("", format!("{COUNT} 0))")),
        ("modular_mapping=1", format!("{COUNT} 0))")),
        ("p0=a,p1=b,p2=c", format!("{COUNT} 3))")),
        ("p0=a,p1=b,p2=c,modular_mapping=0", format!("{COUNT} 3))")),
        (
            "p1=b",
            format!("{CONSECUTIVE} (number of options is 1, got 1)"),
        ),
        (
            "p5=a,foo=1",
            format!("{CONSECUTIVE} (number of options is 2, got 5)"),
        ),
        (
            "p-1=b",
            format!("{CONSECUTIVE} (number of options is 1, got -1)"),
        ),
        (
            "p99999999999999999999=b",
            format!("{CONSECUTIVE} (number of options is 1, got 9223372036854775807)"),
        ),
        (
            "p0=a,p00=b",
            "42601 Pl/Proxy: duplicate partition number: 0 (got 0 twice)".to_owned(),
        ),
        (
            "p0=a,query_timeout=1,p2=b",
            "42601 Pl/Proxy: missing partition (missing number: 1)".to_owned(),
        ),
        (
            "foo=x,p5=a",
            "XX000 Pl/Proxy: invalid server option: foo".to_owned(),
        ),
        (
            "P0=a",
            "XX000 Pl/Proxy: invalid server option: P0".to_owned(),
        ),
        (
            "p0x=a",
            "XX000 Pl/Proxy: invalid server option: p0x".to_owned(),
        ),
        (
            "p-=a",
            "XX000 Pl/Proxy: invalid server option: p-".to_owned(),
        ),
        (
            "partition0=a",
            "XX000 Pl/Proxy: invalid server option: partition0".to_owned(),
        ),
        (
            "p0=a,user=u",
            "XX000 Pl/Proxy: invalid server option: user".to_owned(),
        ),
        (
            "p0=a,default_user=bogus",
            "XX000 default_user: Expect 'current_user' or 'session_user', got 'bogus'".to_owned(),
        ),
        (
            "p0=a,prepared_statements=1",
            "XX000 prepared_statements: Expect 'auto', 'on' or 'off', got '1'".to_owned(),
        ),
        (
            "p0=a,query_timeout",
            "XX000 Pl/Proxy: option \"query_timeout\" requires a value".to_owned(),
        ),
        (
            "p0",
            "XX000 Pl/Proxy: option \"p0\" requires a value".to_owned(),
        ),
        (
            "p0=a,nosuch",
            "XX000 Pl/Proxy: option \"nosuch\" requires a value".to_owned(),
        ),
        (
            "p0=a,nosuch=,p1",
            "XX000 Pl/Proxy: invalid server option: nosuch".to_owned(),
        ),
    ] {
        assert_eq!(
            told(validate(Kind::Server, &options(given))),
            expected,
            "{given:?}"
        );
    }
    for value in ["-1", " 5", "5 ", "5s", "5.5", "+5", "0x5", "-", "true"] {
        let given = format!("p0=a,connection_lifetime={value}");
        let expected = format!(
            "XX000 Pl/Proxy: only integer options are allowed: connection_lifetime={value}"
        );
        assert_eq!(told(validate(Kind::Server, &options(&given))), expected);
    }
}

#[test]
fn the_rest_is_validated() {
    const MAPPING: &str = "42601 Pl/Proxy: invalid option to user mapping (valid options are \"user\" and \"password\")";
    for (kind, given, expected) in [
        (Kind::Wrapper, "", "ok"),
        (Kind::Wrapper, "query_timeout=1,modular_mapping=1", "ok"),
        (
            Kind::Wrapper,
            "p0=a",
            "XX000 Pl/Proxy: invalid server option: p0",
        ),
        (
            Kind::Wrapper,
            "query_timeout=x",
            "XX000 Pl/Proxy: only integer options are allowed: query_timeout=x",
        ),
        (
            Kind::Wrapper,
            "query_timeout",
            "XX000 Pl/Proxy: option \"query_timeout\" requires a value",
        ),
        (Kind::UserMapping, "", "ok"),
        (Kind::UserMapping, "USER=a,password=", "ok"),
        (Kind::UserMapping, "user=a,foo=x", MAPPING),
        (Kind::UserMapping, "query_timeout=1", MAPPING),
        (Kind::UserMapping, "user=a,password_required=false", "ok"),
        (Kind::UserMapping, "password_required=ON", "ok"),
        (Kind::UserMapping, "PASSWORD_REQUIRED=false", MAPPING),
        (
            Kind::UserMapping,
            "password_required=0",
            "42601 Pl/Proxy: password_required requires a Boolean value (valid values are \"true\" and \"false\")",
        ),
        (
            Kind::UserMapping,
            "password_required",
            "XX000 Pl/Proxy: option \"password_required\" requires a value",
        ),
        (
            Kind::UserMapping,
            "password",
            "XX000 Pl/Proxy: option \"password\" requires a value",
        ),
        (
            Kind::UserMapping,
            "nosuch",
            "XX000 Pl/Proxy: option \"nosuch\" requires a value",
        ),
        (
            Kind::Wrapper,
            "nosuch",
            "XX000 Pl/Proxy: option \"nosuch\" requires a value",
        ),
        (Kind::Other, "anything=x,else", "ok"),
    ] {
        assert_eq!(
            told(validate(kind, &options(given))),
            expected,
            "{kind:?} {given:?}"
        );
    }
}

#[test]
fn servers_are_read() {
    for (wrapper, server, expected) in [
        ("", "p0=a", Ok(vec!["a"])),
        ("", "p1=b,p=a", Ok(vec!["a", "b"])),
        (
            "",
            "p0=a,p1=b,p2=c,modular_mapping=2",
            Ok(vec!["a", "b", "c"]),
        ),
        (
            "modular_mapping=1",
            "p0=a,p1=b,p2=c",
            Ok(vec!["a", "b", "c"]),
        ),
        ("", "", Err("XX000 P invalid partition count")),
        (
            "modular_mapping=1",
            "p0=a,p1=b,p2=c,modular_mapping=0",
            Err("XX000 P invalid partition count"),
        ),
        ("", "p7=a,foo=1", Err("XX000 P Unknown config param: foo")),
        ("p0=a", "p0=a", Err("XX000 P Unknown config param: p0")),
        (
            "",
            "p0=a,p2=b",
            Err("XX000 P wrong partitions number, must be >= 0 and < 2"),
        ),
        (
            "",
            "p99999999999=a",
            Err("XX000 P wrong partitions number, must be >= 0 and < 1"),
        ),
        (
            "",
            "p-1=a",
            Err("XX000 P wrong partitions number, must be >= 0 and < 1"),
        ),
        (
            "",
            "p0=a,p00=b",
            Err("XX000 P duplicate partition number: 0"),
        ),
        (
            "",
            "p0",
            Err("XX000 Pl/Proxy: option \"p0\" requires a value"),
        ),
        (
            "query_timeout",
            "p0=a",
            Err("XX000 Pl/Proxy: option \"query_timeout\" requires a value"),
        ),
    ] {
        let found = parse_server(&options(wrapper), &options(server));
        match expected {
            Ok(partitions) => assert_eq!(
                found.map(|f| f.partitions),
                Ok(partitions.iter().map(|p| p.to_string()).collect())
            ),
            Err(message) => assert_eq!(told(found.map(drop)), message, "{wrapper:?} {server:?}"),
        }
    }
}

#[test]
fn values_are_read_as_far_as_they_are_numbers() {
    let seconds = |value: &str| {
        let rows = [(Some("query_timeout".to_owned()), Some(value.to_owned()))];
        parse_config(&rows)
            .expect("lenient")
            .query_timeout
            .map(|t| t.as_secs())
    };
    for (value, expected) in [
        ("", None),
        ("0", None),
        ("-1", None),
        ("x", None),
        ("5", Some(5)),
        (" +5s", Some(5)),
        ("1800.5", Some(1800)),
        ("99999999999999999999", Some(2_147_483_647)),
        ("-99999999999999999999", None),
    ] {
        assert_eq!(seconds(value), expected, "{value:?}");
    }
}

#[test]
fn configs_are_read() {
    let read = |text: &str| {
        let rows: Vec<_> = options(text)
            .into_iter()
            .map(|(k, v)| (Some(k), v))
            .collect();
        parse_config(&rows)
    };
    let expected = ClusterConfig {
        connection_lifetime: Some(Duration::from_secs(30)),
        idle_timeout: Some(Duration::from_secs(60)),
        reset_query: Some("discard all".to_owned()),
        query_timeout: None,
        connect_timeout: Some(Duration::from_secs(2)),
        lock_timeout: Some(Duration::from_millis(2500)),
        disable_binary: true,
        streaming: true,
        modular_mapping: true,
        default_user: DefaultUser::SessionUser,
        prepared_statements: PreparedStatements::On,
        transaction_mode: TransactionMode::Autocommit,
        shared_connections: 0,
        ignored_keepalive: true,
    };
    assert_eq!(
        read(
            "Connection_Lifetime=30,query_timeout=5,query_timeout=0,connect_timeout=2,disable_binary=1,\
             modular_mapping=-1,default_user=session_user,prepared_statements=on,keepalive_count=3,statement_timeout=x,\
             idle_timeout=60,reset_query= discard all ,streaming=1,lock_timeout=2500,transaction_mode=two_phase,\
             transaction_mode="
        ),
        Ok(expected)
    );
    assert_eq!(
        read(
            "keepalive_idle=0,default_user=,idle_timeout=0,reset_query=  ,streaming=,streaming=0,lock_timeout="
        ),
        Ok(ClusterConfig::default())
    );
    let mode = |text: &str| read(text).map(|config| config.transaction_mode);
    assert_eq!(
        mode("transaction_mode=two_phase"),
        Ok(TransactionMode::TwoPhase)
    );
    let limit = |text: &str| read(text).map(|config| config.lock_timeout);
    assert_eq!(limit("lock_timeout=0"), Ok(Some(Duration::ZERO)));
    assert_eq!(
        limit("lock_timeout=99999999999999999999"),
        Ok(Some(Duration::from_millis(i32::MAX as u64)))
    );
    for (given, message) in [
        ("foo=1", "XX000 P Unknown config param: foo"),
        ("p0=1", "XX000 P Unknown config param: p0"),
        ("=1", "XX000 P Unknown config param: "),
        ("foo", "XX000 P val must not be NULL"),
        (
            "idle_timeout=soon",
            "XX000 idle_timeout: Expect a number of seconds, got 'soon'",
        ),
        (
            "idle_timeout=-1",
            "XX000 idle_timeout: Expect a number of seconds, got '-1'",
        ),
        (
            "transaction_mode=2pc",
            "XX000 transaction_mode: Expect 'autocommit' or 'two_phase', got '2pc'",
        ),
        (
            "streaming=1,transaction_mode=two_phase",
            "XX000 Pl/Proxy: streaming cannot be combined with transaction_mode 'two_phase'",
        ),
        ("streaming=yes", "XX000 streaming: Expect 0 or 1, got 'yes'"),
        (
            "lock_timeout=10s",
            "XX000 lock_timeout: Expect a number of milliseconds, got '10s'",
        ),
        (
            "lock_timeout=-1",
            "XX000 lock_timeout: Expect a number of milliseconds, got '-1'",
        ),
        (
            "default_user=SESSION_USER",
            "XX000 default_user: Expect 'current_user' or 'session_user', got 'SESSION_USER'",
        ),
    ] {
        assert_eq!(told(read(given).map(drop)), message, "{given:?}");
    }
    assert_eq!(
        told(parse_config(&[(None, None)]).map(drop)),
        "XX000 P key must not be NULL"
    );
}

#[test]
fn connection_strings_are_told_apart() {
    let given = options("query_timeout=5,p1=b,partition_00=a,p2,p3x=c,default_user=d");
    let found: Vec<_> = connection_strings(&given).collect();
    assert_eq!(found, [("p1", "b"), ("partition_00", "a")]);
}

#[test]
fn counts() {
    for (count, low_bits, modular) in [
        (0, false, false),
        (1, true, true),
        (3, false, true),
        (32768, true, true),
    ] {
        assert_eq!(
            check_partition_count(count, false).is_ok(),
            low_bits,
            "{count}"
        );
        assert_eq!(
            check_partition_count(count, true).is_ok(),
            modular,
            "{count}"
        );
    }
    assert_eq!(
        told(check_partition_count(3, false)),
        "XX000 P get_partlist: invalid part count"
    );
}

#[test]
fn a_password_is_required_unless_that_is_lifted() {
    for (given, expected) in [
        ("", true),
        ("user=a,password=b", true),
        ("password_required=false", false),
        ("user=a,password_required=OFF", false),
        ("password_required=true", true),
        // What no validator of ours has seen.
        ("password_required=no", true),
        ("password_required", true),
        ("Password_required=false", true),
    ] {
        assert_eq!(is_password_required(&options(given)), expected, "{given}");
    }
}

#[test]
fn a_reset_query_has_a_limit() {
    let server = |length: usize| options(&format!("p0=a,reset_query={}", "x".repeat(length)));
    assert_eq!(told(validate(Kind::Server, &server(65536))), "ok");
    let refused = "XX000 reset_query is too long (maximum 65536 bytes)";
    assert_eq!(told(validate(Kind::Server, &server(65537))), refused);
    assert!(parse_server(&[], &server(65537)).is_err());
}
