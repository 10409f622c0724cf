//! The types of random cases, and values of each.

use crate::random::Random;

/// A type that exists on both sides under one name.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    values: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        name: "int4",
        values: &["0", "1", "2", "3", "-1", "7", "2147483647", "-2147483648"],
    },
    Kind {
        name: "int8",
        values: &[
            "0",
            "5",
            "-6",
            "9223372036854775807",
            "-9223372036854775808",
        ],
    },
    Kind {
        name: "int2",
        values: &["0", "1", "-3", "32767", "-32768"],
    },
    Kind {
        name: "text",
        values: &[
            "",
            "a",
            "it''s",
            "NULL",
            "back\\slash",
            "{x}",
            "$1",
            "a\"b",
            "Ångström 日本",
            " x ",
        ],
    },
    Kind {
        name: "bool",
        values: &["t", "f"],
    },
    Kind {
        name: "float4",
        values: &["0", "-0", "1.5", "1e-45", "NaN", "Infinity", "0.1"],
    },
    Kind {
        name: "float8",
        values: &[
            "0",
            "-0",
            "0.1",
            "5e-324",
            "1.7976931348623157e308",
            "-Infinity",
        ],
    },
    Kind {
        name: "numeric",
        values: &[
            "0",
            "0.00",
            "-1.50",
            "1e50",
            "1e-20",
            "NaN",
            "12345678901234567890.5",
        ],
    },
    Kind {
        name: "varchar",
        values: &["", "abc", "ö"],
    },
    Kind {
        name: "bpchar",
        values: &["", "x ", "ab"],
    },
    Kind {
        name: "name",
        values: &["", "a_name"],
    },
    Kind {
        name: "\"char\"",
        values: &["", "c"],
    },
    Kind {
        name: "bytea",
        values: &["", "\\x00", "\\xdeadbeef", "\\x5c27"],
    },
    Kind {
        name: "date",
        values: &["2000-01-01", "infinity", "4713-01-01 BC", "2024-02-29"],
    },
    Kind {
        name: "time",
        values: &["00:00", "24:00", "12:34:56.789"],
    },
    Kind {
        name: "timetz",
        values: &["12:00+03", "00:00-11:30"],
    },
    Kind {
        name: "timestamp",
        values: &["2000-01-01", "1999-12-31 23:59:59.999999", "-infinity"],
    },
    Kind {
        name: "timestamptz",
        values: &["epoch", "2020-06-01 12:00+05:30", "infinity"],
    },
    Kind {
        name: "interval",
        values: &["0", "1 mon -2 days 03:04:05.6", "-1 year"],
    },
    Kind {
        name: "uuid",
        values: &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    },
    Kind {
        name: "inet",
        values: &["1.2.3.4/8", "::1"],
    },
    Kind {
        name: "cidr",
        values: &["10.0.0.0/8"],
    },
    Kind {
        name: "macaddr",
        values: &["08:00:2b:01:02:03"],
    },
    Kind {
        name: "json",
        values: &["{\"a\":  [1, null]}", "1", "\"ö\""],
    },
    Kind {
        name: "jsonb",
        values: &["{\"a\":  [1, null]}", "[]", "\"ö\""],
    },
    Kind {
        name: "varbit",
        values: &["", "101"],
    },
    Kind {
        name: "money",
        values: &["12.34", "-1"],
    },
    Kind {
        name: "point",
        values: &["(1,2)", "(-0.5,NaN)"],
    },
    Kind {
        name: "polygon",
        values: &["((0,0),(1,1),(2,0))"],
    },
    Kind {
        name: "int4range",
        values: &["[1,5)", "empty", "(,3)"],
    },
    Kind {
        name: "tstzrange",
        values: &["[epoch,infinity)"],
    },
    Kind {
        name: "tsvector",
        values: &["a:1 b:2A", "x"],
    },
    Kind {
        name: "xid8",
        values: &["7"],
    },
    Kind {
        name: "pg_lsn",
        values: &["1/AB"],
    },
    Kind {
        name: "oid",
        values: &["0", "4294967295"],
    },
    Kind {
        name: "r.mood",
        values: &["sad", "so so", "it''s"],
    },
    Kind {
        name: "r.pos",
        values: &["1", "99"],
    },
    Kind {
        name: "r.pair",
        values: &["(1,a)", "(,\"b c\")", "(-5,)"],
    },
    Kind {
        name: "r.words",
        values: &["{a,b}", "{}"],
    },
];

/// A type of an argument or a result: one of the kinds, or an array of it.
#[derive(Clone, Copy)]
pub struct Type {
    kind: Kind,
    pub array: bool,
}

impl Type {
    pub fn any(random: &mut Random) -> Self {
        // Half of them are of the first few, which can be the hash or serve to pick it.
        let among = if random.percent(50) { 5 } else { KINDS.len() };
        let at = random.below(among);
        let kind = KINDS.get(at).copied().unwrap_or(Kind {
            name: "int4",
            values: &["0"],
        });
        // An array of a domain over an array has no literal of one form.
        Self {
            kind,
            array: random.percent(25) && kind.name != "r.words",
        }
    }

    pub fn name(&self) -> String {
        format!("{}{}", self.kind.name, if self.array { "[]" } else { "" })
    }

    /// Whether its value is a hash.
    pub fn is_integer(&self) -> bool {
        matches!(self.kind.name, "int2" | "int4" | "int8")
    }

    /// A value as an SQL expression; arrays have `length` elements.
    pub fn value(&self, random: &mut Random, length: usize) -> String {
        if random.percent(10) {
            return format!("null::{}", self.name());
        }
        if !self.array {
            return format!("{}::{}", self.literal(random), self.name());
        }
        let elements: Vec<String> = (0..length)
            .map(|_| {
                if random.percent(8) {
                    "null".to_owned()
                } else {
                    self.literal(random)
                }
            })
            .collect();
        format!("array[{}]::{}", elements.join(", "), self.name())
    }

    fn literal(&self, random: &mut Random) -> String {
        format!("'{}'", random.pick(self.kind.values))
    }
}
