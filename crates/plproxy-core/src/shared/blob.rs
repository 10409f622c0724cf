//! Some bytes in shared memory, written by one process at a time and read by those that come after it.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Up to `8 * WORDS` bytes. Who reads while somebody writes may get a mixture, and has to see by other means that it is of no
/// use.
#[repr(C)]
pub struct Blob<const WORDS: usize> {
    version: AtomicU64,
    len: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl<const WORDS: usize> Blob<WORDS> {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Blob {
            version: AtomicU64::new(0),
            len: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Another one after each writing.
    pub fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// Writes; says which version that is. None if it is too long.
    pub fn write(&self, bytes: &[u8]) -> Option<u64> {
        if bytes.len() > 8 * WORDS {
            return None;
        }
        self.len.store(bytes.len() as u64, Relaxed);
        for (word, chunk) in self.words.iter().zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole
                .iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            word.store(u64::from_le_bytes(whole), Relaxed);
        }
        let version = self.version.load(Relaxed).wrapping_add(1);
        self.version.store(version, Release);
        Some(version)
    }

    /// What was written last.
    pub fn read(&self) -> Vec<u8> {
        let len = usize::try_from(self.len.load(Relaxed)).map_or(0, |len| len.min(8 * WORDS));
        let words = self.words.iter().take(len.div_ceil(8));
        let mut bytes: Vec<u8> = words
            .flat_map(|word| word.load(Relaxed).to_le_bytes())
            .collect();
        bytes.truncate(len);
        bytes
    }
}

impl<const WORDS: usize> Default for Blob<WORDS> {
    fn default() -> Self {
        Blob::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let blob = Blob::<2>::new();
        for text in [
            &b""[..],
            b"a",
            b"12345678",
            b"123456789",
            b"1234567890123456",
            b"x",
        ] {
            let before = blob.version();
            assert_eq!(blob.write(text), Some(before + 1));
            assert_eq!(blob.read(), text);
        }
        assert_eq!(blob.write(&[0; 17]), None);
        assert_eq!(blob.read(), b"x");
    }
}
