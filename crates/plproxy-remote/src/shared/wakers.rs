//! How other processes are told: a waiter that it is served, the keeper that there is work.

use plproxy_core::shared::Wakers;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::futex;

use crate::shared::channel::{Channel, Request};

/// How others are told: by their word, by a signal, over the keeper's socket.
pub fn wakers() -> Wakers {
    Wakers {
        waiter: |waiter| {
            // Neither can fail for a reason that matters: who has gone needs nothing.
            let _woken = futex::wake(waiter.word(), futex::Flags::empty(), u32::MAX);
            let process = waiter.signalled().and_then(|pid| i32::try_from(pid).ok());
            if let Some(process) = process.and_then(Pid::from_raw) {
                let _sent = kill_process(process, Signal::USR1);
            }
        },
        keeper: || {
            // Where there is no room, it is about to look.
            let _sent = Channel::get().map(|channel| channel.ask(Request::Look, None));
        },
    }
}
