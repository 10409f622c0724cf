//! Local queries of a body: the functions that CLUSTER, CONNECT and RUN ON name.
#![forbid(unsafe_code)]

use crate::error::Error;
use crate::function::ProxyFunction;
use crate::hash::HashKind;
use crate::pg::spi::{self, Plan};
use core::cell::OnceCell;
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::function::LocalQuery;

/// A prepared local query and the arguments behind its parameters.
pub(crate) struct LocalPlan {
    plan: Plan,
    args: Vec<usize>,
}

impl LocalPlan {
    /// The plan in `slot`, prepared now if this is its first use. `type_of` gives an argument's type.
    pub(crate) fn get<'a>(
        slot: &'a OnceCell<Self>,
        query: &LocalQuery,
        type_of: impl Fn(usize) -> Oid,
    ) -> Result<&'a Self, Error> {
        if let Some(plan) = slot.get() {
            return Ok(plan);
        }
        let types: Vec<Oid> = query.args.iter().map(|&argument| type_of(argument)).collect();
        let plan = Self { plan: Plan::prepare(&query.sql, &types)?, args: query.args.clone() };
        Ok(slot.get_or_init(|| plan))
    }

    /// The one text that the query gives: a cluster's name or a connection string.
    pub(crate) fn text(
        &self,
        function: &ProxyFunction,
        query: &LocalQuery,
        args: &[Option<Datum>],
    ) -> Result<String, Error> {
        let mut type_oid = Oid::INVALID;
        let mut text = None;
        let rows = self.plan.run(&self.values(args), 0, |row| {
            type_oid = row.type_oid(1);
            if type_oid == pg_sys::TEXTOID {
                text = row.value(1)?.map(spi::text).transpose()?;
            }
            Ok(())
        })?;
        if rows != 1 {
            return Err(function.label.error(format_args!("'{}' returned {rows} rows, expected 1", query.sql)));
        }
        if type_oid != pg_sys::TEXTOID {
            return Err(function.label.error("expected text"));
        }
        text.ok_or_else(|| function.label.error("Cluster/connect name map func returned NULL"))
    }

    /// The hashes that the query gives, each handed to `each`; returns how many there were.
    pub(crate) fn hashes(
        &self,
        function: &ProxyFunction,
        args: &[Option<Datum>],
        mut each: impl FnMut(i64) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let mut kind = None;
        self.plan.run(&self.values(args), 0, |row| {
            let kind = match &kind {
                Some(kind) => kind,
                None => kind.insert(HashKind::of(row.type_oid(1), &function.label)?),
            };
            let value = row.value(1)?.ok_or_else(|| function.label.error("Hash function returned NULL"))?;
            each(kind.hash(value)?)
        })
    }

    fn values(&self, args: &[Option<Datum>]) -> Vec<Option<Datum>> {
        self.args.iter().map(|&argument| args.get(argument).copied().flatten()).collect()
    }
}
