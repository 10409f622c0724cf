//! What must hold for any connection string, tried on many made from a seed.

use super::environment::TestEnvironment;
use super::keywords::KEYWORDS;
use super::parse::parse;
use super::quote::quote_value;

/// Marsaglia's xorshift: the same strings on every run and machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(super) fn text(&mut self, from: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| self.pick(from)).collect()
    }
}

const PIECES: &[&str] = &[
    "a",
    "B",
    "0",
    "9",
    " ",
    "'",
    "\\",
    "=",
    "\t",
    "\n",
    "ä",
    "\u{a0}",
    "@",
    ":",
    "/",
    "?",
    "&",
    "%",
    "%41",
    "%zz",
    "%00",
    "%ff",
    "[",
    "]",
    ",",
    "postgresql://",
    "postgres://",
    "host",
    "port",
    "password",
    "=x ",
    "sslmode",
    "-1",
    "#",
    "\0",
];

#[test]
fn nothing_panics() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let env = TestEnvironment::new();
    for _ in 0..50_000 {
        let connstr = random.text(PIECES, 24);
        if let Ok(params) = parse(&connstr)
            && let Ok((info, _)) = params.resolve(&env)
        {
            assert!(!info.hosts.is_empty() && !info.user.is_empty() && !info.dbname.is_empty());
        }
    }
}

#[test]
fn what_is_quoted_is_read_back() {
    let mut random = Random(42);
    for _ in 0..20_000 {
        let pairs: Vec<(&str, String)> = (0..1 + random.below(4))
            .map(|_| {
                (
                    random.pick(KEYWORDS).name,
                    random.text(PIECES, 8).replace('\0', ""),
                )
            })
            .collect();
        let gap = random.pick(&[" ", "  ", "\n"]);
        let connstr: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", quote_value(value)))
            .collect();
        let params = parse(&connstr.join(gap)).unwrap();
        let expected: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(params.iter().collect::<Vec<_>>(), expected);
        for (name, _) in &pairs {
            let last = expected
                .iter()
                .rfind(|(other, _)| other == name)
                .map(|(_, value)| *value);
            assert_eq!(params.get(name), last);
        }
    }
}
