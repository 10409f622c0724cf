//! Which authentication requests of a server may be answered: `require_auth`, `channel_binding`.
//!
//! tokio-postgres answers them. They are checked here first, and refused in libpq's words.

use plproxy_core::conninfo::{AuthMethod, ChannelBinding, ConnInfo, RequireAuth};

use crate::net::transport::Socket;

/// How many iterations of SCRAM are accepted: a server that asks for more may only want to keep the client busy.
const SCRAM_LIMIT: u64 = 100_000;
const SCRAM: &[u8] = b"SCRAM-SHA-256";
const SCRAM_PLUS: &[u8] = b"SCRAM-SHA-256-PLUS";

/// The properties of the transport that matter to authentication.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    /// Whether it is encrypted.
    pub(crate) encrypted: bool,
    /// Whether authentication is to be bound to it.
    pub(crate) wanted: ChannelBinding,
    /// Why it cannot be.
    pub(crate) unbindable: Option<String>,
}

impl Channel {
    pub(crate) fn of(socket: &Socket, info: &ConnInfo) -> Channel {
        let tls = socket.protection();
        Channel {
            encrypted: tls.is_some(),
            wanted: info.channel_binding,
            unbindable: tls.and_then(|tls| tls.binding().err()),
        }
    }
}

/// Which requests are allowed, and how far the authentication went.
pub(crate) struct AuthPolicy {
    required: RequireAuth,
    channel: Channel,
    /// The server has sent an authentication request.
    questioned: bool,
    /// It has asked for a password.
    used_password: bool,
    /// The server has accepted the client.
    done: bool,
}

impl AuthPolicy {
    pub(crate) fn new(required: RequireAuth, channel: Channel) -> AuthPolicy {
        AuthPolicy {
            required,
            channel,
            questioned: false,
            used_password: false,
            done: false,
        }
    }

    /// Whether the server has accepted the client.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether the server has asked for a password, and accepted it.
    pub(crate) fn used_password(&self) -> bool {
        self.used_password && self.done
    }

    /// Checks the body of an authentication request; an error if it must not be answered.
    pub(crate) fn check(&mut self, body: &[u8]) -> Result<(), String> {
        let (code, body) = body.split_first_chunk::<4>().unwrap_or((&[0xff; 4], &[]));
        let method = match u32::from_be_bytes(*code) {
            0 => {
                self.done = true;
                // Accepted without any request. After a request it only confirms that one.
                if self.questioned {
                    return Ok(());
                }
                AuthMethod::None
            }
            1 | 2 => return Err("Kerberos 5 authentication not supported".into()),
            3 => AuthMethod::Password,
            4 => return Err("Crypt authentication not supported".into()),
            5 => AuthMethod::Md5,
            7 => AuthMethod::Gss,
            9 => AuthMethod::Sspi,
            10 => AuthMethod::ScramSha256,
            11 => return scram(body),
            _ => return Ok(()),
        };
        self.questioned = true;
        if !self.required.allows(method) {
            let what = match method {
                AuthMethod::Password => "server requested a cleartext password",
                AuthMethod::Md5 => "server requested a hashed password",
                AuthMethod::Gss => "server requested GSSAPI authentication",
                AuthMethod::Sspi => "server requested SSPI authentication",
                AuthMethod::None => "server did not complete authentication",
                AuthMethod::ScramSha256 | AuthMethod::OAuth => {
                    "server requested SASL authentication"
                }
            };
            return Err(format!(
                "authentication method requirement \"{}\" failed: {what}",
                self.required
            ));
        }
        self.used_password |= matches!(
            method,
            AuthMethod::Password | AuthMethod::Md5 | AuthMethod::ScramSha256
        );
        match method {
            AuthMethod::ScramSha256 => return self.mechanisms(body),
            _ if self.channel.wanted != ChannelBinding::Require => {}
            AuthMethod::None => {
                return Err(
                    "channel binding required, but server authenticated client without channel binding"
                        .into(),
                );
            }
            _ => {
                return Err(
                    "channel binding required but not supported by server's authentication request"
                        .into(),
                );
            }
        }
        match method {
            AuthMethod::Gss => Err("GSSAPI authentication not supported".into()),
            AuthMethod::Sspi => Err("SSPI authentication not supported".into()),
            _ => Ok(()),
        }
    }

    /// Checks the SASL mechanisms that the server offers.
    fn mechanisms(&self, offered: &[u8]) -> Result<(), String> {
        let Channel {
            encrypted,
            wanted,
            unbindable,
        } = &self.channel;
        if *wanted == ChannelBinding::Require && !encrypted {
            return Err("channel binding required, but SSL not in use".into());
        }
        let has = |name: &[u8]| offered.split(|byte| *byte == 0).any(|item| item == name);
        let plus = has(SCRAM_PLUS);
        if plus && !encrypted {
            // A man in the middle has removed TLS.
            return Err(
                "server offered SCRAM-SHA-256-PLUS authentication over a non-SSL connection".into(),
            );
        }
        let bound = plus && *wanted != ChannelBinding::Disable;
        if !bound && !has(SCRAM) {
            return Err("none of the server's SASL authentication mechanisms are supported".into());
        }
        if *wanted == ChannelBinding::Require && !bound {
            return Err(
                "channel binding is required, but server did not offer an authentication method \
                 that supports channel binding"
                    .into(),
            );
        }
        match unbindable {
            // tokio-postgres would go on without it.
            Some(why) if bound => Err(why.clone()),
            _ => Ok(()),
        }
    }
}

/// Checks the server's first message of SCRAM, which has the number of iterations.
fn scram(body: &[u8]) -> Result<(), String> {
    let rounds = body
        .split(|byte| *byte == b',')
        .find_map(|part| part.strip_prefix(b"i="));
    let rounds = rounds.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
    match rounds {
        Some(rounds) if rounds > SCRAM_LIMIT => Err(format!(
            "server asks for {rounds} iterations of SCRAM, and no more than {SCRAM_LIMIT} are accepted"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
