//! Inputs for the oracles where no fuzzer is: the seeds, and what becomes of them by chance. The same on every machine.

use std::fs;
use std::path::Path;

/// Tries `check` on each seed of the target and then on as many mutations.
pub fn each(target: &str, mutations: usize, check: impl Fn(&[u8])) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
    let mut paths: Vec<_> = fs::read_dir(Path::new(root).join(target))
        .expect("the seeds are in the repository")
        .map(|entry| entry.expect("a directory").path())
        .collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = (paths.iter())
        .map(|path| fs::read(path).expect("a seed"))
        .collect();
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| check(seed));
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..mutations {
        let mut input = random.one_of(&seeds).clone();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &seeds, &mut random);
        }
        check(&input);
    }
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(12)).min(input.len());
    match random.below(6) {
        0 => drop(input.drain(at..end)),
        1 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        2 => {
            let other = random.one_of(seeds);
            let from = random.below(other.len() + 1);
            let to = (from + random.below(40)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        3 => input.insert(at, random.below(256) as u8),
        4 => input.truncate(at),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn one_of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
