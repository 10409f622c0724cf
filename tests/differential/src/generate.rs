//! Random cases as psql scripts: a seed and a number give the same scripts always.

use crate::case;
use crate::random::Random;
use std::fs;
use std::io;
use std::path::Path;

/// What the names of the scripts begin with.
pub const NAME: &str = "70-random";

/// Cases of one script, which is one session.
const PER_SCRIPT: u64 = 250;

/// What the cases of a script share, on both sides.
const SHARED: &str = "create type r.mood as enum ('sad', 'so so', 'it''s');
create type r.pair as (x int, y text);
create domain r.pos as int check (value > 0);
create domain r.words as text[] check (cardinality(value) < 5);
";

/// A cluster of one partition.
const SINGLE: &str = "\\set p0 'dbname=part0 host=127.0.0.1 port=' :port
create server single foreign data wrapper plproxy options (p0 :'p0');
create user mapping for public server single;
";

/// Writes the scripts of `count` cases into the directory.
pub fn scripts(seed: u64, count: u64, dir: &Path) -> io::Result<()> {
    let mut done = 0;
    for number in 0.. {
        let cases = PER_SCRIPT.min(count - done);
        if cases == 0 {
            break;
        }
        let mut random = Random::new(seed.wrapping_mul(0x0001_0000).wrapping_add(number));
        let script = script(&mut random, cases as usize);
        fs::write(dir.join(format!("{NAME}-{number:02}.sql")), script)?;
        done += cases;
    }
    Ok(())
}

fn script(random: &mut Random, cases: usize) -> String {
    let far =
        "set client_min_messages = warning; drop schema if exists r cascade; create schema r;";
    let mut out = format!("{SINGLE}create schema r;\n{SHARED}");
    out.push_str(&format!(
        "call everywhere($e$ {far}\n{SHARED} reset client_min_messages; $e$);\n"
    ));
    out.push_str("create function r.place(a anyelement) returns int language sql as 'select hashtext(a::text)';\n");
    out.push_str("create function r.some(n int8) returns setof int8 language sql as 'values (n), (n + 1), (n)';\n");
    for number in 0..cases {
        out.push_str(&case::statements(random, number));
    }
    out
}
