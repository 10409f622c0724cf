//! PL/Proxy: a PostgreSQL language handler that runs functions on remote partitions.
//!
//! This crate is the glue between PostgreSQL and the two crates that know nothing of it: `plproxy-core` (language,
//! options, connection strings, routing) and `plproxy-remote` (connections, execution). [`handler`] reads as the data flow
//! of one call. `unsafe` stands in [`pg`] only.

// An error that is dropped says why: see docs/SAFETY.md.
#![deny(clippy::let_underscore_must_use)]

#[cfg(all(not(debug_assertions), not(feature = "postgres")))]
compile_error!("name a PostgreSQL version: --features pg15");

// Without a PostgreSQL version the library is empty, so that the other crates build and test with no PostgreSQL at hand.
#[cfg(feature = "postgres")]
mod admin;
#[cfg(feature = "postgres")]
mod call;
#[cfg(feature = "postgres")]
mod cancel;
#[cfg(feature = "postgres")]
mod cluster;
#[cfg(feature = "postgres")]
mod encode;
#[cfg(feature = "postgres")]
#[allow(unsafe_code)]
mod entry;
#[cfg(feature = "postgres")]
mod error;
#[cfg(feature = "postgres")]
mod execute;
#[cfg(feature = "postgres")]
mod fdw_validator;
#[cfg(feature = "postgres")]
mod function;
#[cfg(feature = "postgres")]
mod gucs;
#[cfg(feature = "postgres")]
mod handler;
#[cfg(feature = "postgres")]
mod hash;
#[cfg(feature = "postgres")]
mod limited;
#[cfg(feature = "postgres")]
mod location;
#[cfg(feature = "postgres")]
mod pause;
#[cfg(feature = "postgres")]
#[allow(unsafe_code)]
mod pg;
#[cfg(feature = "postgres")]
mod recent;
#[cfg(feature = "postgres")]
mod remote;
#[cfg(feature = "postgres")]
mod result;
#[cfg(feature = "postgres")]
mod route;
#[cfg(feature = "postgres")]
mod scripts;
#[cfg(feature = "postgres")]
mod shared;
#[cfg(feature = "postgres")]
mod stats;
#[cfg(feature = "postgres")]
mod tolerance;
#[cfg(feature = "postgres")]
mod transaction;
#[cfg(feature = "postgres")]
mod type_cache;
#[cfg(feature = "postgres")]
mod under_way;
#[cfg(feature = "postgres")]
mod validator;

#[cfg(feature = "postgres")]
pgrx::pg_module_magic!(name, version);

// The install script of packages that cargo-pgrx builds.
#[cfg(feature = "postgres")]
pgrx::extension_sql_file!("../sql/plproxy.sql", bootstrap);
