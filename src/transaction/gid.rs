//! The names of prepared transactions.
#![forbid(unsafe_code)]

use super::instance::Instance;
use core::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The name of a transaction that this version prepares:
/// `plproxy_<system>_<database>_<server>_<transaction>_<count>_<partition>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gid {
    pub(crate) of: Instance,
    /// The local (sub)transaction, whose commit is the decision.
    pub(crate) transaction: u64,
    /// Tells the commands of one transaction apart.
    count: u64,
    pub(crate) partition: usize,
}

impl Gid {
    /// The names for the partitions of a command, which no other command has had or will have.
    pub(crate) fn of_command(of: Instance, transaction: u64) -> impl Fn(usize) -> Self {
        let count = COUNT.get().wrapping_add(1);
        COUNT.set(count);
        move |partition| Self {
            of,
            transaction,
            count,
            partition,
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self {
            of:
                Instance {
                    system,
                    database,
                    server,
                },
            transaction,
            count,
            partition,
        } = self;
        format!("plproxy_{system}_{database}_{server:016x}_{transaction}_{count}_{partition}")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("plproxy_")?.split('_');
        let mut next = || parts.next();
        let this = Self {
            of: Instance {
                system: next()?.parse().ok()?,
                database: next()?.parse().ok()?,
                server: u64::from_str_radix(next()?, 16).ok()?,
            },
            transaction: next()?.parse().ok()?,
            count: next()?.parse().ok()?,
            partition: next()?.parse().ok()?,
        };
        (this.text() == text).then_some(this)
    }
}

/// A name that a partition lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// One that this server has given.
    Own(Gid),
    /// One of another server, which may be a copy of this one, or the other way round.
    Other(Gid),
    /// One that version 3.0.0 gave, here or on a copy: `plproxy_<database>_<process>_<system><16 digits>_<partition>`.
    Old,
}

impl Name {
    /// Reads a name; `None` if it is none of ours.
    pub(crate) fn read(text: &str, this: &Instance) -> Option<Self> {
        match Gid::parse(text) {
            Some(gid) if gid.of == *this => Some(Self::Own(gid)),
            Some(gid) => Some(Self::Other(gid)),
            None => is_old(text, this).then_some(Self::Old),
        }
    }

    /// The regular expression of the names that are of interest: those of this server and of its copies, for this database,
    /// and those of one server besides.
    pub(crate) fn pattern(this: &Instance, server: Option<u64>) -> String {
        let Instance {
            system, database, ..
        } = this;
        let server = server.map_or(String::new(), |server| {
            format!("|[0-9]+_[0-9]+_{server:016x}_[0-9]+_[0-9]+")
        });
        format!(
            "^plproxy_({system}_{database}_[0-9a-f]{{16}}_[0-9]+_[0-9]+{server}\
             |{database}_[0-9]+_{system}[0-9]{{16}})_[0-9]+$"
        )
    }
}

fn is_old(text: &str, this: &Instance) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let [plproxy, database, process, number, partition] = parts[..] else {
        return false;
    };
    plproxy == "plproxy"
        && database == this.database.to_string()
        && number.len() == this.system.to_string().len() + 16
        && number.starts_with(&this.system.to_string())
        && [process, number, partition].into_iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIS: Instance = Instance {
        system: 7_713_783_400_510_546_438,
        database: 16384,
        server: 0x00ab,
    };

    #[test]
    fn names_are_read_as_they_were_written() {
        let gid = Gid::of_command(THIS, 700)(3);
        assert_eq!(Name::read(&gid.text(), &THIS), Some(Name::Own(gid)));
        assert_ne!(Gid::of_command(THIS, 700)(3), gid);
        let copy = Instance { server: 1, ..THIS };
        assert_eq!(Name::read(&gid.text(), &copy), Some(Name::Other(gid)));
        let old = "plproxy_16384_17_77137834005105464381795263159495601_0";
        assert_eq!(Name::read(old, &THIS), Some(Name::Old));
    }

    #[test]
    fn what_is_no_name_is_left_alone() {
        for text in [
            "",
            "plproxy_",
            "other_7713783400510546438_16384_00000000000000ab_700_1_3",
            "plproxy_7713783400510546438_16384_ab_700_1_3",
            "plproxy_7713783400510546438_16384_00000000000000AB_700_1_3",
            "plproxy_7713783400510546438_16384_00000000000000ab_0700_1_3",
            "plproxy_7713783400510546438_16384_00000000000000ab_+700_1_3",
            "plproxy_7713783400510546438_16384_00000000000000ab_700_1",
            "plproxy_7713783400510546438_16384_00000000000000ab_700_1_3_4",
            "plproxy_16385_17_77137834005105464381795263159495601_0",
            "plproxy_16384_17_77137834005105464391795263159495601_0",
            "plproxy_16384_17_7713783400510546438179526315949560_0",
            "plproxy_16384__77137834005105464381795263159495601_0",
        ] {
            assert_eq!(Name::read(text, &THIS), None, "{text:?}");
        }
    }
}
