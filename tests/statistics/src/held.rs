//! A process that is stopped while it counts. What it would hold is written into the memory of all sessions: the lock of the
//! entry of a partition with so many calls.

use std::fs::{File, OpenOptions, read_to_string};
use std::io;
use std::os::unix::fs::FileExt;

use plproxy_test_kit::{Process, Tally};

use crate::servers::{RESET, Servers};

/// Bytes that are looked at together; entries lie at multiples of [`ALIGNED`].
const CHUNK: usize = 1 << 20;
const ALIGNED: usize = 64;

/// An entry of the memory: who it is for, how often it was called, and the place of its lock.
struct Entry {
    database: u32,
    partition: u32,
    calls: u64,
}

pub fn run(tally: &mut Tally, servers: &Servers) {
    let ask = |statements: &[&str]| servers.ask(statements);
    ask(&[RESET, "select one_part(3) from generate_series(1, 77)"]);
    let (session, process) = servers.idle();
    let database = ask(&["select oid from pg_database where datname = 'postgres'"]);
    let entry = Entry {
        database: database.parse().expect("an oid"),
        partition: 3,
        calls: 77,
    };
    let counted = "select calls || ' ' || untracked_calls from plproxy_stat_partitions, plproxy_stat_info where partition = 3";
    match entry.set_lock(process, 0, 1) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tally.note("left out: this user may not write into the memory of another process");
        }
        Err(error) => panic!("the lock of the entry: {error}"),
        Ok(()) => {
            for turn in ["first", "second"] {
                tally.same(
                    &format!("a {turn} call beside it ends"),
                    "3",
                    ask(&["select one_part(3)"]),
                );
            }
            tally.same("and is not counted there", "77 2", ask(&[counted]));
            tally.same(
                "a call to another partition is",
                "1",
                servers.ask_last(&[
                    "select one_part(1)",
                    "select calls from plproxy_stat_partitions where partition = 1",
                ]),
            );
            let let_go = entry.set_lock(process, 2, 0);
            tally.check("when it goes on", let_go.is_ok(), &format!("{let_go:?}"));
            tally.same(
                "so does the counting",
                "78 2",
                servers.ask_last(&["select one_part(3)", counted]),
            );
        }
    }
    session.end();
    ask(&[RESET]);
}

impl Entry {
    /// Gives its lock another value, in the memory that a process shares with the others.
    fn set_lock(&self, process: Process, from: u32, to: u32) -> io::Result<()> {
        let maps = read_to_string(format!("/proc/{}/maps", process.0))?;
        let memory = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/{}/mem", process.0))?;
        let places: Vec<u64> = maps
            .lines()
            .filter_map(shared)
            .flat_map(|(start, end)| self.places(&memory, start, end, from))
            .collect();
        match places.as_slice() {
            [place] => memory.write_all_at(&to.to_le_bytes(), place + 12),
            others => Err(io::Error::other(format!(
                "{} entries like it",
                others.len()
            ))),
        }
    }

    fn places(&self, memory: &File, start: u64, end: u64, lock: u32) -> Vec<u64> {
        let key: Vec<u8> = [1, self.database, self.partition, lock]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let calls = self.calls.to_le_bytes();
        let mut found = Vec::new();
        let mut bytes = vec![0; CHUNK];
        for at in (start..end).step_by(CHUNK) {
            // Some of it cannot be read.
            let read = memory.read_at(&mut bytes, at).unwrap_or_default();
            let read = read.min(usize::try_from(end - at).unwrap_or(CHUNK));
            for (number, entry) in bytes.iter().as_slice().chunks(ALIGNED).enumerate() {
                let place = number * ALIGNED;
                if place < read && entry.starts_with(&key) && entry.get(40..48) == Some(&calls[..])
                {
                    found.push(at + place as u64);
                }
            }
        }
        found
    }
}

/// The span of a line of the maps, if it is written to and shared.
fn shared(line: &str) -> Option<(u64, u64)> {
    let (span, rest) = line.split_once(' ')?;
    let (start, end) = span.split_once('-')?;
    let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
    (rest.starts_with("rw-s")).then_some((hexadecimal(start)?, hexadecimal(end)?))
}
