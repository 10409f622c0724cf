//! Making connections: hosts in order, all addresses of each, until one succeeds.

mod attempt;
pub(crate) mod by_keeper;
mod failure;
mod messages;

use std::rc::Rc;
use std::time::Duration;

use plproxy_core::conninfo::{ConnInfo, Host, LoadBalanceHosts, TargetSessionAttrs, describe};
use plproxy_core::room::hold;
use plproxy_core::routing::shuffle;

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::net::address::{self, Address};
use crate::net::tls::negotiate::SslAttempt;
use crate::runtime::resolver::Resolver;
use crate::runtime::wait_event::Connecting;
use by_keeper::KeeperEnd;
use failure::{Failure, Next, expired, summary};
use messages::FailureMessages;

/// How much memory making a connection takes at the most.
const CONNECTION: usize = 128 * 1024;

/// `invalid_password`.
const WRONG_PASSWORD: &[u8; 5] = b"28P01";

/// How long an attempt may take. The connection string's own limit counts as well.
pub(crate) struct Limits {
    pub(crate) each: Option<Duration>,
    /// Where neither sets a limit.
    pub(crate) default: Option<Duration>,
}

impl Limits {
    /// The limit of each attempt.
    fn of(&self, info: &ConnInfo) -> Option<Duration> {
        let limits = [self.each, info.connect_timeout].into_iter().flatten();
        limits.min().or(self.default)
    }
}

/// Where to connect to: an endpoint, and its connection settings as they were read for this connection.
pub(crate) struct Destination {
    endpoint: Rc<Endpoint>,
    info: Rc<ConnInfo>,
    resolver: Resolver,
    /// Where the keeper is to be the end of the TLS.
    end: Option<KeeperEnd>,
}

/// Connects to the first server of the endpoint that can be reached and has the properties asked for. The connection string
/// is read again, with all files behind it; `warn` gets warnings about those. `end`: the keeper is to be the end of the TLS.
pub(crate) async fn connect(
    endpoint: &Rc<Endpoint>,
    limits: Limits,
    resolver: &Resolver,
    end: Option<KeeperEnd>,
    warn: &mut dyn FnMut(String),
) -> Result<Box<Connection>, ErrorKind> {
    let _shown = Connecting::begin();
    // Many may be made at once, before the caller checks the memory that is left.
    let Ok(_room) = hold(CONNECTION) else {
        return Err(ErrorKind::OutOfMemory);
    };
    let reader = Rc::clone(endpoint);
    let (info, warnings) = resolver
        .call(move || reader.read())
        .await
        .map_err(|error| ErrorKind::Settings(error.to_string()))?;
    for warning in warnings {
        warn(warning.to_string());
    }
    let destination = Destination {
        endpoint: Rc::clone(endpoint),
        info: Rc::new(info),
        resolver: resolver.clone(),
        end,
    };
    destination.connect(limits).await
}

impl Destination {
    /// The destination of another connection.
    pub(crate) fn of(endpoint: &Rc<Endpoint>, info: &Rc<ConnInfo>) -> Destination {
        Destination {
            endpoint: Rc::clone(endpoint),
            info: Rc::clone(info),
            resolver: Resolver::default(),
            end: None,
        }
    }

    /// Connects to the address of that connection.
    pub(crate) async fn connect_to(
        &self,
        host: &Host,
        address: &Address,
        ssl: SslAttempt,
    ) -> Result<Box<Connection>, ErrorKind> {
        let attempt = self.attempt(host, address, ssl, TargetSessionAttrs::Any);
        attempt.await.map_err(|failure| failure.kind)
    }

    /// The same within a limit, and with a message if it fails.
    pub(crate) async fn connect_again(
        &self,
        host: &Host,
        address: &Address,
        ssl: SslAttempt,
        limits: Limits,
    ) -> Result<Box<Connection>, ErrorKind> {
        let attempt = self.attempt(host, address, ssl, TargetSessionAttrs::Any);
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
        // First a standby among all hosts, then any server.
        let rounds: &[TargetSessionAttrs] = match wanted {
            TargetSessionAttrs::PreferStandby => {
                &[TargetSessionAttrs::Standby, TargetSessionAttrs::Any]
            }
            _ => std::slice::from_ref(&wanted),
        };
        let mut messages = FailureMessages::default();
        let mut last = ErrorKind::Unsupported("no host to connect to".into());
        for wanted in rounds {
            for host in &hosts {
                let mut addresses = match address::resolve(host, &self.resolver).await {
                    Ok(addresses) => addresses,
                    Err(message) => {
                        messages.push(message.clone());
                        last = ErrorKind::Resolve { message };
                        continue;
                    }
                };
                if info.load_balance_hosts == LoadBalanceHosts::Random {
                    shuffle(&mut addresses);
                }
                for address in addresses {
                    let attempt = self.with_and_without_ssl(host, &address, *wanted, &mut messages);
                    match within(timeout, attempt).await {
                        Ok(connection) => return Ok(connection),
                        Err(failure) => {
                            messages.push(format!(
                                "{}: {}",
                                describe(host, address.ip()),
                                failure.words
                            ));
                            if let Some(blame) = passfile_to_blame(&failure.kind, info, host) {
                                messages.push(blame);
                            }
                            last = failure.kind;
                            match failure.next {
                                Next::Address => {}
                                Next::Host => break,
                                Next::Nothing => return Err(summary(last, messages.join())),
                            }
                        }
                    }
                }
            }
        }
        Err(summary(last, messages.join()))
    }

    /// The attempts on one address: with TLS and without, as `sslmode` has it. The first one's message goes to `messages`.
    async fn with_and_without_ssl(
        &self,
        host: &Host,
        address: &Address,
        wanted: TargetSessionAttrs,
        messages: &mut FailureMessages,
    ) -> Result<Box<Connection>, Failure> {
        let (first, second) = SslAttempt::of(&self.info, address);
        let first = self.attempt(host, address, first, wanted).await;
        match (first, second) {
            (Err(failure), Some(second)) if failure.other_ssl => {
                let place = describe(host, address.ip());
                messages.push(format!("{place}: {}", failure.words));
                self.attempt(host, address, second, wanted).await
            }
            (first, _) => first,
        }
    }
}

/// The hint that a wrong password came from the password file, as in libpq.
fn passfile_to_blame(kind: &ErrorKind, info: &ConnInfo, host: &Host) -> Option<String> {
    let wrong = matches!(kind, ErrorKind::Db(diagnostic) if diagnostic.code == *WRONG_PASSWORD);
    if !wrong || info.password.is_some() || host.password.is_none() {
        return None;
    }
    let file = info.passfile.as_deref()?;
    Some(format!("password retrieved from file \"{file}\""))
}

/// An attempt within a timeout.
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
