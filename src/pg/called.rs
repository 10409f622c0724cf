//! A function's own rights and settings, which the function manager gives to each of its calls: `SECURITY DEFINER`, `SET`.

use super::error::{Error, Report};
use super::proc::CachedTuple;
use super::role::Acting;
use super::{guard, raw};
use pgrx::pg_sys::{self, FormData_pg_proc, Oid};

/// While it lives all is as in a call of the function: the effective user is its owner if it is one of `SECURITY DEFINER`,
/// and what it sets is set.
pub(crate) struct AsCalled {
    /// The level of settings that is open.
    level: Option<i32>,
    _acting: Option<Acting>,
}

impl AsCalled {
    pub(crate) fn of(function: Oid) -> Result<Self, Error> {
        let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
        let tuple = CachedTuple::find(cache, function)?.ok_or_else(|| {
            let oid = function.to_u32();
            Report::internal(format!("cache lookup failed for function {oid}"))
        })?;
        // SAFETY: a tuple of pg_proc.
        let form: &FormData_pg_proc = unsafe { tuple.form() };
        let mut this = Self {
            level: None,
            _acting: form.prosecdef.then(|| Acting::as_role(form.proowner)),
        };
        let Some(settings) = tuple.attribute(cache, pg_sys::Anum_pg_proc_proconfig)? else {
            return Ok(this);
        };
        // SAFETY: counts a level up.
        this.level = Some(unsafe { guard::catch(|| raw::NewGUCNestLevel()) }?);
        // SAFETY: an array of text, in the pinned tuple or a copy in the current memory context. What it sets is undone with
        // the level.
        unsafe {
            guard::catch(|| {
                let settings = raw::pg_detoast_datum(settings.cast_mut_ptr());
                let context = if raw::superuser() {
                    pg_sys::GucContext::PGC_SUSET
                } else {
                    pg_sys::GucContext::PGC_USERSET
                };
                raw::ProcessGUCArray(
                    settings.cast(),
                    context,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                );
            })?;
        }
        Ok(this)
    }
}

impl Drop for AsCalled {
    fn drop(&mut self) {
        if let Some(level) = self.level {
            // SAFETY: closes the level that is open. Should it raise, the transaction's end restores the settings.
            unsafe {
                guard::catch_here("settings are this process's own", || {
                    raw::AtEOXact_GUC(true, level);
                });
            };
        }
    }
}
