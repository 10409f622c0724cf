//! What /proc tells of a backend: its memory and its CPU time.

use crate::Outcome;
use std::fs;

/// Of /proc/<pid>/status, in kB.
pub struct Memory {
    /// The most that was resident at any time, shared memory and files included.
    peak: f64,
    /// Resident and private.
    pub private: f64,
    /// Resident and not private: the library, the program, shared buffers.
    shared: f64,
}

impl Memory {
    pub fn of(pid: i32) -> Outcome<Self> {
        let path = format!("/proc/{pid}/status");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let field = |name: &str| field(&text, name).ok_or_else(|| format!("{path}: no {name}"));
        Ok(Self {
            peak: field("VmHWM")?,
            private: field("RssAnon")?,
            shared: field("RssFile")? + field("RssShmem")?,
        })
    }

    /// The most private memory that there can have been. Pages of files and of shared buffers stay resident once they
    /// are touched, so what of the peak is not theirs was private.
    pub fn private_peak(&self) -> f64 {
        self.peak - self.shared
    }
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// CPU seconds that a process has used.
#[derive(Clone, Copy)]
pub struct Cpu {
    pub user: f64,
    pub system: f64,
}

impl Cpu {
    /// From /proc/<pid>/stat.
    pub fn of(pid: i32) -> Outcome<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        ticks(&text)
            .map(|(user, system)| Self {
                user: user / TICKS_PER_SECOND,
                system: system / TICKS_PER_SECOND,
            })
            .ok_or_else(|| format!("{path}: unexpected content"))
    }
}

/// USER_HZ, which Linux keeps at 100 on every architecture that PostgreSQL is packaged for.
const TICKS_PER_SECOND: f64 = 100.0;

/// utime and stime, the 14th and 15th field. The second is the name in parentheses, which may contain anything.
fn ticks(stat: &str) -> Option<(f64, f64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_fields() {
        let text = "Name:\tpostgres\nVmHWM:\t   12345 kB\nRssAnon:\t     77 kB\n";
        assert_eq!(field(text, "VmHWM"), Some(12345.0));
        assert_eq!(field(text, "RssAnon"), Some(77.0));
        assert_eq!(field(text, "Name"), None);
        assert_eq!(field(text, "Rss"), None);
    }

    #[test]
    fn stat_ticks() {
        let stat = "12 (a ) b) S 1 2 3 4 5 6 7 8 9 10 70 30 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some((70.0, 30.0)));
        assert_eq!(ticks("12 (short) S 1"), None);
    }
}
