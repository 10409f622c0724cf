//! What all tests need.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use plproxy_core::conninfo::{SystemEnvironment, parse};
use plproxy_remote::{
    Batch, Call, CallOptions, ColumnDescription, Diagnostic, Encoding, Endpoint, Error, ErrorKind,
    Event, Param, Params, Prepared, Remote, Request, Reset, ResultFormats, Statement, Wait,
};
use plproxy_test_kit::{Process, until_is};

/// What takes so long hangs, however busy the machine is; what somebody might wait for in vain here takes longer.
pub const HANG: Duration = Duration::from_secs(30);

static TURN: Mutex<()> = Mutex::new(());

/// Waits for the test's turn.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub fn server() -> String {
    std::env::var("PLPROXY_TEST_SERVER")
        .expect("PLPROXY_TEST_SERVER names a superuser's connection")
}

pub fn remote() -> Remote {
    Remote::new(|| false, Encoding::UTF8).unwrap()
}

pub fn endpoint(remote: &Remote, key: &str, connstr: &str) -> Rc<Endpoint> {
    let params = parse(connstr).unwrap();
    remote
        .endpoint(key, move || params.resolve(&SystemEnvironment::new()))
        .unwrap()
}

pub fn text(value: &str) -> Param {
    Param::Text(value.into())
}

pub fn prepared(prepared: Prepared) -> CallOptions {
    CallOptions {
        prepared,
        ..CallOptions::default()
    }
}

pub fn unprepared() -> CallOptions {
    prepared(Prepared::Off)
}

pub fn resetting(sql: &str) -> CallOptions {
    CallOptions {
        reset: Some(Reset::new(sql)),
        ..CallOptions::default()
    }
}

pub fn request(endpoint: &Rc<Endpoint>, params: &[Param]) -> Request {
    Request {
        endpoint: endpoint.clone(),
        params: Params::new(params.into(), endpoint.host_encoding()),
    }
}

/// All that a call gave, in order of arrival.
#[derive(Default)]
pub struct Outcome {
    pub rows: Vec<(usize, Vec<Option<Vec<u8>>>)>,
    pub columns: Vec<Option<Rc<[ColumnDescription]>>>,
    pub formats: Vec<ResultFormats>,
    /// The `DateStyle` that each batch of rows was written under, where it is not as everybody reads it.
    pub dates: Vec<Option<String>>,
    /// Rows and notices as they came: `row <n>` or the notice's text.
    pub log: Vec<String>,
    pub notices: Vec<Diagnostic>,
    pub done: Vec<usize>,
    pub failed: Vec<(usize, ErrorKind)>,
    pub events: usize,
    pub error: Option<Error>,
}

impl Outcome {
    fn batch(&mut self, request: usize, batch: &Batch) {
        self.formats.push(batch.formats().clone());
        self.dates
            .push(batch.style().map(|style| style.dates.clone()));
        self.columns.push(Some(batch.columns().clone()));
        for row in batch.iter() {
            let values = (0..batch.columns().len())
                .map(|column| row.get(column).map(<[u8]>::to_vec))
                .collect();
            self.rows.push((request, values));
        }
        self.log.push(format!("rows {}", batch.len()));
    }

    /// The first column of the only row, as text.
    pub fn text(&self) -> String {
        self.texts().pop().expect("a row")
    }

    /// The first column of all rows.
    pub fn texts(&self) -> Vec<String> {
        if let Some(error) = &self.error {
            panic!("{error:?}");
        }
        self.rows
            .iter()
            .map(|(_, row)| String::from_utf8(row[0].clone().expect("a value")).unwrap())
            .collect()
    }

    /// The column names of the first event that has any.
    pub fn names(&self) -> Vec<String> {
        let columns = self.columns.iter().flatten().next().expect("columns");
        columns
            .iter()
            .map(|column| String::from_utf8_lossy(&column.name).into_owned())
            .collect()
    }

    /// The server's error.
    pub fn diagnostic(self) -> Diagnostic {
        match self.error().kind {
            ErrorKind::Db(diagnostic) => *diagnostic,
            other => panic!("not the server's error: {other:?}"),
        }
    }

    pub fn error(self) -> Error {
        self.error.expect("an error")
    }
}

pub fn drain(mut call: Call<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        outcome.events += 1;
        match call.next() {
            Ok(Event::Rows {
                request,
                batch,
                done,
            }) => {
                outcome.batch(request, &batch);
                if done {
                    outcome.done.push(request);
                }
            }
            Ok(Event::Notice { notice, .. }) => {
                outcome.log.push(notice.message.clone());
                outcome.notices.push(*notice);
            }
            Ok(Event::Warning { warning, .. }) => outcome.log.push(warning),
            Ok(Event::RequestDone { request, columns }) => {
                outcome.columns.push(columns);
                outcome.done.push(request);
            }
            Ok(Event::RequestFailed { request, kind, .. }) => outcome.failed.push((request, *kind)),
            Ok(Event::Interrupted) => {}
            Ok(Event::Finished) => return outcome,
            Err(error) => {
                outcome.error = Some(error);
                return outcome;
            }
        }
    }
}

pub fn run(
    remote: &Remote,
    endpoint: &Rc<Endpoint>,
    statement: &Rc<Statement>,
    params: &[Param],
) -> Outcome {
    drain(remote.start(
        statement,
        vec![request(endpoint, params)],
        &CallOptions::default(),
    ))
}

/// Runs a statement of one text column and returns the value.
pub fn value(remote: &Remote, endpoint: &Rc<Endpoint>, sql: &str, options: &CallOptions) -> String {
    let statement = Statement::call(sql.into());
    drain(remote.start(&statement, vec![request(endpoint, &[])], options)).text()
}

/// The same, not prepared.
pub fn ask(remote: &Remote, endpoint: &Rc<Endpoint>, sql: &str) -> String {
    value(remote, endpoint, sql, &unprepared())
}

pub fn pid(remote: &Remote, endpoint: &Rc<Endpoint>) -> String {
    ask(remote, endpoint, "select pg_backend_pid()::text")
}

/// Runs a statement whatever it gives.
pub fn execute(remote: &Remote, endpoint: &Rc<Endpoint>, sql: &str) {
    let statement = Statement::select(sql.into());
    let outcome = drain(remote.start(&statement, vec![request(endpoint, &[])], &unprepared()));
    assert!(outcome.error.is_none(), "{sql}: {:?}", outcome.error);
}

/// A field of `/proc/self/status`, as a number.
pub fn status(field: &str) -> u64 {
    let own = Process(std::process::id().cast_signed());
    let status = own.status(&format!("{field}:")).unwrap();
    let number = status.split_whitespace().next().unwrap();
    number.parse().unwrap()
}

/// Makes the peak of memory (`VmHWM`) start from what is used now.
pub fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// That nothing hung.
pub fn in_time(since: Instant) {
    let took = since.elapsed();
    assert!(took < HANG, "{took:?}");
}

/// Waits until the question has that answer.
pub fn until(remote: &Remote, watcher: &Rc<Endpoint>, question: &str, wanted: &str) {
    let found = until_is(wanted, || ask(remote, watcher, question));
    assert_eq!(found, wanted, "{question}");
}

/// The number of statements that run and contain these words.
pub fn running(words: &str) -> String {
    format!(
        "select count(*)::text from pg_stat_activity \
         where state = 'active' and query like '%{words}%' and pid <> pg_backend_pid()"
    )
}

/// Has something done, in another thread, as soon as so many statements with these words run on that server.
pub fn when_running(
    connstr: String,
    words: &'static str,
    count: usize,
    then: impl FnOnce() + Send + 'static,
) {
    std::thread::spawn(move || {
        let remote = remote();
        let watcher = endpoint(&remote, "watcher", &connstr);
        until(&remote, &watcher, &running(words), &count.to_string());
        then();
    });
}

thread_local! {
    static BEFORE_WAIT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Has something done right before the next wait for an answer, when all is sent.
pub fn before_next_wait(remote: &Remote, what: impl FnOnce() + 'static) {
    BEFORE_WAIT.set(Some(Box::new(what)));
    remote.show_waits(|wait| {
        if wait == Some(Wait::Execute)
            && let Some(what) = BEFORE_WAIT.take()
        {
            what();
        }
    });
}

/// Waits until only so many of the server's processes have that name and were given a statement: a connection that was made
/// when its call was over already rests unused.
pub fn wait_for(remote: &Remote, watcher: &Rc<Endpoint>, name: &str, wanted: usize) {
    let sql = format!(
        "select count(*)::text from pg_stat_activity where application_name = '{name}' and query <> ''"
    );
    let wanted = wanted.to_string();
    if until_is(&wanted, || ask(remote, watcher, &sql)) != wanted {
        let what = format!(
            "select string_agg(format('%s %s %s', state, clock_timestamp() - query_start, query), '; ') \
             from pg_stat_activity where application_name = '{name}'"
        );
        panic!("still there: {}", ask(remote, watcher, &what));
    }
}
