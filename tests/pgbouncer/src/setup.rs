//! The servers, and what all parts do with them.

use std::collections::BTreeSet;
use std::time::Duration;

use plproxy_test_kit::{Pending, PgBouncer, Run, Server, Tally};

/// Sessions that call at the same time.
pub const WORKERS: usize = 8;
/// What the pooler is told in most cases: two server connections, and patience on a slow machine.
pub const TWO: [&str; 6] = [
    "--set",
    "default_pool_size = 2",
    "--set",
    "query_wait_timeout = 600",
    "--set",
    "max_client_conn = 100",
];
/// Both PgBouncers: one that knows `max_prepared_statements`, and Debian 12's.
pub const PROGRAMS: [&str; 2] = ["newer", "debian"];
/// Thousands of calls in each of many sessions end in it on a busy machine.
const LONG: Duration = Duration::from_secs(900);

pub struct Setup {
    pub run: Run,
    pub part: Server,
    pub proxy: Server,
    pub password: String,
    /// Calls in each session.
    pub calls: usize,
}

/// What the workers have found.
pub struct Summary {
    made: i64,
    pub wrong: i64,
    pub errors: i64,
    processes: usize,
    most: usize,
    message: String,
}

impl Setup {
    pub fn begin() -> Self {
        let run = Run::begin();
        let part = run.start(
            "part",
            &[
                "--max-connections",
                "100",
                "--set",
                "max_prepared_transactions = 20",
            ],
        );
        let proxy = run.start("proxy", &["--max-connections", "100"]);
        part.execute(
            "postgres",
            &["create database part template template0 encoding 'LATIN1' locale 'C'"],
        );
        part.execute("part", &[include_str!("../partition.sql")]);
        proxy.execute(
            "postgres",
            &[
                "create database proxy",
                "create database ascii template template0 encoding 'SQL_ASCII' locale 'C'",
            ],
        );
        let password = run.password();
        let mapping = format!(
            "create user mapping for public server parts options (user 'postgres', password '{password}')"
        );
        for database in ["proxy", "ascii"] {
            proxy.execute(database, &[include_str!("../proxy.sql"), &mapping]);
        }
        let calls = std::env::var("CALLS").ok();
        Self {
            run,
            part,
            proxy,
            password,
            calls: calls.map_or(10_000, |text| text.parse().expect("CALLS, a number")),
        }
    }

    /// A pooler in front of the partition.
    pub fn pooler(&self, name: &str, program: &str, options: &[&str]) -> PgBouncer {
        let options = [&["--program", program], options].concat();
        self.run.start_pooler(name, &self.part, &options)
    }

    /// The cluster goes by that pooler from now on. Options are those of ALTER SERVER, such as `prepared_statements 'on'`,
    /// instead of what the last call gave; nothing for none.
    pub fn go_by(&self, pooler: &PgBouncer, options: &str) {
        self.go_by_in("proxy", pooler, options);
    }

    pub fn go_by_in(&self, database: &str, pooler: &PgBouncer, options: &str) {
        let session = self.proxy.session(database);
        let given = session.run(
            "select split_part(option, '=', 1) from pg_foreign_server, unnest(srvoptions) option where option !~ '^p0='",
        );
        let drops = given
            .lines()
            .into_iter()
            .map(|name| format!(", drop {name}"));
        let added = if options.is_empty() {
            String::new()
        } else {
            format!(", add {options}")
        };
        // What is dropped may be added again only by another command.
        let mut said = String::new();
        let drops: String = drops.collect();
        if let Some(drops) = drops.strip_prefix(", ") {
            said += &session.ask(&[&format!("alter server parts options ({drops})")]);
        }
        let set = format!(
            "alter server parts options (set p0 '{}'{added})",
            pooler.connstr("part")
        );
        said += &session.ask(&[&set]);
        assert_eq!(said, "", "{set}");
    }

    /// What the proxy says to statements in one message of a new session, or an error; lines after semicolons.
    pub fn ask(&self, statements: &str) -> String {
        self.proxy.ask("proxy", &[statements])
    }

    /// The answer of a call by that connection string.
    pub fn by_connstr(&self, connstr: &str) -> String {
        let connstr = connstr.replace('\'', "''");
        self.ask(&format!("select * from two_by('{connstr}', 1)"))
    }

    /// The connection string of the superuser by a pooler.
    pub fn connstr(&self, pooler: &PgBouncer) -> String {
        format!(
            "{} user=postgres password={}",
            pooler.connstr("part"),
            self.password
        )
    }

    /// One of the texts is somewhere in it, and no password.
    pub fn like(&self, tally: &mut Tally, what: &str, texts: &[&str], got: &str) {
        let found = texts.iter().any(|text| got.contains(text));
        let secret = got.contains(&self.password);
        let shown = if secret {
            "a password in the message"
        } else {
            got
        };
        tally.check(what, found && !secret, shown);
    }

    /// How many statements of `slow` run at the partition.
    pub fn running(&self) -> String {
        self.part.ask(
            "part",
            &["select count(*) from pg_stat_activity
                where state = 'active' and query ~ 'slow' and pid <> pg_backend_pid()"],
        )
    }

    /// All workers at once.
    pub fn hammer(&self, calls: usize) -> Summary {
        let sessions: Vec<_> = (0..WORKERS).map(|_| self.proxy.session("proxy")).collect();
        // Each ends with its statement: in a pool of sessions it holds a server connection until then.
        let under_way: Vec<Pending> = (sessions.into_iter().enumerate())
            .map(|(worker, session)| {
                session.send(&format!("select * from hammer({worker}, {calls})"))
            })
            .collect();
        let mut summary = Summary {
            made: 0,
            wrong: 0,
            errors: 0,
            processes: 0,
            most: 0,
            message: String::new(),
        };
        let mut seen = BTreeSet::new();
        for statement in under_way {
            summary.add(&statement.wait_for(LONG).lines().join(";"), &mut seen);
        }
        summary.processes = seen.len();
        summary
    }

    /// That many calls by all workers, and that all of them gave what they must.
    pub fn all_right(&self, tally: &mut Tally, what: &str, calls: usize, most: usize) {
        let wanted = format!(
            "{} made, 0 wrong, 0 errors, 2 processes, up to {most} in one session ",
            WORKERS * calls
        );
        let got = self.hammer(calls).told();
        tally.same(
            &format!("{what}: {WORKERS} sessions, {calls} calls each of two functions"),
            wanted,
            got,
        );
    }
}

impl Summary {
    /// A worker's line `made|wrong|errors|{pids}|message`; any other is an error.
    fn add(&mut self, line: &str, seen: &mut BTreeSet<String>) {
        let fields: Vec<&str> = line.splitn(5, '|').collect();
        let number = |text: &str| text.parse::<i64>().ok();
        let mut said = line;
        match fields.as_slice() {
            [made, wrong, errors, pids, message] if number(made).is_some() => {
                self.made += number(made).unwrap_or_default();
                self.wrong += number(wrong).unwrap_or_default();
                self.errors += number(errors).unwrap_or_default();
                let pids: Vec<&str> = pids.trim_matches(['{', '}']).split(',').collect();
                self.most = self.most.max(pids.len());
                seen.extend(pids.into_iter().map(str::to_owned));
                said = message;
            }
            _ => self.errors += 1,
        }
        if self.message.is_empty() {
            said.clone_into(&mut self.message);
        }
    }

    pub fn told(&self) -> String {
        format!(
            "{} made, {} wrong, {} errors, {} processes, up to {} in one session {}",
            self.made, self.wrong, self.errors, self.processes, self.most, self.message
        )
    }
}
