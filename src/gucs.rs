//! Settings of the extension.
#![forbid(unsafe_code)]

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static STANDARD_SQLSTATES: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Defines them; once, when the library is loaded.
pub(crate) fn init() {
    GucRegistry::define_bool_guc(
        c"plproxy.standard_sqlstates",
        c"Gives connection errors and timeouts the SQLSTATEs of the SQL standard.",
        c"Connection errors carry class 08 and timeouts 57014; when off, both carry XX000, as PL/Proxy 2 has them.",
        &STANDARD_SQLSTATES,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// Whether connection errors carry class 08 and timeouts 57014.
pub(crate) fn standard_sqlstates() -> bool {
    STANDARD_SQLSTATES.get()
}
