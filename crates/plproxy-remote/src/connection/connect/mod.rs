//! Making connections: hosts in order, all addresses of each, until one will do.

mod texts;

use std::rc::Rc;
use std::time::Duration;

use plproxy_core::conninfo::{
    ConnInfo, Host, LoadBalanceHosts, PasswordRule, TargetSessionAttrs, describe,
};
use plproxy_core::room::{cut, hold};
use plproxy_core::routing::shuffle;
use rustix::io::Errno;

use crate::connection::Connection;
use crate::connection::auth_policy::{Authentication, Channel};
use crate::connection::login::handshake::{Refusal, Refused};
use crate::connection::login::log_in;
use crate::encoding::Encoding;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, system_words};
use crate::net::address::{self, Address};
use crate::net::peer;
use crate::net::socket::open_socket;
use crate::net::tls::negotiate::{self, Way, negotiate};
use crate::runtime::resolver::Outside;
use crate::runtime::wait_event::Connecting;
use texts::Texts;

/// Why one attempt failed.
struct Failure {
    kind: ErrorKind,
    /// What to say of it, in libpq's words; empty lines and addresses are added by the caller.
    words: String,
    next: Next,
    /// With TLS instead of without, or the reverse, it may work.
    other_way: bool,
}

/// What to try after a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The host's next address.
    Address,
    /// The next host.
    Host,
    /// Nothing: the server said no, and as in libpq that is the answer.
    Nothing,
}

/// A new connection takes no more than that.
const CONNECTION: usize = 128 * 1024;

/// Of what one server says so many bytes are enough.
const MOST_WORDS: usize = 8 * 1024;

/// `cannot_connect_now`: starting up, shutting down, in recovery without hot standby.
const NOT_NOW: &[u8; 5] = b"57P03";

/// `invalid_password`.
const WRONG_PASSWORD: &[u8; 5] = b"28P01";

/// How long an attempt may take. The connection string's own limit counts as well.
pub(crate) struct Limits {
    pub(crate) each: Option<Duration>,
    /// Where neither says anything.
    pub(crate) default: Option<Duration>,
}

impl Limits {
    /// That of each attempt.
    fn of(&self, info: &ConnInfo) -> Option<Duration> {
        let limits = [self.each, info.connect_timeout].into_iter().flatten();
        limits.min().or(self.default)
    }
}

/// Where to connect to, by what was read for this connection.
pub(crate) struct Target {
    endpoint: Rc<Endpoint>,
    info: Rc<ConnInfo>,
    outside: Outside,
}

/// Connects to the first server of the endpoint that can be reached and has the properties asked for. The connection string
/// is read anew, with all files behind it; `warn` gets what is doubtful about those.
pub(crate) async fn connect(
    endpoint: &Rc<Endpoint>,
    limits: Limits,
    outside: &Outside,
    warn: &mut dyn FnMut(String),
) -> Result<Box<Connection>, ErrorKind> {
    let _shown = Connecting::begin();
    // Many may be made at once, between two looks of the caller at what is left.
    let Ok(_room) = hold(CONNECTION) else {
        return Err(ErrorKind::OutOfMemory);
    };
    let reader = Rc::clone(endpoint);
    let (info, warnings) = outside
        .ask(move || reader.read())
        .await
        .map_err(|error| ErrorKind::Settings(error.to_string()))?;
    for warning in warnings {
        warn(warning.to_string());
    }
    let target = Target {
        endpoint: Rc::clone(endpoint),
        info: Rc::new(info),
        outside: outside.clone(),
    };
    target.connect(limits).await
}

impl Target {
    /// What another connection was made by.
    pub(crate) fn of(endpoint: &Rc<Endpoint>, info: &Rc<ConnInfo>) -> Target {
        Target {
            endpoint: Rc::clone(endpoint),
            info: Rc::clone(info),
            outside: Outside::default(),
        }
    }

    /// Connects to a TCP address to which that connection was made.
    pub(crate) async fn connect_to(
        &self,
        host: &Host,
        address: &Address,
        way: Way,
    ) -> Result<Box<Connection>, ErrorKind> {
        let attempt = self.attempt(host, address, way, TargetSessionAttrs::Any);
        attempt.await.map_err(|failure| failure.kind)
    }

    /// The same within a limit, and with words for what goes wrong.
    pub(crate) async fn connect_again(
        &self,
        host: &Host,
        address: &Address,
        way: Way,
        limits: Limits,
    ) -> Result<Box<Connection>, ErrorKind> {
        let attempt = self.attempt(host, address, way, TargetSessionAttrs::Any);
        within(limits.of(&self.info), attempt)
            .await
            .map_err(|failure| {
                let place = describe(host, address.ip());
                summary(failure.kind, format!("{place}: {}", failure.words))
            })
    }

    async fn connect(&self, limits: Limits) -> Result<Box<Connection>, ErrorKind> {
        let info = &*self.info;
        let timeout = limits.of(info);
        let mut hosts: Vec<&Host> = info.hosts.iter().collect();
        if info.load_balance_hosts == LoadBalanceHosts::Random {
            shuffle(&mut hosts);
        }
        let wanted = info.target_session_attrs;
        // A standby is looked for among all first, then anything is welcome.
        let rounds: &[TargetSessionAttrs] = match wanted {
            TargetSessionAttrs::PreferStandby => {
                &[TargetSessionAttrs::Standby, TargetSessionAttrs::Any]
            }
            _ => std::slice::from_ref(&wanted),
        };
        let mut texts = Texts::default();
        let mut last = ErrorKind::Unsupported("no host to connect to".into());
        for wanted in rounds {
            for host in &hosts {
                let mut addresses = match address::resolve(host, &self.outside).await {
                    Ok(addresses) => addresses,
                    Err(message) => {
                        texts.push(message.clone());
                        last = ErrorKind::Resolve { message };
                        continue;
                    }
                };
                if info.load_balance_hosts == LoadBalanceHosts::Random {
                    shuffle(&mut addresses);
                }
                for address in addresses {
                    let attempt = self.both_ways(host, &address, *wanted, &mut texts);
                    match within(timeout, attempt).await {
                        Ok(connection) => return Ok(connection),
                        Err(failure) => {
                            texts.push(format!(
                                "{}: {}",
                                describe(host, address.ip()),
                                failure.words
                            ));
                            if let Some(blame) = passfile_to_blame(&failure.kind, info, host) {
                                texts.push(blame);
                            }
                            last = failure.kind;
                            match failure.next {
                                Next::Address => {}
                                Next::Host => break,
                                Next::Nothing => return Err(summary(last, texts.join())),
                            }
                        }
                    }
                }
            }
        }
        Err(summary(last, texts.join()))
    }

    /// The attempts on one address: with TLS and without, as `sslmode` has it. What the first says goes to `texts`.
    async fn both_ways(
        &self,
        host: &Host,
        address: &Address,
        wanted: TargetSessionAttrs,
        texts: &mut Texts,
    ) -> Result<Box<Connection>, Failure> {
        let (first, second) = Way::of(&self.info, address);
        let first = self.attempt(host, address, first, wanted).await;
        match (first, second) {
            (Err(failure), Some(second)) if failure.other_way => {
                let place = describe(host, address.ip());
                texts.push(format!("{place}: {}", failure.words));
                self.attempt(host, address, second, wanted).await
            }
            (first, _) => first,
        }
    }

    /// One attempt on one address. A server that cannot speak the host's encoding is asked for UTF-8.
    async fn attempt(
        &self,
        host: &Host,
        address: &Address,
        way: Way,
        wanted: TargetSessionAttrs,
    ) -> Result<Box<Connection>, Failure> {
        let encoding = (self.endpoint.encoding()).unwrap_or(self.endpoint.host_encoding());
        let first = self.attempt_in(encoding, host, address, way, wanted).await;
        let refused = matches!(&first, Err(why) if refuses(encoding, &why.kind));
        if !refused || encoding == Encoding::UTF8 {
            return first;
        }
        let second = self.attempt_in(Encoding::UTF8, host, address, way, wanted);
        match second.await {
            // Both alike: what was asked for first is what is to be told.
            Err(why) if refuses(Encoding::UTF8, &why.kind) => first,
            second => second,
        }
    }

    async fn attempt_in(
        &self,
        encoding: Encoding,
        host: &Host,
        address: &Address,
        way: Way,
        wanted: TargetSessionAttrs,
    ) -> Result<Box<Connection>, Failure> {
        let (info, endpoint) = (&*self.info, &self.endpoint);
        let resources = endpoint.resources();
        let descriptor = resources.descriptors.acquire();
        let descriptor = descriptor.ok_or(ErrorKind::NoDescriptor)?;
        let opened = open_socket(address, info, descriptor).await;
        let socket = opened.map_err(|error| {
            if has_no_descriptor(&error) {
                return ErrorKind::NoDescriptor.into();
            }
            let words = format!("{}{}", system_words(&error), hint(address));
            Failure {
                kind: ErrorKind::Connect {
                    message: String::new(),
                    diagnostic: None,
                },
                words,
                next: Next::Address,
                other_way: false,
            }
        })?;
        if let Some(user) = &info.require_peer {
            peer::check(&socket, user, &self.outside)
                .await
                .map_err(refused)?;
        }
        let socket = negotiate(socket, way, info, host, &resources.contexts)
            .await
            .map_err(|failure| match failure {
                negotiate::Failure::Handshake(words) => Failure {
                    other_way: true,
                    ..refused(words)
                },
                negotiate::Failure::Fatal(words) => refused(words),
            })?;
        let channel = Channel::of(&socket, info);
        let encrypted = channel.encrypted;
        let authentication = Authentication::new(info.require_auth.clone(), channel);
        let begun = log_in(socket, info, host, encoding, authentication)
            .await
            .map_err(|refused| not_logged_in(refused, encrypted, way))?;
        negotiate::check_certificate(&begun.socket, info).map_err(refused)?;
        endpoint.set_encoding(encoding);
        let used_password = begun.authentication.used_password();
        let mut connection = Box::new(Connection::new(
            begun,
            address.clone(),
            host,
            self.info.clone(),
            endpoint.clone(),
        ));
        // As dblink and postgres_fdw have it: a server that asks for none may know this process by what is not the user's
        // own.
        let rule = self.info.password_rule;
        if rule != PasswordRule::Free && !used_password {
            connection.close();
            return Err(Failure {
                kind: ErrorKind::PasswordUnused {
                    of_mapping: rule == PasswordRule::RequiredOfMapping,
                },
                words: String::new(),
                next: Next::Nothing,
                other_way: false,
            });
        }
        match check_session(&mut connection, wanted).await? {
            None => Ok(connection),
            Some(words) => {
                connection.close();
                Err(Failure {
                    kind: ErrorKind::Connect {
                        message: String::new(),
                        diagnostic: None,
                    },
                    words: words.into(),
                    next: Next::Host,
                    other_way: false,
                })
            }
        }
    }
}

/// Whether a server has no conversion between its encoding and the one that was asked for, or does not know it.
fn refuses(encoding: Encoding, kind: &ErrorKind) -> bool {
    // feature_not_supported; invalid_parameter_value. Names are in the message whatever language that is in.
    matches!(kind, ErrorKind::Db(diagnostic) if diagnostic.fatal
        && matches!(&diagnostic.code, b"0A000" | b"22023")
        && [encoding.name(), "client_encoding"].iter().any(|name| diagnostic.message.contains(name)))
}

/// Where a wrong password came from, if from the password file, as libpq says it.
fn passfile_to_blame(kind: &ErrorKind, info: &ConnInfo, host: &Host) -> Option<String> {
    let wrong = matches!(kind, ErrorKind::Db(diagnostic) if diagnostic.code == *WRONG_PASSWORD);
    if !wrong || info.password.is_some() || host.password.is_none() {
        return None;
    }
    let file = info.passfile.as_deref()?;
    Some(format!("password retrieved from file \"{file}\""))
}

/// The kind of the last failure, the words of all.
fn summary(last: ErrorKind, message: String) -> ErrorKind {
    match last {
        kind @ ErrorKind::PasswordUnused { .. } => kind,
        ErrorKind::Resolve { .. } => ErrorKind::Resolve { message },
        ErrorKind::ConnectTimeout { .. } => ErrorKind::ConnectTimeout { message },
        ErrorKind::Unsupported(text) if message.is_empty() => ErrorKind::Unsupported(text),
        ErrorKind::Unsupported(_) => ErrorKind::Unsupported(message),
        ErrorKind::Protocol(_) => ErrorKind::Protocol(message),
        // Nothing that has to do with a server.
        ErrorKind::NoDescriptor => ErrorKind::NoDescriptor,
        ErrorKind::Db(diagnostic) => ErrorKind::Connect {
            message,
            diagnostic: Some(diagnostic),
        },
        _ => ErrorKind::Connect {
            message,
            diagnostic: None,
        },
    }
}

/// An attempt that has so much time.
async fn within<T>(
    timeout: Option<Duration>,
    attempt: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, attempt)
            .await
            .unwrap_or_else(|_| Err(expired())),
        None => attempt.await,
    }
}

fn expired() -> Failure {
    let words = String::from("timeout expired");
    Failure {
        kind: ErrorKind::ConnectTimeout {
            message: words.clone(),
        },
        words,
        next: Next::Address,
        other_way: false,
    }
}

impl From<ErrorKind> for Failure {
    fn from(kind: ErrorKind) -> Failure {
        let mut words = match &kind {
            ErrorKind::Db(diagnostic) => diagnostic.lines(),
            other => other.to_string(),
        };
        // Of each of many hosts it is kept what it said.
        words.truncate(cut(&words, MOST_WORDS).len());
        let next = match &kind {
            ErrorKind::Db(diagnostic) if diagnostic.code == *NOT_NOW => Next::Host,
            ErrorKind::Db(_) | ErrorKind::Unsupported(_) | ErrorKind::NoDescriptor => Next::Nothing,
            _ => Next::Address,
        };
        Failure {
            kind,
            words,
            next,
            other_way: false,
        }
    }
}

/// A failure to connect after which no other server is tried, as in libpq.
fn refused(words: impl Into<String>) -> Failure {
    Failure {
        kind: ErrorKind::Connect {
            message: String::new(),
            diagnostic: None,
        },
        words: words.into(),
        next: Next::Nothing,
        other_way: false,
    }
}

/// A server that did not let us in.
fn not_logged_in(refused: Refused, encrypted: bool, way: Way) -> Failure {
    let mut failure = match refused.kind {
        Refusal::Failed(kind) => Failure::from(kind),
        Refusal::Words(words) => self::refused(words),
    };
    // Only what the server says before it knows us, and says for good, may be meant for the way.
    failure.other_way = matches!(failure.kind, ErrorKind::Db(_))
        && failure.next == Next::Nothing
        && !refused.authenticated
        && (encrypted || way == Way::Plain);
    if encrypted && failure.next == Next::Address {
        failure.next = Next::Nothing;
    }
    failure
}

/// What is wrong with the session, in libpq's words, if it lacks what is wanted.
async fn check_session(
    connection: &mut Connection,
    wanted: TargetSessionAttrs,
) -> Result<Option<&'static str>, ErrorKind> {
    let (question, welcome, words) = match wanted {
        TargetSessionAttrs::Any | TargetSessionAttrs::PreferStandby => return Ok(None),
        TargetSessionAttrs::ReadWrite => {
            ("show transaction_read_only", "off", "session is read-only")
        }
        TargetSessionAttrs::ReadOnly => (
            "show transaction_read_only",
            "on",
            "session is not read-only",
        ),
        TargetSessionAttrs::Primary => (
            "select pg_catalog.pg_is_in_recovery()",
            "f",
            "server is in hot standby mode",
        ),
        TargetSessionAttrs::Standby => (
            "select pg_catalog.pg_is_in_recovery()",
            "t",
            "server is not in hot standby mode",
        ),
    };
    let answer = connection.ask(question).await?;
    Ok((answer != welcome).then_some(words))
}

/// Whether this process, or the whole machine, has no file descriptor left.
fn has_no_descriptor(error: &std::io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|number| error.raw_os_error() == Some(number.raw_os_error()))
}

/// The hint that libpq gives where a connection cannot be made, whatever the reason.
fn hint(address: &Address) -> &'static str {
    match address {
        Address::Unix(_) => {
            "\n\tIs the server running locally and accepting connections on that socket?"
        }
        Address::Tcp(_) => {
            "\n\tIs the server running on that host and accepting TCP/IP connections?"
        }
    }
}
