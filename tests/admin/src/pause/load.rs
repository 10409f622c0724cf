//! Clients that call all the time while a cluster, or a partition, is paused and moved: none sees an error, none comes to what is
//! paused, and all go where the definition says afterwards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use plproxy_test_kit::{Server, Tally, until_is};

use super::{COUNT, Servers};

const SESSIONS: usize = 45;
/// For so long nothing is to come.
const QUIET: Duration = Duration::from_millis(400);

/// Clients that call until they are told to stop.
struct Clients {
    stop: Arc<AtomicBool>,
    calls: Arc<Vec<AtomicUsize>>,
    errors: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<Duration>>,
}

impl Clients {
    fn start(servers: &Servers, cluster: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let calls: Arc<Vec<AtomicUsize>> =
            Arc::new((0..SESSIONS).map(|_| AtomicUsize::new(0)).collect());
        let errors = Arc::new(Mutex::new(Vec::new()));
        let threads = (0..SESSIONS)
            .map(|number| {
                let (session, cluster) = (servers.session(), cluster.to_owned());
                let (stop, calls, errors) = (stop.clone(), calls.clone(), errors.clone());
                thread::spawn(move || {
                    let mut longest = Duration::ZERO;
                    let mut at = number;
                    while !stop.load(Relaxed) {
                        at += 1;
                        let part = at % COUNT;
                        let statement = match at % 11 {
                            0 => format!("select count(*) from {cluster}_all({part})"),
                            1 => format!(
                                "select count(*) from {cluster}_split(array[{part}, {}])",
                                (part + 1) % COUNT
                            ),
                            // In the order of the partitions, so that nobody waits for a connection in a circle.
                            2 => format!(
                                "begin; select {cluster}_add({}); select {cluster}_add({}); commit",
                                part / 2,
                                part / 2 + 2
                            ),
                            3 => format!(
                                "select count({cluster}_add(i)) from generate_series(0, {}) i",
                                COUNT - 1
                            ),
                            _ => format!("select {cluster}_add({part})"),
                        };
                        let began = Instant::now();
                        let answer = session.run(&statement);
                        longest = longest.max(began.elapsed());
                        if answer.error.is_some()
                            && let Ok(mut errors) = errors.lock()
                        {
                            errors.push(format!("{statement}: {}", answer.lines().join(";")));
                            break;
                        }
                        if let Some(calls) = calls.get(number) {
                            calls.fetch_add(1, Relaxed);
                        }
                    }
                    session.end();
                    longest
                })
            })
            .collect();
        Self {
            stop,
            calls,
            errors,
            threads,
        }
    }

    fn counts(&self) -> Vec<usize> {
        self.calls.iter().map(|calls| calls.load(Relaxed)).collect()
    }

    /// Waits until each has called again.
    fn until_all_go_on(&self) -> bool {
        let before = self.counts();
        let all = || {
            let mut pairs = before.iter().zip(self.counts());
            pairs.all(|(before, now)| now > before + 1).to_string()
        };
        let is_over = || self.errors.lock().is_ok_and(|errors| !errors.is_empty());
        until_is("true", || if is_over() { "true".to_owned() } else { all() }) == "true"
            && !is_over()
    }

    /// How long the longest call took.
    fn end(self, tally: &mut Tally, what: &str) {
        self.stop.store(true, Relaxed);
        let ends = self
            .threads
            .into_iter()
            .map(|thread| thread.join().expect("a client"));
        let longest = ends.max().unwrap_or_default();
        let calls: usize = self.calls.iter().map(|calls| calls.load(Relaxed)).sum();
        let errors = self.errors.lock().expect("the errors");
        tally.check(
            &format!("{what}: no client has seen an error"),
            errors.is_empty(),
            &format!("{errors:?}"),
        );
        tally.note(&format!(
            "{what}: {calls} statements of {SESSIONS} sessions, the longest {} ms",
            longest.as_millis()
        ));
    }
}

pub fn run(tally: &mut Tally, servers: &Servers, cluster: &str) {
    let clients = Clients::start(servers, cluster);
    tally.check(
        &format!("{cluster}: clients work"),
        clients.until_all_go_on(),
        "some do not",
    );
    let pause =
        |what: &str| servers.ask(&format!("select plproxy_pause({what}, timeout => '50 s')"));
    let counts = || {
        let parts = (0..COUNT).map(|part| servers.calls(part));
        parts.collect::<Vec<_>>()
    };
    for round in 0..3 {
        if tally.has_failed() {
            break;
        }
        let began = Instant::now();
        tally.same(
            &format!("{cluster}, {round}: a partition is paused"),
            "",
            pause(&format!("'{cluster}', 1")),
        );
        let took = began.elapsed();
        let before = servers.calls(1);
        thread::sleep(QUIET);
        tally.same("nothing comes there", before, servers.calls(1));
        tally.note(&format!(
            "{cluster}: the pause of a partition took {} ms",
            took.as_millis()
        ));
        tally.same(
            "it resumes",
            "t",
            servers.ask(&format!("select plproxy_resume('{cluster}', 1)")),
        );
        tally.check("all go on", clients.until_all_go_on(), "some do not");
        tally.same("the cluster is paused", "", pause(&format!("'{cluster}'")));
        let before = counts();
        thread::sleep(QUIET);
        tally.same(
            "nothing comes anywhere",
            before.join(" "),
            counts().join(" "),
        );
        tally.check(
            "all wait",
            servers.until_waiting(&SESSIONS.to_string()),
            &servers.ask("select * from plproxy_paused"),
        );
        let prepared = servers
            .parts
            .ask("postgres", &["select count(*) from pg_prepared_xacts"]);
        tally.same("nothing is prepared", "0", prepared);
        tally.same(
            "it resumes",
            "t",
            servers.ask(&format!("select plproxy_resume('{cluster}')")),
        );
        tally.check("all go on", clients.until_all_go_on(), "some do not");
    }
    // To another server and back.
    let moved = || servers.other.ask("moved", &["select count(*) from t"]);
    for (to, here) in [
        (servers.other.connstr("moved"), false),
        (servers.parts.connstr("part1"), true),
    ] {
        pause(&format!("'{cluster}', 1"));
        let before = (servers.calls(1), moved());
        servers.proxy.execute(
            "postgres",
            &[&format!("alter server {cluster} options (set p1 '{to}')")],
        );
        thread::sleep(QUIET);
        tally.same(
            "nothing comes to the old place or the new",
            format!("{before:?}"),
            format!("{:?}", (servers.calls(1), moved())),
        );
        servers.ask(&format!("select plproxy_resume('{cluster}', 1)"));
        tally.check("all go on", clients.until_all_go_on(), "some do not");
        let after = (servers.calls(1), moved());
        let (stays, grows) = if here {
            ((before.1, after.1), (before.0, after.0))
        } else {
            ((before.0, after.0), (before.1, after.1))
        };
        tally.same(
            &format!("{cluster}: all calls go to {to}"),
            stays.0,
            stays.1,
        );
        tally.check("and come there", grows.0 != grows.1, &grows.1);
    }
    clients.end(tally, cluster);
}

/// A cluster that functions define, within one statement that has begun before.
pub fn of_functions(tally: &mut Tally, servers: &Servers) {
    servers.proxy.execute(
        "postgres",
        &[
            "create schema plproxy",
            "create table plproxy.parts (version int, connstr text)",
            &format!("insert into plproxy.parts values (1, '{} user=postgres')", servers.parts.connstr("part0")),
            "create function plproxy.get_cluster_version(text) returns int stable language sql as 'select version from plproxy.parts'",
            "create function plproxy.get_cluster_config(text, out key text, out val text) returns setof record language sql as
                'select null::text, null::text where false'",
            "create function plproxy.get_cluster_partitions(text) returns setof text stable language sql as 'select connstr from plproxy.parts'",
            "create function defined_at() returns text language plproxy as $$ cluster 'defined'; run on any; select current_database()::text; $$",
        ],
    );
    let session = servers.session();
    let call = session.send("select string_agg(distinct defined_at(), ' ' order by defined_at()) from (select 1 from generate_series(1, 1000000) i
        where case i % 1000 when 0 then defined_at() <> 'part0' else false end limit 3) x");
    tally.same(
        "a cluster of functions is paused",
        "",
        servers.ask("select plproxy_pause('defined', timeout => '50 s')"),
    );
    tally.check(
        "a statement waits in its middle",
        servers.until_waiting("1"),
        "it does not",
    );
    servers.proxy.execute(
        "postgres",
        &[&format!(
            "update plproxy.parts set version = 2, connstr = '{} user=postgres'",
            servers.parts.connstr("part3")
        )],
    );
    servers.ask("select plproxy_resume('defined')");
    tally.same("and goes on at the new place", "part3", call.said());
}

/// A call that has read the cluster's definition, and waits within a function that says where it goes: what that has seen of the pause
/// does not make up for what the call has read before.
pub fn nested(tally: &mut Tally, servers: &Servers) {
    servers.proxy.execute(
        "postgres",
        &[
            "create function plain_where(at int) returns int language plproxy as $$ cluster 'plain'; run on 1; select 1; $$",
            "create function plain_put(at int) returns int language plproxy as $$ cluster 'plain'; run on plain_where(at); target add; $$",
        ],
    );
    let session = servers.session();
    session.run("select plain_put(7000)");
    let put = |server: &Server, database: &str| {
        server.ask(database, &["select count(*) from t where at = 7001"])
    };
    servers.ask("select plproxy_pause('plain', 1)");
    let call = session.send("select plain_put(7001)");
    tally.check("it waits", servers.until_waiting("1"), "it does not");
    let to = servers.other.connstr("moved");
    servers.proxy.execute(
        "postgres",
        &[&format!("alter server plain options (set p1 '{to}')")],
    );
    servers.ask("select plproxy_resume('plain', 1)");
    call.wait();
    tally.same(
        "and goes where the partition is by then",
        "0 1",
        format!(
            "{} {}",
            put(&servers.parts, "part1"),
            put(&servers.other, "moved")
        ),
    );
    let back = servers.parts.connstr("part1");
    servers.proxy.execute(
        "postgres",
        &[&format!("alter server plain options (set p1 '{back}')")],
    );
}
