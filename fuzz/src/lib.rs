//! What must hold for any input: the oracles of the fuzz targets. The crates' own tests include the same files, and try
//! them on the seeds and on mutations of them.
#![forbid(unsafe_code)]

pub mod answers;
pub mod texts;
