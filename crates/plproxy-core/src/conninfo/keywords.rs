//! Every keyword of libpq up to PostgreSQL 19, and what becomes of it here. The one place to look it up.

/// A keyword of a connection string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyword {
    /// As written in a connection string.
    pub name: &'static str,
    /// The variable that stands in where the keyword is not given.
    pub env: Option<&'static str>,
    /// The value where neither is given.
    pub default: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether its value names a file of this machine, or an entry of one.
    pub file: bool,
    /// What becomes of it.
    pub state: State,
    /// What it may be set to.
    pub values: Values,
}

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does what libpq's documentation says.
    Honoured,
    /// It is accepted, and changes nothing.
    Ignored,
    /// It is an error, but for these values, which ask for nothing.
    Refused(&'static [&'static str]),
}

/// The values a keyword may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Anything, or with rules of its own.
    Free,
    /// A whole number, looked at where it is used.
    Integer,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of these, in any case.
    OneOfAnyCase(&'static [&'static str]),
}

use State::{Honoured, Ignored, Refused};
use Values::{Free, Integer, OneOf, OneOfAnyCase};

/// Values of a refused keyword that ask for nothing.
const FALSE: &[&str] = &["", "0", "f", "false", "n", "no", "off"];
const EMPTY: &[&str] = &[""];
const TLS_VERSIONS: Values = OneOfAnyCase(&["", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]);
const PROTOCOL_VERSIONS: Values = OneOf(&["3.0", "3.2", "latest"]);

const fn key(name: &'static str, env: &'static str, values: Values, state: State) -> Keyword {
    let env = if env.is_empty() { None } else { Some(env) };
    Keyword {
        name,
        env,
        default: None,
        secret: false,
        file: false,
        state,
        values,
    }
}

impl Keyword {
    const fn or(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    const fn hidden(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }

    const fn of_files(self) -> Self {
        Self { file: true, ..self }
    }

    /// The keyword of that name; names are case-sensitive, as in libpq.
    pub fn find(name: &str) -> Option<&'static Keyword> {
        KEYWORDS.iter().find(|keyword| keyword.name == name)
    }
}

/// The table, in libpq's order.
pub static KEYWORDS: &[Keyword] = &[
    key("service", "PGSERVICE", Free, Honoured).of_files(),
    key("servicefile", "PGSERVICEFILE", Free, Honoured).of_files(),
    key("user", "PGUSER", Free, Honoured),
    key("password", "PGPASSWORD", Free, Honoured).hidden(),
    key("passfile", "PGPASSFILE", Free, Honoured).of_files(),
    key(
        "channel_binding",
        "PGCHANNELBINDING",
        OneOf(&["disable", "prefer", "require"]),
        Honoured,
    )
    .or("prefer"),
    key("connect_timeout", "PGCONNECT_TIMEOUT", Integer, Honoured),
    key("dbname", "PGDATABASE", Free, Honoured),
    key("host", "PGHOST", Free, Honoured),
    key("hostaddr", "PGHOSTADDR", Free, Honoured),
    key("port", "PGPORT", Free, Honoured).or("5432"),
    // What goes over the wire is always UTF-8, and is converted at the edges.
    key("client_encoding", "PGCLIENTENCODING", Free, Ignored),
    key("options", "PGOPTIONS", Free, Honoured).or(""),
    key("application_name", "PGAPPNAME", Free, Honoured),
    key("fallback_application_name", "", Free, Honoured),
    key("keepalives", "", Integer, Honoured),
    key("keepalives_idle", "", Integer, Honoured),
    key("keepalives_interval", "", Integer, Honoured),
    key("keepalives_count", "", Integer, Honoured),
    key("tcp_user_timeout", "", Integer, Honoured),
    key(
        "sslmode",
        "PGSSLMODE",
        OneOf(&[
            "disable",
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "verify-full",
        ]),
        Honoured,
    )
    .or("prefer"),
    key(
        "sslnegotiation",
        "PGSSLNEGOTIATION",
        OneOf(&["postgres", "direct"]),
        Honoured,
    )
    .or("postgres"),
    // libpq itself has ignored it since OpenSSL stopped compressing.
    key("sslcompression", "PGSSLCOMPRESSION", Free, Ignored).or("0"),
    key("sslcert", "PGSSLCERT", Free, Honoured).of_files(),
    key("sslkey", "PGSSLKEY", Free, Honoured).of_files(),
    key(
        "sslcertmode",
        "PGSSLCERTMODE",
        OneOf(&["disable", "allow", "require"]),
        Honoured,
    )
    .or("allow"),
    key("sslpassword", "", Free, Honoured).hidden(),
    key("sslrootcert", "PGSSLROOTCERT", Free, Honoured).of_files(),
    key("sslcrl", "PGSSLCRL", Free, Honoured).of_files(),
    key("sslcrldir", "PGSSLCRLDIR", Free, Honoured).of_files(),
    key("sslsni", "PGSSLSNI", Free, Honoured).or("1"),
    key("requirepeer", "PGREQUIREPEER", Free, Honoured),
    key("require_auth", "PGREQUIREAUTH", Free, Honoured),
    // The start-up packet asks for 3.0, which every server speaks; a lower limit above it cannot be kept.
    key(
        "min_protocol_version",
        "PGMINPROTOCOLVERSION",
        PROTOCOL_VERSIONS,
        Refused(&["3.0"]),
    ),
    key(
        "max_protocol_version",
        "PGMAXPROTOCOLVERSION",
        PROTOCOL_VERSIONS,
        Ignored,
    ),
    key(
        "ssl_min_protocol_version",
        "PGSSLMINPROTOCOLVERSION",
        TLS_VERSIONS,
        Honoured,
    )
    .or("TLSv1.2"),
    key(
        "ssl_max_protocol_version",
        "PGSSLMAXPROTOCOLVERSION",
        TLS_VERSIONS,
        Honoured,
    ),
    key(
        "gssencmode",
        "PGGSSENCMODE",
        OneOf(&["disable", "prefer", "require"]),
        Refused(&["disable", "prefer"]),
    )
    .or("prefer"),
    key("krbsrvname", "PGKRBSRVNAME", Free, Ignored).or("postgres"),
    key("gsslib", "PGGSSLIB", Free, Ignored),
    key("gssdelegation", "PGGSSDELEGATION", Free, Ignored).or("0"),
    // A replication connection runs no functions.
    key("replication", "", Free, Refused(FALSE)),
    key(
        "target_session_attrs",
        "PGTARGETSESSIONATTRS",
        OneOf(&[
            "any",
            "read-write",
            "read-only",
            "primary",
            "standby",
            "prefer-standby",
        ]),
        Honoured,
    )
    .or("any"),
    key(
        "load_balance_hosts",
        "PGLOADBALANCEHOSTS",
        OneOf(&["disable", "random"]),
        Honoured,
    )
    .or("disable"),
    // With one of these and no password libpq can log in; to ignore them would only say "no password" later.
    key("scram_client_key", "", Free, Refused(EMPTY)).hidden(),
    key("scram_server_key", "", Free, Refused(EMPTY)).hidden(),
    key("oauth_issuer", "", Free, Ignored),
    key("oauth_client_id", "", Free, Ignored),
    key("oauth_client_secret", "", Free, Ignored).hidden(),
    key("oauth_scope", "", Free, Ignored),
    key("oauth_ca_file", "PGOAUTHCAFILE", Free, Ignored).of_files(),
    // Writing session keys to a file of the caller's choosing is not for a server process.
    key("sslkeylogfile", "", Free, Refused(EMPTY)).of_files(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        for (at, keyword) in KEYWORDS.iter().enumerate() {
            let same = |other: &&Keyword| other.name == keyword.name;
            assert_eq!(
                KEYWORDS.iter().position(|other| same(&other)),
                Some(at),
                "{} twice",
                keyword.name
            );
            if let (Some(default), OneOf(values) | OneOfAnyCase(values)) =
                (keyword.default, keyword.values)
            {
                assert!(values.contains(&default), "{}", keyword.name);
            }
            if let (Refused(tolerated), OneOf(values)) = (keyword.state, keyword.values) {
                assert!(
                    tolerated.iter().all(|value| values.contains(value)),
                    "{}",
                    keyword.name
                );
            }
            if let (Refused(tolerated), Some(default)) = (keyword.state, keyword.default) {
                assert!(tolerated.contains(&default), "{}", keyword.name);
            }
        }
    }

    #[test]
    fn what_sounds_secret_is_secret() {
        for keyword in KEYWORDS {
            let sounds = ["password", "secret", "_key"]
                .iter()
                .any(|word| keyword.name.contains(word));
            assert_eq!(keyword.secret, sounds, "{}", keyword.name);
        }
    }

    #[test]
    fn names_are_found_as_written() {
        assert_eq!(Keyword::find("port").and_then(|k| k.env), Some("PGPORT"));
        assert_eq!(Keyword::find("Port"), None);
        assert_eq!(Keyword::find("requiressl"), None, "an alias, see params");
    }
}
