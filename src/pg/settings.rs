//! Settings of the session that a call looks at.

use super::error::Error;
use super::{compat, guard, raw};
use core::cell::RefCell;
use core::ffi::{CStr, c_int};
use core::ptr;
use pgrx::pg_sys;
use plproxy_remote::TextStyle;
use std::ffi::CString;

/// What decides how values are read from text, and a value for each.
const STYLES: [&CStr; 2] = [c"datestyle", c"intervalstyle"];
type Styles = [CString; 2];

thread_local! {
    /// The session's own, while those of a partition are in force.
    static OWN: RefCell<Option<Styles>> = const { RefCell::new(None) };
}

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

/// Settings whose names begin alike.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) defined: Vec<String>,
    /// Somebody has given them a value, and nobody has defined them.
    pub(crate) placeholders: Vec<String>,
}

impl Names {
    /// Those that begin with a prefix, whatever the case; only in ASCII.
    pub(crate) fn find(prefix: &str) -> Result<Self, Error> {
        let mut this = Self::default();
        compat::each_setting(|name, is_placeholder| {
            let name = name.to_str().unwrap_or_default();
            let start = name.get(..prefix.len()).unwrap_or_default();
            if name.is_ascii() && start.eq_ignore_ascii_case(prefix) {
                let names = if is_placeholder {
                    &mut this.placeholders
                } else {
                    &mut this.defined
                };
                names.push(name.to_owned());
            }
        })?;
        Ok(this)
    }
}

/// How many characters make the difference between two names, if no more than `most`.
pub(crate) fn distance(a: &str, b: &str, most: u8) -> Option<u8> {
    let length = |text: &str| c_int::try_from(text.len()).unwrap_or(c_int::MAX);
    let (start_a, start_b) = (a.as_ptr().cast(), b.as_ptr().cast());
    let (len_a, len_b, most_of) = (length(a), length(b), c_int::from(most));
    // SAFETY: the texts are so long; raises when out of memory, and then the names are as if not alike.
    let found = unsafe {
        guard::catch_here("only memory can be wanting", || {
            raw::varstr_levenshtein_less_equal(
                start_a, len_a, start_b, len_b, 1, 1, 1, most_of, true,
            )
        })
    };
    u8::try_from(found?).ok().filter(|found| *found <= most)
}

/// Settings of the session that are others while it lives.
pub(crate) struct TextSettings {
    /// The level of settings that is open.
    level: Option<i32>,
    /// What `OWN` was before, if it was changed.
    before: Option<Option<Styles>>,
}

impl TextSettings {
    /// Has output functions write values so that every server reads them alike, whatever its settings. Costs nothing where
    /// the session's settings are such already, as the defaults are, and no `names` of objects are written, which are to have
    /// their schemas.
    pub(crate) fn for_output(names: bool) -> Result<Self, Error> {
        // SAFETY: reads statics of the backend.
        let (dates, intervals, floats) = unsafe {
            (
                pg_sys::DateStyle != pg_sys::USE_ISO_DATES as i32,
                pg_sys::IntervalStyle != pg_sys::INTSTYLE_POSTGRES as i32,
                pg_sys::extra_float_digits < 1,
            )
        };
        if !(dates || intervals || floats || names) {
            return Ok(Self {
                level: None,
                before: None,
            });
        }
        let this = Self::level()?;
        for (change, name, value) in [
            (dates, c"datestyle", c"ISO"),
            (intervals, c"intervalstyle", c"postgres"),
            (floats, c"extra_float_digits", c"3"),
            (names, c"search_path", c"pg_catalog"),
        ] {
            if change {
                set(name, value)?;
            }
        }
        Ok(this)
    }

    /// Has input functions read values as a server with these settings wrote them.
    fn for_input(style: &TextStyle) -> Result<Self, Error> {
        let own = [get(c"datestyle")?, get(c"intervalstyle")?];
        let mut this = Self::level()?;
        for (name, value) in STYLES.into_iter().zip([&style.dates, &style.intervals]) {
            // One that a server does not report is read by our own.
            if !value.is_empty()
                && let Ok(value) = CString::new(value.as_str())
            {
                set(name, &value)?;
            }
        }
        this.before = Some(OWN.replace(Some(own)));
        Ok(this)
    }

    /// Has what is no part of reading a value, as a domain's check, find the session's own settings where those of a
    /// partition are in force; `None` where they are not.
    pub(super) fn own() -> Result<Option<Self>, Error> {
        let Some(own) = OWN.with_borrow(Clone::clone) else {
            return Ok(None);
        };
        let mut this = Self::level()?;
        for (name, value) in STYLES.into_iter().zip(&own) {
            set(name, value)?;
        }
        this.before = Some(OWN.take());
        Ok(Some(this))
    }

    /// Opens a level of settings, which our end closes.
    fn level() -> Result<Self, Error> {
        // SAFETY: counts a level up.
        let level = unsafe { guard::catch(|| raw::NewGUCNestLevel()) }?;
        Ok(Self {
            level: Some(level),
            before: None,
        })
    }
}

/// How values are read that come from a partition, while it lives.
pub(crate) struct InputSettings {
    array_nulls: bool,
    xml_option: c_int,
    _style: Option<TextSettings>,
}

impl InputSettings {
    /// As a server wrote them whose styles are these, if they are not as everybody reads them. What the session sets for texts of
    /// its own does not count: NULL in an array is NULL, and XML may be content.
    pub(crate) fn of(style: Option<&TextStyle>) -> Result<Self, Error> {
        let style = style.map(TextSettings::for_input).transpose()?;
        // SAFETY: statics of the backend, put back by our end.
        unsafe {
            Ok(Self {
                array_nulls: ptr::replace(&raw mut pg_sys::Array_nulls, true),
                xml_option: ptr::replace(
                    &raw mut raw::xmloption,
                    pg_sys::XmlOptionType::XMLOPTION_CONTENT as c_int,
                ),
                _style: style,
            })
        }
    }
}

impl Drop for InputSettings {
    fn drop(&mut self) {
        // SAFETY: what they were.
        unsafe {
            pg_sys::Array_nulls = self.array_nulls;
            raw::xmloption = self.xml_option;
        }
    }
}

/// Whether a partition's settings are in force.
pub(super) fn is_partitions_style() -> bool {
    OWN.with_borrow(Option::is_some)
}

fn get(name: &CStr) -> Result<CString, Error> {
    let name = name.as_ptr();
    // SAFETY: a setting that every server has; its value is a C string that lives until the next call.
    unsafe {
        let value = guard::catch(|| raw::GetConfigOption(name, false, false))?;
        Ok(CStr::from_ptr(value).to_owned())
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
        if let Some(before) = self.before.take() {
            OWN.set(before);
        }
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
