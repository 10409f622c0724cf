//! The oracles of the fuzz targets for text, on their seeds and on mutations of those.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../../../fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../../fuzz/src/texts.rs"]
mod texts;

const MUTATIONS: usize = 10_000;

/// For what is given as text: an input that is none is made one.
fn each_text(target: &str, check: fn(&str)) {
    mutations::each(target, MUTATIONS, |input| {
        check(&String::from_utf8_lossy(input));
    });
}

#[test]
fn function_body() {
    each_text("function_body", texts::function_body);
}

#[test]
fn connstr() {
    each_text("connstr", texts::connstr);
}

#[test]
fn uri() {
    each_text("uri", texts::uri);
}

#[test]
fn passfile() {
    mutations::each("passfile", MUTATIONS, texts::passfile);
}

#[test]
fn service_file() {
    mutations::each("service_file", MUTATIONS, texts::service_file);
}

#[test]
fn server_options() {
    each_text("server_options", texts::server_options);
}
