//! The oracle of the fuzz target `answers`, on captured sessions and on mutations of those.

#[path = "../../../fuzz/src/answers.rs"]
mod answers;
#[path = "../../../fuzz/src/mutations.rs"]
mod mutations;

#[test]
fn answers() {
    mutations::each("answers", 1000, answers::check);
}
