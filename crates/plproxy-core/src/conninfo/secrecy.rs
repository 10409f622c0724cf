//! No message shows a password: every way to fail, with a password in the string and around it.

use super::describe::describe;
use super::environment::TestEnvironment;
use super::mask::shown;
use super::params::Params;
use super::parse::parse;
use super::properties::Random;

const SECRET: &str = "hunter2";

/// Asserts that `connstr` fails (or is warned of), and that nothing it leaves shows the secret.
fn check(connstr: &str, env: &TestEnvironment) {
    let outcome = parse(connstr).and_then(|params| {
        assert!(!format!("{params:?}").contains(SECRET), "{connstr}");
        params.resolve(env)
    });
    let texts: Vec<String> = match &outcome {
        Ok((info, warnings)) => {
            assert!(!warnings.is_empty(), "no message to look at: {connstr}");
            warnings
                .iter()
                .map(|w| format!("{w} {w:?}"))
                .chain([format!("{info:?}")])
                .collect()
        }
        Err(error) => vec![format!("{error} {error:?}")],
    };
    for text in texts {
        assert!(!text.contains(SECRET), "{connstr} gives {text}");
    }
}

#[test]
fn keyword_form() {
    let env = TestEnvironment::new();
    // What fails, after the password, before it, and with the password itself in pieces.
    for bad in [
        "x",
        "x=1",
        "=1",
        "port='1",
        "port=0",
        "port=x",
        "port=1,2",
        "host=a,b hostaddr=::1",
        "hostaddr=x",
        "connect_timeout=x",
        "host=h keepalives=x",
        "host=h keepalives_idle=x",
        "host=h keepalives_interval=x",
        "host=h keepalives_count=x",
        "host=h tcp_user_timeout=x",
        "sslmode=x",
        "sslnegotiation=x",
        "sslnegotiation=direct",
        "sslrootcert=system sslmode=allow",
        "sslcertmode=x",
        "channel_binding=x",
        "require_auth=x",
        "require_auth=md5,!md5",
        "require_auth=!md5,md5",
        "require_auth=md5,md5",
        "ssl_min_protocol_version=x",
        "ssl_max_protocol_version=TLSv1",
        "min_protocol_version=3.2",
        "gssencmode=x",
        "gssencmode=require",
        "replication=true",
        "target_session_attrs=x",
        "load_balance_hosts=x",
        "service=x",
        "service=x servicefile=x",
        "scram_client_key=x",
        "sslkeylogfile=x",
        "password=\0",
    ] {
        for secret in ["password", "sslpassword"] {
            check(&format!("{secret}={SECRET} {bad}"), &env);
            check(&format!("{bad} {secret}={SECRET}"), &env);
        }
    }
    for keyword in [
        "port",
        "hostaddr",
        "connect_timeout",
        "sslmode",
        "channel_binding",
        "require_auth",
        "gssencmode",
        "service",
        "service=s servicefile",
        "target_session_attrs",
        "ssl_min_protocol_version",
        "replication",
    ] {
        // The same text elsewhere, a quote that swallowed the rest, and a URI in the wrong place.
        check(&format!("password={SECRET} {keyword}=x{SECRET}"), &env);
        check(&format!("{keyword}='5 password={SECRET}'"), &env);
        check(&format!("{keyword}=postgresql://u:{SECRET}@h"), &env);
    }
    for cut in [
        format!("host=h;password={SECRET}"),
        format!("password=my {SECRET}"),
        format!("password=my {SECRET}=x"),
        format!("password='{SECRET}"),
        format!("password={SECRET}' x"),
        format!("password='my'{SECRET} x=1"),
        format!("password:{SECRET}"),
        format!("scram_client_key={SECRET}"),
        format!("oauth_client_secret={SECRET} x"),
        format!("postgre://u:{SECRET}@h/d"),
        format!("POSTGRESQL://u:{SECRET}@h/d?sslmode=x"),
    ] {
        check(&cut, &env);
    }
}

#[test]
fn uri_form() {
    let env = TestEnvironment::new();
    for bad in [
        "[",
        "[]",
        "[::1]x",
        "h:x",
        "h:0",
        "h:%zz",
        "%zz",
        "h/%zz",
        "h/%00",
        "h/%ff",
        "h/a b",
        "h?x",
        "h?x=1",
        "h?x=1=2",
        "h?%zz=1",
        "h?port=%zz",
        "h?port=x",
        "h?sslmode=x",
        "a,b:1,c:2:3",
        "q@h:x",
        "q@[",
        "q%zz@h",
    ] {
        check(&format!("postgresql://u:{SECRET}@{bad}"), &env);
        check(&format!("postgresql://u:p@{SECRET}@{bad}"), &env);
        check(&format!("postgresql://u:{SECRET}%zz@{bad}"), &env);
        check(&format!("postgresql://u:p/{SECRET}%zz@{bad}"), &env);
        check(&format!("postgresql://u:{SECRET}/{SECRET}@{bad}"), &env);
        check(
            &format!(
                "postgresql://{bad}{}password={SECRET}%zz",
                if bad.contains('?') { '&' } else { '?' }
            ),
            &env,
        );
    }
    for bad in [
        format!("u:{SECRET}"),
        format!("u:{SECRET}/d"),
        format!("u:{SECRET}%zz@h"),
        format!("u:%zz{SECRET}@h"),
        format!("u:%00{SECRET}@h"),
        format!("u:%ff{SECRET}@h"),
        format!("u:a {SECRET}@h"),
        format!("u:1/p?{SECRET}=1@h"),
        format!("h?password={SECRET}&x"),
        format!("h?password={SECRET}&x=1"),
        format!("h?password=a&{SECRET}"),
        format!("h?password=a&{SECRET}=b"),
        format!("h?password=a={SECRET}"),
        format!("h?passwd={SECRET}"),
        format!("h?passwd=%zz{SECRET}"),
        format!("h?sslpassword=%zz{SECRET}"),
        format!("h?password={SECRET}&port=x"),
        format!("[::1?password={SECRET}"),
        format!("u:a%40{SECRET}@[::1"),
    ] {
        check(&format!("postgres://{bad}"), &env);
    }
}

#[test]
fn surroundings() {
    let file = |text: &str| {
        TestEnvironment::new().with_file("/home/os_user/.pg_service.conf", 0o644, text)
    };
    for bad in [
        "x",
        "x=1",
        "service=x",
        "port=x",
        "ldap://x",
        "sslmode=x",
        "hostaddr=x",
    ] {
        check(
            "service=s",
            &file(&format!("[s]\npassword={SECRET}\n{bad}")),
        );
    }
    check("service=s", &file(&format!("[s]\npassword {SECRET}")));
    check("service=s", &file(&format!("[s]\n{SECRET}=x")));
    let env = TestEnvironment::new().with_var("PGPASSWORD", SECRET);
    check("port=x", &env);
    check(&format!("port={SECRET}"), &env);
    let env = TestEnvironment::new();
    check(
        "",
        &env.clone()
            .with_file("/home/os_user/.pgpass", 0o644, format!("*:*:*:*:{SECRET}")),
    );
    let latin1 = [b"*:*:*:*:\xff", SECRET.as_bytes()].concat();
    check(
        "",
        &env.clone()
            .with_file("/home/os_user/.pgpass", 0o600, latin1),
    );
    let mut params = Params::default();
    params.set("password", SECRET);
    params.set("x", "1");
    assert!(
        !params
            .resolve(&env)
            .unwrap_err()
            .to_string()
            .contains(SECRET)
    );
}

/// All that can be seen of a connection string, whatever becomes of it: errors, warnings, and what messages and views name.
fn seen(connstr: &str, env: &TestEnvironment) -> Vec<String> {
    let params = match parse(connstr) {
        Ok(params) => params,
        Err(error) => return vec![error.to_string()],
    };
    let mut seen = vec![params.label("somebody").to_owned()];
    match params.resolve(env) {
        Ok((info, warnings)) => {
            seen.extend(warnings.iter().map(ToString::to_string));
            seen.extend([info.label().to_owned(), shown(&info.user).to_owned()]);
            for host in &info.hosts {
                let address = host.hostaddr;
                seen.extend([host.shown(), describe(host, address)]);
                seen.extend(host.shown_port().map(|port| port.to_string()));
            }
        }
        Err(error) => seen.push(error.to_string()),
    }
    seen
}

#[test]
fn a_password_that_nobody_encoded_or_quoted() {
    const WORD: &str = "hunter2";
    const NUMBER: &str = "4711";
    let pieces = [
        WORD, NUMBER, WORD, NUMBER, "/", "@", ":", "?", "#", "%", "&", "=", "[", "]", ",", ";",
        " ", "\t", "'", "\"", "\\", "%zz", "%41", "//", "://", "x", "1", "ä",
    ];
    let env = TestEnvironment::new();
    let mut random = Random(0x5bd1_e995);
    for _ in 0..5_000 {
        let password = random.text(&pieces, 7);
        for connstr in [
            format!("postgresql://user:{password}@host:5432/db"),
            format!("postgresql://user:{password}@host/db?sslmode=require"),
            format!("postgres://user:{password}@"),
            format!("postgres://user:{password}@[::1]:1/db"),
            format!("postgresql://user:{password}@one:1,two:2/db"),
            format!("postgresql://host/db?password={password}&port=5"),
            format!("host=h user=u password={password} dbname=d"),
            format!("password={password}"),
            format!("host=h password='{password}' port=1"),
            format!("host='h password={password} dbname=d"),
            format!("dbname='d password={password}' host=h"),
            format!("user='u password={password}' host=h"),
            format!("passfile='/none password={password}' host=h"),
            format!("host='/tmp password={password}' port=1"),
            format!("host=h port='1 password={password}'"),
            format!("host=h sslmode='require password={password}'"),
        ] {
            for text in seen(&connstr, &env) {
                assert!(
                    !text.contains(WORD) && !text.contains(NUMBER),
                    "{connstr} shows {text}"
                );
            }
        }
    }
}

#[test]
fn pieces_that_parse_are_not_shown() {
    let check = |connstr: &str, expected: &str| {
        let seen = seen(connstr, &TestEnvironment::new()).join(" | ");
        assert_eq!(seen, expected, "{connstr}");
    };
    let nothing = "*** | *** | user | *** | connection to server at \"***\" failed";
    let nothing = nothing.replace("user", "os_user");
    check("postgresql://user:47/11@host/db", &nothing);
    check(
        "postgresql://user:47/11?port=12@host",
        "*** | invalid integer value \"***\" for connection option \"port\"",
    );
    check("postgresql://us/er:x@host/db", &nothing);
    // What is no mangled string is shown as before.
    check(
        "postgresql://u:p@host:47/db",
        "db | db | u | host | connection to server at \"host\", port 47 failed | 47",
    );
    check(
        "postgresql://host/db?user=me@server&password=a@b",
        "db | db | me@server | host | connection to server at \"host\", port 5432 failed | 5432",
    );
    check(
        "host=@abstract dbname=d user=me@server",
        "d | d | me@server | @abstract | connection to server on socket \"@abstract/.s.PGSQL.5432\" failed | 5432",
    );
}
