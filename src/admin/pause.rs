//! Pauses of clusters: their begin, their end, and which there are. None of it is part of the transaction.
#![forbid(unsafe_code)]

use super::Admin;
use super::output::{Output, Value};
use crate::cluster::Cluster;
use crate::error::{Error, Report, sqlstate};
use crate::gucs;
use crate::pause::seen::key;
use crate::pg::expr::Arg;
use crate::pg::fcinfo::CallInfo;
use crate::pg::spi::{self, Plan};
use crate::pg::{interrupts, pauses, role, xact};
use crate::under_way::same_partitions;
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::ident::quote_literal;
use plproxy_core::pause::{Refused, Shown, Table, What};
use std::time::{Duration, Instant};

/// A day.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);
/// How often it is looked whether calls have ended.
const LOOK: Duration = Duration::from_millis(2);
/// How often it is tried to end a pause that is given up.
const GIVE_UP: usize = 500;
/// So many of those in the way are named.
const NAMED: usize = 20;

/// `plproxy_pause(cluster text, partition int4, timeout interval) → void`. Returns when nothing is under way any more.
pub(crate) fn pause(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let table = admin.pauses("plproxy_pause")?;
    let name = admin.cluster_name()?;
    let timeout = admin.timeout(2)?;
    let cluster = admin.cluster()?;
    cluster.access()?;
    let partition = admin.partition(1, Some(&cluster))?;
    let what = What {
        cluster: cluster.key,
        partition,
        database: xact::database(),
        name: name.as_bytes(),
        process: std::process::id(),
        role: role::current().to_u32(),
        longest: gucs::max_pause(),
    };
    interrupts::register()?;
    admin.refuse_own(&cluster, partition)?;
    let began = Instant::now();
    let number = match admin.when_free(|| table.begin(&what))? {
        Ok(number) => number,
        Err(Refused::Paused(shown)) => return Err(admin.paused_already(&name, &shown)),
        Err(Refused::Full) => {
            let what = "too many pauses at a time";
            return Err(admin
                .label
                .error_with(sqlstate::PROGRAM_LIMIT_EXCEEDED, what));
        }
    };
    let give_up = || {
        // Nobody is at the list for longer than a moment; should he be stopped in it, the pause ends by itself.
        for _ in 0..GIVE_UP {
            if (table.end(what.process, |shown| shown.number == number)).is_some() {
                break;
            }
            std::thread::sleep(LOOK);
        }
    };
    let until = began + timeout;
    let drained = interrupts::or_at_the_end(&mut || give_up(), || {
        admin.wait_for_calls(&table, &cluster, &what, number, until)
    });
    if let Err(error) = drained {
        give_up();
        pauses::tell_of_end()?;
        return Err(error);
    }
    Ok(admin.info.return_null())
}

/// `plproxy_resume(cluster text, partition int4) → boolean`: whether there was something to end. Without a partition all pauses of
/// the cluster end.
pub(crate) fn resume(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let table = admin.pauses("plproxy_resume")?;
    let name = admin.cluster_name()?;
    let key = key(&name);
    let is_its = |shown: &Shown| shown.cluster == key && !shown.left.is_zero();
    // It may be gone, or broken, since: then there is no right on it to be looked at. Why it cannot be read is nothing to go by, as the
    // caller may have seen to that.
    let may_use = xact::attempt(|| {
        let cluster = admin.cluster()?;
        cluster.access().map(|_| ())
    })?
    .is_ok();
    let mut own = Vec::new();
    if !may_use {
        for shown in table.all().filter(is_its) {
            if is_of_caller(&shown)? {
                own.push(shown.number);
            }
        }
        if own.is_empty() {
            admin.cluster()?.access()?;
        }
    }
    let may_end = |shown: &Shown| is_its(shown) && (may_use || own.contains(&shown.number));
    let partition = admin.partition(1, None)?;
    if let Some(partition) = partition
        && let Some(whole) = table.of(key).find(|shown| shown.partition.is_none())
        && is_its(&whole)
    {
        let what = format_args!(
            "partition {partition} of cluster {} is paused with all others",
            quote_literal(&name)
        );
        let error = admin
            .label
            .error_with(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, what);
        return Err(error.hinted("Resume the whole cluster, without a partition."));
    }
    let ended = admin.when_free(|| {
        table.end(std::process::id(), |shown| {
            may_end(shown) && (partition.is_none() || shown.partition == partition)
        })
    })?;
    pauses::tell_of_end()?;
    Ok(Datum::from(ended > 0))
}

/// Whether the caller is who has paused it, or may do as anybody.
fn is_of_caller(shown: &Shown) -> Result<bool, Error> {
    role::has_privileges_of(role::current(), Oid::from(shown.role))
}

/// `plproxy_paused() → setof record`: a row for each pause of this server.
pub(crate) fn paused(info: &mut CallInfo) -> Result<Datum, Error> {
    let admin = Admin::begin(info)?;
    let mut output = Output::new(admin.info)?;
    let Some(table) = pauses::table() else {
        return Ok(output.give(admin.info));
    };
    let mut all: Vec<Shown> = table.all().filter(|it| !it.left.is_zero()).collect();
    all.sort_by_key(|shown| shown.number);
    for shown in all {
        let under_way = table.under_way(shown.cluster, shown.partition, None);
        let under_way = under_way.count();
        output.row([
            Value::text(database_name(shown.database)?),
            Value::Text(name_of(&shown)),
            shown.partition.map_or(Value::Null, Value::int4),
            Value::int4(shown.process),
            Value::Time(shown.since),
            Value::Time(shown.until),
            Value::int4(table.waiting(shown.number)),
            Value::int4(under_way),
        ])?;
    }
    Ok(output.give(admin.info))
}

fn database_name(oid: u32) -> Result<Option<String>, Error> {
    const NAME: &str = "select d.datname::pg_catalog.text from pg_catalog.pg_database d \
         where d.oid operator(pg_catalog.=) $1";
    let mut name = None;
    Plan::prepare(NAME, &[pg_sys::OIDOID])?.run(
        &[Arg::Whole(Some(Datum::from(Oid::from(oid))))],
        |row| {
            name = row.value(1)?.map(spi::text).transpose()?;
            Ok(())
        },
    )?;
    Ok(name)
}

/// A cluster's name; what another database has in its own encoding is not to be read here.
fn name_of(shown: &Shown) -> String {
    if shown.database == xact::database()
        && let Ok(name) = crate::pg::encoding::to_string(&shown.name)
    {
        return name;
    }
    let letters = shown.name.iter();
    letters
        .map(|byte| {
            if byte.is_ascii() {
                char::from(*byte)
            } else {
                '?'
            }
        })
        .collect()
}

/// What is to be paused, for messages.
fn shown_name(name: &str, partition: Option<u32>) -> String {
    let name = quote_literal(name);
    match partition {
        Some(partition) => format!("partition {partition} of cluster {name}"),
        None => format!("cluster {name}"),
    }
}

impl Admin<'_> {
    /// The memory for pauses.
    fn pauses(&self, what: &str) -> Result<Table, Error> {
        pauses::table().ok_or_else(|| {
            let mut report = Report::new(
                sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("{what} needs plproxy in shared_preload_libraries"),
            );
            let hint = "Set shared_preload_libraries = 'plproxy' and restart the server.";
            report.hint = Some(hint.to_owned());
            report.into()
        })
    }

    /// An argument that is an interval from 0 to a day.
    fn timeout(&self, number: usize) -> Result<Duration, Error> {
        const SECONDS: &str = "select pg_catalog.date_part('epoch', $1)";
        let value = self.info.arg(number).ok_or_else(|| self.null("timeout"))?;
        let mut seconds = 0.0;
        Plan::prepare(SECONDS, &[pg_sys::INTERVALOID])?.run(&[Arg::Whole(Some(value))], |row| {
            let found = row.value(1)?;
            seconds = found.map_or(f64::NAN, |value| f64::from_bits(value.value() as u64));
            Ok(())
        })?;
        let timeout = Duration::try_from_secs_f64(seconds).ok();
        timeout
            .filter(|timeout| *timeout <= LONGEST_TIMEOUT)
            .ok_or_else(|| {
                let what = "timeout must be from 0 to 1 day";
                self.label
                    .error_with(sqlstate::INVALID_PARAMETER_VALUE, what)
            })
    }

    /// An argument that is NULL or the number of a partition, one of the cluster's if that is given.
    fn partition(&self, number: usize, cluster: Option<&Cluster>) -> Result<Option<u32>, Error> {
        let Some(value) = self.info.arg(number) else {
            return Ok(None);
        };
        let partition = u32::try_from(value.value() as i32).ok();
        let count = cluster.map(|cluster| cluster.same_as.len());
        match partition {
            Some(partition) if count.is_none_or(|count| (partition as usize) < count) => {
                Ok(Some(partition))
            }
            _ => {
                let what = match count {
                    Some(count) => {
                        format!("partition must be from 0 to {}", count.saturating_sub(1))
                    }
                    None => "partition must not be negative".to_owned(),
                };
                Err(self
                    .label
                    .error_with(sqlstate::INVALID_PARAMETER_VALUE, what))
            }
        }
    }

    /// Runs `f` until nobody else is at the list.
    fn when_free<T>(&self, f: impl Fn() -> Option<T>) -> Result<T, Error> {
        loop {
            if let Some(value) = f() {
                return Ok(value);
            }
            pauses::wait_for_calls(LOOK)?;
        }
    }

    /// It would wait for itself.
    fn refuse_own(&self, cluster: &Cluster, partition: Option<u32>) -> Result<(), Error> {
        let own = pauses::session_if_entered();
        let is_under_way = own.is_some_and(|own| {
            let mut numbers = same_partitions(cluster, partition);
            numbers.any(|number| own.is_under_way(cluster.key, number))
        });
        if !is_under_way {
            return Ok(());
        }
        let what = format_args!(
            "{} is used by this session's own transaction, or a query of it that is under way",
            shown_name(&cluster.name, partition)
        );
        let error = self.label.error_with(sqlstate::OBJECT_IN_USE, what);
        Err(error.hinted("Pause it from another session, or when that has ended."))
    }

    fn paused_already(&self, name: &str, shown: &Shown) -> Error {
        let what = format_args!("{} is paused already", shown_name(name, shown.partition));
        let error = self
            .label
            .error_with(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, what);
        let (process, left) = (shown.process, shown.left.as_secs_f64());
        error.with_detail(format!(
            "Process {process} has paused it; that ends by itself in {left:.1} s."
        ))
    }

    /// Waits until nothing is under way any more that was when the pause began.
    fn wait_for_calls(
        &self,
        table: &Table,
        cluster: &Cluster,
        what: &What<'_>,
        number: u64,
        until: Instant,
    ) -> Result<(), Error> {
        // Whoever has begun by an older definition may know it by another number only.
        let calls = |of: Option<&[usize]>| -> Vec<(usize, u32)> {
            let mut all: Vec<(usize, u32)> = same_partitions(cluster, what.partition)
                .flat_map(|number| table.under_way(cluster.key, number, of))
                .collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let mut left = calls(None);
        loop {
            let pause = table.of(cluster.key).find(|shown| shown.number == number);
            let shown = shown_name(&cluster.name, what.partition);
            // Also where nothing is left: whoever goes on is to know that it holds.
            let Some(pause) = pause.filter(|pause| !pause.left.is_zero()) else {
                let why = format_args!("the pause of {shown} has ended before all calls had");
                let error = self.label.error_with(sqlstate::OBJECT_IN_USE, why);
                return Err(error.with_detail(in_the_way(&left)));
            };
            if left.is_empty() {
                return Ok(());
            }
            let now = Instant::now();
            if now >= until {
                let why = format_args!("{shown} could not be paused in time, and goes on");
                let error = self.label.error_with(sqlstate::OBJECT_IN_USE, why);
                return Err(error.with_detail(in_the_way(&left)));
            }
            pauses::wait_for_calls(LOOK.min(until - now).min(pause.left))?;
            let places: Vec<usize> = left.iter().map(|(place, _)| *place).collect();
            // Who was seen without once has nothing that was under way: what has begun since waits.
            left = calls(Some(&places));
        }
    }
}

/// Who has something under way.
fn in_the_way(left: &[(usize, u32)]) -> String {
    let mut pids: Vec<u32> = left.iter().map(|(_, process)| *process).collect();
    pids.sort_unstable();
    let named: Vec<String> = pids.iter().take(NAMED).map(u32::to_string).collect();
    let more = match pids.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let plural = if pids.len() == 1 {
        "Process"
    } else {
        "Processes"
    };
    let have = if pids.len() == 1 { "has" } else { "have" };
    format!(
        "{plural} {}{more} {have} a call or a transaction under way there.",
        named.join(", ")
    )
}
