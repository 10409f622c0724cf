//! Room for what is large, seen to before it is taken.
//!
//! Rust ends the process where memory for a `String` or a `Vec` cannot be had, and inside of a PostgreSQL server that ends the
//! sessions of everybody. So what others choose the size of is either taken by the functions here that can fail, or the room for
//! all that is going to be taken is held before, and given up for it when there is no other.

use std::cell::{Cell, RefCell};
use std::collections::TryReserveError;
use std::fmt;
use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// There is no room for so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom(pub usize);

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}

impl std::error::Error for NoRoom {}

/// A question is being asked whose answer may be no. That is between a thread and the allocator below it; a host of several
/// threads may see another's, and then keeps what it holds back.
static ASKING: AtomicBool = AtomicBool::new(false);

/// What somebody holds.
struct Held {
    number: u64,
    size: usize,
    /// Nothing is ever written into it, so that it is no more than a range of addresses. None once it was given up: then that
    /// much is owed, as its owner has not yet taken it, or not all of it.
    room: Option<Vec<u8>>,
}

thread_local! {
    static HELD: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
    /// What is owed in all.
    static OWED: Cell<usize> = const { Cell::new(0) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// Whether the allocator is asked by somebody who can do without.
pub fn is_asking() -> bool {
    ASKING.load(Relaxed)
}

/// Asks a question about so many bytes. What is owed to others stays free.
fn ask<T>(
    bytes: usize,
    question: impl FnOnce() -> Result<T, TryReserveError>,
) -> Result<T, NoRoom> {
    let refused = NoRoom(bytes);
    ASKING.store(true, Relaxed);
    let owed = OWED.get();
    let answer = if owed == 0 || is_free(bytes.saturating_add(owed)) {
        question().map_err(|_| refused)
    } else {
        Err(refused)
    };
    ASKING.store(false, Relaxed);
    answer
}

fn is_free(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let is_free = room.try_reserve_exact(bytes).is_ok();
    // Else the compiler may leave the question out, as nothing is done with what was taken.
    black_box(&mut room);
    is_free
}

/// Gives back some of what is held, if there is any: for the allocator that has no other memory for what must not fail.
pub fn give_up(bytes: usize) -> bool {
    let given = HELD.try_with(|held| {
        // Whoever is at it is making room.
        let mut held = held.try_borrow_mut().ok()?;
        let there = held.iter_mut().filter(|held| held.room.is_some());
        // The smallest one that is enough, else the largest one.
        let best = there.min_by_key(|held| (held.size < bytes, held.size.abs_diff(bytes)))?;
        OWED.set(OWED.get().saturating_add(best.size));
        best.room.take()
    });
    given.is_ok_and(|room| room.is_some())
}

/// Room that is held while it lives, and if it was given up meanwhile, owed.
#[derive(Debug)]
pub struct Room {
    number: u64,
    /// It belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl Drop for Room {
    fn drop(&mut self) {
        let held = HELD.try_with(|held| {
            let mut held = held.try_borrow_mut().ok()?;
            let at = held.iter().position(|held| held.number == self.number)?;
            let gone = held.swap_remove(at);
            if gone.room.is_none() {
                OWED.set(OWED.get().saturating_sub(gone.size));
            }
            Some(gone)
        });
        drop(held);
    }
}

/// Holds room for so many bytes.
pub fn hold(bytes: usize) -> Result<Room, NoRoom> {
    let mut room = Vec::<u8>::new();
    reserve_exact(&mut room, bytes)?;
    let number = NEXT.replace(NEXT.get() + 1);
    HELD.with_borrow_mut(|held| {
        let size = bytes;
        let room = Some(room);
        push(held, Held { number, size, room })
    })?;
    Ok(Room {
        number,
        _thread: PhantomData,
    })
}

/// Whether so many bytes could be taken at once.
pub fn can_allocate(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let is_room = reserve_exact(&mut room, bytes).is_ok();
    // As above.
    black_box(&mut room);
    is_room
}

/// Makes room for more elements.
pub fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<(), NoRoom> {
    ask(more.saturating_mul(size_of::<T>()), || {
        list.try_reserve(more)
    })
}

/// The same for just so many.
pub fn reserve_exact<T>(list: &mut Vec<T>, more: usize) -> Result<(), NoRoom> {
    let bytes = more.saturating_mul(size_of::<T>());
    ask(bytes, || list.try_reserve_exact(more))
}

/// Adds an element.
pub fn push<T>(list: &mut Vec<T>, element: T) -> Result<(), NoRoom> {
    reserve(list, 1)?;
    list.push(element);
    Ok(())
}

/// A copy of bytes.
pub fn copy(bytes: &[u8]) -> Result<Vec<u8>, NoRoom> {
    let mut copy = Vec::new();
    reserve_exact(&mut copy, bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// A copy of text.
pub fn text(text: &str) -> Result<String, NoRoom> {
    let mut copy = String::new();
    ask(text.len(), || copy.try_reserve_exact(text.len()))?;
    copy.push_str(text);
    Ok(copy)
}

/// The beginning of a text, of so many bytes at the most.
pub fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The pieces as one text. Where there is no room for it the long ones are cut.
pub fn join(pieces: &[&str]) -> String {
    const MOST: usize = 1000;
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let mut text = String::new();
    if ask(length, || text.try_reserve_exact(length)).is_ok() {
        pieces.iter().for_each(|piece| text.push_str(piece));
        return text;
    }
    for piece in pieces {
        if piece.len() > MOST {
            text.push_str(cut(piece, MOST));
            text.push('…');
        } else {
            text.push_str(piece);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_and_too_much() {
        assert!(can_allocate(1 << 20));
        assert!(!can_allocate(usize::MAX / 2));
        // More addresses than any machine has.
        assert!(!can_allocate(1 << 60));
        assert_eq!(hold(1 << 60).err(), Some(NoRoom(1 << 60)));
        assert_eq!(reserve(&mut vec![0_u64], 1 << 58), Err(NoRoom(1 << 61)));
        assert_eq!(copy(b"abc"), Ok(b"abc".to_vec()));
        assert_eq!(text("abc"), Ok("abc".to_owned()));
        assert_eq!(NoRoom(1).to_string(), "out of memory");
    }

    #[test]
    fn texts_are_joined_and_cut() {
        assert_eq!(join(&[]), "");
        assert_eq!(join(&["a", "", "bc"]), "abc");
        assert_eq!(
            [0, 1, 2, 3, 9].map(|most| cut("aäb", most)),
            ["", "a", "a", "aä", "aäb"]
        );
    }

    /// The sizes of what is held and is not owed, and all that is owed.
    fn held() -> (Vec<usize>, usize) {
        let sizes = HELD.with_borrow(|held| {
            let there = held.iter().filter(|held| held.room.is_some());
            there.map(|held| held.size).collect()
        });
        (sizes, OWED.get())
    }

    #[test]
    fn rooms_are_held_until_they_are_dropped_or_given_up() {
        assert!(!give_up(1));
        let (first, second, third) = (hold(1000), hold(2000), hold(3000));
        assert_eq!(held(), (vec![1000, 2000, 3000], 0));
        drop(first);
        assert_eq!(held(), (vec![3000, 2000], 0));
        let fourth = hold(4000);
        // The one that is enough, then the larger one.
        assert!(give_up(2500));
        assert_eq!(held(), (vec![2000, 4000], 3000));
        assert!(give_up(5000));
        assert_eq!(held(), (vec![2000], 7000));
        assert!(give_up(1));
        assert!(!give_up(1));
        drop(fourth);
        assert_eq!(held(), (vec![], 5000));
        drop((second, third));
        assert_eq!(held(), (vec![], 0));
        assert!(!is_asking());
    }

    #[test]
    fn what_is_owed_is_nobody_elses() {
        let room = hold(1 << 20);
        assert!(give_up(1));
        OWED.set(1 << 60);
        assert_eq!(copy(b"abc"), Err(NoRoom(3)));
        assert_eq!(text("abc"), Err(NoRoom(3)));
        assert_eq!(hold(3).err(), Some(NoRoom(3)));
        assert!(!can_allocate(3));
        assert_eq!(
            join(&["a", &"b".repeat(2000)]).len(),
            1 + 1000 + '…'.len_utf8()
        );
        OWED.set(1 << 20);
        assert_eq!(copy(b"abc"), Ok(b"abc".to_vec()));
        drop(room);
        assert_eq!(OWED.get(), 0);
    }
}
