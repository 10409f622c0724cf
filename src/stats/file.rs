//! The file that keeps what was counted while the server is down.
//!
//! It is written when the server is shut down as it should be, and read and removed when it starts: after a crash there is
//! none, as what was counted since would be missing from it. What is in it is a copy of the tables, field by field, behind
//! a mark of this form of it and before a checksum.
#![forbid(unsafe_code)]

use super::memory::{Found, Kind};
use crate::error::{Report, sqlstate};
use crate::pg::report::{Level, emit};
use crate::pg::shmem::Memory;
use plproxy_core::hash::siphash;
use plproxy_core::stats::{Counts, Histogram, TransactionEnd};
use std::fs;
use std::io;

/// In the server's own directory for such files, relative to the data directory, which is where servers run.
const FILE: &str = "pg_stat/plproxy.stat";
const TEMPORARY: &str = "pg_stat/plproxy.stat.tmp";
/// Another form of the file gets another mark.
const MARK: &[u8; 8] = b"plproxy3";
const CHECKSUM: usize = 8;

/// Reads the file, if there is one, and removes it.
pub(crate) fn load(memory: &Memory) {
    // What is no file, such as a pipe, is not waited for.
    let is_file = fs::metadata(FILE).is_ok_and(|found| found.is_file());
    let read = if is_file {
        fs::read(FILE)
    } else {
        Err(io::ErrorKind::NotFound.into())
    };
    match read {
        Ok(bytes) => {
            if restore(memory, &bytes).is_none() {
                log(format!("ignoring invalid statistics in file \"{FILE}\""));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => log(format!("could not read file \"{FILE}\": {error}")),
    }
    if let Err(error) = fs::remove_file(FILE) {
        log(format!("could not remove file \"{FILE}\": {error}"));
    }
}

/// Writes the file.
pub(crate) fn save(memory: &Memory) {
    let written = fs::write(TEMPORARY, bytes_of(memory)).and_then(|()| fs::rename(TEMPORARY, FILE));
    if let Err(error) = written {
        log(format!("could not write file \"{FILE}\": {error}"));
        // What is left of it is written over at the next shutdown.
        let _left = fs::remove_file(TEMPORARY);
    }
}

fn log(message: String) {
    let report = Report::new(sqlstate::SUCCESSFUL, format!("PL/Proxy: {message}"));
    // There is nobody else to tell.
    if let Err(error) = emit(Level::Log, &report) {
        error.ends_here("the postmaster holds no lock while it starts or ends");
    }
}

fn bytes_of(memory: &Memory) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    put(&mut bytes, memory.untracked());
    for number in memory.header.ends() {
        put(&mut bytes, number);
    }
    for kind in [Kind::Partition, Kind::Function] {
        let all: Vec<Found> = memory.all(kind).collect();
        put(&mut bytes, all.len() as u64);
        for found in &all {
            put_found(&mut bytes, found);
        }
    }
    let checksum = siphash(&bytes).cast_unsigned();
    put(&mut bytes, checksum);
    bytes
}

fn put(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn put_found(bytes: &mut Vec<u8>, found: &Found) {
    let counts = &found.counts;
    for number in [
        u64::from(found.database),
        u64::from(found.number),
        found.hash,
        u64::from(found.port),
        counts.since,
        counts.calls,
        counts.rows,
        counts.errors,
        counts.connects,
        counts.connect_failures,
        counts.cancels,
        counts.total,
        counts.least,
        counts.most,
        counts.mean.to_bits(),
        counts.squares.to_bits(),
    ] {
        put(bytes, number);
    }
    for calls in found.counts.histogram.0 {
        put(bytes, calls);
    }
    for text in [&found.cluster, &found.dbname, &found.host] {
        put(bytes, text.len() as u64);
        bytes.extend_from_slice(text.as_bytes());
    }
}

/// Puts in what the file has; nothing, and `None`, if it is not whole.
fn restore(memory: &Memory, bytes: &[u8]) -> Option<()> {
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    if siphash(body).cast_unsigned() != Reader(checksum).number()? {
        return None;
    }
    let mut reader = Reader(body.strip_prefix(MARK)?);
    let untracked = reader.number()?;
    let mut ends = [0; TransactionEnd::COUNT];
    for end in &mut ends {
        *end = reader.number()?;
    }
    let mut all = Vec::new();
    for kind in [Kind::Partition, Kind::Function] {
        for _ in 0..reader.number()? {
            all.push((kind, reader.found()?));
        }
    }
    if !reader.0.is_empty() {
        return None;
    }
    for (kind, found) in &all {
        memory.restore(*kind, found);
    }
    memory.restore_untracked(untracked);
    memory.header.set_ends(ends);
    Some(())
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let bytes = self.take(8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn histogram(&mut self) -> Option<Histogram> {
        let mut histogram = Histogram::default();
        for calls in &mut histogram.0 {
            *calls = self.number()?;
        }
        Some(histogram)
    }

    fn found(&mut self) -> Option<Found> {
        let (database, number, hash, port) =
            (self.small()?, self.small()?, self.number()?, self.small()?);
        let counts = Counts {
            since: self.number()?,
            calls: self.number()?,
            rows: self.number()?,
            errors: self.number()?,
            connects: self.number()?,
            connect_failures: self.number()?,
            cancels: self.number()?,
            total: self.number()?,
            least: self.number()?,
            most: self.number()?,
            mean: f64::from_bits(self.number()?),
            squares: f64::from_bits(self.number()?),
            histogram: self.histogram()?,
        };
        Some(Found {
            database,
            number,
            hash,
            cluster: self.text()?,
            dbname: self.text()?,
            host: self.text()?,
            port,
            counts,
        })
    }
}
