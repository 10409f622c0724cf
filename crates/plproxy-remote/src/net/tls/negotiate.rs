//! Negotiating TLS: the only place that decides whether a connection may go on in plain text. Everything is as in libpq.

use std::rc::Rc;

use plproxy_core::conninfo::{CertMode, ConnInfo, Host, TlsMode, TlsNegotiation, TlsOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::context::{Context, Contexts};
use super::handshake_tap::Certificate;
use super::session::Session;
use crate::diagnostic::words_of_old;
use crate::error::{ErrorKind, system_words};
use crate::net::address::Address;
use crate::net::descriptors::Descriptor;
use crate::net::transport::{Socket, Transport};

/// An SSLRequest: the length, and a number in place of the protocol's version.
const REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Whether an attempt uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SslAttempt {
    /// No TLS.
    Plain,
    /// TLS if the server supports it, else none.
    Offered,
    /// TLS, or no connection.
    Required,
}

impl SslAttempt {
    /// The first attempt on an address, and the one after it, if there may be one.
    pub(crate) fn of(info: &ConnInfo, address: &Address) -> (SslAttempt, Option<SslAttempt>) {
        if let Address::Unix(_) = address {
            // As in libpq: no TLS on Unix sockets, whatever the mode.
            return (SslAttempt::Plain, None);
        }
        match info.tls.mode {
            TlsMode::Disable => (SslAttempt::Plain, None),
            TlsMode::Allow => (SslAttempt::Plain, Some(SslAttempt::Offered)),
            TlsMode::Prefer => (SslAttempt::Offered, Some(SslAttempt::Plain)),
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => {
                (SslAttempt::Required, None)
            }
        }
    }
}

/// Why the negotiation has failed.
pub(crate) enum Failure {
    /// TLS cannot be used with this server: an attempt without may succeed.
    Handshake(String),
    /// The server, or a man in the middle, has violated the protocol.
    Fatal(String),
}

impl Failure {
    fn fatal(words: impl Into<String>) -> Failure {
        Failure::Fatal(words.into())
    }
}

/// What both sides have agreed on.
pub(crate) enum Agreed {
    Plain(Socket),
    /// The handshake comes next.
    Tls(TcpStream, Descriptor),
}

/// Negotiates TLS on a connected socket.
pub(crate) async fn negotiate(
    socket: Socket,
    ssl: SslAttempt,
    info: &ConnInfo,
    host: &Host,
    contexts: &Contexts,
) -> Result<Socket, Failure> {
    let (socket, descriptor) = match agree(socket, ssl, info.tls.negotiation).await? {
        Agreed::Plain(socket) => return Ok(socket),
        Agreed::Tls(socket, descriptor) => (socket, descriptor),
    };
    let context = contexts.get(&info.tls).map_err(Failure::Handshake)?;
    let session = secure(socket, context, &info.tls, host)
        .await
        .map_err(Failure::Handshake)?;
    Ok(Socket::new(Transport::Tls(Box::new(session)), descriptor))
}

/// Does the handshake, and checks what the mode has to be checked.
pub(crate) async fn secure(
    socket: TcpStream,
    context: Rc<Context>,
    tls: &TlsOptions,
    host: &Host,
) -> Result<Session, String> {
    let mut session = Session::new(context, socket, tls, host)?;
    session.handshake(tls).await?;
    if tls.negotiation == TlsNegotiation::Direct {
        session.check_protocol()?;
    }
    if tls.mode == TlsMode::VerifyFull {
        session.check_name(host)?;
    }
    Ok(session)
}

/// Agrees on TLS, or on plain text where that may be.
pub(crate) async fn agree(
    socket: Socket,
    ssl: SslAttempt,
    negotiation: TlsNegotiation,
) -> Result<Agreed, Failure> {
    let (transport, descriptor) = socket.into_parts();
    let mut socket = match (ssl, transport) {
        (SslAttempt::Offered | SslAttempt::Required, Transport::Tcp(socket)) => socket,
        (_, transport) => return Ok(Agreed::Plain(Socket::new(transport, descriptor))),
    };
    let is_tls = match negotiation {
        TlsNegotiation::Direct => true,
        TlsNegotiation::Postgres => ask(&mut socket, ssl).await?,
    };
    Ok(if is_tls {
        Agreed::Tls(socket, descriptor)
    } else {
        Agreed::Plain(Socket::new(Transport::Tcp(socket), descriptor))
    })
}

/// Asks the server for TLS. False if it has none, and need not have.
pub(crate) async fn ask(socket: &mut TcpStream, ssl: SslAttempt) -> Result<bool, Failure> {
    let mut answer = [0];
    let asked = match socket.write_all(REQUEST).await {
        // Not one byte more: the next ones belong to TLS.
        Ok(()) => socket.read_exact(&mut answer).await,
        Err(error) => Err(error),
    };
    if let Err(error) = asked {
        return Err(Failure::Fatal(lost(&error)));
    }
    match answer {
        [b'S'] => {}
        [b'N'] if ssl == SslAttempt::Offered => return Ok(false),
        [b'N'] => {
            return Err(Failure::fatal(
                "server does not support SSL, but SSL was required",
            ));
        }
        [b'E'] => {
            let mut words = "server sent an error response during SSL exchange".to_owned();
            // The server is not authenticated yet, so its message is not shown, unless any server would be accepted.
            if ssl == SslAttempt::Offered
                && let Some(said) = old_words(socket)
            {
                words.push_str(": ");
                words.push_str(&said);
            }
            return Err(Failure::Fatal(words));
        }
        [other] => {
            return Err(Failure::fatal(format!(
                "received invalid response to SSL negotiation: {}",
                other.escape_ascii()
            )));
        }
    }
    // In TLS the client sends first.
    if Socket::has_sent(socket) {
        return Err(Failure::fatal(
            "received unencrypted data after SSL response",
        ));
    }
    Ok(true)
}

/// The message of a server that could not start a process for the connection; none if it has another form.
fn old_words(socket: &TcpStream) -> Option<String> {
    let mut bytes = [0; 1024];
    let length = socket.try_read(&mut bytes).ok()?;
    let words = words_of_old(bytes.get(..length)?);
    (!words.is_empty()).then_some(words)
}

/// The message for a connection that is lost during the negotiation.
fn lost(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => format!(
            "could not receive data from server: {}",
            system_words(error)
        ),
        None => ErrorKind::Closed.to_string(),
    }
}

/// Checks that the server has asked for the client's certificate and received it, where that is required.
pub(crate) fn check_certificate(socket: &Socket, info: &ConnInfo) -> Result<(), &'static str> {
    if info.tls.cert_mode != CertMode::Require {
        return Ok(());
    }
    match socket.protection().map(|tls| tls.certificate()) {
        Some(Certificate::Sent) => Ok(()),
        Some(Certificate::NotSent) => {
            Err("server accepted connection without a valid SSL certificate")
        }
        Some(Certificate::Unasked) | None => Err("server did not request an SSL certificate"),
    }
}
