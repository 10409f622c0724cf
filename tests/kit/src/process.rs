//! Processes by their id: stopped, killed, waited for.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait_until;

/// Any process of this machine; a child of somebody else's, mostly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(pub i32);

impl Process {
    /// It does not run until it is told to go on.
    pub fn stop(self) {
        self.signal(Signal::STOP);
    }

    /// It goes on.
    pub fn go_on(self) {
        self.signal(Signal::CONT);
    }

    /// It is asked to end.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Its command line, which PostgreSQL's processes set to what they are.
    pub fn title(self) -> String {
        let title = fs::read(format!("/proc/{}/cmdline", self.0)).unwrap_or_default();
        String::from_utf8_lossy(&title).into_owned()
    }

    /// As if the machine had lost it; it is not gone at once.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    /// Waits until it is gone.
    pub fn wait(self) {
        wait_until(&format!("process {} is gone", self.0), || !self.is_there());
    }

    /// Whether it is there, and not only its exit code.
    pub fn is_there(self) -> bool {
        self.status("State:")
            .is_some_and(|state| !state.starts_with('Z'))
    }

    /// A field of `/proc/PID/status`, such as `PPid:`.
    pub fn status(self, field: &str) -> Option<String> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(field))?;
        Some(value.trim().to_owned())
    }

    /// The processes that it has started, and that are there still.
    pub fn children(self) -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Self))
            .filter(|child| child.status("PPid:") == Some(self.0.to_string()))
            .collect()
    }

    /// Some are gone before it arrives.
    fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.0).filter(|_| self.0 > 1) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// It does not run until [`continue_process`].
pub fn stop_process(pid: i32) {
    Process(pid).stop();
}

/// It goes on after [`stop_process`].
pub fn continue_process(pid: i32) {
    Process(pid).go_on();
}
