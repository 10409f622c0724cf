//! The parts of PL/Proxy that need no PostgreSQL: the language, options, connection strings, routing, hashing.
//!
//! Nothing here does I/O on its own account, blocks on a server or knows of a call under way.
#![forbid(unsafe_code)]

pub mod ast;
pub mod conninfo;
pub mod database_text;
pub mod error;
pub mod execute;
pub mod function;
pub mod hash;
pub mod ident;
pub mod int_map;
pub mod lexer;
pub mod object_names;
pub mod options;
pub mod parser;
pub mod pause;
pub mod remote_query;
pub mod result_map;
pub mod room;
pub mod routing;
pub mod shared;
pub mod signature;
pub mod split;
pub mod stats;
pub mod transaction_control;
pub mod types;
