//! TLS: what a connection string asks for, and whether it can be had.
//!
//! The one place that decides. A transport that encrypts would be made here, out of a connected socket, before the
//! protocol starts on it.

use plproxy_core::conninfo::{ChannelBinding, ConnInfo, TlsMode};

use crate::error::ErrorKind;
use crate::stream::Socket;

/// Makes a connected socket ready for the protocol. Without TLS the weak modes go on in plain text, as libpq does with a
/// server that has none; the others fail rather than send anything unprotected.
pub(crate) fn negotiate(socket: Socket, info: &ConnInfo) -> Result<Socket, ErrorKind> {
    if socket.is_local() {
        // As libpq: no TLS on Unix sockets, whatever the mode.
        return Ok(socket);
    }
    if info.channel_binding == ChannelBinding::Require {
        return Err(ErrorKind::Unsupported(
            "channel binding required, but SSL not in use".into(),
        ));
    }
    match info.tls.mode {
        TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer => Ok(socket),
        TlsMode::Require => Err(unsupported("require")),
        TlsMode::VerifyCa => Err(unsupported("verify-ca")),
        TlsMode::VerifyFull => Err(unsupported("verify-full")),
    }
}

fn unsupported(mode: &str) -> ErrorKind {
    ErrorKind::Unsupported(format!(
        "sslmode value \"{mode}\" is not supported: this build has no TLS"
    ))
}
