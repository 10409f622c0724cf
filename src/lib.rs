//! PL/Proxy: a PostgreSQL language handler that runs functions on remote partitions.
//!
//! This crate is the glue between PostgreSQL and the two crates that know nothing of it: `plproxy-core` (language,
//! options, connection strings, routing) and `plproxy-remote` (connections, execution). [`handler`] reads as the data flow
//! of one call. `unsafe` stands in [`pg`] only.

#[cfg(all(
    not(debug_assertions),
    not(any(
        feature = "pg14",
        feature = "pg15",
        feature = "pg16",
        feature = "pg17",
        feature = "pg18"
    ))
))]
compile_error!("name a PostgreSQL version: --features pg15");

/// Without a PostgreSQL version the library is empty, so that the other crates build and test with no PostgreSQL at hand.
macro_rules! with_postgres {
    ($($item:item)*) => {
        $(
            #[cfg(any(
                feature = "pg14",
                feature = "pg15",
                feature = "pg16",
                feature = "pg17",
                feature = "pg18"
            ))]
            $item
        )*
    };
}

with_postgres! {
    mod access;
    mod call;
    mod cluster;
    mod codecs;
    mod collect;
    mod configured;
    mod declared;
    mod encode;
    mod error;
    mod fdw_validator;
    mod function;
    mod gucs;
    mod handler;
    mod hash;
    mod local;
    #[allow(unsafe_code)]
    mod pg;
    mod remote;
    mod route;
    mod rows;
    mod shape;
    mod validator;

    pgrx::pg_module_magic!(name, version);

    // The install script of packages that cargo-pgrx builds.
    pgrx::extension_sql_file!("../sql/plproxy.sql", bootstrap);
}
