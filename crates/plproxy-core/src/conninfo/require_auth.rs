//! `require_auth`: the ways of authenticating that a server may ask for.

use std::fmt;

/// A way for the server to ask who we are, as named by `require_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// No question asked.
    None,
    /// The password in clear.
    Password,
    /// MD5.
    Md5,
    /// GSSAPI.
    Gss,
    /// SSPI.
    Sspi,
    /// SCRAM-SHA-256, with or without channel binding.
    ScramSha256,
    /// OAuth.
    OAuth,
}

/// `require_auth`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RequireAuth {
    /// Whatever the server asks for.
    Any,
    /// One of these.
    OneOf(Vec<AuthMethod>),
    /// Any but these.
    NoneOf(Vec<AuthMethod>),
}

/// As written in a connection string.
impl fmt::Display for RequireAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (methods, mark) = match self {
            Self::Any => return Ok(()),
            Self::OneOf(methods) => (methods, ""),
            Self::NoneOf(methods) => (methods, "!"),
        };
        for (at, method) in methods.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{mark}{}", method.name())?;
        }
        Ok(())
    }
}

impl AuthMethod {
    /// As `require_auth` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password => "password",
            Self::Md5 => "md5",
            Self::Gss => "gss",
            Self::Sspi => "sspi",
            Self::ScramSha256 => "scram-sha-256",
            Self::OAuth => "oauth",
        }
    }

    /// The method of that name.
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::None,
            Self::Password,
            Self::Md5,
            Self::Gss,
            Self::Sspi,
            Self::ScramSha256,
            Self::OAuth,
        ]
        .into_iter()
        .find(|method| method.name() == name)
    }
}

impl RequireAuth {
    /// Whether the server may ask for `method`.
    pub fn allows(&self, method: AuthMethod) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(methods) => methods.contains(&method),
            Self::NoneOf(methods) => !methods.contains(&method),
        }
    }
}
