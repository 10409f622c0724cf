//! A table of the extension's own, read and written by the heap's own routines. Nobody's triggers, rules, defaults, policies,
//! checks or indexes are evaluated, whoever owns the table and whatever was granted on it, and the caller's rights do not count.

use super::error::{Error, Report};
use super::tuple::RowType;
use super::{compat, guard, raw};
use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use pgrx::pg_sys::{self, Datum, Oid};

/// What is wrong with the table.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unfit {
    /// There is none of that name, or it is not the extension's.
    Absent,
    /// It is not as the extension made it.
    Altered,
}

/// The table, open until dropped; its lock is the transaction's.
pub(crate) struct OwnTable {
    relation: pg_sys::Relation,
    columns: usize,
}

/// A row as it lies there.
pub(crate) struct StoredRow {
    pub(crate) values: Vec<Option<Datum>>,
    /// The transaction that wrote it. Nobody can choose that.
    pub(crate) writer: u32,
    pub(crate) place: Place,
}

/// Where a row lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(pg_sys::ItemPointerData);

impl OwnTable {
    /// Opens the extension's table of that name, if it is a plain one with columns of these types.
    pub(crate) fn open(
        extension: &CStr,
        schema: &CStr,
        name: &CStr,
        types: &[Oid],
    ) -> Result<Result<Self, Unfit>, Error> {
        let (extension, schema, name) = (extension.as_ptr(), schema.as_ptr(), name.as_ptr());
        // SAFETY: C strings; look-ups, and null where there is no relation of that OID any more.
        let relation = unsafe {
            guard::catch(|| {
                let schema = raw::get_namespace_oid(schema, true);
                let oid = raw::get_relname_relid(name, schema);
                if oid == Oid::INVALID {
                    return ptr::null_mut();
                }
                raw::try_table_open(oid, pg_sys::RowExclusiveLock as c_int)
            })
        }?;
        if relation.is_null() {
            return Ok(Err(Unfit::Absent));
        }
        let this = Self {
            relation,
            columns: types.len(),
        };
        // SAFETY: an open relation; look-ups.
        let (owner, wanted) = unsafe {
            let oid = (*relation).rd_id;
            guard::catch(|| {
                (
                    raw::getExtensionOfObject(pg_sys::RelationRelationId, oid),
                    raw::get_extension_oid(extension, true),
                )
            })
        }?;
        if owner == Oid::INVALID || owner != wanted {
            return Ok(Err(Unfit::Absent));
        }
        Ok(if this.is_plain(types)? {
            Ok(this)
        } else {
            Err(Unfit::Altered)
        })
    }

    /// Whether it is an ordinary, logged table of the heap, without indexes, and with these columns: what is written here is
    /// then all that there is to write, and as durable as the transaction.
    fn is_plain(&self, types: &[Oid]) -> Result<bool, Error> {
        let relation = self.relation;
        // SAFETY: an open relation, whose parts live as long.
        let (row_type, class, indexes) = unsafe {
            let row_type = RowType::copy((*relation).rd_att)?;
            let indexes = guard::catch(|| raw::RelationGetIndexList(relation))?;
            (row_type, &*(*relation).rd_rel, indexes)
        };
        let columns = row_type.columns.iter().map(|column| column.type_oid);
        Ok(class.relkind == pg_sys::RELKIND_RELATION as c_char
            && class.relpersistence == pg_sys::RELPERSISTENCE_PERMANENT as c_char
            && class.relam == pg_sys::HEAP_TABLE_AM_OID
            && !class.relispartition
            && indexes.is_null()
            && row_type.width() == types.len()
            && columns.eq(types.iter().copied()))
    }

    pub(crate) fn oid(&self) -> Oid {
        // SAFETY: an open relation.
        unsafe { (*self.relation).rd_id }
    }

    /// Adds a row, which has as many values as the table has columns.
    pub(crate) fn insert(&self, values: &[Datum]) -> Result<(), Error> {
        debug_assert_eq!(values.len(), self.columns);
        let (relation, nulls) = (self.relation, vec![false; self.columns]);
        let (values, nulls) = (values.as_ptr(), nulls.as_ptr());
        // SAFETY: the values are of the columns' types and as many; the next command of this transaction sees the row.
        unsafe {
            guard::catch(|| {
                let row = raw::heap_form_tuple((*relation).rd_att, values, nulls);
                raw::simple_heap_insert(relation, row);
                raw::CommandCounterIncrement();
            })
        }?;
        Ok(())
    }

    /// The rows that are committed by now, and those of this transaction, with values in the current memory context.
    pub(crate) fn rows(&self) -> Result<Vec<StoredRow>, Error> {
        let scan = Scan::begin(self.relation)?;
        let mut rows = Vec::new();
        while let Some(row) = scan.next(self.columns)? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Deletes a row. If somebody else has done so meanwhile, that is as good.
    pub(crate) fn delete(&self, place: Place) -> Result<(), Error> {
        let (relation, mut place) = (self.relation, place.0);
        let mut failure = pg_sys::TM_FailureData::default();
        let (place, failure) = (&raw mut place, &raw mut failure);
        // SAFETY: a place that was read from this table; no snapshot to check against, and both out-parameters outlive the
        // call, which waits for who is at the row.
        let result = unsafe {
            guard::catch(|| {
                let command = raw::GetCurrentCommandId(true);
                let result = compat::delete_and_wait(relation, place, command, failure);
                raw::CommandCounterIncrement();
                result
            })
        }?;
        match result {
            pg_sys::TM_Result::TM_Ok
            | pg_sys::TM_Result::TM_Deleted
            | pg_sys::TM_Result::TM_Updated
            | pg_sys::TM_Result::TM_SelfModified => Ok(()),
            other => Err(Report::internal(format!("could not delete a row: {other}")).into()),
        }
    }
}

impl Drop for OwnTable {
    fn drop(&mut self) {
        let relation = self.relation;
        // SAFETY: opened by `open`, and closed once. The lock stays. Should it raise, the end of the transaction closes it.
        unsafe {
            guard::catch_here("it counts a reference down", || {
                raw::table_close(relation, pg_sys::NoLock as c_int);
            });
        }
    }
}

/// A reading of the whole table, by a snapshot of its own.
struct Scan {
    scan: pg_sys::SysScanDesc,
    desc: pg_sys::TupleDesc,
}

impl Scan {
    fn begin(relation: pg_sys::Relation) -> Result<Self, Error> {
        // SAFETY: an open relation and no index: the heap is read from one end to the other. Without a snapshot given, a
        // new one is taken and kept for as long.
        let scan = unsafe {
            guard::catch(|| {
                raw::systable_beginscan(
                    relation,
                    Oid::INVALID,
                    false,
                    ptr::null_mut(),
                    0,
                    ptr::null_mut(),
                )
            })
        }?;
        // SAFETY: an open relation.
        let desc = unsafe { (*relation).rd_att };
        Ok(Self { scan, desc })
    }

    /// The next row, its values copied to the current memory context.
    fn next(&self, columns: usize) -> Result<Option<StoredRow>, Error> {
        let (scan, desc) = (self.scan, self.desc);
        let (mut values, mut nulls) = (vec![Datum::null(); columns], vec![true; columns]);
        let (to_values, to_nulls) = (values.as_mut_ptr(), nulls.as_mut_ptr());
        // SAFETY: the descriptor has as many columns as there is room for. The row that the scan gives lives until the next,
        // so its values are taken from a copy.
        let row = unsafe {
            guard::catch(|| {
                let row = raw::systable_getnext(scan);
                if row.is_null() {
                    return row;
                }
                let row = raw::heap_copytuple(row);
                raw::heap_deform_tuple(row, desc, to_values, to_nulls);
                row
            })
        }?;
        if row.is_null() {
            return Ok(None);
        }
        let values = values.into_iter().zip(nulls);
        Ok(Some(StoredRow {
            values: values.map(|(v, null)| (!null).then_some(v)).collect(),
            // SAFETY: the header of a row of a table; the raw transaction id stays there when the row is frozen.
            writer: unsafe { (*(*row).t_data).t_choice.t_heap.t_xmin }.into_inner(),
            // SAFETY: as above.
            place: Place(unsafe { (*row).t_self }),
        }))
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        let scan = self.scan;
        // SAFETY: begun by `begin`, and ended once. Should it raise, the end of the transaction ends it.
        unsafe { guard::catch_here("it gives pins back", || raw::systable_endscan(scan)) };
    }
}
