//! The finished connection settings: plain values, nothing left to look up but host names.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::mask::HIDDEN;
use super::params::label;
use super::require_auth::RequireAuth;
use super::secret::Secret;
use super::tls::TlsOptions;

/// Everything needed to open a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnInfo {
    /// The hosts to try, in the order written; never empty.
    pub hosts: Vec<Host>,
    /// The role to log in as.
    pub user: String,
    /// The password given for all hosts; each [`Host`] may have one of its own from the password file instead.
    pub password: Option<Secret>,
    /// Whether the password must be used.
    pub password_rule: PasswordRule,
    /// The password file as a message may name it, where a host's password comes from it.
    pub passfile: Option<String>,
    /// The database; the user's name if none was given.
    pub dbname: String,
    /// A piece of a password that was not encoded may stand for host, port or database: none of these is shown.
    pub mangled: bool,
    /// `application_name`.
    pub application_name: Option<String>,
    /// `fallback_application_name`: used where `application_name` is not given.
    pub fallback_application_name: Option<String>,
    /// Command-line options for the remote server process.
    pub options: Option<String>,
    /// Start-up settings that libpq takes from `PGDATESTYLE`, `PGTZ` and `PGGEQO`, as name and value.
    pub session_defaults: Vec<(&'static str, String)>,
    /// Limit for one attempt on one address; `None` waits without end.
    pub connect_timeout: Option<Duration>,
    /// TCP keepalives; of no meaning on Unix sockets.
    pub keepalives: Keepalives,
    /// `TCP_USER_TIMEOUT`; `None` leaves the system's.
    pub tcp_user_timeout: Option<Duration>,
    /// TLS.
    pub tls: TlsOptions,
    /// `channel_binding`.
    pub channel_binding: ChannelBinding,
    /// `require_auth`: the ways of authenticating that the server may ask for.
    pub require_auth: RequireAuth,
    /// `requirepeer`: the operating system user that the server must run as, on Unix sockets.
    pub require_peer: Option<String>,
    /// `target_session_attrs`.
    pub target_session_attrs: TargetSessionAttrs,
    /// `load_balance_hosts`.
    pub load_balance_hosts: LoadBalanceHosts,
}

/// What becomes of a server that asks for no password. What else it knows this process by is not the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PasswordRule {
    /// It may.
    Free,
    /// It is hung up on.
    Required,
    /// It is hung up on, unless a superuser says of the user mapping that it may.
    RequiredOfMapping,
}

/// One place to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// What the user wrote, or the default socket directory, or the text of `hostaddr` where no host is given.
    pub name: HostName,
    /// Whether the user wrote the name: a certificate is checked against no other.
    pub named: bool,
    /// An address that makes a look-up of `name` needless. Where present it is used even if `name` is a directory.
    pub hostaddr: Option<IpAddr>,
    /// The port, or the number in the socket's name.
    pub port: u16,
    /// It may be a piece of a password, and so may the port: neither is shown.
    pub hidden: bool,
    /// From the password file; only looked for when the connection string has no password.
    pub password: Option<Secret>,
}

/// How a host is named.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostName {
    /// A host name or an address in text.
    Name(String),
    /// A directory of Unix sockets; one that begins with `@` is in Linux's abstract namespace.
    Unix(PathBuf),
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostName::Name(name) => f.write_str(name),
            HostName::Unix(path) => path.display().fmt(f),
        }
    }
}

impl ConnInfo {
    /// The name of the database as a message may show it.
    pub fn label(&self) -> &str {
        label(&self.dbname, self.mangled)
    }
}

impl Host {
    /// The name as a message may show it.
    pub fn shown(&self) -> String {
        if self.hidden {
            HIDDEN.to_owned()
        } else {
            self.name.to_string()
        }
    }

    /// The port, unless it must not be seen.
    pub fn shown_port(&self) -> Option<u16> {
        (!self.hidden).then_some(self.port)
    }

    /// The Unix socket to connect to, or `None` if this host is reached by TCP.
    pub fn socket_path(&self) -> Option<PathBuf> {
        match (&self.name, self.hostaddr) {
            (HostName::Unix(dir), None) => {
                // Not `Path::join`: an abstract name is bytes, and must be put together as libpq and the server do.
                let mut path = dir.clone().into_os_string();
                path.push(format!("/.s.PGSQL.{}", self.port));
                Some(path.into())
            }
            _ => None,
        }
    }
}

/// TCP keepalives. `None` leaves the system's setting.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Keepalives {
    /// Whether to use them at all; on unless `keepalives=0`.
    pub enabled: bool,
    /// Silence before the first probe.
    pub idle: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
    /// Probes lost before the connection counts as dead.
    pub count: Option<u32>,
}

/// `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// Where the server offers it.
    Prefer,
    /// Always, else fail.
    Require,
}

/// `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetSessionAttrs {
    /// Any server that answers.
    Any,
    /// One whose sessions can write.
    ReadWrite,
    /// One whose sessions cannot write.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One in recovery.
    Standby,
    /// A standby first; any if there is none.
    PreferStandby,
}

/// `load_balance_hosts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoadBalanceHosts {
    /// Hosts and addresses in order.
    Disable,
    /// Hosts, and the addresses of each, in random order.
    Random,
}
