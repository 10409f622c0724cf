//! Logging in: the start-up message and the authentication.
//!
//! tokio-postgres answers the authentication requests (SCRAM, MD5, channel binding), over a stream of ours that stands between it
//! and the socket. The start-up message is ours, as tokio-postgres always asks for UTF-8; all other messages of the server are
//! handled here and not passed on. When the server is ready for queries tokio-postgres is dropped; everything after that is up to
//! [`crate::connection::exchange`] and [`crate::connection::round_trip`].
//!
//! Messages and their order: PostgreSQL's documentation, "Start-up" in "Message Flow".

pub(crate) mod handshake;

use std::cell::RefCell;
use std::rc::Rc;

use bytes::BytesMut;
use plproxy_core::conninfo::{ChannelBinding, ConnInfo, Host};
use postgres_protocol::message::frontend;
use tokio_postgres::Config;
use tokio_postgres::config::{self, SslMode, SslNegotiation};

use crate::connection::auth_policy::AuthPolicy;
use crate::encoding::Encoding;
use crate::error::ErrorKind;
use crate::net::transport::{Finished, Socket};
use handshake::{Handshake, LoggedIn, Refusal, Refused, StartUpStream};

/// The default `application_name`.
const APPLICATION_NAME: &str = "plproxy";

/// Logs in on a connected socket.
pub(crate) async fn log_in(
    socket: Socket,
    info: &ConnInfo,
    host: &Host,
    encoding: Encoding,
    auth: AuthPolicy,
) -> Result<LoggedIn, Refused> {
    let unsent = |kind| Refused {
        kind: Refusal::Failed(kind),
        authenticated: false,
    };
    let start_up = start_up(info, encoding).map_err(unsent)?;
    let handshake = Rc::new(RefCell::new(Handshake::new(
        socket, start_up, encoding, auth,
    )));
    let stream = StartUpStream::new(handshake.clone());
    let ended = config(info, host).connect_raw(stream, Finished).await;
    // Dropped, client and connection of tokio-postgres drop the other reference to the handshake.
    let ended = ended.map(drop);
    let handshake = Rc::try_unwrap(handshake)
        .map_err(|_| unsent(ErrorKind::protocol("the log-in did not end")))?
        .into_inner();
    handshake.into_session(ended)
}

/// The start-up message.
fn start_up(info: &ConnInfo, encoding: Encoding) -> Result<BytesMut, ErrorKind> {
    let options = options(info);
    let name = info
        .application_name
        .as_deref()
        .or(info.fallback_application_name.as_deref());
    // A parameter of the start-up message wins over the options: the default is only sent where neither has a name.
    let name = name.or_else(|| {
        let named = options.as_deref().is_some_and(names_application);
        (!named).then_some(APPLICATION_NAME)
    });
    let parameters = [
        ("client_encoding", Some(encoding.name())),
        ("user", Some(info.user.as_str())),
        ("database", Some(info.dbname.as_str())),
        ("options", options.as_deref()),
        ("application_name", name),
    ];
    let parameters = parameters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut message = BytesMut::new();
    frontend::startup_message(parameters, &mut message)
        .map_err(|error| ErrorKind::from_io(&error))?;
    Ok(message)
}

/// The configuration of tokio-postgres.
fn config(info: &ConnInfo, host: &Host) -> Config {
    let mut config = Config::new();
    config.user(&info.user);
    // So that it takes the stream for one after a TLS handshake.
    config.ssl_mode(SslMode::Require);
    config.ssl_negotiation(SslNegotiation::Direct);
    config.channel_binding(match info.channel_binding {
        ChannelBinding::Disable => config::ChannelBinding::Disable,
        ChannelBinding::Prefer => config::ChannelBinding::Prefer,
        ChannelBinding::Require => config::ChannelBinding::Require,
    });
    if let Some(password) = info.password.as_ref().or(host.password.as_ref()) {
        config.password(password.expose());
    }
    config
}

/// Whether command-line options set `application_name`, as `-c application_name=…` or `--application-name=…`.
fn names_application(options: &str) -> bool {
    options
        .to_ascii_lowercase()
        .replace('-', "_")
        .contains("application_name")
}

/// The command-line options: the settings of the environment, then those of the connection string, which win.
fn options(info: &ConnInfo) -> Option<String> {
    let mut options = String::new();
    for (name, value) in &info.session_defaults {
        options.push_str("-c ");
        options.push_str(name);
        options.push('=');
        for char in value.chars() {
            if char == '\\' || char.is_ascii_whitespace() {
                options.push('\\');
            }
            options.push(char);
        }
        options.push(' ');
    }
    options.push_str(info.options.as_deref().unwrap_or_default());
    (!options.is_empty()).then_some(options)
}

#[cfg(test)]
mod tests {
    use plproxy_core::conninfo::{TestEnvironment, parse};

    use super::*;

    fn check(connstr: &str, encoding: Encoding, expected: &[(&str, &str)]) {
        let params = parse(connstr).unwrap();
        let (info, _) = params.resolve(&TestEnvironment::new()).unwrap();
        let message = start_up(&info, encoding).unwrap();
        let length = u32::from_be_bytes(message[..4].try_into().unwrap());
        assert_eq!(length as usize, message.len());
        assert_eq!(message[4..8], [0, 3, 0, 0]);
        let body = std::str::from_utf8(&message[8..]).unwrap();
        let mut words = body.strip_suffix("\0\0").unwrap().split('\0');
        let mut found = Vec::new();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            found.push((name, value));
        }
        assert_eq!(found, expected, "{connstr}");
    }

    #[test]
    fn the_start_up_says_who_and_how() {
        check(
            "host=h user=u dbname=d",
            Encoding::UTF8,
            &[
                ("client_encoding", "UTF8"),
                ("user", "u"),
                ("database", "d"),
                ("application_name", "plproxy"),
            ],
        );
        check(
            "host=h user=u dbname=d application_name=mine options='-c a=b'",
            Encoding::SQL_ASCII,
            &[
                ("client_encoding", "SQL_ASCII"),
                ("user", "u"),
                ("database", "d"),
                ("options", "-c a=b"),
                ("application_name", "mine"),
            ],
        );
        check(
            "host=h user=u dbname=d options='-c Application-Name=x'",
            Encoding::UTF8,
            &[
                ("client_encoding", "UTF8"),
                ("user", "u"),
                ("database", "d"),
                ("options", "-c Application-Name=x"),
            ],
        );
    }
}
