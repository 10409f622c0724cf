//! How many descriptors connections may have.

use super::*;

thread_local! {
    static LENT: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// A host that lends a third of what it may have.
const HOST: DescriptorAccount = DescriptorAccount {
    acquire: || {
        let well = LENT.get() < MOST.get() / 3;
        LENT.set(LENT.get() + usize::from(well));
        well
    },
    reserve: || {
        LENT.set(LENT.get() + 1);
        true
    },
    release: || LENT.set(LENT.get() - 1),
    most: || MOST.get(),
};

/// Takes as many as there are, of a process that may have 900.
fn all(most: usize) -> (Rc<Descriptors>, Vec<Descriptor>) {
    LENT.set(0);
    MOST.set(most);
    let descriptors = Rc::new(Descriptors::limited(|| 900, || false));
    descriptors.keep_account(HOST);
    assert_eq!(LENT.get(), RUNTIME);
    let taken = std::iter::from_fn(|| descriptors.acquire()).take(1000);
    (descriptors.clone(), taken.collect())
}

#[test]
fn connections_get_two_thirds_and_all_beyond_the_host_s() {
    // The host may have all that there is.
    let (descriptors, taken) = all(900);
    assert_eq!((taken.len(), LENT.get()), (600 - RUNTIME, 600));
    // Cancel requests go out nevertheless.
    let cancels = std::iter::from_fn(|| descriptors.for_cancel()).take(100);
    let cancels: Vec<_> = cancels.collect();
    assert_eq!((cancels.len(), LENT.get()), (SET_ASIDE, 600 + SET_ASIDE));
    drop((cancels, taken));
    assert_eq!(LENT.get(), RUNTIME);
    // It may have less.
    let (descriptors, taken) = all(600);
    let beyond = 300 - MARGIN;
    assert_eq!((taken.len(), LENT.get()), (400 - RUNTIME + beyond, 400));
    assert_eq!(descriptors.beyond.get(), beyond);
    drop(taken);
    assert_eq!((LENT.get(), descriptors.beyond.get()), (RUNTIME, 0));
}

#[test]
fn a_runtime_has_three_descriptors() {
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // Other tests have files open, too.
    let found = (0..100).any(|_| {
        let before = count();
        let runtime = crate::runtime::Runtime::new(|| false).unwrap();
        let after = count();
        drop(runtime);
        after == before + RUNTIME && count() == before
    });
    assert!(found);
}

#[test]
fn without_an_account_nothing_is_counted() {
    let descriptors = Rc::new(Descriptors::new(|| false));
    assert!(descriptors.acquire().is_some());
    assert_eq!(descriptors.taken.get(), 0);
}
