//! One attempt on one address: the socket, TLS, the log-in, and whether the session is what was asked for.

use plproxy_core::conninfo::{Host, PasswordRule, TargetSessionAttrs};
use rustix::io::Errno;

use super::Destination;
use super::by_keeper::secure_by_keeper;
use super::failure::{Failure, Next, not_logged_in, not_secured, refused};
use crate::connection::Connection;
use crate::connection::auth_policy::{AuthPolicy, Channel};
use crate::connection::login::log_in;
use crate::encoding::Encoding;
use crate::error::{ErrorKind, system_words};
use crate::net::address::Address;
use crate::net::peer;
use crate::net::socket::open_socket;
use crate::net::tls::negotiate::{self, Agreed, SslAttempt, agree, negotiate};
use crate::net::transport::Socket;

impl Destination {
    /// One attempt on one address. A server that cannot convert to the host's encoding is asked for UTF-8.
    pub(super) async fn attempt(
        &self,
        host: &Host,
        address: &Address,
        ssl: SslAttempt,
        wanted: TargetSessionAttrs,
    ) -> Result<Box<Connection>, Failure> {
        let encoding = (self.endpoint.encoding()).unwrap_or(self.endpoint.host_encoding());
        let first = self.attempt_in(encoding, host, address, ssl, wanted).await;
        let refused = matches!(&first, Err(why) if refuses(encoding, &why.kind));
        if !refused || encoding == Encoding::UTF8 {
            return first;
        }
        let second = self.attempt_in(Encoding::UTF8, host, address, ssl, wanted);
        match second.await {
            // Both were refused: the first refusal is reported.
            Err(why) if refuses(Encoding::UTF8, &why.kind) => first,
            second => second,
        }
    }

    async fn attempt_in(
        &self,
        encoding: Encoding,
        host: &Host,
        address: &Address,
        ssl: SslAttempt,
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
                other_ssl: false,
            }
        })?;
        if let Some(user) = &info.require_peer {
            peer::check(&socket, user, &self.resolver)
                .await
                .map_err(refused)?;
        }
        let socket = self.secured(socket, ssl, host).await?;
        let channel = Channel::of(&socket, info);
        let encrypted = channel.encrypted;
        let auth = AuthPolicy::new(info.require_auth.clone(), channel);
        let begun = log_in(socket, info, host, encoding, auth)
            .await
            .map_err(|refused| not_logged_in(refused, encrypted, ssl))?;
        negotiate::check_certificate(&begun.socket, info).map_err(refused)?;
        endpoint.set_encoding(encoding);
        let used_password = begun.auth.used_password();
        let mut connection = Box::new(Connection::new(
            begun,
            address.clone(),
            host,
            self.info.clone(),
            endpoint.clone(),
        ));
        // As in dblink and postgres_fdw: a server that asks for no password may trust the operating system user of this
        // process.
        let rule = self.info.password_rule;
        if rule != PasswordRule::Free && !used_password {
            connection.close();
            return Err(Failure {
                kind: ErrorKind::PasswordUnused {
                    of_mapping: rule == PasswordRule::RequiredOfMapping,
                },
                words: String::new(),
                next: Next::Nothing,
                other_ssl: false,
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
                    other_ssl: false,
                })
            }
        }
    }
}

impl Destination {
    /// The socket with TLS, or without where that may be.
    async fn secured(
        &self,
        socket: Socket,
        ssl: SslAttempt,
        host: &Host,
    ) -> Result<Socket, Failure> {
        let (info, contexts) = (&*self.info, &self.endpoint.resources().contexts);
        let Some(end) = self.end else {
            let negotiated = negotiate(socket, ssl, info, host, contexts).await;
            return negotiated.map_err(not_secured);
        };
        match agree(socket, ssl, info.tls.negotiation).await {
            Ok(Agreed::Plain(socket)) => Ok(socket),
            Ok(Agreed::Tls(socket, descriptor)) => {
                secure_by_keeper(socket, descriptor, &info.tls, host, contexts, end).await
            }
            Err(failure) => Err(not_secured(failure)),
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

/// Why the session is not one that is wanted, in libpq's words.
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
    let answer = connection.query_value(question).await?;
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
