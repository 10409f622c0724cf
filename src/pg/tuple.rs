//! Row types and the rows made of them.

use super::error::Error;
use super::memory::Switched;
use super::settings::TextSettings;
use super::{compat, encoding, guard, raw};
use core::ptr;
use pgrx::pg_sys::{self, Datum, Oid, TupleDesc};
use smallvec::SmallVec;

/// A column that is not dropped.
#[derive(Debug, Clone)]
pub(crate) struct RowColumn {
    /// Its place in the row, dropped columns counted.
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) type_oid: Oid,
}

/// A row type: our own copy of a tuple descriptor.
pub(crate) struct RowType {
    desc: TupleDesc,
    pub(crate) columns: Vec<RowColumn>,
}

impl RowType {
    /// PostgreSQL's own description of the columns, dropped ones included.
    pub(super) fn attributes(&self) -> &[pg_sys::FormData_pg_attribute] {
        // SAFETY: the descriptor lives as long as this.
        unsafe { compat::attributes(self.desc) }
    }

    /// # Safety
    /// `desc` must be live.
    pub(super) unsafe fn copy(desc: TupleDesc) -> Result<Self, Error> {
        // SAFETY: a static of the backend; the copy must outlive the call in a cached function.
        let copy = unsafe {
            let _for_long = Switched::to(pg_sys::TopMemoryContext);
            guard::catch(|| raw::BlessTupleDesc(raw::CreateTupleDescCopy(desc)))?
        };
        let mut this = Self {
            desc: copy,
            columns: Vec::new(),
        };
        this.columns = this
            .attributes()
            .iter()
            .enumerate()
            .filter(|(_, attribute)| !attribute.attisdropped)
            .map(|(index, attribute)| {
                // SAFETY: NAMEDATALEN bytes with a NUL inside.
                let name = unsafe { encoding::cstr_to_string(attribute.attname.data.as_ptr()) }?;
                Ok(RowColumn {
                    index,
                    name,
                    type_oid: attribute.atttypid,
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(this)
    }

    /// The row type that a composite type stands for.
    pub(crate) fn of_composite(type_oid: Oid) -> Result<Self, Error> {
        // SAFETY: reads the catalogs; the descriptor lives in the current memory context, longer than its copying.
        unsafe {
            let desc = guard::catch(|| raw::lookup_rowtype_tupdesc_copy(type_oid, -1))?;
            Self::copy(desc)
        }
    }

    /// The row type of a set of scalars: one column.
    pub(crate) fn of_scalar(type_oid: Oid) -> Result<Self, Error> {
        // SAFETY: as in `copy`; the name is a C string.
        let desc = unsafe {
            let _for_long = Switched::to(pg_sys::TopMemoryContext);
            guard::catch(|| {
                let desc = raw::CreateTemplateTupleDesc(1);
                raw::TupleDescInitEntry(desc, 1, c"r".as_ptr(), type_oid, -1, 0);
                compat::finish_row_type(desc);
                raw::BlessTupleDesc(desc)
            })?
        };
        Ok(Self {
            desc,
            columns: vec![RowColumn {
                index: 0,
                name: "r".to_owned(),
                type_oid,
            }],
        })
    }

    pub(super) fn as_ptr(&self) -> TupleDesc {
        self.desc
    }

    /// The number of columns, dropped ones counted.
    pub(crate) fn width(&self) -> usize {
        // SAFETY: live as long as `self`.
        usize::try_from(unsafe { (*self.desc).natts }).unwrap_or(0)
    }

    pub(super) fn copy_desc(&self) -> Result<TupleDesc, Error> {
        let desc = self.desc;
        // SAFETY: live as long as `self`.
        Ok(unsafe { guard::catch(|| raw::CreateTupleDescCopy(desc)) }?)
    }

    /// A composite value, in the current memory context.
    pub(crate) fn form(&self, row: &Row) -> Result<Datum, Error> {
        let desc = self.desc;
        let (values, nulls) = (row.values.as_ptr(), row.nulls.as_ptr());
        // SAFETY: the row has as many entries as the descriptor has attributes.
        Ok(unsafe {
            guard::catch(|| {
                let tuple = raw::heap_form_tuple(desc, values, nulls);
                raw::HeapTupleHeaderGetDatum((*tuple).t_data)
            })
        }?)
    }

    /// An empty row of this type: all NULL.
    pub(crate) fn row(&self) -> Row {
        Row {
            values: SmallVec::from_elem(Datum::null(), self.width()),
            nulls: SmallVec::from_elem(true, self.width()),
        }
    }

    /// Whether two row types have the same columns, dropped ones included.
    pub(crate) fn same_columns(&self, other: &Self) -> bool {
        self.width() == other.width()
            && self.columns.len() == other.columns.len()
            && self
                .columns
                .iter()
                .zip(&other.columns)
                .all(|(a, b)| a.index == b.index && a.type_oid == b.type_oid && a.name == b.name)
    }
}

impl Drop for RowType {
    fn drop(&mut self) {
        let desc = self.desc;
        // SAFETY: our own copy, in TopMemoryContext; nobody else refers to it (a blessed descriptor is copied into the
        // type cache).
        unsafe { guard::catch_here("it frees memory", || raw::FreeTupleDesc(desc)) };
    }
}

/// A number for what a composite type is made of: after a change of that it is another one.
pub(crate) fn version_of(type_oid: Oid) -> Result<u64, Error> {
    // SAFETY: reads the type cache; raises for what is no composite type.
    Ok(unsafe { guard::catch(|| raw::assign_record_type_identifier(type_oid, -1)) }?)
}

/// The values of one row; most rows are narrow.
pub(crate) struct Row {
    values: SmallVec<[Datum; 8]>,
    nulls: SmallVec<[bool; 8]>,
}

impl Row {
    pub(crate) fn set(&mut self, index: usize, value: Option<Datum>) {
        if let (Some(slot), Some(is_null)) = (self.values.get_mut(index), self.nulls.get_mut(index))
        {
            *is_null = value.is_none();
            *slot = value.unwrap_or(Datum::null());
        }
    }

    pub(super) fn parts(&self) -> (*const Datum, *const bool) {
        (self.values.as_ptr(), self.nulls.as_ptr())
    }
}

/// Checks a value against a domain over its type, under the session's own settings.
pub(crate) fn check_domain(value: Datum, domain: Oid) -> Result<(), Error> {
    let _own = TextSettings::own()?;
    // SAFETY: without a place for its state the function looks the constraints up in the current context.
    unsafe {
        guard::catch(|| raw::domain_check(value, false, domain, ptr::null_mut(), ptr::null_mut()))?;
    }
    Ok(())
}
