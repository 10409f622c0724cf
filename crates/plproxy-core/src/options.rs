//! The options of clusters: on servers and wrappers, in user mappings, and from `plproxy.get_cluster_config`.
//!
//! Two readers with one vocabulary. The validator is strict and speaks at `CREATE` and `ALTER`; the reader at run
//! time is lenient with values, as servers of other wrappers are clusters too and no validator saw their options.

mod error;
mod mapping;
mod numbers;

use std::time::Duration;

pub use error::{OptionError, Options};
pub use mapping::is_password_required;
use mapping::validate_mapping;
use numbers::{leading_integer, milliseconds, partition_number, seconds, shared_connections};

/// What a foreign server says of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// The connection strings in the order of the partitions' numbers.
    pub partitions: Vec<String>,
    /// The rest.
    pub config: ClusterConfig,
}

/// How a cluster's connections behave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterConfig {
    /// After this time a connection is not used again.
    pub connection_lifetime: Option<Duration>,
    /// After this time without use a connection is closed.
    pub idle_timeout: Option<Duration>,
    /// What a connection runs after each call, before it rests.
    pub reset_query: Option<String>,
    /// After this time a call fails.
    pub query_timeout: Option<Duration>,
    /// After this time an attempt to connect fails.
    pub connect_timeout: Option<Duration>,
    /// After this time a transaction on a partition that is to end with the local one gives up waiting for a lock; zero: never.
    pub lock_timeout: Option<Duration>,
    /// Text transfer only.
    pub disable_binary: bool,
    /// Sets are handed out as they come, and the remote work ends when nobody wants the rest.
    pub streaming: bool,
    /// Partitions are found by remainder, not by the hash's low bits.
    pub modular_mapping: bool,
    /// Whose mapping and name are used.
    pub default_user: DefaultUser,
    /// Whether statements are prepared on the partitions.
    pub prepared_statements: PreparedStatements,
    /// Whether calls end with themselves or with the local transaction.
    pub transaction_mode: TransactionMode,
    /// So many connections there are to a partition and remote user for all sessions together; zero: each has its own.
    pub shared_connections: u32,
    /// A keepalive option was given here, where it has no effect; worth one warning.
    pub ignored_keepalive: bool,
}

/// The user in whose name a cluster is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultUser {
    /// The one whose rights count at the moment.
    #[default]
    CurrentUser,
    /// The one who logged in, or whom `SET SESSION AUTHORIZATION` named.
    SessionUser,
}

/// Whether statements are prepared on the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PreparedStatements {
    /// Where the connection is known to reach one server process.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// When what a call does on a partition is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransactionMode {
    /// At its end.
    #[default]
    Autocommit,
    /// With the local transaction, on all partitions or on none.
    TwoPhase,
}

/// What options are given on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A foreign data wrapper.
    Wrapper,
    /// A foreign server.
    Server,
    /// A user mapping.
    UserMapping,
    /// Anything else, such as a foreign table: nothing is checked.
    Other,
}

/// No reset takes more.
const MOST_RESET_QUERY: usize = 64 * 1024;

/// The keys that are not partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    ConnectionLifetime,
    IdleTimeout,
    ResetQuery,
    QueryTimeout,
    ConnectTimeout,
    LockTimeout,
    DisableBinary,
    Streaming,
    ModularMapping,
    DefaultUser,
    PreparedStatements,
    TransactionMode,
    SharedConnections,
    StatementTimeout,
    Keepalive,
}

impl Key {
    fn find(key: &str) -> Option<Self> {
        const KEYS: [(&str, Key); 17] = [
            ("connection_lifetime", Key::ConnectionLifetime),
            ("idle_timeout", Key::IdleTimeout),
            ("reset_query", Key::ResetQuery),
            ("query_timeout", Key::QueryTimeout),
            ("connect_timeout", Key::ConnectTimeout),
            ("lock_timeout", Key::LockTimeout),
            ("disable_binary", Key::DisableBinary),
            ("streaming", Key::Streaming),
            ("modular_mapping", Key::ModularMapping),
            ("default_user", Key::DefaultUser),
            ("prepared_statements", Key::PreparedStatements),
            ("transaction_mode", Key::TransactionMode),
            ("shared_connections", Key::SharedConnections),
            ("statement_timeout", Key::StatementTimeout),
            ("keepalive_idle", Key::Keepalive),
            ("keepalive_interval", Key::Keepalive),
            ("keepalive_count", Key::Keepalive),
        ];
        KEYS.iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, key)| *key)
    }

    fn takes_text(self) -> bool {
        matches!(
            self,
            Self::DefaultUser | Self::PreparedStatements | Self::ResetQuery | Self::TransactionMode
        )
    }
}

impl ClusterConfig {
    fn set(&mut self, key: Key, value: &str) -> Result<(), OptionError> {
        let number = leading_integer(value);
        match key {
            Key::ConnectionLifetime => self.connection_lifetime = seconds(number),
            // Newer keys than the others: nobody relies on what a bad value of them would be taken for.
            Key::LockTimeout if !value.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(OptionError::plain(format!(
                    "lock_timeout: Expect a number of milliseconds, got '{value}'"
                )));
            }
            Key::LockTimeout => self.lock_timeout = milliseconds(value),
            Key::IdleTimeout if !value.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(OptionError::plain(format!(
                    "idle_timeout: Expect a number of seconds, got '{value}'"
                )));
            }
            Key::IdleTimeout => self.idle_timeout = seconds(number),
            // It is kept, and sent, in copies.
            Key::ResetQuery if value.len() > MOST_RESET_QUERY => {
                return Err(OptionError::plain(format!(
                    "reset_query is too long (maximum {MOST_RESET_QUERY} bytes)"
                )));
            }
            Key::ResetQuery => {
                self.reset_query = Some(value.trim())
                    .filter(|query| !query.is_empty())
                    .map(str::to_owned);
            }
            Key::QueryTimeout => self.query_timeout = seconds(number),
            Key::ConnectTimeout => self.connect_timeout = seconds(number),
            Key::DisableBinary => self.disable_binary = number != 0,
            // Newer, too.
            Key::Streaming => {
                self.streaming = match value {
                    "" | "0" => false,
                    "1" => true,
                    _ => {
                        return Err(OptionError::plain(format!(
                            "streaming: Expect 0 or 1, got '{value}'"
                        )));
                    }
                }
            }
            Key::ModularMapping => self.modular_mapping = number != 0,
            Key::SharedConnections => self.shared_connections = shared_connections(value)?,
            Key::StatementTimeout => {}
            Key::Keepalive => self.ignored_keepalive |= number != 0,
            Key::DefaultUser => {
                self.default_user = match value {
                    "" | "current_user" => DefaultUser::CurrentUser,
                    "session_user" => DefaultUser::SessionUser,
                    _ => {
                        return Err(OptionError::plain(format!(
                            "default_user: Expect 'current_user' or 'session_user', got '{value}'"
                        )));
                    }
                }
            }
            Key::TransactionMode => {
                self.transaction_mode = match value {
                    "" | "autocommit" => TransactionMode::Autocommit,
                    "two_phase" => TransactionMode::TwoPhase,
                    _ => {
                        return Err(OptionError::plain(format!(
                            "transaction_mode: Expect 'autocommit' or 'two_phase', got '{value}'"
                        )));
                    }
                }
            }
            Key::PreparedStatements => {
                self.prepared_statements = match value {
                    "" | "auto" => PreparedStatements::Auto,
                    "on" => PreparedStatements::On,
                    "off" => PreparedStatements::Off,
                    _ => {
                        return Err(OptionError::plain(format!(
                            "prepared_statements: Expect 'auto', 'on' or 'off', got '{value}'"
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the options can be obeyed together.
    fn check(&self) -> Result<(), OptionError> {
        // Who takes only some of the rows would leave a statement under way, or a transaction failed.
        if self.streaming && self.transaction_mode == TransactionMode::TwoPhase {
            return Err(OptionError::plain(
                "Pl/Proxy: streaming cannot be combined with transaction_mode 'two_phase'"
                    .to_owned(),
            ));
        }
        self.check_shared()
    }

    /// Whether the other options go with it.
    fn check_shared(&self) -> Result<(), OptionError> {
        if self.shared_connections > 0 && self.streaming {
            let mut error = OptionError::plain(
                "Pl/Proxy: streaming and shared_connections exclude each other".to_owned(),
            );
            error.hint =
                Some("Who reads a stream slowly would keep others from the partition.".to_owned());
            return Err(error);
        }
        Ok(())
    }

    fn set_named(&mut self, key: &str, value: &str) -> Result<(), OptionError> {
        match Key::find(key) {
            Some(key) => self.set(key, value),
            None => Err(OptionError::in_function(format!(
                "Unknown config param: {key}"
            ))),
        }
    }
}

/// Reads the options of a foreign server, at run time. A wrapper's options count as the server's own; they come
/// first, so that the server's overrule them.
pub fn parse_server(wrapper: &Options, server: &Options) -> Result<ServerOptions, OptionError> {
    let mut config = ClusterConfig::default();
    for (key, value) in wrapper {
        let value = value
            .as_deref()
            .ok_or_else(|| OptionError::without_value(key))?;
        config.set_named(key, value)?;
    }
    let mut numbered = Vec::new();
    for (key, value) in server {
        let value = value
            .as_deref()
            .ok_or_else(|| OptionError::without_value(key))?;
        match partition_number(key) {
            Some(number) => numbered.push((number, value)),
            None => config.set_named(key, value)?,
        }
    }
    config.check()?;
    let count = numbered.len();
    if !is_partition_count(count, config.modular_mapping) {
        return Err(OptionError::in_function("invalid partition count"));
    }
    let mut partitions: Vec<Option<&str>> = vec![None; count];
    for (number, connstr) in numbered {
        let slot = usize::try_from(number)
            .ok()
            .and_then(|i| partitions.get_mut(i));
        let slot = slot.ok_or_else(|| {
            OptionError::in_function(format!(
                "wrong partitions number, must be >= 0 and < {count}"
            ))
        })?;
        if slot.replace(connstr).is_some() {
            return Err(OptionError::in_function(format!(
                "duplicate partition number: {number}"
            )));
        }
    }
    // As many different numbers as places: none is empty.
    let partitions = partitions
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    Ok(ServerOptions { partitions, config })
}

/// The options of a server that are connection strings, in the order given.
pub fn connection_strings(options: &Options) -> impl Iterator<Item = (&str, &str)> {
    options.iter().filter_map(|(key, value)| {
        partition_number(key)?;
        Some((key.as_str(), value.as_deref()?))
    })
}

/// Reads the rows of `plproxy.get_cluster_config`.
pub fn parse_config(
    rows: &[(Option<String>, Option<String>)],
) -> Result<ClusterConfig, OptionError> {
    let mut config = ClusterConfig::default();
    for (key, value) in rows {
        let null = |what| OptionError::in_function(format!("{what} must not be NULL"));
        let key = key.as_deref().ok_or_else(|| null("key"))?;
        let value = value.as_deref().ok_or_else(|| null("val"))?;
        config.set_named(key, value)?;
    }
    config.check()?;
    Ok(config)
}

/// Checks the number of rows of `plproxy.get_cluster_partitions`.
pub fn check_partition_count(count: usize, modular: bool) -> Result<(), OptionError> {
    if is_partition_count(count, modular) {
        Ok(())
    } else {
        Err(OptionError::in_function("get_partlist: invalid part count"))
    }
}

fn is_partition_count(count: usize, modular: bool) -> bool {
    count > 0 && (modular || count.is_power_of_two())
}

/// Checks options as they are given, for the foreign data wrapper's validator.
pub fn validate(kind: Kind, options: &Options) -> Result<(), OptionError> {
    match kind {
        Kind::Wrapper => {
            let mut config = ClusterConfig::default();
            options
                .iter()
                .try_for_each(|(key, value)| validate_key(key, value.as_deref(), &mut config))?;
            config.check()
        }
        Kind::Server => validate_server(options),
        Kind::UserMapping => options
            .iter()
            .try_for_each(|(key, value)| validate_mapping(key, value.as_deref())),
        Kind::Other => Ok(()),
    }
}

fn validate_key(
    key: &str,
    value: Option<&str>,
    config: &mut ClusterConfig,
) -> Result<(), OptionError> {
    // Before it is seen whether the key is known.
    let value = value.ok_or_else(|| OptionError::without_value(key))?;
    let Some(known) = Key::find(key) else {
        return Err(OptionError::plain(format!(
            "Pl/Proxy: invalid server option: {key}"
        )));
    };
    if !known.takes_text() && !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OptionError::plain(format!(
            "Pl/Proxy: only integer options are allowed: {key}={value}"
        )));
    }
    config.set(known, value)
}

fn validate_server(options: &Options) -> Result<(), OptionError> {
    let mut config = ClusterConfig::default();
    let mut seen = vec![false; options.len()];
    let mut count = 0;
    for (key, value) in options {
        let Some(number) = partition_number(key) else {
            validate_key(key, value.as_deref(), &mut config)?;
            continue;
        };
        if value.is_none() {
            return Err(OptionError::without_value(key));
        }
        let slot = usize::try_from(number).ok().and_then(|i| seen.get_mut(i));
        let slot = slot.ok_or_else(|| {
            OptionError::syntax(
                "Pl/Proxy: partition numbers must start from 0 and be numbered consecutively",
                format!("number of options is {}, got {number}", options.len()),
            )
        })?;
        if std::mem::replace(slot, true) {
            return Err(OptionError::syntax(
                format!("Pl/Proxy: duplicate partition number: {number}"),
                format!("got {number} twice"),
            ));
        }
        count += 1;
    }
    config.check()?;
    if let Some(missing) = seen.iter().take(count).position(|seen| !seen) {
        return Err(OptionError::syntax(
            "Pl/Proxy: missing partition",
            format!("missing number: {missing}"),
        ));
    }
    if !is_partition_count(count, config.modular_mapping) {
        return Err(OptionError::syntax(
            "Pl/Proxy: invalid number of partitions",
            format!("the number of partitions in a cluster must be power of 2 (attempted {count})"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
