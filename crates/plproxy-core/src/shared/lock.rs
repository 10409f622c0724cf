//! The lock of a stripe.
//!
//! It is held for the time of some hundred instructions that cannot fail. Who cannot have it for long, as its holder was
//! stopped, goes without and comes again.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::memory::Stripe;

/// So often it is tried at once.
const SPINS: u32 = 100;
/// So often after a sleep: some tenths of a second.
const SLEEPS: u32 = 1000;
const SLEEP: Duration = Duration::from_micros(100);

/// The lock, while it lives.
pub(super) struct Locked(&'static Stripe);

impl Locked {
    pub(super) fn take(stripe: &'static Stripe) -> Option<Locked> {
        let free = |_: &u32| stripe.lock.compare_exchange(0, 1, SeqCst, SeqCst).is_ok();
        let spinning = (0..SPINS).inspect(|_| std::hint::spin_loop());
        let sleeping = (0..SLEEPS).inspect(|_| std::thread::sleep(SLEEP));
        spinning.chain(sleeping).find(free).map(|_| Locked(stripe))
    }

    pub(super) fn stripe(&self) -> &'static Stripe {
        self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.lock.store(0, SeqCst);
    }
}
