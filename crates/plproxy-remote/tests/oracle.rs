//! The oracle of the fuzz target `answers`, on captured sessions and on mutations of those.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../../../fuzz/src/answers.rs"]
mod answers;
#[path = "../../../fuzz/src/mutations.rs"]
mod mutations;

#[test]
fn answers() {
    mutations::each("answers", 1000, answers::check);
}
