//! Calls that are under way, and pauses as they meet them: what is under way is said in shared memory, and what is paused waits.
//!
//! A call says where it goes and looks whether that is paused; if so it takes back what it has said, waits, and begins anew, so
//! that it goes where the cluster's definition says by then. A session that has something under way in what is paused goes on:
//! the pause waits for that, and it might wait for this. What an own transaction has joined (`transaction_mode` `two_phase`) is
//! under way until its end.
#![forbid(unsafe_code)]

use crate::cluster::Cluster;
use crate::error::{Error, FunctionLabel, Report, sqlstate};
use crate::pause::joined::{join, leave};
use crate::pause::seen::{is_of, see, seen};
use crate::pg::interrupts;
use crate::pg::pauses::{self, Wait};
use crate::route::Targets;
use plproxy_core::options::TransactionMode;
use plproxy_core::pause::{Generation, Partitions, Session, Shown, Table};
use plproxy_remote::ErrorKind;
use std::time::{Duration, Instant};

/// A call that is under way, until it is dropped.
pub(crate) struct UnderWay(Option<Held>);

#[derive(Clone, Copy)]
struct Held {
    session: &'static Session,
    place: Option<usize>,
    /// Not before the transaction's end.
    is_joined: bool,
    /// The generation by which the cluster's definition was read.
    looked: Generation,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(held) = self.0
            && !held.is_joined
        {
            held.session.remove(held.place);
        }
    }
}

/// How far a call has come on its way to begin.
pub(crate) struct Patience {
    /// Since when it has waited.
    since: Option<Instant>,
    /// What this session had taken notice of when the call began to look at definitions. Another call within its way, as of a function
    /// that says where to go, may take notice of more: what this one has read is as old as before.
    looked: Generation,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self {
            since: None,
            looked: seen(),
        }
    }

    /// From now on all definitions are looked at again.
    pub(crate) fn looks(&mut self) {
        self.looked = seen();
    }
}

/// For so long somebody else may be at it.
const BUSY: Duration = Duration::from_millis(10);

/// What keeps a call from going on now.
enum Obstacle {
    /// It is to look at everything again.
    Change,
    /// The time of a pause is over, and somebody else is at it.
    Busy,
    Pause(Shown),
}

/// Which of a cluster's partitions, by what it knows of them now.
fn covers(cluster: &Cluster, targets: Option<&Targets>, partition: Option<u32>) -> bool {
    let Some(partition) = partition else {
        return true;
    };
    let Some(first) = cluster.same_as.get(partition as usize) else {
        return false;
    };
    match targets {
        None => true,
        Some(Targets::Whole(tags)) => tags.iter().any(|tag| tag == *first),
        Some(Targets::Split(split)) => split.iter().any(|(tag, _)| tag == *first),
    }
}

/// The partitions of a call, with all their numbers.
fn partitions(cluster: &Cluster, targets: Option<&Targets>) -> Option<Partitions> {
    let picked = match targets {
        None => Partitions::of(0..cluster.same_as.len()),
        Some(Targets::Whole(tags)) => Partitions::of(tags.iter()),
        Some(Targets::Split(split)) => Partitions::of(split.iter().map(|(tag, _)| tag)),
    };
    picked.map(|picked| with_aliases(cluster, picked))
}

#[inline]
fn with_aliases(cluster: &Cluster, picked: Partitions) -> Partitions {
    if cluster.has_aliases {
        with_these(cluster, picked)
    } else {
        picked
    }
}

fn with_these(cluster: &Cluster, picked: Partitions) -> Partitions {
    let numbers = cluster.same_as.iter().enumerate();
    let its = |first: usize| u32::try_from(first).is_ok_and(|first| picked.may_have(first));
    let aliases = numbers.filter(|(number, first)| number != *first && its(**first));
    let aliases = Partitions::of(aliases.map(|(number, _)| number));
    aliases.map_or(picked, |aliases| picked.and(aliases))
}

fn place(table: &Table) -> Result<&'static Session, Error> {
    pauses::session(table)?.ok_or_else(|| {
        Report::new(
            sqlstate::TOO_MANY_CONNECTIONS,
            "too many processes call clusters that can be paused",
        )
        .into()
    })
}

/// Before it is worked out which partitions a call goes to: whether that can be done now. If not, everything is to be looked at
/// again, after what there was to wait for.
#[inline]
pub(crate) fn may_route(
    label: &FunctionLabel,
    cluster: &Cluster,
    patience: &mut Patience,
) -> Result<bool, Error> {
    let Some(table) = pauses::table().filter(|_| cluster.key != 0) else {
        return Ok(true);
    };
    let generation = table.generation();
    if generation == patience.looked && generation.is_calm() {
        return Ok(true);
    }
    may_route_now(&table, generation, label, cluster, patience)
}

/// The same where there is more to be looked at.
#[cold]
fn may_route_now(
    table: &Table,
    generation: Generation,
    label: &FunctionLabel,
    cluster: &Cluster,
    patience: &mut Patience,
) -> Result<bool, Error> {
    // Of a partition it is not known whether the call goes there.
    let is_whole = |partition: Option<u32>| partition.is_none();
    let session = place(table)?;
    let at = (generation, patience.looked);
    match obstacle(table, session, at, cluster, is_whole, (None, None)) {
        None => Ok(true),
        Some(obstacle) => {
            overcome(table, session, label, cluster, is_whole, obstacle, patience).map(|()| false)
        }
    }
}

/// A call goes to these partitions, or all. None: everything is to be looked at again, after what there was to wait for.
#[inline]
pub(crate) fn begin(
    label: &FunctionLabel,
    cluster: &Cluster,
    targets: Option<&Targets>,
    patience: &mut Patience,
) -> Result<Option<UnderWay>, Error> {
    let is_joined = cluster.config.transaction_mode == TransactionMode::TwoPhase;
    begin_so(label, cluster, targets, is_joined, patience)
}

/// The same, for the whole transaction if `is_joined`.
pub(crate) fn begin_so(
    label: &FunctionLabel,
    cluster: &Cluster,
    targets: Option<&Targets>,
    is_joined: bool,
    patience: &mut Patience,
) -> Result<Option<UnderWay>, Error> {
    let Some(table) = pauses::table().filter(|_| cluster.key != 0) else {
        return Ok(Some(UnderWay(None)));
    };
    // With SPLIT there may be nothing to do.
    let Some(partitions) = partitions(cluster, targets) else {
        return Ok(Some(UnderWay(None)));
    };
    let session = place(&table)?;
    let (place, before) = if is_joined {
        join(session, cluster.key, partitions, patience.looked)
    } else {
        let place = session.add(cluster.key, partitions, patience.looked);
        (place, None)
    };
    let held = Held {
        session,
        place,
        is_joined,
        looked: patience.looked,
    };
    let generation = table.generation_after_all();
    if generation == patience.looked && generation.is_calm() {
        return Ok(Some(UnderWay(Some(held))));
    }
    begin_now(
        &table,
        generation,
        label,
        cluster,
        targets,
        (held, before),
        patience,
    )
}

/// The same where there is more to be looked at. `before`: what of the entry was there already.
#[cold]
fn begin_now(
    table: &Table,
    generation: Generation,
    label: &FunctionLabel,
    cluster: &Cluster,
    targets: Option<&Targets>,
    (held, before): (Held, Option<Partitions>),
    patience: &mut Patience,
) -> Result<Option<UnderWay>, Error> {
    let Held {
        session,
        place,
        is_joined,
        looked,
    } = held;
    let is_its = |partition| covers(cluster, targets, partition);
    let but = (place, before);
    let at = (generation, looked);
    let Some(obstacle) = obstacle(table, session, at, cluster, is_its, but) else {
        return Ok(Some(UnderWay(Some(held))));
    };
    match before {
        Some(before) => session.set_partitions(place, before),
        None if is_joined => leave(session, place),
        None => session.remove(place),
    }
    overcome(table, session, label, cluster, is_its, obstacle, patience).map(|()| None)
}

/// What is in the way of a call that goes to what `is_its`. `but`: its own place in the list, and what of that was there before.
fn obstacle(
    table: &Table,
    session: &Session,
    (generation, looked): (Generation, Generation),
    cluster: &Cluster,
    is_its: impl Fn(Option<u32>) -> bool,
    but: (Option<usize>, Option<Partitions>),
) -> Option<Obstacle> {
    if generation != looked {
        return Some(Obstacle::Change);
    }
    let mut passes = false;
    for shown in table.of(cluster.key) {
        if shown.left.is_zero() {
            let swept = table.sweep(std::process::id());
            return Some(if swept {
                Obstacle::Change
            } else {
                Obstacle::Busy
            });
        }
        if is_its(shown.partition) {
            if !is_waited_for(session, cluster, &shown, but) {
                return Some(Obstacle::Pause(shown));
            }
            passes = true;
        }
    }
    // One that has ended meanwhile was not found, and what has changed in it was not read.
    if table.generation_after_pauses() != looked {
        return Some(Obstacle::Change);
    }
    if passes {
        session.pass(but.0);
    }
    None
}

/// Whether this session has something under way that a pause has to wait for, by whichever number of the partition.
fn is_waited_for(
    session: &Session,
    cluster: &Cluster,
    shown: &Shown,
    but: (Option<usize>, Option<Partitions>),
) -> bool {
    let mut numbers = same_partitions(cluster, shown.partition);
    numbers.any(|number| session.is_waited_for(cluster.key, number, shown.number, but))
}

/// All numbers of a partition: those with the same connection string. None stands for all partitions.
pub(crate) fn same_partitions(
    cluster: &Cluster,
    partition: Option<u32>,
) -> impl Iterator<Item = Option<u32>> {
    let first = partition.and_then(|number| cluster.same_as.get(number as usize));
    let others = cluster.same_as.iter().enumerate();
    let others = others.filter_map(move |(number, same_as)| {
        let number = u32::try_from(number).ok();
        (first == Some(same_as) && number != partition).then_some(number)
    });
    std::iter::once(partition).chain(others)
}

/// Waits, if there is something to wait for, and takes notice of what has changed.
fn overcome(
    table: &Table,
    session: &Session,
    label: &FunctionLabel,
    cluster: &Cluster,
    is_its: impl Fn(Option<u32>) -> bool,
    obstacle: Obstacle,
    patience: &mut Patience,
) -> Result<(), Error> {
    interrupts::check()?;
    if let Obstacle::Busy = obstacle {
        let mut waits = [Wait::AtMost(BUSY)].into_iter();
        pauses::wait_for_end(|| waits.next().unwrap_or(Wait::Over))?;
    }
    if let Obstacle::Pause(first) = obstacle {
        let since = *patience.since.get_or_insert_with(Instant::now);
        let limit = cluster.config.query_timeout;
        let is_over = || limit.is_some_and(|limit| since.elapsed() >= limit);
        session.wait_for(first.number);
        let waited = pauses::wait_for_end(|| {
            let mut its = table
                .of(cluster.key)
                .filter(|shown| is_its(shown.partition));
            match its.next() {
                Some(shown) if !shown.left.is_zero() && !is_over() => {
                    session.wait_for(shown.number);
                    let left = limit.map(|limit| limit.saturating_sub(since.elapsed()));
                    Wait::AtMost(shown.left.min(left.unwrap_or(Duration::MAX)))
                }
                _ => Wait::Over,
            }
        });
        session.wait_for(0);
        waited?;
        if is_over() {
            let dbname = cluster.shown_name().unwrap_or_default();
            let error = label.remote_error(&dbname, &ErrorKind::QueryTimeout);
            return Err(error.with_detail("The call has waited for the end of a pause.".to_owned()));
        }
        table.sweep(std::process::id());
    }
    see(table)
}

impl UnderWay {
    /// A call goes to another partition besides, in the place of one that could not be reached. Else why it does not: it is paused, or
    /// may be elsewhere by now.
    pub(crate) fn also(&self, cluster: &Cluster, partition: usize) -> Result<(), &'static str> {
        const PAUSED: &str = "it is paused";
        const CHANGED: &str = "a pause has ended since, and it may be elsewhere";
        let (Some(held), Some(table)) = (self.0, pauses::table()) else {
            return Ok(());
        };
        let before = held.session.partitions(held.place);
        if let Some(before) = before {
            let more = with_aliases(cluster, Partitions::one(partition));
            held.session.set_partitions(held.place, before.and(more));
        }
        let may = || {
            let generation = table.generation_after_all();
            for shown in table.of(cluster.key) {
                let is_its =
                    shown.partition.is_none() || is_of(&shown, &cluster.same_as, partition);
                let but = (held.place, before);
                if is_its && !is_waited_for(held.session, cluster, &shown, but) {
                    return Err(PAUSED);
                }
            }
            let after = table.generation_after_pauses();
            if generation.has_end_since(held.looked) || after.has_end_since(held.looked) {
                return Err(CHANGED);
            }
            Ok(())
        };
        let may = may();
        if let (Err(_), Some(before)) = (may, before) {
            held.session.set_partitions(held.place, before);
        }
        may
    }
}
