//! A row of `pg_proc`, as far as a language handler needs it.

use super::error::{Error, Report};
use super::inval::Dependency;
use super::{encoding, guard, raw};
use core::ptr;
use pgrx::pg_sys::{self, Datum, FormData_pg_proc, HeapTuple, Oid};

const PROC: i32 = pg_sys::SysCacheIdentifier::PROCOID as i32;

/// A tuple of the system cache, released when dropped.
pub(super) struct CachedTuple(HeapTuple);

impl CachedTuple {
    pub(super) fn find(cache: i32, oid: Oid) -> Result<Option<Self>, Error> {
        // SAFETY: a lookup by OID; the tuple is pinned until it is released.
        let tuple = unsafe { guard::catch(|| raw::SearchSysCache1(cache, Datum::from(oid))) }?;
        // Only one that is there is to be released.
        Ok(if tuple.is_null() {
            None
        } else {
            Some(Self(tuple))
        })
    }

    /// # Safety
    /// `T` must be the catalog's form.
    pub(super) unsafe fn form<T>(&self) -> &T {
        // SAFETY: GETSTRUCT; the fixed part starts at t_hoff.
        unsafe {
            let data = (*self.0).t_data;
            &*data
                .cast::<u8>()
                .add(usize::from((*data).t_hoff))
                .cast::<T>()
        }
    }

    /// An attribute of the part that is not fixed, as it lies in the tuple; none if it is NULL.
    pub(super) fn attribute(&self, cache: i32, attribute: u32) -> Result<Option<Datum>, Error> {
        let tuple = self.0;
        let mut is_null = false;
        // SAFETY: the tuple is pinned.
        let value = unsafe {
            guard::catch(|| raw::SysCacheGetAttr(cache, tuple, attribute as i16, &raw mut is_null))
        }?;
        Ok((!is_null).then_some(value))
    }

    fn text(&self, cache: i32, attribute: u32) -> Result<Option<String>, Error> {
        let tuple = self.0;
        let mut is_null = false;
        // SAFETY: the tuple is pinned; the attribute is of type text, detoasted by text_to_cstring.
        let text = unsafe {
            guard::catch(|| {
                let value = raw::SysCacheGetAttr(cache, tuple, attribute as i16, &raw mut is_null);
                if is_null {
                    ptr::null_mut()
                } else {
                    raw::text_to_cstring(value.cast_mut_ptr())
                }
            })
        }?;
        if text.is_null() {
            return Ok(None);
        }
        // SAFETY: a live C string, ours to free.
        unsafe {
            let copy = encoding::cstr_to_string(text);
            raw::pfree(text.cast());
            copy.map(Some)
        }
    }
}

impl Drop for CachedTuple {
    fn drop(&mut self) {
        // SAFETY: pinned by `find`. After an error the resource owner releases pins by itself only when the
        // transaction ends, which has not happened while we live.
        unsafe { raw::ReleaseSysCache(self.0) }
    }
}

/// An argument as declared.
#[derive(Debug, Clone)]
pub(crate) struct ProcArg {
    pub(crate) name: Option<String>,
    pub(crate) type_oid: Oid,
    pub(crate) mode: ArgMode,
}

/// `proargmodes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArgMode {
    In,
    Out,
    InOut,
    Variadic,
    Table,
}

impl ArgMode {
    pub(crate) fn is_input(self) -> bool {
        matches!(self, Self::In | Self::InOut | Self::Variadic)
    }

    pub(crate) fn is_output(self) -> bool {
        matches!(self, Self::Out | Self::InOut | Self::Table)
    }
}

/// A function's catalog row.
#[derive(Debug)]
pub(crate) struct Proc {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) args: Vec<ProcArg>,
    pub(crate) result_type: Oid,
    pub(crate) is_set: bool,
    pub(crate) is_volatile: bool,
    pub(crate) is_variadic: bool,
    pub(crate) is_procedure: bool,
    /// What all this comes from.
    pub(crate) depends_on: [Dependency; 2],
    pub(crate) owner: Oid,
}

impl Proc {
    pub(crate) fn find(oid: Oid) -> Result<Self, Error> {
        let function = Dependency::function(oid)?;
        let tuple = CachedTuple::find(PROC, oid)?.ok_or_else(|| {
            Report::internal(format!("cache lookup failed for function {}", oid.to_u32()))
        })?;
        // SAFETY: a tuple of pg_proc.
        let form: &FormData_pg_proc = unsafe { tuple.form() };
        let namespace = Dependency::namespace(form.pronamespace)?;
        // SAFETY: reads the catalog; the result is palloc'd.
        let schema = unsafe { guard::catch(|| raw::get_namespace_name(form.pronamespace)) }?;
        if schema.is_null() {
            return Err(Report::internal(format!(
                "cache lookup failed for namespace {}",
                form.pronamespace.to_u32()
            ))
            .into());
        }
        Ok(Self {
            // SAFETY: a live C string, see above.
            schema: unsafe { encoding::cstr_to_string(schema) }?,
            // SAFETY: NAMEDATALEN bytes with a NUL inside.
            name: unsafe { encoding::cstr_to_string(form.proname.data.as_ptr()) }?,
            source: tuple
                .text(PROC, pg_sys::Anum_pg_proc_prosrc)?
                .unwrap_or_default(),
            args: Self::args(&tuple)?,
            result_type: form.prorettype,
            is_set: form.proretset,
            is_volatile: form.provolatile as u8 == pg_sys::PROVOLATILE_VOLATILE,
            is_variadic: form.provariadic != Oid::INVALID,
            is_procedure: form.prokind as u8 == pg_sys::PROKIND_PROCEDURE,
            depends_on: [function, namespace],
            owner: form.proowner,
        })
    }

    fn args(tuple: &CachedTuple) -> Result<Vec<ProcArg>, Error> {
        let handle = tuple.0;
        let mut types: *mut Oid = ptr::null_mut();
        let mut names = ptr::null_mut();
        let mut modes = ptr::null_mut();
        // SAFETY: the three out-parameters outlive the call; the arrays are palloc'd, or null where there is nothing.
        let count = unsafe {
            guard::catch(|| {
                raw::get_func_arg_info(handle, &raw mut types, &raw mut names, &raw mut modes)
            })
        }?;
        (0..usize::try_from(count).unwrap_or(0))
            .map(|i| {
                // SAFETY: the arrays have `count` entries.
                let (type_oid, mode, name) = unsafe {
                    (
                        *types.add(i),
                        if modes.is_null() {
                            b'i'
                        } else {
                            *modes.add(i) as u8
                        },
                        if names.is_null() {
                            ptr::null_mut()
                        } else {
                            *names.add(i)
                        },
                    )
                };
                let name = if name.is_null() {
                    None
                } else {
                    // SAFETY: a live C string.
                    Some(unsafe { encoding::cstr_to_string(name) }?).filter(|name| !name.is_empty())
                };
                let mode = match mode {
                    b'o' => ArgMode::Out,
                    b'b' => ArgMode::InOut,
                    b'v' => ArgMode::Variadic,
                    b't' => ArgMode::Table,
                    _ => ArgMode::In,
                };
                Ok(ProcArg {
                    name,
                    type_oid,
                    mode,
                })
            })
            .collect()
    }
}

/// pg_language_d.h's ClanguageId.
const C_LANGUAGE: Oid = Oid::from_u32(13);

/// Whether a function is that C function of a library, by its name.
pub(crate) fn is_c_function(oid: Oid, name: &str) -> Result<bool, Error> {
    let Some(tuple) = CachedTuple::find(PROC, oid)? else {
        return Ok(false);
    };
    // SAFETY: a tuple of pg_proc.
    let language = unsafe { tuple.form::<FormData_pg_proc>() }.prolang;
    let source = tuple.text(PROC, pg_sys::Anum_pg_proc_prosrc)?;
    Ok(language == C_LANGUAGE && source.as_deref() == Some(name))
}

/// What a validator asks first: whether the caller may see the function at all.
pub(crate) fn check_validator_access(validator: Oid, function: Oid) -> Result<bool, Error> {
    // SAFETY: reads catalogs and raises.
    Ok(unsafe { guard::catch(|| raw::CheckFunctionValidatorAccess(validator, function)) }?)
}
