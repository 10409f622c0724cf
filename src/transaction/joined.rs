//! The transactions on partitions that a call takes part in, and what it cannot do in them that it can do elsewhere.
//!
//! RUN ON ALL SKIP FAILED leaves out a partition whose transaction began with this very call: with its rollback nothing is gone
//! but what the call itself did there. A partition that calls before this one have used is not left out: what has failed, or was lost,
//! is that work, too, and the local commit would go on without it.
#![forbid(unsafe_code)]

use crate::cluster::Cluster;
use crate::error::{Error, FunctionLabel, sqlstate};
use crate::stats::Watched;
use plproxy_core::transaction_control::controls_transaction;
use plproxy_remote::{Branch, CallOptions, ErrorKind, Statement};
use std::rc::Rc;

/// Nothing, where each statement is a transaction of its own.
pub(crate) struct Joined(Option<Box<All>>);

struct All {
    cluster: Rc<Cluster>,
    options: CallOptions,
    /// One for each request.
    each: Vec<One>,
}

struct One {
    branch: Rc<Branch>,
    /// It begins with this call.
    is_new: bool,
}

impl Joined {
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Joins the partitions that a call goes to.
    pub(crate) fn begin(
        label: &FunctionLabel,
        cluster: &Rc<Cluster>,
        options: &CallOptions,
        watched: &[Watched],
    ) -> Result<Self, Error> {
        let mut all = Box::new(All {
            cluster: Rc::clone(cluster),
            options: options.clone(),
            each: Vec::with_capacity(watched.len()),
        });
        for watched in watched {
            let one = all.join(label, watched)?;
            all.each.push(one);
        }
        Ok(Self(Some(all)))
    }

    pub(crate) fn branches(&self) -> Option<Vec<Rc<Branch>>> {
        let each = self.0.as_ref()?.each.iter();
        Some(each.map(|one| Rc::clone(&one.branch)).collect())
    }

    fn one(&self, request: usize) -> Option<&One> {
        self.0.as_ref()?.each.get(request)
    }

    pub(crate) fn branch(&self, request: usize) -> Option<Rc<Branch>> {
        self.one(request).map(|one| Rc::clone(&one.branch))
    }

    /// A request goes to another partition, as its own could not be reached.
    pub(crate) fn moves(
        &mut self,
        request: usize,
        label: &FunctionLabel,
        to: &Watched,
    ) -> Result<(), Error> {
        let Some(all) = &mut self.0 else {
            return Ok(());
        };
        let one = all.join(label, to)?;
        if let Some(slot) = all.each.get_mut(request) {
            *slot = one;
        }
        Ok(())
    }

    /// Whether nothing but what the call itself did is gone with the partition, if anything is.
    pub(crate) fn may_do_without(&self, request: usize) -> bool {
        self.one(request).is_none_or(|one| one.is_new)
    }

    /// The partition is left out: what the call did there is rolled back, and a later call may join it anew.
    pub(crate) fn leave_out(&self, request: usize) {
        if let Some(one) = self.one(request) {
            super::forget(&one.branch);
        }
    }

    /// What to tell besides a partition's error.
    pub(crate) fn hint(
        &self,
        request: Option<usize>,
        skips: bool,
        kind: &ErrorKind,
    ) -> Option<&'static str> {
        self.0.as_ref()?;
        match kind {
            ErrorKind::Db(diagnostic) if diagnostic.message.contains("statement pooling") => Some(
                "With transaction_mode 'two_phase' a transaction keeps its server connection: the pooler must pool \
                 sessions or transactions, not statements.",
            ),
            ErrorKind::Db(diagnostic)
                if diagnostic.code == sqlstate::INVALID_TRANSACTION_TERMINATION =>
            {
                Some(
                    "With transaction_mode 'two_phase' a procedure is part of the local transaction, and cannot end \
                     it on the partition.",
                )
            }
            _ if skips && request.is_some_and(|request| !self.may_do_without(request)) => Some(
                "The partition cannot be skipped, as the transaction has used it before: roll back to a savepoint, \
                 or use an exception block.",
            ),
            _ => None,
        }
    }
}

impl All {
    fn join(&self, label: &FunctionLabel, watched: &Watched) -> Result<One, Error> {
        let place = &watched.partition;
        let (branch, is_new) = super::join(label, &self.cluster, place, &self.options)?;
        Ok(One { branch, is_new })
    }
}

/// Only the local transaction's end ends those on the partitions.
pub(crate) fn refuse_control(label: &FunctionLabel, statement: &Statement) -> Result<(), Error> {
    // A keyword is the same in all encodings.
    if controls_transaction(&String::from_utf8_lossy(statement.sql().host())) {
        let what = "the statement must not control transactions with transaction_mode 'two_phase'";
        return Err(label.error_with(sqlstate::FEATURE_NOT_SUPPORTED, what));
    }
    Ok(())
}
