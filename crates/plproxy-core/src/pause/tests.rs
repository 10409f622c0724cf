use super::*;
use std::thread;

fn table() -> Table {
    let pauses = (0..PAUSES).map(|_| Pause {
        cluster: AtomicU64::default(),
        number: AtomicU64::default(),
        database: AtomicU32::default(),
        partition: AtomicU32::default(),
        process: AtomicU32::default(),
        role: AtomicU32::default(),
        name_len: AtomicU32::default(),
        since: AtomicU64::default(),
        until: AtomicU64::default(),
        ends: AtomicU64::default(),
        name: std::array::from_fn(|_| AtomicU64::default()),
    });
    let sessions = (0..8).map(|_| Session::default());
    Table {
        header: Box::leak(Box::default()),
        pauses: Box::leak(pauses.collect()),
        sessions: Box::leak(sessions.collect()),
    }
}

fn what(cluster: u64, partition: Option<u32>) -> What<'static> {
    What {
        cluster,
        partition,
        database: 5,
        name: b"users",
        process: 7,
        role: 10,
        longest: Duration::from_secs(60),
    }
}

#[test]
fn sets_of_partitions() {
    let one = Partitions::one(100);
    assert!(one.may_have(100) && !one.may_have(37) && !one.may_have(0));
    let some = Partitions::of([1, 5, 62]).unwrap();
    let has: Vec<u32> = (0..63).filter(|number| some.may_have(*number)).collect();
    assert_eq!(has, [1, 5, 62]);
    // Two that are as far apart count as one.
    assert!(some.may_have(64) && some.and(Partitions::one(70)).may_have(7));
    assert_eq!(Partitions::of([]), None);
    assert_eq!(Partitions::of([3, 3]), Some(Partitions::one(3)));
    let all = Partitions::of(0..1000).unwrap();
    assert!((0..1000).all(|number| all.may_have(number)));
}

#[test]
fn ends_are_told_from_begins() {
    let table = table();
    let first = table.generation();
    let one = table.begin(&what(3, Some(1))).unwrap().unwrap();
    table.begin(&what(4, None)).unwrap().unwrap();
    let begun = table.generation();
    assert!(begun != first && !begun.has_end_since(first));
    assert_eq!(table.end(7, |shown| shown.number == one), Some(1));
    let ended = table.generation();
    assert!(ended.has_end_since(first) && ended.has_end_since(begun));
    table.begin(&what(3, Some(1))).unwrap().unwrap();
    let again = table.generation();
    assert!(again.has_end_since(begun) && !again.has_end_since(ended));
    assert_eq!(table.end(7, |_| true), Some(2));
    assert!(table.generation().is_calm() && table.generation().has_end_since(again));
}

#[test]
fn pauses_begin_and_end() {
    let table = table();
    assert!(table.generation().is_first() && table.generation().is_calm());
    let number = table.begin(&what(3, Some(1))).unwrap().unwrap();
    assert!(!table.generation().is_calm());
    let all: Vec<Shown> = table.all().collect();
    let [shown] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(
        (shown.number, shown.cluster, shown.partition),
        (number, 3, Some(1))
    );
    assert_eq!(
        (
            shown.database,
            shown.process,
            shown.role,
            shown.name.as_slice()
        ),
        (5, 7, 10, &b"users"[..])
    );
    assert_eq!(
        shown.until.duration_since(shown.since).unwrap(),
        Duration::from_secs(60)
    );
    assert!(shown.left > Duration::from_secs(50));
    // Of some of it, of all of it, of others.
    for (partition, is_refused) in [(Some(1), true), (None, true), (Some(2), false)] {
        let again = table.begin(&what(3, partition)).unwrap();
        assert_eq!(
            matches!(again, Err(Refused::Paused(_))),
            is_refused,
            "{partition:?}"
        );
    }
    assert!(table.begin(&what(4, None)).unwrap().is_ok());
    assert_eq!(table.of(3).count(), 2);
    assert_eq!(table.end(1, |shown| shown.cluster == 3), Some(2));
    assert_eq!(table.end(1, |shown| shown.cluster == 3), Some(0));
    assert_eq!(table.end(1, |_| true), Some(1));
    assert!(table.generation().is_calm() && !table.generation().is_first());
}

#[test]
fn there_is_room_for_some() {
    let table = table();
    for cluster in 1..=PAUSES as u64 {
        assert!(table.begin(&what(cluster, None)).unwrap().is_ok());
    }
    assert_eq!(table.begin(&what(1000, None)), Some(Err(Refused::Full)));
}

#[test]
fn time_ends_them() {
    let table = table();
    let short = What {
        longest: Duration::from_millis(1),
        ..what(3, None)
    };
    table.begin(&short).unwrap().unwrap();
    let before = table.generation();
    thread::sleep(Duration::from_millis(5));
    assert!(table.of(3).all(|shown| shown.left.is_zero()));
    // Another begins in its place.
    table.begin(&what(3, None)).unwrap().unwrap();
    assert_eq!(table.all().count(), 1);
    assert!(table.generation() > before);
    table.end(1, |_| true);
    table.begin(&short).unwrap().unwrap();
    thread::sleep(Duration::from_millis(5));
    table.sweep(1);
    assert!(table.generation().is_calm());
}

#[test]
fn one_at_a_time_is_at_the_list() {
    let table = table();
    let writer = table.write(1).unwrap();
    assert_eq!(table.begin(&what(3, None)), None);
    assert_eq!(table.end(2, |_| true), None);
    drop(writer);
    assert!(table.begin(&what(3, None)).is_some());
}

#[test]
fn what_is_under_way() {
    let table = table();
    let session = table.enter(11).unwrap();
    let other = table.enter(12).unwrap();
    assert!(!std::ptr::eq(session, other));
    let first = session.add(3, Partitions::one(1), table.generation());
    let pids = |cluster, partition| -> Vec<u32> {
        let found = table.under_way(cluster, partition, None);
        found.map(|(_, process)| process).collect()
    };
    assert_eq!(pids(3, None), [11]);
    assert_eq!(pids(3, Some(1)), [11]);
    assert!(pids(3, Some(2)).is_empty() && pids(4, None).is_empty());
    let second = other.add(3, Partitions::of([0, 2]).unwrap(), table.generation());
    assert_eq!(pids(3, None), [11, 12]);
    assert_eq!(pids(3, Some(2)), [12]);
    other.remove(second);
    session.remove(first);
    assert!(pids(3, None).is_empty());
    // More than can be listed.
    let places: Vec<_> = (0..ENTRIES + 2)
        .map(|_| session.add(3, Partitions::one(1), table.generation()))
        .collect();
    assert_eq!(places.last(), Some(&None));
    assert_eq!(pids(4, Some(9)), [11]);
    places.into_iter().for_each(|place| session.remove(place));
    assert!(pids(3, None).is_empty() && pids(4, None).is_empty());
    // A process that ends leaves nothing.
    session.add(3, Partitions::one(1), table.generation());
    session.wait_for(9);
    assert_eq!(table.waiting(9), 1);
    session.leave();
    assert_eq!((pids(3, None).len(), table.waiting(9)), (0, 0));
    assert!(table.enter(13).is_some());
}

#[test]
fn who_is_waited_for_goes_on() {
    let table = table();
    let session = table.enter(11).unwrap();
    let before = session.add(3, Partitions::one(1), table.generation());
    let number = table.begin(&what(3, None)).unwrap().unwrap();
    let later = session.add(3, Partitions::one(2), table.generation());
    let waited_for = |partition, but| session.is_waited_for(3, partition, number, (but, None));
    assert!(waited_for(None, later) && waited_for(Some(1), later));
    // Not for what began since, nor elsewhere, nor for itself.
    assert!(!waited_for(Some(2), None) && !waited_for(None, before));
    assert!(!session.is_waited_for(4, None, number, (None, None)));
    // What was let pass lets pass.
    session.pass(later);
    session.remove(before);
    assert!(waited_for(None, None));
    // Of itself what was there before counts.
    let but = (later, Some(Partitions::one(5)));
    assert!(session.is_waited_for(3, Some(5), number, but));
    assert!(!session.is_waited_for(3, Some(2), number, but));
}

/// Either the call sees the pause, or the pause the call; and a session that always has something under way is never seen
/// without.
#[test]
fn nobody_is_missed() {
    let table = table();
    let caller = thread::spawn(move || {
        let session = table.enter(11).unwrap();
        let mut held = session.add(5, Partitions::one(0), table.generation());
        let mut seen = 0_u32;
        for _ in 0..200_000 {
            let next = session.add(5, Partitions::one(0), table.generation());
            session.remove(held);
            held = next;
            let place = session.add(3, Partitions::one(1), table.generation());
            if table.generation_after_all().is_calm() {
                // It is under way: a pause that holds by now would be wrong.
                INSIDE.store(1, SeqCst);
                assert_eq!(HOLDS.load(SeqCst), 0);
                INSIDE.store(0, SeqCst);
            } else {
                seen += 1;
            }
            session.remove(place);
        }
        // Before: who finds it without anything under way knows why.
        DONE.store(1, SeqCst);
        session.leave();
        seen
    });
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    static HOLDS: AtomicU32 = AtomicU32::new(0);
    static DONE: AtomicU32 = AtomicU32::new(0);
    while table.under_way(5, None, None).count() == 0 && DONE.load(SeqCst) == 0 {
        thread::yield_now();
    }
    while DONE.load(SeqCst) == 0 {
        let was = table.under_way(5, None, None).count();
        assert!(was == 1 || DONE.load(SeqCst) == 1);
        table.begin(&what(3, Some(1))).unwrap().unwrap();
        while table.under_way(3, Some(1), None).count() > 0 {
            thread::yield_now();
        }
        HOLDS.store(1, SeqCst);
        assert_eq!(INSIDE.load(SeqCst), 0);
        HOLDS.store(0, SeqCst);
        table.end(7, |_| true).unwrap();
    }
    caller.join().unwrap();
}
