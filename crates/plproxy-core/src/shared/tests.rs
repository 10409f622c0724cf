//! Slots and queues, by one process after the other and by many at once.

use std::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{Relaxed, SeqCst},
};
use std::time::{Duration, Instant};

use super::*;

fn wakers() -> Wakers {
    Wakers {
        waiter: |_| {},
        keeper: || {},
    }
}

fn keys(limit: u64, share: u128) -> Keys {
    let kin = limit;
    Keys { limit, share, kin }
}

fn wanted(keys: Keys, most: u32, owner: u32) -> Wanted {
    Wanted {
        keys,
        most,
        owner,
        role: 10,
        by_signal: false,
    }
}

/// Asks for a connection, and makes it where that is granted.
fn get(table: &Table, keys: Keys, most: u32, owner: u32) -> Held {
    match table.want(&wanted(keys, most, owner)).unwrap() {
        Place::Granted(Grant::Use(held)) => held,
        Place::Granted(Grant::Connect(held)) => {
            assert!(table.connected(held));
            held
        }
        Place::Waits(_) => panic!("has to wait"),
    }
}

fn waits(table: &Table, keys: Keys, most: u32, owner: u32) -> u32 {
    match table.want(&wanted(keys, most, owner)).unwrap() {
        Place::Waits(number) => number,
        Place::Granted(grant) => panic!("{grant:?}"),
    }
}

/// What the keeper does.
fn keep(table: &Table) {
    for slot in table.numbers() {
        let word = table.word(slot);
        if word.state == State::Closing {
            table.free(slot, word.generation);
        }
    }
}

fn no_known() -> std::iter::Empty<(u32, u32)> {
    std::iter::empty()
}

#[test]
fn of_two_that_wait_for_each_other_one_gives_up_at_once() {
    let table = Table::leaked(1, 1, 1, wakers());
    let moment = Header::MOMENT.as_micros() as u64;
    let header = table.header;
    assert!(header.may_give_up(1_000_000));
    assert!(!header.may_give_up(1_000_000));
    // Nor does who was asked meanwhile put it off for the next one.
    assert!(!header.may_give_up(999_999 + moment));
    assert!(header.may_give_up(1_000_000 + moment));
}

#[test]
fn what_a_process_keeps_itself_is_not_worth_waiting_for() {
    let table = Table::leaked(4, 4, 4, wakers());
    let keys = keys(1, 7);
    let (first, second) = (get(&table, keys, 2, 1), get(&table, keys, 2, 1));
    let keep = |held: Held| table.slot(held.slot).unwrap().kept.store(1, SeqCst);
    keep(first);
    assert!(!table.are_kept_by(1, 1, 2));
    keep(second);
    assert!(table.are_kept_by(1, 1, 2));
    assert!(!table.are_kept_by(1, 1, 3) && !table.are_kept_by(2, 1, 2));
    assert!(table.give_back(second, 2));
    assert!(!table.are_kept_by(1, 1, 2));
    // The next one does not keep it yet.
    get(&table, keys, 2, 1);
    assert!(!table.are_kept_by(1, 1, 2));
}

#[test]
fn words_are_what_they_were() {
    for state in [
        State::Free,
        State::Connecting,
        State::Idle,
        State::InUse,
        State::Closing,
    ] {
        for (generation, owner) in [(0, 0), (1, 2), (u32::MAX, (1 << 24) - 1)] {
            let word = Word {
                state,
                generation,
                owner,
            };
            assert_eq!(Word::unpack(word.pack()), word);
        }
    }
    assert_eq!(Word::unpack(0).state, State::Free);
}

#[test]
fn no_more_than_the_limit_and_first_come_first_served() {
    let table = Table::leaked(8, 8, 8, wakers());
    let owners: Vec<u32> = (1..=5).map(|pid| table.enter(pid).unwrap()).collect();
    let kind = keys(7, 1);
    let (a, b) = (
        get(&table, kind, 2, owners[0]),
        get(&table, kind, 2, owners[1]),
    );
    assert_eq!(table.count(7), 2);
    let first = waits(&table, kind, 2, owners[2]);
    let second = waits(&table, kind, 2, owners[3]);
    // Another partition is not touched by that.
    get(&table, keys(8, 1), 2, owners[4]);
    assert!(table.look(first).is_none());
    assert!(table.give_back(a, 2));
    assert!(table.look(second).is_none(), "the first one is first");
    // Nor can anybody else jump the queue.
    assert_eq!(table.lease(kind, owners[4], no_known()), None);
    let Some(Grant::Use(got)) = table.look(first) else {
        panic!("not served");
    };
    assert_eq!(
        (got.slot, got.generation, got.owner),
        (a.slot, a.generation, owners[2])
    );
    assert!(!table.has(a) && table.has(got));
    // A broken one counts until its server process is gone.
    table.close(b);
    assert_eq!(table.count(7), 2);
    assert!(table.look(second).is_none());
    keep(&table);
    let Some(Grant::Connect(new)) = table.look(second) else {
        panic!("not served");
    };
    assert!(new.slot == b.slot && new.generation == b.generation + 1);
    assert_eq!(table.count(7), 2);
    // Nobody waits: what comes back is taken without a lock.
    assert!(table.connected(new) && table.give_back(new, 2));
    let again = table.lease(kind, owners[4], [(new.slot, new.generation)].into_iter());
    assert_eq!(again.map(|held| held.slot), Some(new.slot));
    assert_eq!(table.lease(kind, owners[4], no_known()), None);
}

#[test]
fn what_was_granted_to_who_has_left_goes_on() {
    let table = Table::leaked(4, 4, 4, wakers());
    let [one, two, three] = [1, 2, 3].map(|pid| table.enter(pid).unwrap());
    let kind = keys(7, 1);
    let held = get(&table, kind, 1, one);
    let (first, second) = (waits(&table, kind, 1, two), waits(&table, kind, 1, three));
    table.give_back(held, 1);
    // Served, but gone.
    table.stop_waiting(first, two);
    let Some(Grant::Use(held)) = table.look(second) else {
        panic!("not served");
    };
    // Left while waiting.
    let (first, second) = (waits(&table, kind, 1, one), waits(&table, kind, 1, two));
    table.stop_waiting(first, one);
    assert_eq!(table.waiting().count(), 1);
    table.close(held);
    keep(&table);
    let Some(Grant::Connect(held)) = table.look(second) else {
        panic!("not served");
    };
    let last = waits(&table, kind, 1, one);
    table.abandon(held);
    assert!(matches!(table.look(last), Some(Grant::Connect(_))));
    assert_eq!(table.waiting().count(), 0);
}

#[test]
fn others_of_the_partition_make_room() {
    let table = Table::leaked(4, 4, 4, wakers());
    let [one, two] = [1, 2].map(|pid| table.enter(pid).unwrap());
    let held = get(&table, keys(7, 1), 1, one);
    table.give_back(held, 1);
    // Another local user, or another password.
    assert_eq!(table.lease(keys(7, 2), two, no_known()), None);
    let waiter = waits(&table, keys(7, 2), 1, two);
    // It was in use a moment ago.
    let until = Instant::now() + Duration::from_secs(60);
    while table.word(held.slot).state != State::Closing {
        assert!(Instant::now() < until, "closed never");
        std::thread::sleep(Duration::from_millis(5));
        table.nudge(waiter);
    }
    keep(&table);
    assert!(matches!(table.look(waiter), Some(Grant::Connect(_))));
}

/// Two users have one of two connections each; the first waits for a second one, and the other has given back his.
fn one_each() -> (Table, [Held; 2], u32) {
    let table = Table::leaked(4, 8, 8, wakers());
    let [one, two] = [1, 2].map(|pid| table.enter(pid).unwrap());
    let (ours, theirs) = (keys(7, 1), keys(7, 2));
    let held = [get(&table, ours, 2, one), get(&table, theirs, 2, two)];
    let waiter = waits(&table, ours, 2, one);
    assert!(table.give_back(held[1], 2));
    (table, held, waiter)
}

/// That connection rests since then.
fn rests_since(table: &Table, held: Held, since: u64) {
    let slot = table.slot(held.slot).unwrap();
    slot.since.store(since, Relaxed);
}

#[test]
fn each_has_its_share() {
    let (table, held, waiter) = one_each();
    std::thread::sleep(Duration::from_millis(150));
    rests_since(&table, held[1], slot::now());
    table.nudge(waiter);
    // However long it is waited for: it is the other's only one, which was used a moment ago, and we have one.
    assert_eq!(table.word(held[1].slot).state, State::Idle);
    assert!(table.give_back(held[0], 2));
    assert!(matches!(table.look(waiter), Some(Grant::Use(got)) if got.slot == held[0].slot));
}

#[test]
fn what_nobody_has_wanted_for_a_while_makes_room() {
    let (table, held, waiter) = one_each();
    rests_since(&table, held[1], slot::now() - 2_000_000);
    table.nudge(waiter);
    assert_eq!(table.word(held[1].slot).state, State::Closing);
    keep(&table);
    assert!(matches!(table.look(waiter), Some(Grant::Connect(_))));
}

#[test]
fn those_who_can_use_what_is_there_go_first_for_a_while() {
    let table = Table::leaked(4, 8, 8, wakers());
    let [one, two, three] = [1, 2, 3].map(|pid| table.enter(pid).unwrap());
    let (ours, theirs) = (keys(7, 1), keys(7, 2));
    let mut held = get(&table, ours, 1, one);
    let other = waits(&table, theirs, 1, two);
    let until = Instant::now() + Duration::from_secs(60);
    let mut turns = 0;
    while table.word(held.slot).state != State::Closing {
        assert!(Instant::now() < until, "served never");
        let next = waits(&table, ours, 1, three);
        table.give_back(held, 1);
        match table.look(next) {
            Some(Grant::Use(got)) => held = got,
            _ => {
                table.stop_waiting(next, three);
                break;
            }
        }
        turns += 1;
    }
    assert!(turns > 0);
    keep(&table);
    table.nudge(other);
    assert!(matches!(table.look(other), Some(Grant::Connect(_))));
}

#[test]
fn where_no_slot_is_free_the_oldest_makes_room() {
    let table = Table::leaked(2, 4, 4, wakers());
    let [one, two] = [1, 2].map(|pid| table.enter(pid).unwrap());
    let (a, b) = (
        get(&table, keys(7, 1), 4, one),
        get(&table, keys(8, 1), 4, one),
    );
    let waiter = waits(&table, keys(9, 1), 4, two);
    assert_eq!(table.why(waiter), Why::Slots);
    table.give_back(b, 4);
    // Of another stripe: nobody has seen to the waiter, who looks by itself.
    table.nudge(waiter);
    assert_eq!(table.word(b.slot).state, State::Closing);
    keep(&table);
    table.nudge(waiter);
    assert!(matches!(table.look(waiter), Some(Grant::Connect(held)) if held.slot == b.slot));
    assert!(table.has(a));
}

#[test]
fn retired_ones_are_closed_at_once_or_when_they_come_back() {
    let table = Table::leaked(4, 4, 4, wakers());
    let one = table.enter(1).unwrap();
    let (a, b) = (
        get(&table, keys(7, 1), 4, one),
        get(&table, keys(7, 1), 4, one),
    );
    let c = get(&table, keys(7, 2), 4, one);
    table.give_back(a, 4);
    table.give_back(c, 4);
    assert!(table.retire(|slot| slot.share() == 1));
    assert_eq!(table.word(a.slot).state, State::Closing);
    assert_eq!(table.word(c.slot).state, State::Idle);
    assert!(!table.give_back(b, 4));
    assert_eq!(table.word(b.slot).state, State::Closing);
    keep(&table);
    assert!(!table.retire(|slot| slot.share() == 1));
    // The slot's next connection is not meant.
    let again = get(&table, keys(7, 1), 4, one);
    assert!(table.give_back(again, 4));
}

#[test]
fn another_password_takes_the_place_of_the_one_before() {
    let table = Table::leaked(4, 4, 4, wakers());
    let one = table.enter(1).unwrap();
    let (old, other) = (keys(7, 1), keys(8, 1));
    let held = [get(&table, old, 4, one), get(&table, other, 4, one)];
    assert_eq!(held.map(|held| table.give_back(held, 4)), [true; 2]);
    table.supersede(keys(7, 2));
    assert_eq!(table.word(held[0].slot).state, State::Closing);
    assert_eq!(table.word(held[1].slot).state, State::Idle);
}

#[test]
fn a_lower_limit_closes_what_is_too_many() {
    let table = Table::leaked(4, 4, 4, wakers());
    let one = table.enter(1).unwrap();
    let held: Vec<Held> = (0..3).map(|_| get(&table, keys(7, 1), 3, one)).collect();
    let stays: Vec<bool> = held
        .iter()
        .map(|held| {
            let stays = table.give_back(*held, 1);
            keep(&table);
            stays
        })
        .collect();
    assert_eq!(stays, [false, false, true]);
    assert_eq!(table.count(7), 1);
}

#[test]
fn who_ends_leaves_nothing_that_others_could_use() {
    let table = Table::leaked(4, 4, 4, wakers());
    let [one, two] = [1, 2].map(|pid| table.enter(pid).unwrap());
    let held = get(&table, keys(7, 1), 1, one);
    let waiter = waits(&table, keys(7, 1), 1, one);
    let next = waits(&table, keys(7, 1), 1, two);
    table.leave(one);
    assert_eq!(table.word(held.slot).state, State::Closing);
    assert!(table.look(waiter).is_none());
    keep(&table);
    assert!(matches!(table.look(next), Some(Grant::Connect(_))));
    assert_eq!(table.enter(3), Some(one));
}

#[test]
fn there_are_so_many_processes() {
    let table = Table::leaked(1, 1, 2, wakers());
    assert_eq!(
        [table.enter(5), table.enter(6), table.enter(7)],
        [Some(1), Some(2), None]
    );
    assert_eq!([0, 1, 2, 3].map(|owner| table.process(owner)), [0, 5, 6, 0]);
}

/// Many threads take, give back, break, wait, leave; each connection is in one hand at a time, of a kind there are never
/// more than the limit, and everybody is served in the end.
#[test]
fn many_at_once() {
    const THREADS: u32 = 8;
    const KINDS: u64 = 3;
    const MOST: u32 = 2;
    let table = Table::leaked(16, 64, 16, wakers());
    let over = AtomicBool::new(false);
    let hands: Vec<AtomicU32> = (0..16).map(|_| AtomicU32::new(0)).collect();
    let served = AtomicU32::new(0);
    let until = Instant::now() + Duration::from_millis(1500);
    let acquire = |kind: Keys, owner: u32, patience: u32| {
        if let Some(held) = table.lease(kind, owner, no_known()) {
            return Some(held);
        }
        let grant = match table.want(&wanted(kind, MOST, owner)) {
            Ok(Place::Granted(grant)) => Some(grant),
            Ok(Place::Waits(number)) => {
                let mut got = None;
                for round in 0..patience {
                    got = table.look(number);
                    if got.is_some() {
                        break;
                    }
                    if round % 64 == 63 {
                        table.nudge(number);
                    }
                    std::thread::yield_now();
                }
                if got.is_none() {
                    table.stop_waiting(number, owner);
                }
                got
            }
            Err(_) => None,
        }?;
        match grant {
            Grant::Use(held) => Some(held),
            Grant::Connect(held) => {
                assert!(table.connected(held));
                Some(held)
            }
        }
    };
    std::thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            while !over.load(Relaxed) {
                keep(&table);
                for limit in 1..=KINDS {
                    // A slot may be freed and taken for another kind while it is counted; never for more of this one.
                    assert!(table.count(limit) <= MOST + 1, "{}", table.count(limit));
                }
                std::thread::yield_now();
            }
        });
        let workers: Vec<_> = (1..=THREADS)
            .map(|number| {
                let (hands, served, acquire) = (&hands, &served, &acquire);
                scope.spawn(move || {
                    let owner = table.enter(number).unwrap();
                    let mut round = number;
                    // A slow machine takes longer.
                    while Instant::now() < until || served.load(Relaxed) <= 1000 {
                        round = round.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let kind = keys(
                            1 + u64::from(round >> 8) % KINDS,
                            u128::from(round >> 16) % 2,
                        );
                        let patience = if round >> 24 < 40 { 3 } else { 1_000_000 };
                        let Some(held) = acquire(kind, owner, patience) else {
                            continue;
                        };
                        let hand = &hands[held.slot as usize];
                        assert_eq!(hand.swap(number, SeqCst), 0, "two have one connection");
                        assert_eq!(table.slot(held.slot).unwrap().share(), kind.share);
                        served.fetch_add(1, Relaxed);
                        if round >> 28 == 3 {
                            std::thread::yield_now();
                        }
                        assert_eq!(hand.swap(0, SeqCst), number);
                        if round >> 27 == 9 {
                            table.close(held);
                        } else {
                            table.give_back(held, MOST);
                        }
                    }
                    table.leave(owner);
                })
            })
            .collect();
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        over.store(true, Relaxed);
        keeper.join().unwrap();
    });
    keep(&table);
    assert!(served.load(Relaxed) > 1000);
    assert_eq!(table.waiting().count(), 0);
    for stripe in table.stripes {
        assert_eq!(stripe.waiting.load(SeqCst), 0);
        assert_eq!(
            (stripe.first.load(SeqCst), stripe.last.load(SeqCst)),
            (0, 0)
        );
    }
}
