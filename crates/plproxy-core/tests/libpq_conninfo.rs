//! Our reading of connection strings against libpq's own, on strings made from a seed.
//!
//! libpq is asked through `pqparse.c`, built here, or through the program that `PLPROXY_PQPARSE` names. Keywords newer
//! than PostgreSQL 15 and spaces in URIs, on which libpq's versions disagree, are not in the strings.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use plproxy_core::conninfo::{KEYWORDS, parse};

const STRINGS: usize = 4000;

/// Not known to libpq 15.
const NEWER: &[&str] = &[
    "sslnegotiation",
    "sslcertmode",
    "sslkeylogfile",
    "require_auth",
    "min_protocol_version",
    "max_protocol_version",
    "gssdelegation",
    "load_balance_hosts",
    "scram_client_key",
    "scram_server_key",
    "oauth_issuer",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_scope",
    "oauth_ca_file",
    "servicefile",
];

/// The same strings on every run and machine.
struct Random(fastrand::Rng);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// An item, mostly; nothing in the rest of the cases.
    fn maybe<'a>(&mut self, from: &[&'a str]) -> &'a str {
        if self.below(3) == 0 {
            ""
        } else {
            self.pick(from)
        }
    }

    fn keyword(&mut self) -> &'static str {
        let known: Vec<&str> = KEYWORDS
            .iter()
            .map(|k| k.name)
            .filter(|name| !NEWER.contains(name))
            .collect();
        match self.below(12) {
            0 => self.pick(&["hosst", "", "Host", "requiressl", "ssl", "x-y", "we?ird"]),
            1 | 2 => self.pick(&["host", "password", "dbname"]),
            _ => self.pick(&known),
        }
    }

    fn keyword_form(&mut self) -> String {
        let mut text = self.maybe(&[" ", "\t\n"]).to_owned();
        for _ in 0..self.below(5) {
            text += self.keyword();
            text += self.pick(&["=", "=", "=", "=", " =", "= ", "\t=\n", "=\r\x0b\x0c"]);
            text += self.pick(&[
                "a", "5432", "a,b", "'a b'", r"'it\'s'", r"a\ b\\c", "''", "", "ä", "it's",
                r"'\\'", "'a'x", "\u{a0}", "1", "/tmp", "'a=b'", "a=b",
            ]);
            text += self.pick(&[" ", " ", " ", "  ", "\n", "\x0c"]);
        }
        self.spoil(text, &["'", "\\", "=", " ", "x", "\n", "'x", "= "])
    }

    fn uri_form(&mut self) -> String {
        let mut text = self.pick(&["postgresql://", "postgres://"]).to_owned();
        text += self.maybe(&[
            "u@",
            "u:p@",
            ":p@",
            "@",
            "u:p:q@",
            "%75:%40@",
            "u%20v:p%2fq@",
            "ä:p@",
        ]);
        for at in 0..1 + self.below(3) {
            if at > 0 {
                text.push(',');
            }
            text += self.maybe(&[
                "h",
                "[::1]",
                "10.0.0.1",
                "%2Ftmp",
                "[fe80::1]",
                "a.b",
                "[x",
                "[]",
                "[::1]x",
            ]);
            text += self.maybe(&[":1", ":", ":5432", ":x", ":%31"]);
        }
        text += self.maybe(&["/", "/d", "/d%20e", "/d/e", "/ä", "/%"]);
        let mut mark = "?";
        for _ in 0..self.below(4) {
            text += mark;
            mark = "&";
            if self.below(6) == 0 {
                text += self.pick(&["ssl=true", "ssl=false", "requiressl=1", "requiressl=0"]);
                continue;
            }
            text += self.keyword();
            text += self.pick(&["=", "=", "=", "=", "=", "", "=="]);
            text += self.pick(&[
                "a", "1", "true", "", "%41", "a+b", "%C3%A4", "/tmp", "%2", "%00", "%zz", "%ff",
                "a@b",
            ]);
        }
        self.spoil(
            text,
            &[
                "%", "@", ":", "/", "?", "&", "=", "[", "]", ",", "x", "%4", "#",
            ],
        )
    }

    /// Damages some of the strings a little.
    fn spoil(&mut self, text: String, pieces: &[&str]) -> String {
        if self.below(3) > 0 {
            return text;
        }
        let mut chars: Vec<String> = text.chars().map(String::from).collect();
        let at = self.below(chars.len() + 1);
        if self.below(2) == 0 && at < chars.len() {
            chars.remove(at);
        } else {
            chars.insert(at, self.pick(pieces).to_owned());
        }
        chars.concat()
    }
}

/// What one side made of a string: the values by keyword, or the message.
type Outcome = Result<BTreeMap<Vec<u8>, Vec<u8>>, Vec<u8>>;

fn ours(connstr: &str) -> Outcome {
    match parse(connstr) {
        Ok(params) => Ok(params
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()),
        Err(error) => Err(error.to_string().into_bytes()),
    }
}

/// Asks libpq about all strings at once.
fn theirs(program: &Path, strings: &[String]) -> Vec<Outcome> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = strings
        .iter()
        .map(|text| format!("{text}\0"))
        .collect::<String>();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let mut outcomes = Vec::new();
    let mut values = BTreeMap::new();
    for record in output.stdout.split(|byte| *byte == 0) {
        match record.split_first() {
            Some((b'K', pair)) => {
                let equals = pair.iter().position(|byte| *byte == b'=').unwrap();
                values.insert(pair[..equals].to_vec(), pair[equals + 1..].to_vec());
            }
            Some((b'O', _)) => outcomes.push(Ok(std::mem::take(&mut values))),
            Some((b'E', message)) => outcomes.push(Err(message.trim_ascii_end().to_vec())),
            Some(_) => panic!("unknown answer of {}", program.display()),
            None => {}
        }
    }
    outcomes
}

/// The helper, or why there is none.
fn program() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("PLPROXY_PQPARSE") {
        return Ok(path.into());
    }
    let ask = |option: &str| {
        let output = Command::new("pg_config")
            .arg(option)
            .output()
            .map_err(|e| format!("pg_config: {e}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (headers, libraries) = (ask("--includedir")?, ask("--libdir")?);
    if !Path::new(&headers).join("libpq-fe.h").exists() {
        return Err("libpq's headers are not here".to_owned());
    }
    // One per process, since several test runs can share the directory.
    let program =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pqparse-{}", std::process::id()));
    let mut cc = Command::new("cc");
    cc.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pqparse.c"));
    cc.arg("-o").arg(&program).args([
        format!("-I{headers}"),
        format!("-L{libraries}"),
        "-lpq".to_owned(),
    ]);
    // From here on a failure is one: everything needed is there.
    let status = cc.status().map_err(|e| format!("cc: {e}"))?;
    assert!(status.success(), "pqparse.c does not build: {status}");
    Ok(program)
}

/// Whether two messages agree, `***` in ours standing for any text.
fn agree(ours: &str, theirs: &str) -> bool {
    let mut pieces = ours.split("***");
    let Some(mut rest) = pieces.next().and_then(|first| theirs.strip_prefix(first)) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    for (at, piece) in pieces.iter().enumerate() {
        if at + 1 == pieces.len() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(found) => (_, rest) = rest.split_at(found + piece.len()),
            None => return false,
        }
    }
    rest.is_empty()
}

#[test]
fn libpq_reads_the_same() {
    let program = match program() {
        Ok(program) => program,
        Err(reason) => {
            // Straight to the stream, which the test harness does not capture: a silent pass would be a lie.
            let notice = format!("test libpq_reads_the_same ... ignored, {reason}\n");
            std::io::stderr().write_all(notice.as_bytes()).unwrap();
            return;
        }
    };
    let mut random = Random(fastrand::Rng::with_seed(0x2545_f491_4f6c_dd1d));
    let strings: Vec<String> = (0..STRINGS)
        .map(|at| {
            if at % 2 == 0 {
                random.keyword_form()
            } else {
                random.uri_form()
            }
        })
        .collect();
    let answers = theirs(&program, &strings);
    if std::env::var_os("PLPROXY_PQPARSE").is_none() {
        std::fs::remove_file(&program).unwrap();
    }
    assert_eq!(answers.len(), STRINGS);

    let (mut read, mut refused, mut differences) = (0, 0, Vec::new());
    for (connstr, theirs) in strings.iter().zip(&answers) {
        let ours = ours(connstr);
        let same = match (&ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                read += 1;
                ours == theirs
            }
            (Err(ours), Err(theirs)) => {
                let (ours, theirs) = (
                    String::from_utf8_lossy(ours),
                    String::from_utf8_lossy(theirs),
                );
                refused += usize::from(ours == theirs);
                agree(&ours, &theirs) || ours.contains("is not UTF-8")
            }
            // What we refuse and libpq takes: a value whose bytes are no text.
            (Err(ours), Ok(_)) => String::from_utf8_lossy(ours).contains("is not UTF-8"),
            (Ok(_), Err(_)) => false,
        };
        if !same {
            let text = |outcome: &Outcome| match outcome {
                Ok(values) => values
                    .iter()
                    .map(|(k, v)| {
                        format!(
                            "{}={:?} ",
                            String::from_utf8_lossy(k),
                            String::from_utf8_lossy(v)
                        )
                    })
                    .collect(),
                Err(message) => String::from_utf8_lossy(message).into_owned(),
            };
            differences.push(format!(
                "{connstr:?}\n  ours:  {}\n  libpq: {}\n",
                text(&ours),
                text(theirs)
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.concat()
    );
    // Strings that are all good, or all bad, would show nothing.
    assert!(
        read >= STRINGS / 5 && refused >= STRINGS / 10,
        "{read} read, {refused} refused in the same words"
    );
}
