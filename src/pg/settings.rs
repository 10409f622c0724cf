//! Settings of the session that a call looks at.

use super::{guard, raw};
use crate::error::Error;
use core::ffi::CStr;
use pgrx::pg_sys;
use plproxy_remote::TextStyle;
use std::ffi::CString;

/// `work_mem`, in kilobytes.
pub(crate) fn work_mem() -> i32 {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::work_mem }
}

/// `check_function_bodies`.
pub(crate) fn check_function_bodies() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::check_function_bodies }
}

/// Settings of the session that are others while it lives.
pub(crate) struct TextSettings(Option<i32>);

impl TextSettings {
    /// Has output functions write values so that every server reads them alike, whatever its settings. Costs nothing where
    /// the session's settings are such already, as the defaults are.
    pub(crate) fn for_output() -> Result<Self, Error> {
        // SAFETY: reads statics of the backend.
        let (dates, intervals, floats) = unsafe {
            (
                pg_sys::DateStyle != pg_sys::USE_ISO_DATES as i32,
                pg_sys::IntervalStyle != pg_sys::INTSTYLE_POSTGRES as i32,
                pg_sys::extra_float_digits < 1,
            )
        };
        if !(dates || intervals || floats) {
            return Ok(Self(None));
        }
        let this = Self::level()?;
        for (change, name, value) in [
            (dates, c"datestyle", c"ISO"),
            (intervals, c"intervalstyle", c"postgres"),
            (floats, c"extra_float_digits", c"3"),
        ] {
            if change {
                set(name, value)?;
            }
        }
        Ok(this)
    }

    /// Has input functions read values as a server with these settings wrote them.
    pub(crate) fn for_input(style: &TextStyle) -> Result<Self, Error> {
        let this = Self::level()?;
        for (name, value) in [
            (c"datestyle", &style.dates),
            (c"intervalstyle", &style.intervals),
        ] {
            if let Ok(value) = CString::new(value.as_str()) {
                set(name, &value)?;
            }
        }
        Ok(this)
    }

    /// Opens a level of settings, which our end closes.
    fn level() -> Result<Self, Error> {
        // SAFETY: counts a level up.
        Ok(Self(Some(unsafe {
            guard::catch(|| raw::NewGUCNestLevel())
        }?)))
    }
}

fn set(name: &CStr, value: &CStr) -> Result<(), Error> {
    let (name, value) = (name.as_ptr(), value.as_ptr());
    // SAFETY: both are C strings; the value is undone with the level that is open.
    unsafe {
        guard::catch(|| {
            raw::set_config_option(
                name,
                value,
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            )
        })?;
    }
    Ok(())
}

impl Drop for TextSettings {
    fn drop(&mut self) {
        if let Some(level) = self.0 {
            // SAFETY: closes the level that is open. Should it raise, the transaction's end restores the settings.
            let _ = unsafe { guard::catch(|| raw::AtEOXact_GUC(true, level)) };
        }
    }
}
