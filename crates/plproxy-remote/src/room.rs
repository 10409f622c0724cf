//! Whether there is memory, asked before it is taken by what ends the process where there is none: the client library, and most
//! of Rust's own collections.

use std::hint::black_box;

/// Whether so many bytes could be taken at once.
pub(crate) fn is_room_for(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let is_room = room.try_reserve_exact(bytes).is_ok();
    // Else the compiler may leave the question out, as nothing is done with what was taken.
    black_box(&mut room);
    is_room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_and_too_much() {
        assert!(is_room_for(1 << 20));
        assert!(!is_room_for(usize::MAX / 2));
        // More addresses than any machine has.
        assert!(!is_room_for(1 << 60));
    }
}
