//! Oracles for everything that is read as text.

use plproxy_core::ast::Body;
use plproxy_core::conninfo::{
    ConnInfo, KEYWORDS, Params, TestEnvironment, describe, parse, quote_value, shown,
};
use plproxy_core::function::{Argument, Column, Procedure, Returns, Signature, TypeName, compile};
use plproxy_core::options::{self, ClusterConfig, DefaultUser, Kind, PreparedStatements};
use plproxy_core::parser;

/// The password in seeds and dictionaries; no message may show it.
const SECRET: &str = "hunter2";

// ---- the body of a function

/// Printed and parsed again a body is the same tree, and compiles to the same.
pub fn function_body(body: &str) {
    let Ok(tree) = parser::parse(body) else {
        assert!(signatures().iter().all(|s| compile(body, s).is_err()));
        return;
    };
    let printed = Body::to_string(&tree);
    assert_eq!(parser::parse(&printed).as_ref(), Ok(&tree), "{printed:?}");
    for signature in signatures() {
        let program = compile(body, &signature).ok();
        assert_eq!(compile(&printed, &signature).ok(), program, "{printed:?}");
    }
}

fn signatures() -> [Signature; 5] {
    let ty = |sql: &str, is_array| TypeName {
        sql: sql.into(),
        is_array,
        names: None,
    };
    let function = |args: &[(&str, bool)], returns, is_set| Signature {
        schema: "public".into(),
        name: "f".into(),
        args: (args.iter())
            .map(|(name, is_array)| Argument {
                name: Some((*name).into()),
                ty: ty(if *name == "q" { "text" } else { "int4" }, *is_array),
            })
            .collect(),
        returns,
        is_set,
        procedure: None,
    };
    let column = |name: &str| Column {
        name: name.into(),
        ty: ty("text", false),
    };
    [
        function(&[], Returns::Scalar(ty("text", false)), false),
        function(
            &[("a", false), ("b", true), ("x", true)],
            Returns::Row(vec![column("x"), column("y z")]),
            true,
        ),
        function(&[("a", true)], Returns::Record, true),
        function(&[("q", false), ("a", false)], Returns::Record, true),
        Signature {
            procedure: Some(Box::new(Procedure { outputs: vec![1] })),
            ..function(
                &[("q", false), ("b", true)],
                Returns::Row(vec![column("x")]),
                false,
            )
        },
    ]
}

// ---- connection strings

fn environment() -> TestEnvironment {
    TestEnvironment::new().with_file(
        "/home/os_user/.pgpass",
        0o600,
        "h:5432:d:u:one\n*:*:*:*:any",
    )
}

/// The pairs of a string are the same when they are quoted and read again; no message shows the password.
pub fn connstr(text: &str) {
    let parsed = parse(text);
    let outcome = parsed
        .clone()
        .and_then(|params| params.resolve(&environment()));
    if hides_the_secret(text) {
        let mut said = match &outcome {
            Ok((info, warnings)) => format!("{info:?} {warnings:?} {}", shown_of(info)),
            Err(error) => format!("{error} {error:?}"),
        };
        if let Ok(params) = &parsed {
            said.push_str(&format!("{params:?}"));
        }
        // What is not the password's but the user's or the like may be shown.
        let elsewhere = parsed.as_ref().is_ok_and(|params| {
            (params.iter()).any(|(name, value)| name != "password" && value.contains(SECRET))
        });
        assert!(elsewhere || !said.contains(SECRET), "{text:?}: {said}");
    }
    if let Ok((info, _)) = &outcome {
        sound(info);
    }
    if let Ok(params) = parsed {
        let quoted: Vec<String> = (params.iter())
            .map(|(name, value)| format!("{name}={}", quote_value(value)))
            .collect();
        let again = parse(&quoted.join(" ")).expect("what was quoted is read");
        assert!(again.iter().eq(params.iter()), "{quoted:?}");
        // The same, said the other way.
        assert_same(&parse(&as_uri(&params)), &params);
        if let Ok((mut info, _)) = outcome {
            let (mut second, _) = again.resolve(&environment()).expect("resolved before");
            // What may be shown depends on how the string looks: nothing of what looks like a mangled one.
            for info in [&mut info, &mut second] {
                (info.passfile, info.mangled) = (None, false);
                info.hosts.iter_mut().for_each(|host| host.hidden = false);
            }
            assert_eq!(second, info, "{quoted:?}");
        }
    }
}

/// All of a connection that messages and views show.
fn shown_of(info: &ConnInfo) -> String {
    let hosts = (info.hosts.iter()).map(|host| {
        format!(
            "{} {:?} {}",
            host.shown(),
            host.shown_port(),
            describe(host, None)
        )
    });
    let hosts: Vec<String> = hosts.collect();
    format!("{} {} {hosts:?}", info.label(), shown(&info.user))
}

/// The same for a URI, whose scheme need not be found.
pub fn uri(text: &str) {
    for scheme in ["postgresql://", "postgres://"] {
        connstr(&format!("{scheme}{text}"));
    }
}

/// Whether the secret stands where only a password can be.
fn hides_the_secret(text: &str) -> bool {
    text.matches(SECRET).count() == 1
        && (text.starts_with(&format!("password={SECRET}"))
            || text.contains(&format!(" password={SECRET}"))
            || text.contains(&format!("://u:{SECRET}@")))
}

/// Every value percent-encoded, as parameters of a URI without hosts.
fn as_uri(params: &Params) -> String {
    let encode = |text: &str| -> String { text.bytes().map(|b| format!("%{b:02x}")).collect() };
    let pairs: Vec<String> = (params.iter())
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    format!("postgresql://?{}", pairs.join("&"))
}

fn assert_same<E>(found: &Result<Params, E>, wanted: &Params) {
    let found = found.as_ref().ok().expect("what was encoded is read");
    for keyword in KEYWORDS {
        assert_eq!(found.get(keyword.name), wanted.get(keyword.name));
    }
}

fn sound(info: &ConnInfo) {
    assert!(!info.hosts.is_empty() && !info.user.is_empty() && !info.dbname.is_empty());
    assert!(info.hosts.iter().all(|host| host.port > 0));
}

// ---- the files

/// The password of each host is what the file's own rules say, read in another way.
pub fn passfile(content: &[u8]) {
    let hosts = ["h", "::1", "a.b", "localhost"];
    let env = TestEnvironment::new().with_file("/p", 0o600, content);
    let connstr = "host=h,::1,a.b,/var/run/postgresql port=5432,1,2,3 dbname=d user=u passfile=/p";
    let (info, warnings) = (parse(connstr).and_then(|params| params.resolve(&env)))
        .expect("a password file is never a reason to fail");
    for (host, name) in info.hosts.iter().zip(hosts) {
        let wanted = password_of(content, [name, &host.port.to_string(), "d", "u"]);
        let found = host.password.as_ref().map(|secret| secret.expose());
        match wanted.map(String::from_utf8) {
            Some(Ok(text)) => assert_eq!(found, Some(text.as_str()).filter(|t| !t.is_empty())),
            Some(Err(_)) => assert!(found.is_none() && !warnings.is_empty()),
            None => assert_eq!(found, None),
        }
    }
    assert!(!format!("{info:?} {warnings:?}").contains(SECRET));
}

/// Line by line and field by field, with copies, as the documentation tells it.
fn password_of(content: &[u8], wanted: [&str; 4]) -> Option<Vec<u8>> {
    for line in content.split(|byte| *byte == b'\n') {
        if line.first() == Some(&b'#') {
            continue;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut at = 0;
        let mut fits = true;
        for wanted in wanted {
            if line[at..].starts_with(b"*:") {
                at += 2;
                continue;
            }
            // The address ::1 may stand there without its backslashes.
            let mut field = Vec::new();
            loop {
                match line.get(at) {
                    Some(b':') if field == wanted.as_bytes() => break,
                    Some(b'\\') if at + 1 < line.len() => {
                        field.push(line[at + 1]);
                        at += 2;
                    }
                    Some(b'\\') | None => {
                        fits = false;
                        break;
                    }
                    Some(byte) => {
                        field.push(*byte);
                        at += 1;
                    }
                }
                if field.len() > wanted.len() {
                    fits = false;
                    break;
                }
            }
            if !fits || field != wanted.as_bytes() {
                fits = false;
                break;
            }
            at += 1;
        }
        if fits {
            let mut password = Vec::new();
            let mut rest = line[at..].iter();
            while let Some(byte) = rest.next() {
                match byte {
                    b':' => break,
                    b'\\' => password.push(*rest.next().unwrap_or(&b'\\')),
                    byte => password.push(*byte),
                }
            }
            return Some(password);
        }
    }
    None
}

/// What is before a group or after it is of no interest to it.
pub fn service_file(content: &[u8]) {
    let resolved = |content: Vec<u8>| {
        let env = (TestEnvironment::new().with_file("/s", 0o644, content))
            .with_var("PGSERVICEFILE", "/s");
        parse("service=s")
            .and_then(|params| params.resolve(&env))
            .map(|(info, _)| info)
    };
    let found = resolved(content.to_vec());
    if let Ok(info) = &found {
        sound(info);
    }
    let before = [b"# c\n\n[other]\n=nonsense\n", content].concat();
    let after = [content, b"[other]\n=nonsense\n[s]\nport=0\n"].concat();
    if let Ok(info) = found {
        assert_eq!(resolved(before).as_ref(), Ok(&info));
        // The end of the last line counts towards the length that a line may have.
        if content.ends_with(b"\n") {
            assert_eq!(resolved(after).as_ref(), Ok(&info));
        }
    } else {
        assert!(resolved(before).is_err());
    }
}

// ---- options

/// What the validator takes the reader takes, and what was read is the same when it is written and read again. The text is
/// an option on each line, the wrapper's before a line `--`.
pub fn server_options(text: &str) {
    let mut lists = [Vec::new(), Vec::new()];
    let mut at = 0;
    for line in text.lines() {
        match (line, line.split_once('=')) {
            ("--", _) => at = 1,
            (_, Some((key, value))) => lists[at].push((key.to_owned(), Some(value.to_owned()))),
            (key, None) => lists[at].push((key.to_owned(), None)),
        }
    }
    let [mut wrapper, mut server] = lists;
    if at == 0 {
        std::mem::swap(&mut wrapper, &mut server);
    }
    let valid = options::validate(Kind::Wrapper, &wrapper).is_ok()
        && options::validate(Kind::Server, &server).is_ok();
    let _ = options::validate(Kind::UserMapping, &server);
    let _ = options::connection_strings(&server).count();
    let rows: Vec<_> = (server.iter().cloned())
        .map(|(key, value)| (Some(key), value))
        .collect();
    let config = options::parse_config(&rows);
    let read = match options::parse_server(&wrapper, &server) {
        Ok(read) => read,
        Err(error) => {
            // The wrapper's setting of the modular mapping may fit other numbers than the server's own.
            let modular = wrapper
                .iter()
                .any(|(key, _)| key.eq_ignore_ascii_case("modular_mapping"));
            assert!(!valid || modular, "{error}");
            return;
        }
    };
    assert!(read.config.modular_mapping || read.partitions.len().is_power_of_two());
    if let Ok(config) = config {
        again(&config);
    }
    again(&read.config);
    let written: Vec<_> = (read.partitions.iter().enumerate().rev())
        .map(|(number, connstr)| (format!("p{number}"), Some(connstr.clone())))
        .chain(written(&read.config))
        .collect();
    assert_eq!(options::parse_server(&[], &written).as_ref(), Ok(&read));
}

fn again(config: &ClusterConfig) {
    let rows: Vec<_> = written(config)
        .map(|(key, value)| (Some(key), value))
        .collect();
    assert_eq!(options::parse_config(&rows).as_ref(), Ok(config));
}

fn written(config: &ClusterConfig) -> impl Iterator<Item = (String, Option<String>)> + use<> {
    let seconds = |time: Option<std::time::Duration>| time.map_or(0, |t| t.as_secs()).to_string();
    let flag = |on| u8::from(on).to_string();
    [
        ("connection_lifetime", seconds(config.connection_lifetime)),
        ("idle_timeout", seconds(config.idle_timeout)),
        ("query_timeout", seconds(config.query_timeout)),
        ("connect_timeout", seconds(config.connect_timeout)),
        (
            "reset_query",
            config.reset_query.clone().unwrap_or_default(),
        ),
        ("disable_binary", flag(config.disable_binary)),
        ("streaming", flag(config.streaming)),
        ("modular_mapping", flag(config.modular_mapping)),
        ("keepalive_idle", flag(config.ignored_keepalive)),
        (
            "default_user",
            match config.default_user {
                DefaultUser::CurrentUser => "current_user",
                DefaultUser::SessionUser => "session_user",
            }
            .to_owned(),
        ),
        (
            "prepared_statements",
            match config.prepared_statements {
                PreparedStatements::Auto => "auto",
                PreparedStatements::On => "on",
                PreparedStatements::Off => "off",
            }
            .to_owned(),
        ),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), Some(value)))
}
