//! One call, from its start until it is counted.
#![forbid(unsafe_code)]

use super::memory::now;
use super::place::{PartitionPlace, Place};
use crate::error::Error;
use crate::gucs;
use plproxy_core::stats::{Rank, Sample};
use plproxy_remote::{Delay, ErrorKind};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What is known of a partition's part.
pub(crate) struct Watched {
    pub(crate) partition: Rc<PartitionPlace>,
    place: Place,
    pub(super) rows: u64,
    pub(super) connects: u32,
    /// How long it took to connect.
    pub(super) connecting: Duration,
    /// How long others had all the connections that it may share.
    pub(super) queued: Duration,
    /// When its first answer was there; only looked at where calls are logged.
    pub(super) first: Option<Duration>,
    /// How it ended, and when.
    pub(super) ended: Option<(End, Duration)>,
    pub(super) connect_failed: bool,
}

impl Watched {
    pub(crate) fn new(partition: Rc<PartitionPlace>) -> Result<Self, Error> {
        Ok(Self {
            place: partition.find()?,
            partition,
            rows: 0,
            connects: 0,
            connecting: Duration::ZERO,
            queued: Duration::ZERO,
            first: None,
            ended: None,
            connect_failed: false,
        })
    }

    fn took(&self) -> Option<Duration> {
        self.ended.map(|(_, took)| took)
    }
}

/// How a call ends, or a partition's part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Failed,
    /// Nobody wanted the rest, or another partition failed.
    Canceled,
}

/// See the module.
pub(crate) struct Watch {
    pub(super) partitions: Vec<Watched>,
    /// Partitions that could not be reached, in whose place others were asked.
    pub(super) left: Vec<Watched>,
    function: Place,
    begun: Instant,
    /// From how long on it is logged.
    pub(super) slow_from: Option<Duration>,
    pub(super) ended: Option<(End, Duration)>,
    pub(super) logged: bool,
}

impl Watch {
    /// `place` finds where the function's calls are counted, by what the partitions are worth.
    pub(crate) fn begin(
        place: impl FnOnce(Rank) -> Result<Place, Error>,
        partitions: Vec<Watched>,
    ) -> Result<Self, Error> {
        let ranks = partitions.iter().map(|watched| watched.partition.rank());
        let rank = ranks.max().unwrap_or(Rank::Partition);
        Ok(Self {
            partitions,
            function: place(rank)?,
            left: Vec::new(),
            begun: Instant::now(),
            slow_from: gucs::log_min_duration(),
            ended: None,
            logged: false,
        })
    }

    /// The partition of a request.
    pub(crate) fn partition(&self, request: usize) -> Option<&PartitionPlace> {
        self.partitions
            .get(request)
            .map(|watched| &*watched.partition)
    }

    /// How many partitions are asked.
    pub(crate) fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Rows came, or the end of them.
    pub(crate) fn answered(&mut self, request: usize, rows: usize, done: bool) {
        let Some(watched) = self.partitions.get_mut(request) else {
            return;
        };
        watched.rows += rows as u64;
        if done {
            let took = self.begun.elapsed();
            watched.first.get_or_insert(took);
            watched.ended = Some((End::Done, took));
        } else if self.slow_from.is_some() && watched.first.is_none() {
            watched.first = Some(self.begun.elapsed());
        }
    }

    /// The remote work failed, by a partition's fault if one is named.
    pub(crate) fn failed(&mut self, request: Option<usize>, kind: &ErrorKind) {
        let took = self.begun.elapsed();
        if let Some(watched) = request.and_then(|request| self.partitions.get_mut(request)) {
            watched.ended = Some((End::Failed, took));
            watched.connect_failed = matches!(
                kind,
                ErrorKind::Connect { .. }
                    | ErrorKind::ConnectTimeout { .. }
                    | ErrorKind::Resolve { .. }
            );
        }
    }

    /// Another partition is asked in the place of one that could not be reached. `delays`: what requests have had to wait for
    /// until now.
    pub(crate) fn moves(
        &mut self,
        request: usize,
        to: Watched,
        kind: &ErrorKind,
        delays: Vec<(usize, Delay)>,
    ) {
        self.delayed(delays);
        self.failed(Some(request), kind);
        if let Some(slot) = self.partitions.get_mut(request) {
            self.left.push(std::mem::replace(slot, to));
        }
    }

    /// The requests that have come to no end yet.
    pub(crate) fn unfinished(&self) -> impl DoubleEndedIterator<Item = usize> {
        let requests = self.partitions.iter().enumerate();
        requests.filter_map(|(request, watched)| watched.ended.is_none().then_some(request))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    fn delayed(&mut self, delays: Vec<(usize, Delay)>) {
        for (request, delay) in delays {
            let Some(watched) = self.partitions.get_mut(request) else {
                continue;
            };
            match delay {
                Delay::Connect(took) => {
                    watched.connects += 1;
                    watched.connecting += took;
                }
                Delay::Lease(took) => watched.queued += took,
            }
        }
    }

    /// Counts the call, once. `delays`: what its requests had to wait for since the last one moved.
    pub(crate) fn end(&mut self, how: End, delays: Vec<(usize, Delay)>) {
        if self.ended.is_some() {
            return;
        }
        // What is done was done with the last answer: the clock was looked at then.
        let last = match how {
            End::Done => self.partitions.iter().filter_map(Watched::took).max(),
            _ => None,
        };
        let took = last.unwrap_or_else(|| self.begun.elapsed());
        self.ended = Some((how, took));
        self.delayed(delays);
        let at = now();
        let mut whole = Sample {
            failed: how == End::Failed,
            canceled: how == End::Canceled,
            took: nanoseconds(took),
            // What asks nobody fails nowhere.
            rank: if self.partitions.is_empty() {
                Rank::Partition
            } else {
                Rank::default()
            },
            at,
            ..Sample::default()
        };
        for watched in self.left.iter_mut().chain(&mut self.partitions) {
            let (end, took) = *watched.ended.get_or_insert((End::Canceled, took));
            watched.partition.was_reached(match end {
                End::Done => true,
                End::Failed => !watched.connect_failed,
                End::Canceled => watched.rows > 0 || watched.connects > 0,
            });
            let rank = watched.partition.rank();
            watched.place.count(&Sample {
                rows: watched.rows,
                failed: end == End::Failed,
                canceled: end == End::Canceled,
                connects: watched.connects,
                connect_failed: watched.connect_failed,
                took: nanoseconds(took),
                rank,
                at,
            });
            whole.rank = whole.rank.max(rank);
            whole.rows += watched.rows;
            whole.connects += watched.connects;
            whole.connect_failed |= watched.connect_failed;
        }
        self.function.count(&whole);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
