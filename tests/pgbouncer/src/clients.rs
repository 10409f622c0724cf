//! Roles and encodings of those that come by the pooler, and the settings that docs/pgbouncer.md recommends.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use plproxy_test_kit::Tally;

use crate::setup::{PROGRAMS, Setup};

/// Roles that the pooler asks the server about, and whose passwords stand nowhere but there.
pub fn auth(tally: &mut Tally, setup: &Setup) {
    setup.part.execute(
        "part",
        &[
            &format!("create role app login password '{}'", setup.password),
            "create function pooler_user(name text) returns table (role text, secret text)
                language sql security definer set search_path = pg_catalog as
                $$ select rolname::text, case when rolvaliduntil < now() then null else rolpassword end
                    from pg_authid where rolname = name and not rolsuper $$",
        ],
    );
    for program in PROGRAMS {
        let pooler = setup.pooler(
            &format!("auth-{program}"),
            program,
            &[
                "--set",
                "pool_mode = transaction",
                "--set",
                "auth_user = postgres",
                "--set",
                "auth_query = select role, secret from public.pooler_user($1)",
            ],
        );
        let connstr = pooler.connstr("part");
        let said = setup.by_connstr(&format!("{connstr} user=app password={}", setup.password));
        tally.same(
            &format!("{program}: a role of auth_query, by SCRAM on both sides"),
            "two 1",
            said.split('|').next().unwrap_or_default(),
        );
        setup.like(
            tally,
            &format!("{program}: with a wrong password"),
            &[
                "SASL authentication failed",
                "password authentication failed",
            ],
            &setup.by_connstr(&format!("{connstr} user=app password=wrong")),
        );
        pooler.kill();
    }
}

/// Sessions of proxies with different encodings take turns on one server connection.
pub fn encodings(tally: &mut Tally, setup: &Setup) {
    for program in PROGRAMS {
        let pooler = setup.pooler(
            &format!("encodings-{program}"),
            program,
            &[
                "--set",
                "pool_mode = transaction",
                "--set",
                "default_pool_size = 1",
            ],
        );
        setup.go_by(&pooler, "");
        setup.go_by_in("ascii", &pooler, "");
        let session = setup.proxy.session("proxy");
        let mut said = Vec::new();
        for _ in 0..3 {
            said.push(session.ask(&["select encode(convert_to(letter(), 'UTF8'), 'hex')"]));
            said.push(
                setup
                    .proxy
                    .ask("ascii", &["select encode(letter()::bytea, 'hex')"]),
            );
        }
        tally.same(
            &format!(
                "{program}: UTF8 and SQL_ASCII proxies over one connection to a LATIN1 database"
            ),
            "c3a9;e9;c3a9;e9;c3a9;e9",
            said.join(";"),
        );
        session.end();
        pooler.kill();
    }
}

/// The settings that docs/pgbouncer.md recommends are those of the file, and they do what is said there.
pub fn recommended(tally: &mut Tally, _setup: &Setup) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = include_str!("../recommended.ini");
    let wanted: Vec<&str> = file.lines().filter(|line| !line.starts_with(';')).collect();
    let document = fs::read_to_string(here.join("../../docs/pgbouncer.md")).expect("the document");
    let (_, listing) = document.split_once("```ini\n").expect("a listing");
    let (listing, _) = listing.split_once("```").expect("its end");
    // What differs from pooler to pooler.
    let own = [";", "[", "*", "auth", "listen"];
    let found: Vec<&str> = listing
        .lines()
        .filter(|line| !line.is_empty() && !own.iter().any(|start| line.starts_with(start)))
        .collect();
    tally.same(
        "docs/pgbouncer.md has recommended.ini",
        wanted.join("\n"),
        found.join("\n"),
    );
    let output = Command::new(here.join("connections.sh"))
        .envs([
            ("SESSIONS", "12"),
            ("INSTANCES", "2"),
            ("DATABASES", "4"),
            ("SECONDS_EACH", "3"),
            ("LIMIT", "20"),
            ("DIRECT", "no"),
        ])
        .stdin(Stdio::null())
        .output()
        .expect("connections.sh");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    for line in said.lines() {
        tally.note(line);
    }
    tally.check(
        "12 sessions, 4 partitions on each of 2 instances: at most 17 of 20 connections, no error",
        said.lines()
            .any(|line| line == "within the limit: yes, errors: 0"),
        "see above",
    );
}
