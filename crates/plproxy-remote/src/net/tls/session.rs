//! A TLS session over a socket.
//!
//! OpenSSL is never given the socket itself, so that sending raises no signal. Its queue of errors belongs to the whole process:
//! it is emptied before each operation, as in libpq and the server, and left empty.

use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use openssl::error::ErrorStack;
use openssl::ssl::{ErrorCode, Ssl, SslStream};
use openssl::x509::{X509, X509VerifyResult};
use plproxy_core::conninfo::{Host, TlsOptions, TlsVersion};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::task::coop;

use super::bio::{BUDGET, Bio};
use super::channel_binding;
use super::context::Context;
use super::errors::{clear_errors, reason};
use super::handshake_tap::Certificate;
use super::host_names;
use crate::error::system_words;
use crate::net::blocking::send_now;

/// The protocol's name in ALPN, with its length before it.
const PROTOCOL: &[u8] = b"\x0apostgresql";
/// The most that a record holds.
const RECORD: usize = 16 * 1024;

/// OpenSSL's reason code of a failed verification.
const VERIFY_FAILED: i32 = 134;
/// Reason codes that may mean that both sides have no common version.
const VERSION_REASONS: &[i32] = &[116, 166, 191, 252, 254, 258, 259, 266, 267, 396, 1070];

/// A TLS session.
pub(crate) struct Session {
    stream: SslStream<Bio>,
    peer: Option<X509>,
    certificate: Certificate,
    /// Kept alive, for the next session with the same settings.
    _context: Rc<Context>,
}

/// How an operation of OpenSSL ended.
enum Done {
    Bytes(usize),
    /// The end of the stream, with or without a close_notify.
    End,
    /// The socket has nothing to read.
    Wait,
}

impl Session {
    pub(super) fn new(
        context: Rc<Context>,
        socket: TcpStream,
        tls: &TlsOptions,
        host: &Host,
    ) -> Result<Session, String> {
        let failed =
            |error: ErrorStack| format!("could not establish SSL connection: {}", reason(&error));
        clear_errors();
        let mut ssl = Ssl::new(context.ssl()).map_err(failed)?;
        if tls.sni
            && let Some(host) = host_names::written(host)
            && !looks_like_an_address(&host)
        {
            ssl.set_hostname(&host).map_err(|error| {
                let reason = reason(&error);
                format!("could not set SSL Server Name Indication (SNI): {reason}")
            })?;
        }
        ssl.set_alpn_protos(PROTOCOL)
            .map_err(|error| format!("could not set SSL ALPN extension: {}", reason(&error)))?;
        let stream = SslStream::new(ssl, Bio::new(socket)).map_err(failed)?;
        Ok(Session {
            stream,
            peer: None,
            certificate: Certificate::Unasked,
            _context: context,
        })
    }

    /// Does the handshake, and keeps the server's certificate.
    pub(super) async fn handshake(&mut self, tls: &TlsOptions) -> Result<(), String> {
        std::future::poll_fn(|cx| self.poll_handshake(cx, tls)).await?;
        if let Some(tap) = self.stream.get_mut().tap.take() {
            self.certificate = tap.certificate();
        }
        self.peer = self.stream.ssl().peer_certificate();
        match self.peer {
            Some(_) => Ok(()),
            None => Err("certificate could not be obtained: no SSL error reported".into()),
        }
    }

    fn poll_handshake(
        &mut self,
        cx: &mut TaskContext<'_>,
        tls: &TlsOptions,
    ) -> Poll<Result<(), String>> {
        loop {
            let connected = self.operate(|stream| stream.connect());
            // Even after a failure: there may be an alert to be sent.
            let sent = self.stream.get_mut().poll_send(cx);
            match connected {
                Err(error) if error.code() == ErrorCode::WANT_READ => {}
                Err(error) => return Poll::Ready(Err(self.handshake_words(&error, tls))),
                Ok(()) => {
                    let sent = ready!(sent);
                    return Poll::Ready(
                        sent.map_err(|error| {
                            format!("SSL SYSCALL error: {}", system_words(&error))
                        }),
                    );
                }
            }
            // If sending fails, reading gives the reason.
            ready!(self.poll_readable(cx))
                .map_err(|error| format!("SSL SYSCALL error: {}", system_words(&error)))?;
        }
    }

    /// Why the handshake has failed, in libpq's words, with the reason of a failed verification, which libpq leaves out.
    fn handshake_words(&self, error: &openssl::ssl::Error, tls: &TlsOptions) -> String {
        let Some(stack) = error.ssl_error() else {
            return match error.io_error() {
                Some(error) => format!("SSL SYSCALL error: {}", system_words(error)),
                None => "SSL SYSCALL error: EOF detected".into(),
            };
        };
        let mut words = format!("SSL error: {}", reason(stack));
        let code = stack.errors().first().map(|error| error.reason_code());
        let verified = self.stream.ssl().verify_result();
        if code == Some(VERIFY_FAILED) && verified != X509VerifyResult::OK {
            words.push_str(": ");
            words.push_str(verified.error_string());
        }
        if code.is_some_and(|code| VERSION_REASONS.contains(&code)) {
            let name = |version| match version {
                TlsVersion::V1_0 => "TLSv1",
                TlsVersion::V1_1 => "TLSv1.1",
                TlsVersion::V1_2 => "TLSv1.2",
                TlsVersion::V1_3 => "TLSv1.3",
            };
            words.push_str(&format!(
                "\nThis may indicate that the server does not support any SSL protocol version between {} and {}.",
                tls.min_protocol.map_or("TLSv1", name),
                tls.max_protocol.map_or("TLSv1.3", name),
            ));
        }
        words
    }

    /// Without an SSLRequest the server must select PostgreSQL's protocol by ALPN, lest another service with a certificate of the
    /// same host answers in its place.
    pub(super) fn check_protocol(&self) -> Result<(), String> {
        match self.stream.ssl().selected_alpn_protocol() {
            Some(b"postgresql") => Ok(()),
            Some(_) => Err("SSL connection was established with unexpected ALPN protocol".into()),
            None => Err(
                "direct SSL connection was established without ALPN protocol negotiation extension"
                    .into(),
            ),
        }
    }

    /// Refuses a server whose certificate does not name the host.
    pub(super) fn check_name(&self, host: &Host) -> Result<(), String> {
        clear_errors();
        let checked = match &self.peer {
            Some(peer) => host_names::check(peer, host),
            None => Err("could not get server's host name from server certificate".into()),
        };
        clear_errors();
        checked
    }

    /// What became of the client's certificate.
    pub(crate) fn certificate(&self) -> Certificate {
        self.certificate
    }

    /// The data for channel binding.
    pub(crate) fn binding(&self) -> Result<Vec<u8>, String> {
        match &self.peer {
            Some(peer) => {
                clear_errors();
                let hash = channel_binding::end_point(peer);
                clear_errors();
                hash
            }
            None => Err("could not determine server certificate signature algorithm".into()),
        }
    }

    /// The protocol's version, as in `TLSv1.3`.
    pub(crate) fn version(&self) -> &'static str {
        self.stream.ssl().version_str()
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.stream.get_ref().socket
    }

    /// Runs one operation of OpenSSL.
    fn operate<T>(
        &mut self,
        operation: impl FnOnce(&mut SslStream<Bio>) -> Result<T, openssl::ssl::Error>,
    ) -> Result<T, openssl::ssl::Error> {
        clear_errors();
        self.stream.get_mut().budget = BUDGET;
        let result = operation(&mut self.stream);
        clear_errors();
        result
    }

    fn poll_readable(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let bio = self.stream.get_mut();
        if bio.budget == 0 {
            // There may be more to read, which would wake nobody.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        bio.socket.poll_read_ready(cx)
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<Done> {
        match self.operate(|stream| stream.ssl_read(buf)) {
            Ok(length) => Ok(Done::Bytes(length)),
            Err(error) => finish(error),
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The sockets of the runtime count their reads, so that a socket that always has something to read does not starve
        // the others, timers and interrupts. This one bypasses that, and counts its own.
        let turn = ready!(coop::poll_proceed(cx));
        let room = buf.remaining().min(RECORD);
        loop {
            match self.read(buf.initialize_unfilled_to(room)) {
                Ok(Done::Bytes(length)) => {
                    turn.made_progress();
                    buf.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Ok(Done::End) => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Done::Wait) => ready!(self.poll_readable(cx))?,
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut TaskContext<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        let bytes = buf.get(..RECORD).unwrap_or(buf);
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let length = match self.operate(|stream| stream.ssl_write(bytes)) {
            Ok(length) => length,
            Err(error) => match finish(error)? {
                Done::Bytes(length) => length,
                Done::End => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                // Only in a renegotiation, which is switched off.
                Done::Wait => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "SSL error: unexpected renegotiation",
                    )));
                }
            },
        };
        // Bytes that the socket does not take now are sent when more is written, or at a flush.
        match self.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(length)),
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let error = match ready!(self.stream.get_mut().poll_send(cx)) {
            Ok(()) => return Poll::Ready(Ok(())),
            Err(error) => error,
        };
        // A server that refuses a certificate sends an alert after the handshake and closes the connection; its reason is more
        // precise than that of the socket.
        self.stream.get_mut().at_once = true;
        let told = self.operate(|stream| stream.ssl_peek(&mut [0]));
        self.stream.get_mut().at_once = false;
        match told.map_err(|told| told.ssl_error().map(wrong)) {
            Err(Some(told)) => Poll::Ready(Err(told)),
            _ => Poll::Ready(Err(error)),
        }
    }

    /// Sends a close_notify.
    pub(crate) fn poll_close_notify(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let _ = self.operate(SslStream::shutdown);
        self.poll_flush(cx)
    }

    /// Whether no data has arrived, nor the end of the stream. Messages of TLS itself, such as session tickets, are read here and do
    /// not count.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.stream.get_mut().at_once = true;
        let told = self.operate(|stream| stream.ssl_peek(&mut [0]));
        let bio = self.stream.get_mut();
        bio.at_once = false;
        matches!(told, Err(error) if error.code() == ErrorCode::WANT_READ) && bio.budget > 0
    }

    /// Appends the data that has arrived, up to the capacity of `bytes`. `None`: none has.
    pub(crate) fn append_now(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let (before, room) = (bytes.len(), bytes.capacity().min(bytes.len() + RECORD));
        bytes.resize(room, 0);
        self.stream.get_mut().at_once = true;
        let done = self.read(bytes.get_mut(before..).unwrap_or_default());
        self.stream.get_mut().at_once = false;
        let length = match &done {
            Ok(Done::Bytes(length)) => *length,
            _ => 0,
        };
        bytes.truncate(before + length);
        match done? {
            Done::Bytes(length) => Ok(Some(length)),
            Done::End => Ok(Some(0)),
            Done::Wait => Ok(None),
        }
    }

    /// Sends `bytes` and a close_notify if the system takes them at once.
    pub(crate) fn send_last(&mut self, bytes: &[u8]) {
        if !self.stream.get_ref().unsent().is_empty() {
            return;
        }
        if self.operate(|stream| stream.ssl_write(bytes)).is_ok() {
            let _ = self.operate(SslStream::shutdown);
            let bio = self.stream.get_ref();
            // Best effort: the server also notices the end of the stream.
            let _ = send_now(&bio.socket, bio.unsent());
        }
    }
}

fn finish(error: openssl::ssl::Error) -> io::Result<Done> {
    match error.code() {
        ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Ok(Done::Wait),
        ErrorCode::ZERO_RETURN => Ok(Done::End),
        _ => match error.ssl_error() {
            Some(stack) => Err(wrong(stack)),
            None => error.into_io_error().map_or(Ok(Done::End), Err),
        },
    }
}

/// An error of OpenSSL's about the bytes that were received.
fn wrong(stack: &ErrorStack) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("SSL error: {}", reason(stack)),
    )
}

/// By libpq's rule, which is simpler than parsing an address, and matches more.
fn looks_like_an_address(host: &str) -> bool {
    host.contains(':')
        || host
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}
