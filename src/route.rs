//! Which partitions get what: RUN ON and SPLIT.
#![forbid(unsafe_code)]

use crate::cluster::Cluster;
use crate::cluster::access::Access;
use crate::error::Error;
use crate::function::ProxyFunction;
use crate::function::split_array::{SplitArray, split};
use crate::hash::{self, HashKind};
use crate::pause::seen::is_paused;
use core::cell::OnceCell;
use pgrx::pg_sys::Datum;
use plproxy_core::function::{Location, RunOn};
use plproxy_core::routing::{Tags, any, number, partition_of, random};
use plproxy_core::split::Split;
use std::rc::Rc;

/// The partitions of a call, in the order in which they were picked.
pub(crate) struct Routing {
    pub(crate) targets: Targets,
    /// The arrays that SPLIT cuts, taken apart.
    pub(crate) arrays: Vec<SplitArray>,
}

/// Which partitions get what.
pub(crate) enum Targets {
    /// All arguments whole.
    Whole(Tags),
    /// Each partition its own elements of the split arrays.
    Split(Split),
}

/// Works out where a call goes.
pub(crate) fn pick(
    function: &ProxyFunction,
    cluster: &Cluster,
    args: &[Option<Datum>],
) -> Result<Routing, Error> {
    const CONNECT: RunOn = RunOn::Any;
    let run_on = match &function.program.location {
        Location::Connect(_) => &CONNECT,
        Location::Cluster { run_on, .. } => run_on,
    };
    let picker = Picker {
        function,
        cluster,
        run_on,
        access: OnceCell::new(),
        well: OnceCell::new(),
    };
    let count = cluster.partitions.len();
    if let (RunOn::Query(query), false) = (run_on, function.program.split.is_empty()) {
        // A query that cannot be prepared is an error, even if there turns out to be no element to run it for.
        function.run_on_plan.check(function.arguments(), query)?;
    }
    let arrays = split(
        &function.label,
        &function.args,
        &function.program.split,
        args,
    )?;
    let length = arrays.first().map(|array| array.elements.len());
    if length == Some(0) {
        return Ok(Routing {
            targets: Targets::Whole(Tags::new(count)),
            arrays,
        });
    }
    if length.is_none() || matches!(run_on, RunOn::All | RunOn::AllSkipFailed | RunOn::Number(_)) {
        // With ALL or a number the arrays are only copied.
        let mut tags = Tags::new(count);
        picker.pick(args, |partition| {
            tags.tag(partition);
        })?;
        return Ok(Routing {
            targets: Targets::Whole(tags),
            arrays,
        });
    }
    let mut elements = Split::new(count);
    picker.pick_elements(args, &arrays, |element, partition| {
        elements.add(element, partition);
    })?;
    Ok(Routing {
        targets: Targets::Split(elements),
        arrays,
    })
}

struct Picker<'a> {
    function: &'a ProxyFunction,
    cluster: &'a Cluster,
    run_on: &'a RunOn,
    /// What is known of the caller.
    access: OnceCell<Option<Rc<Access>>>,
    /// The partitions that are not avoided.
    well: OnceCell<Vec<usize>>,
}

/// So many times one is drawn that is well, by which equal connection strings keep their weight, before there is a list of them.
const DRAWS: usize = 8;

impl Picker<'_> {
    /// Hands each partition that `args` mean to `tag`, or the earlier one that it shares its connection string with.
    fn pick(&self, args: &[Option<Datum>], mut tag: impl FnMut(usize)) -> Result<(), Error> {
        let label = &self.function.label;
        let same_as = &self.cluster.same_as;
        let mut tag = |partition: usize| tag(same_as.get(partition).copied().unwrap_or(partition));
        match self.run_on {
            RunOn::All | RunOn::AllSkipFailed => (0..same_as.len()).for_each(tag),
            RunOn::Any => tag(self.any()),
            RunOn::Number(wanted) => {
                tag(number(*wanted, same_as.len()).map_err(|error| label.error(error))?)
            }
            RunOn::Argument(argument) => {
                let value = args.get(*argument).copied().flatten();
                let value = value.ok_or_else(|| label.error("Hash function returned NULL"))?;
                tag(self.partition(self.argument_hash(*argument)?.hash(value)?));
            }
            RunOn::Query(query) => {
                let hashes = self.function.run_on_plan.hashes(
                    self.function.arguments(),
                    query,
                    args,
                    |hash| tag(self.partition(hash)),
                )?;
                if hashes != 1 && !self.function.goes_anywhere() {
                    return Err(label.error("Only set-returning function allows hashcount <> 1"));
                }
            }
        }
        Ok(())
    }

    /// The same for each element of the split arrays, which stand in their arguments' place.
    fn pick_elements(
        &self,
        args: &[Option<Datum>],
        arrays: &[SplitArray],
        mut tag: impl FnMut(usize, usize),
    ) -> Result<(), Error> {
        let count = arrays.first().map_or(0, |array| array.elements.len());
        let same_as = &self.cluster.same_as;
        let mut row = args.to_vec();
        let mut element = 0;
        while element < count {
            if let RunOn::Query(query) = self.run_on {
                let function = self.function;
                let rest = element..count;
                let each = |element, hash| {
                    let partition = self.partition(hash);
                    tag(
                        element,
                        same_as.get(partition).copied().unwrap_or(partition),
                    );
                };
                let plan = &function.run_on_plan;
                let done =
                    plan.hashes_of_elements(function.arguments(), query, args, arrays, rest, each)?;
                if done > 0 {
                    element += done;
                    continue;
                }
            }
            for array in arrays {
                if let (Some(slot), Some(value)) =
                    (row.get_mut(array.argument), array.elements.get(element))
                {
                    *slot = *value;
                }
            }
            self.pick(&row, |partition| tag(element, partition))?;
            element += 1;
        }
        Ok(())
    }

    /// Any partition, but none that could not be reached a while ago, if there are others.
    fn any(&self) -> usize {
        let same_as = &self.cluster.same_as;
        let draw = || any(random(), same_as.len());
        let picked = draw();
        if same_as.len() < 2 {
            return picked;
        }
        let access = self.access.get_or_init(|| self.cluster.known_access());
        let is_well = |partition: usize| match same_as.get(partition) {
            Some(first) => {
                !access
                    .as_ref()
                    .is_some_and(|access| access.is_avoided(*first))
                    && !is_paused(self.cluster.key, same_as, *first)
            }
            None => true,
        };
        if is_well(picked) {
            return picked;
        }
        let mut draws = std::iter::repeat_with(draw).take(DRAWS);
        draws
            .find(|other| is_well(*other))
            .or_else(|| {
                let all = || (0..same_as.len()).filter(|other| is_well(*other)).collect();
                let well: &Vec<usize> = self.well.get_or_init(all);
                well.get(any(random(), well.len())).copied()
            })
            .unwrap_or(picked)
    }

    fn partition(&self, hash: i64) -> usize {
        partition_of(
            hash,
            self.cluster.partitions.len(),
            self.cluster.config.modular_mapping,
        )
    }

    fn argument_hash(&self, argument: usize) -> Result<&HashKind, Error> {
        let slot = &self.function.argument_hash;
        if let Some(kind) = slot.get() {
            return Ok(kind);
        }
        let kind = hash::kind(
            self.function.arguments().element_type_of(argument),
            &self.function.label,
        )?;
        Ok(slot.get_or_init(|| Rc::clone(&kind)))
    }
}
