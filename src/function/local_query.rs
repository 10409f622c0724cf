//! Local queries of a body: the functions that CLUSTER, CONNECT and RUN ON name.
#![forbid(unsafe_code)]

use super::signature::Arguments;
use super::split_array::SplitArray;
use crate::error::{Error, FunctionLabel};
use crate::hash::{self, HashKind};
use crate::limited::Limited;
use crate::pg::allocator;
use crate::pg::expr::Arg;
use crate::pg::role;
use crate::pg::spi::{LocalRow, Plan};
use crate::pg::tuple::{RowType, version_of};
use crate::pg::types::TypeClass;
use crate::type_cache;
use core::cell::{Cell, RefCell};
use core::ops::Range;
use pgrx::pg_sys::{self, Datum, Oid};
use plproxy_core::function::LocalQuery;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

/// Plans that the session keeps. Functions with the same query share one.
const MOST_PLANS: usize = 256;

/// A plan, for whom it was made, and when it was last used, by the clock of uses.
struct Shared {
    plan: Plan,
    role: Oid,
    used: Cell<u64>,
    /// The composite types that its parameters are made of. PostgreSQL's own plans do not see that their fields change.
    rows: Vec<(Oid, u64)>,
}

impl Shared {
    fn is_current(&self) -> Result<bool, Error> {
        for (type_oid, version) in &self.rows {
            if version_of(*type_oid)? != *version {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Adds the composite types that a type is made of.
fn add_rows(type_oid: Oid, rows: &mut Vec<(Oid, u64)>) -> Result<(), Error> {
    let info = type_cache::type_info(type_oid)?;
    match info.class {
        TypeClass::Composite if rows.iter().all(|(known, _)| *known != type_oid) => {
            rows.push((type_oid, version_of(type_oid)?));
            let row = RowType::of_composite(type_oid)?;
            row.columns
                .iter()
                .try_for_each(|column| add_rows(column.type_oid, rows))
        }
        TypeClass::Domain => info.domain_base.map_or(Ok(()), |base| add_rows(base, rows)),
        _ => info
            .element
            .map_or(Ok(()), |element| add_rows(element, rows)),
    }
}

/// The text of a query, the types of its parameters, the names of those that are rows, and the role that runs it: a plan may
/// have a function's body in the place of its call, because this role may execute it.
type Key = (Box<str>, Vec<Oid>, Vec<(String, usize)>, Oid);

thread_local! {
    static PLANS: RefCell<HashMap<Key, Rc<Shared>>> = RefCell::default();
    static CLOCK: Cell<u64> = const { Cell::new(0) };
}

/// A function's hold on the plan of one of its queries: prepared on first use, and again if it was not used for long.
#[derive(Default)]
pub(crate) struct LocalPlan(RefCell<Weak<Shared>>);

impl LocalPlan {
    /// The plan; `type_of` gives an argument's type.
    fn get(&self, query: &LocalQuery, type_of: impl Fn(usize) -> Oid) -> Result<Rc<Shared>, Error> {
        let role = role::current();
        let shared = self.0.borrow().upgrade();
        let shared = match shared.filter(|shared| shared.role == role) {
            Some(shared) if shared.is_current()? => shared,
            _ => {
                let shared = Self::prepare(query, type_of, role)?;
                self.0.replace(Rc::downgrade(&shared));
                shared
            }
        };
        shared.used.set(CLOCK.replace(CLOCK.get() + 1));
        Ok(shared)
    }

    fn prepare(
        query: &LocalQuery,
        type_of: impl Fn(usize) -> Oid,
        role: Oid,
    ) -> Result<Rc<Shared>, Error> {
        let _room = allocator::hold(query.sql.len().saturating_mul(4))?;
        let types: Vec<Oid> = query
            .args
            .iter()
            .map(|&argument| type_of(argument))
            .collect();
        let mut rows = Vec::new();
        for type_oid in &types {
            add_rows(*type_oid, &mut rows)?;
        }
        let key: Key = (query.sql.clone(), types, query.rows().to_vec(), role);
        let known = PLANS.with_borrow(|plans| plans.get(&key).cloned());
        if let Some(shared) = known.filter(|shared| shared.rows == rows) {
            return Ok(shared);
        }
        let shared = Rc::new(Shared {
            plan: Plan::prepare_with_rows(&key.0, &key.1, &key.2)
                .map_err(|error| error.with_semicolon_hint(query.next_statement()))?,
            role,
            used: Cell::new(0),
            rows,
        });
        let forgotten = PLANS.with_borrow_mut(|plans| {
            let oldest = if plans.len() < MOST_PLANS {
                None
            } else {
                plans.values().map(|shared| shared.used.get()).min()
            };
            let is_oldest = |shared: &Rc<Shared>| Some(shared.used.get()) == oldest;
            let forgotten: Vec<_> = plans.extract_if(|_, shared| is_oldest(shared)).collect();
            (forgotten, plans.insert(key, Rc::clone(&shared)))
        });
        // Only now, when the map is no longer borrowed: freeing a plan goes through PostgreSQL.
        drop(forgotten);
        Ok(shared)
    }

    /// Prepares the query of RUN ON, if that was not done yet.
    pub(crate) fn check(&self, arguments: Arguments<'_>, query: &LocalQuery) -> Result<(), Error> {
        self.get(query, |argument| arguments.element_type_of(argument))
            .map(drop)
    }

    /// The one text that the query gives: a cluster's name or a connection string.
    pub(crate) fn text(
        &self,
        arguments: Arguments<'_>,
        query: &LocalQuery,
        args: &[Option<Datum>],
        what: Limited,
    ) -> Result<String, Error> {
        let read = |value| what.read(arguments.label, value);
        let text = self.value(arguments, query, args, &[pg_sys::TEXTOID], read)?;
        text.ok_or_else(|| {
            arguments
                .label
                .error("Cluster/connect name map func returned NULL")
        })
    }

    /// The one value that the query gives, which must be of one of these types of text; none if it is NULL.
    pub(crate) fn value(
        &self,
        arguments: Arguments<'_>,
        query: &LocalQuery,
        args: &[Option<Datum>],
        types: &[Oid],
        read: impl Fn(Datum) -> Result<String, Error>,
    ) -> Result<Option<String>, Error> {
        let shared = self.get(query, |argument| arguments.type_of(argument))?;
        let mut type_oid = Oid::INVALID;
        let mut text = None;
        let whole = |argument| Arg::Whole(value(args, argument));
        let rows = shared.plan.run(&params(query, whole), |row| {
            type_oid = row.type_oid(1);
            if types.contains(&type_oid) {
                text = row.value(1)?.map(&read).transpose()?;
            }
            Ok(())
        })?;
        if rows != 1 {
            let _room = allocator::hold(query.sql.len().saturating_mul(3))?;
            return Err(arguments.label.error(format_args!(
                "'{}' returned {rows} rows, expected 1",
                query.sql
            )));
        }
        if !types.contains(&type_oid) {
            return Err(arguments.label.error("expected text"));
        }
        Ok(text)
    }

    /// The hashes that the query gives, each handed to `each`; returns how many there were.
    pub(crate) fn hashes(
        &self,
        arguments: Arguments<'_>,
        query: &LocalQuery,
        args: &[Option<Datum>],
        mut each: impl FnMut(i64),
    ) -> Result<usize, Error> {
        let shared = self.get(query, |argument| arguments.element_type_of(argument))?;
        let mut reader = HashReader::new(arguments.label);
        let whole = |argument| Arg::Whole(value(args, argument));
        shared.plan.run(&params(query, whole), |row| {
            each(reader.read(row)?);
            Ok(())
        })
    }

    /// The same for elements that SPLIT gives, from the first of `elements` on, as far as there is one hash for each and all can
    /// be had in one go; each goes to `each` with its element's number. Returns how many elements were done.
    pub(crate) fn hashes_of_elements(
        &self,
        arguments: Arguments<'_>,
        query: &LocalQuery,
        args: &[Option<Datum>],
        arrays: &[SplitArray],
        elements: Range<usize>,
        mut each: impl FnMut(usize, i64),
    ) -> Result<usize, Error> {
        let shared = self.get(query, |argument| arguments.element_type_of(argument))?;
        let mut reader = HashReader::new(arguments.label);
        let param = |argument| match arrays.iter().find(|array| array.argument == argument) {
            Some(array) => Arg::Each(&array.elements),
            None => Arg::Whole(value(args, argument)),
        };
        shared
            .plan
            .run_each(&params(query, param), elements, |element, row| {
                each(element, reader.read(row)?);
                Ok(())
            })
    }
}

/// Reads hashes out of rows, which are all of one type.
struct HashReader<'a> {
    label: &'a FunctionLabel,
    kind: Option<Rc<HashKind>>,
}

impl<'a> HashReader<'a> {
    fn new(label: &'a FunctionLabel) -> Self {
        Self { label, kind: None }
    }

    fn read(&mut self, row: &LocalRow) -> Result<i64, Error> {
        let label = &self.label;
        let kind = match &self.kind {
            Some(kind) => kind,
            None => self.kind.insert(hash::kind(row.type_oid(1), label)?),
        };
        let value = row
            .value(1)?
            .ok_or_else(|| label.error("Hash function returned NULL"))?;
        kind.hash(value)
    }
}

/// What stands for the query's parameters; `param` gives it for an argument.
fn params<'a>(query: &LocalQuery, param: impl Fn(usize) -> Arg<'a>) -> Vec<Arg<'a>> {
    query.args.iter().map(|&argument| param(argument)).collect()
}

fn value(args: &[Option<Datum>], argument: usize) -> Option<Datum> {
    args.get(argument).copied().flatten()
}
