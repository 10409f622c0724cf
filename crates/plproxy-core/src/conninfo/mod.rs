//! Connection strings, as libpq's users know them.
//!
//! Text becomes [`Params`] (what was written, in order), and `Params` become a [`ConnInfo`] (what to do) with the help
//! of an [`Environment`]: the `PG*` variables, the service file, the password file. Nothing here opens a socket, and
//! nothing but [`SystemEnvironment`] and [`user_name`] looks at the machine.
//!
//! No message that leaves this module carries a password, nor a piece of text that looks like part of one: see `mask`.
//! A lone word where a keyword should be, with no password before it, is shown as libpq shows it.

mod describe;
mod environment;
mod error;
mod hosts;
mod key_value;
mod keywords;
mod mask;
mod params;
mod parse;
mod passfile;
mod quote;
mod require_auth;
mod resolve;
mod secret;
mod service;
mod system_user;
mod tls;
mod types;
mod uri;
mod values;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod secrecy;

pub use describe::describe;
pub use environment::{Environment, FileMode, SystemEnvironment, TestEnvironment};
pub use error::{ConnInfoError, Warning};
pub use keywords::{KEYWORDS, Keyword, State, Values};
pub use mask::shown;
pub use params::Params;
pub use parse::parse;
pub use quote::quote_value;
pub use require_auth::{AuthMethod, RequireAuth};
pub use secret::Secret;
pub use system_user::name_of as user_name;
pub use tls::{CertMode, TlsMode, TlsNegotiation, TlsOptions, TlsVersion};
pub use types::{
    ChannelBinding, ConnInfo, Host, HostName, Keepalives, LoadBalanceHosts, PasswordRule,
    TargetSessionAttrs,
};
