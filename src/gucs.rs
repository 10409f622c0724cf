//! Settings of the extension.
#![forbid(unsafe_code)]

use crate::pg::error::{Error, Report, sqlstate};
use crate::pg::report::{Level, emit};
use crate::pg::settings::{self, Names};
use crate::pg::{shmem, xact};
use core::cell::RefCell;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_sys};
use plproxy_core::ident;
use std::ffi::CString;
use std::time::Duration;

static STANDARD_SQLSTATES: GucSetting<bool> = GucSetting::<bool>::new(false);
static LOG_MIN_DURATION: GucSetting<i32> = GucSetting::<i32>::new(-1);
static MAX_SHARED_CONNECTIONS: GucSetting<i32> = GucSetting::<i32>::new(1000);
static LEASE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static MAX_PAUSE: GucSetting<i32> = GucSetting::<i32>::new(60);
static MAX_TRACKED_PARTITIONS: GucSetting<i32> = GucSetting::<i32>::new(1000);
static RECOVERY_DATABASES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static RECOVERY_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(60);

/// What they begin with. It is not reserved: users have settings of their own that begin so.
const PREFIX: &str = "plproxy.";

/// A name is taken for one of ours if it differs in no more characters.
const MISSPELT: u8 = 4;

thread_local! {
    /// Names that were warned of. Sessions have those of the server that they come from.
    static WARNED_OF: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// So much is far more than anybody needs, and the memory for it can still be counted in a machine word.
const MOST_TRACKED_PARTITIONS: i32 = 1_000_000;

/// A day.
const MOST_SECONDS: i32 = 86_400;
/// So many connections are far more than one machine has a use for.
const MOST_SHARED_CONNECTIONS: i32 = 65_536;

/// Defines them; once, when the library is loaded.
pub(crate) fn init() {
    GucRegistry::define_bool_guc(
        c"plproxy.standard_sqlstates",
        c"Gives connection errors and timeouts the SQLSTATEs of the SQL standard.",
        c"Connection errors carry class 08 and timeouts 57014; when off, both carry XX000, as PL/Proxy 2 has them.",
        &STANDARD_SQLSTATES,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"plproxy.log_min_duration",
        c"Logs calls that take at least this long, with the times of each partition.",
        c"-1 turns this off, 0 logs all calls.",
        &LOG_MIN_DURATION,
        -1,
        i32::MAX,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"plproxy.max_tracked_partitions",
        c"Sets for how many partitions, and for how many functions, there are statistics.",
        c"Those of all sessions have a fixed place in shared memory if the library is in shared_preload_libraries.",
        &MAX_TRACKED_PARTITIONS,
        0,
        MOST_TRACKED_PARTITIONS,
        // Where the size is that of the session's own memory, there is no start of the server to wait for.
        at_start(),
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"plproxy.recovery_databases",
        c"Lists the databases in which what lost sessions left prepared on partitions is ended by itself.",
        c"The library must be in shared_preload_libraries.",
        &RECOVERY_DATABASES,
        at_start(),
        GucFlags::from_bits_retain(pg_sys::GUC_LIST_INPUT as i32),
    );
    GucRegistry::define_int_guc(
        c"plproxy.recovery_interval",
        c"Sets the time between two rounds of the recovery.",
        c"It takes place in the databases that plproxy.recovery_databases lists.",
        &RECOVERY_INTERVAL,
        1,
        MOST_SECONDS,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"plproxy.max_shared_connections",
        c"Sets how many connections the sessions of this server can share, over all partitions.",
        c"They have a fixed place in shared memory, for which the library has to be in shared_preload_libraries.",
        &MAX_SHARED_CONNECTIONS,
        0,
        MOST_SHARED_CONNECTIONS,
        at_start(),
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"plproxy.lease_timeout",
        c"Sets how long a call waits for one of the connections that sessions share.",
        c"0 waits without end.",
        &LEASE_TIMEOUT,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"plproxy.max_pause",
        c"Sets how long a cluster stays paused at the most.",
        c"Then calls go on by themselves; it counts from the beginning of plproxy_pause().",
        &MAX_PAUSE,
        1,
        MOST_SECONDS,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
}

/// The context of what only the server's start can change, where the library is preloaded: later none of that kind can be defined.
fn at_start() -> GucContext {
    if shmem::is_preloading() {
        GucContext::Postmaster
    } else {
        GucContext::Sighup
    }
}

/// Warns where `plproxy.recovery_databases` has no effect.
pub(crate) fn warn_of_no_recovery() -> Result<(), Error> {
    let Some(list) = RECOVERY_DATABASES.get() else {
        return Ok(());
    };
    let list = list.to_string_lossy();
    let (what, hint) = if ident::split_list(&list).is_none() {
        (
            "invalid list syntax in parameter \"plproxy.recovery_databases\"",
            "It is a list of database names, separated by commas; nothing is recovered by itself.",
        )
    } else if shmem::is_preloading() || shmem::shared().is_some() || list.trim().is_empty() {
        return Ok(());
    } else {
        (
            "parameter \"plproxy.recovery_databases\" has no effect",
            "Add plproxy to shared_preload_libraries and restart the server.",
        )
    };
    let mut report = Report::new(sqlstate::WARNING, what);
    report.hint = Some(hint.to_owned());
    emit(Level::Warning, &report)
}

/// The databases in which the recovery takes place by itself.
pub(crate) fn recovery_databases() -> Vec<String> {
    let list = RECOVERY_DATABASES.get();
    let list = list.and_then(|list| ident::split_list(&list.to_string_lossy()));
    let mut names = list.unwrap_or_default();
    names.sort();
    names.dedup();
    names
}

/// The time between two of its rounds.
pub(crate) fn recovery_interval() -> Duration {
    Duration::from_secs(u64::try_from(RECOVERY_INTERVAL.get()).unwrap_or(60))
}

/// Warns of settings that nobody has defined and whose names are nearly those of ours; of each once.
pub(crate) fn warn_of_misspelt() -> Result<(), Error> {
    if xact::is_parallel_worker() {
        return Ok(());
    }
    let names = Names::find(PREFIX)?;
    for name in names.placeholders {
        if WARNED_OF.with_borrow(|warned_of| warned_of.contains(&name)) {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        let alike = names.defined.iter().filter_map(|ours| {
            let distance = settings::distance(&lower, ours, MISSPELT)?;
            Some((distance, ours))
        });
        if let Some((_, ours)) = alike.min() {
            let mut report = Report::new(
                sqlstate::UNDEFINED_OBJECT,
                format!("unrecognized configuration parameter \"{name}\""),
            );
            report.hint = Some(format!("Perhaps you meant \"{ours}\"."));
            WARNED_OF.with_borrow_mut(|warned_of| warned_of.push(name));
            emit(Level::Warning, &report)?;
        }
    }
    Ok(())
}

/// From how long on a call is logged.
pub(crate) fn log_min_duration() -> Option<Duration> {
    let setting = u64::try_from(LOG_MIN_DURATION.get()).ok()?;
    Some(Duration::from_millis(setting))
}

/// For how many partitions, and for how many functions, there are statistics.
pub(crate) fn max_tracked_partitions() -> usize {
    usize::try_from(MAX_TRACKED_PARTITIONS.get()).unwrap_or(0)
}

/// How many connections sessions can share.
pub(crate) fn max_shared_connections() -> usize {
    usize::try_from(MAX_SHARED_CONNECTIONS.get()).unwrap_or(0)
}

/// How long one of them is waited for; `None`: without end.
pub(crate) fn lease_timeout() -> Option<Duration> {
    let limit = u64::try_from(LEASE_TIMEOUT.get()).ok()?;
    (limit > 0).then(|| Duration::from_millis(limit))
}

/// How long a cluster stays paused at the most.
pub(crate) fn max_pause() -> Duration {
    Duration::from_secs(u64::try_from(MAX_PAUSE.get()).unwrap_or(60))
}

/// Whether connection errors carry class 08 and timeouts 57014.
pub(crate) fn standard_sqlstates() -> bool {
    STANDARD_SQLSTATES.get()
}
