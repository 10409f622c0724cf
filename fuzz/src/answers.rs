//! Oracle for what a server may answer: calls of the remote crate end, in time, without a panic, whatever the server sends.
//!
//! The server is played on the same thread, from within the hook by which the remote crate asks about interrupts: so a run
//! takes microseconds, and the same bytes always give the same run.
//!
//! The input: a byte that chooses the call (see [`Plan`]), then what the server sends. It comes in turns: a turn ends with
//! a `ReadyForQuery` or a demand for a password, and the next begins when the client has sent something. When there is
//! nothing left to send the server hangs up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use plproxy_core::conninfo::{TestEnvironment, parse};
use plproxy_remote::{
    Call, CallOptions, Encoding, Endpoint, Event, Format, Param, Prepared, Remote, Request, Reset,
    Script, ScriptOptions, Statement, Step, Target, TextRequirements,
};

/// Longer than any run may take: nothing that the client waits for is worth more than its own limits.
const LIMIT: Duration = Duration::from_secs(2);
/// The most that a run sends.
const MOST: usize = 64 * 1024;
/// Bytes in place of which the client's own nonce is sent: as many as that has.
const NONCE: &[u8] = b"NNNNNNNNNNNNNNNNNNNNNNNN";
/// What the server says first if the input begins after that.
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x18server_version\x0015.0\0\
    S\0\0\0\x19client_encoding\0UTF8\0K\0\0\0\x0c\0\0\0\x4d\0\0\0\x58Z\0\0\0\x05I";

/// What the client does, by the input's first byte.
struct Plan(u8);

impl Plan {
    /// The input begins with the server's first word, rather than after the log-in.
    fn begins_at_log_in(&self) -> bool {
        self.0 & 1 != 0
    }
    fn prepared(&self) -> Prepared {
        match self.0 >> 1 & 3 {
            0 => Prepared::Off,
            1 => Prepared::On,
            _ => Prepared::Auto,
        }
    }
    fn format(&self) -> Format {
        if self.0 & 8 != 0 {
            Format::Text
        } else {
            Format::Binary
        }
    }
    fn is_errand(&self) -> bool {
        self.0 & 16 != 0
    }
    fn resets(&self) -> bool {
        self.0 & 32 != 0
    }
    /// With an argument so large that it is sent piece by piece.
    fn is_large(&self) -> bool {
        self.0 & 64 != 0
    }
    fn wants_primary(&self) -> bool {
        self.0 & 128 != 0
    }
}

/// Runs the calls of an input against a server that sends the rest of it.
pub fn check(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let plan = Plan(*first);
    let bytes = bytes.get(..MOST).unwrap_or(bytes);
    SERVER.with_borrow_mut(|server| server.begin(bytes, &plan));
    let remote = Remote::new(play, Encoding::UTF8).expect("a runtime");
    let (began, queued) = (Instant::now(), time_queued());
    let connstr = format!("host=@{} user=u dbname=d password=sesame", directory());
    run(&remote, &connstr, *first);
    drop(remote);
    let took = began.elapsed().saturating_sub(time_queued() - queued);
    assert!(took < LIMIT, "{took:?}");
}

/// How long this thread has waited for a processor, which others had: a busy machine is no fault of the code's.
fn time_queued() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').nth(1).and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// The calls that go with a first byte. Gives the number of rows that came.
pub fn run(remote: &Remote, connstr: &str, first: u8) -> usize {
    let plan = Plan(first);
    let mut connstr = connstr.to_owned();
    if plan.wants_primary() {
        connstr.push_str(" target_session_attrs=primary");
    }
    let params = parse(&connstr).expect("the connection string is ours");
    let read = move || params.resolve(&TestEnvironment::new());
    let endpoint = (remote.endpoint("a", read)).expect("the connection string is ours");
    let rows = if plan.is_errand() {
        script(remote, &endpoint)
    } else {
        calls(remote, &endpoint, &plan)
    };
    remote.close_all();
    rows
}

fn calls(remote: &Remote, endpoint: &Rc<Endpoint>, plan: &Plan) -> usize {
    let reset = plan.resets().then(Reset::all);
    let options = CallOptions {
        query_timeout: Some(Duration::from_millis(300)),
        connect_timeout: Some(Duration::from_millis(300)),
        reset: reset.clone(),
        reset_after_error: reset,
        prepared: plan.prepared(),
        // What a server says is the same to a call that goes on without it.
        tolerant: plan.resets(),
        ..CallOptions::default()
    };
    let needs = TextRequirements {
        digits: true,
        zones: true,
    };
    let sql = "select n, 'text'::text, null::int4 from generate_series(1, $1::int4) n";
    let statement = Statement::new(sql.into(), plan.format(), needs);
    let blanks = if plan.is_large() { 300_000 } else { 0 };
    let params: Rc<[Param]> = [Param::Text((" ".repeat(blanks) + "3").into())].into();
    let mut rows = 0;
    for _ in 0..3 {
        let request = Request {
            endpoint: endpoint.clone(),
            params: params.clone().into(),
        };
        rows += drain(remote.start(&statement, vec![request], &options));
    }
    rows
}

/// Takes all that comes, and looks at it.
fn drain(mut call: Call<'_>) -> usize {
    let mut rows = 0;
    loop {
        attend();
        match call.next() {
            Ok(Event::Rows { batch, .. }) => {
                for row in batch.iter() {
                    let values = (0..batch.columns().len()).map(|column| row.get(column));
                    rows += usize::from(values.count() == batch.columns().len());
                }
                assert!(
                    batch
                        .columns()
                        .iter()
                        .all(|column| column.name.len() < MOST)
                );
            }
            Ok(Event::Notice { notice, .. }) => assert!(notice.message.len() <= MOST * 3),
            Ok(Event::RequestFailed { kind, .. }) => {
                let said = format!("{kind:?} {kind}");
                assert!(!said.contains("sesame"), "{said}");
            }
            Ok(Event::RequestDone { .. } | Event::Warning { .. } | Event::Interrupted) => {}
            Ok(Event::Finished) => return rows,
            Err(error) => {
                let said = format!("{:?} {}", error.kind, error.kind);
                assert!(!said.contains("sesame"), "{said}");
                return rows;
            }
        }
    }
}

fn script(remote: &Remote, endpoint: &Rc<Endpoint>) -> usize {
    let limit = Some(Duration::from_millis(300));
    let options = ScriptOptions {
        connect_timeout: limit,
        time_limit: limit,
        whole_limit: Some(Duration::from_millis(600)),
        go_on: true,
        ..ScriptOptions::default()
    };
    let script = Script {
        target: Target::New(endpoint.clone()),
        steps: vec![
            Step::Run("select 1; select 'x'".into()),
            Step::Describe("select 1 as a, 'x'::text as b".into()),
            Step::Run("begin; create table t (n int); commit".into()),
        ],
    };
    let mut running = remote.scripts(vec![script], &options);
    while !matches!(running.next(), Event::Finished) {
        attend();
    }
    let outcomes = running.outcomes();
    for outcome in &outcomes {
        let said = format!("{outcome:?}");
        assert!(!said.contains("sesame"), "{said}");
    }
    outcomes.iter().map(|outcome| outcome.steps.len()).sum()
}

// ---- the server

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(Server::default());
}

/// The hook: the server does what it can without waiting.
fn play() -> bool {
    SERVER.with_borrow_mut(Server::step);
    false
}

/// The client is not waiting for the server, however often it looks.
fn attend() {
    SERVER.with_borrow_mut(|server| server.idle = 0);
}

#[derive(Default)]
struct Server {
    /// Gone when there is nothing left to send.
    listener: Option<UnixListener>,
    clients: Vec<Client>,
    turns: VecDeque<Vec<u8>>,
    welcome: bool,
    nonce: Option<Vec<u8>>,
    /// Looks in a row at which nobody had sent anything.
    idle: u32,
}

struct Client {
    stream: UnixStream,
    is_new: bool,
    /// What has not been understood yet, for lack of the rest of the message.
    heard: Vec<u8>,
}

impl Client {
    /// How often, by the messages that have come, the server is to speak.
    fn questions(&mut self) -> usize {
        let mut questions = 0;
        loop {
            let tagged = usize::from(!self.is_new);
            let Some([a, b, c, d]) = self.heard.get(tagged..tagged + 4) else {
                return questions;
            };
            let length = tagged + u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            if self.heard.len() < length {
                return questions;
            }
            // The start-up, a sync, a query, a password.
            questions += usize::from(self.is_new || matches!(self.heard[0], b'S' | b'Q' | b'p'));
            self.is_new = false;
            self.heard.drain(..length.max(1));
        }
    }
}

/// The name of the socket, in Linux's abstract namespace: a directory's, as far as the client is concerned.
fn directory() -> String {
    format!(
        "plproxy-fuzz-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    )
}

/// Looks at a silent client before the server goes on without having been asked: the client is about to sleep then.
const PATIENCE: u32 = 3;

impl Server {
    fn begin(&mut self, bytes: &[u8], plan: &Plan) {
        self.clients.clear();
        // Before the new one: it has the same name.
        self.listener = None;
        self.turns = turns(bytes);
        self.welcome = !plan.begins_at_log_in();
        self.nonce = None;
        self.idle = 0;
        let name = format!("{}/.s.PGSQL.5432", directory());
        let address = SocketAddr::from_abstract_name(name).expect("a short name");
        let listener = UnixListener::bind_addr(&address).expect("the name is ours alone");
        listener.set_nonblocking(true).expect("a socket");
        self.listener = Some(listener);
    }

    fn step(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).expect("a socket");
            self.clients.push(Client {
                stream,
                is_new: true,
                heard: Vec::new(),
            });
        }
        let mut heard = false;
        let mut at = 0;
        while at < self.clients.len() {
            match self.hear(at) {
                Ok(false) => at += 1,
                Ok(true) => {
                    heard = true;
                    at += 1;
                }
                Err(_) => drop(self.clients.remove(at)),
            }
        }
        self.idle = if heard { 0 } else { self.idle + 1 };
        if self.idle >= PATIENCE && !self.clients.is_empty() {
            self.idle = 0;
            self.say(0);
        }
        if self.turns.is_empty() {
            self.listener = None;
            self.clients.clear();
        }
    }

    /// Reads what there is, and answers it; whether there was anything.
    fn hear(&mut self, at: usize) -> Result<bool, ErrorKind> {
        let client = &mut self.clients[at];
        let before = client.heard.len();
        let mut buffer = [0; 65536];
        loop {
            match client.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof),
                Ok(length) => client.heard.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.kind()),
            }
        }
        if client.heard.len() == before {
            return Ok(false);
        }
        let found = client.heard.windows(3).position(|window| window == b",r=");
        if let Some(found) = found {
            let nonce = client.heard[found + 3..].get(..NONCE.len());
            self.nonce = nonce.map(<[u8]>::to_vec).or(self.nonce.take());
        }
        let is_new = client.is_new;
        let mut questions = client.questions();
        if is_new && self.welcome && questions > 0 {
            // What cannot be sent is for somebody who is gone.
            let _ = client.stream.write_all(WELCOME);
            questions -= 1;
        }
        for _ in 0..questions {
            self.say(at);
        }
        Ok(true)
    }

    fn say(&mut self, at: usize) {
        let Some(mut turn) = self.turns.pop_front() else {
            return;
        };
        if let Some(nonce) = &self.nonce
            && let Some(found) = turn.windows(NONCE.len()).position(|window| window == NONCE)
        {
            turn[found..found + NONCE.len()].copy_from_slice(nonce);
        }
        let _ = self.clients[at].stream.write_all(&turn);
    }
}

/// Cuts after each message that leaves it to the client to go on.
fn turns(bytes: &[u8]) -> VecDeque<Vec<u8>> {
    let mut turns = VecDeque::new();
    let (mut begin, mut at) = (0, 0);
    while let Some([tag, a, b, c, d]) = bytes.get(at..at + 5) {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let end = (at + 1).saturating_add(length.max(4));
        let demand = bytes
            .get(at + 5..at + 9)
            .is_some_and(|code| matches!(code, [0, 0, 0, 3 | 5 | 10 | 11]));
        if end > bytes.len() {
            break;
        }
        at = end;
        if *tag == b'Z' || *tag == b'R' && demand {
            turns.push_back(bytes[begin..at].to_vec());
            begin = at;
        }
    }
    if begin < bytes.len() {
        turns.push_back(bytes[begin..].to_vec());
    }
    turns
}
