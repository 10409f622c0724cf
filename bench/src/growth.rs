//! Cost as the work grows: figures and plots of both handlers, and the exponents of what they show.

use crate::measure::{Pair, Rounds, Side, rounds};
use crate::pgbench::{self, Load};
use crate::server::Servers;
use crate::statistics::{exponent, significant};
use crate::svg::Chart;
use crate::table::columns;
use crate::workloads::rows::{fresh, wide_query};
use crate::workloads::{Bench, sessions};
use crate::{Options, Outcome, machine, print, readme, say};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Beyond this, growth is taken to be worse than linear. The excess over 1 is for what the machine does meanwhile.
const LINEAR: f64 = 1.1;

/// One plot's figures.
struct Series {
    /// The plot's file name.
    name: &'static str,
    title: &'static str,
    x: &'static str,
    y: &'static str,
    points: Vec<(f64, Pair<f64>)>,
    /// Rates fall where costs grow.
    rate: bool,
}

/// Measures all, prints the table of exponents, writes growth.json and the plots.
pub fn run(options: &Options) -> Outcome<()> {
    let servers = Servers::find()?;
    let mut fields = machine::describe(&servers)?;
    let bench = Bench {
        options,
        servers: &servers,
        rounds: if options.quick { 1 } else { 3 },
    };
    let wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let mut all = Vec::new();
    if wanted("clients") {
        all.push(clients(&bench)?);
    }
    if wanted("partitions") {
        all.push(partitions(&bench)?);
    }
    if wanted("partitions-rows") {
        all.push(partitions_rows(&bench)?);
    }
    if wanted("rows") {
        all.extend(rows(&bench)?);
    }
    if wanted("split") {
        all.push(split(
            &bench,
            "split-int",
            "SPLIT of int4",
            "time_count_ints",
        )?);
        all.push(split(
            &bench,
            "split-text",
            "SPLIT of text, hashtext",
            "time_count_texts",
        )?);
    }
    let table = table(&all);
    print(&table)?;
    if let Some(directory) = &options.results {
        let caption = machine::caption(&fields);
        readme::renew(directory, "growth", &format!("{caption}\n{table}"))?;
        let plots = directory.join("plots");
        fs::create_dir_all(&plots).map_err(|error| error.to_string())?;
        for series in &all {
            write(&plots.join(format!("{}.svg", series.name)), &series.chart())?;
        }
        fields.insert("series".to_owned(), all.iter().map(Series::json).collect());
        let json = Value::Object(fields);
        write(&directory.join("growth.json"), &format!("{json:#}\n"))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Measures every point and says what it gives.
fn series(
    mut series: Series,
    xs: &[u32],
    mut measure: impl FnMut(u32) -> Outcome<Pair<f64>>,
) -> Outcome<Series> {
    for x in xs {
        let pair = measure(*x).map_err(|what| format!("{}, {x}: {what}", series.title))?;
        say(&format!(
            "{}, {x} {}: C {}, ours {} {}",
            series.title,
            series.x,
            significant(pair.c),
            significant(pair.ours),
            series.y
        ));
        series.points.push((f64::from(*x), pair));
    }
    Ok(series)
}

fn clients(bench: &Bench<'_>) -> Outcome<Series> {
    let script = format!(
        "\\set id random(0, {})\nselect on_8.query_pk(:id);\n",
        bench.options.users.saturating_sub(1)
    );
    let empty = Series {
        name: "clients",
        title: "query_pk, 8 partitions",
        x: "clients",
        y: "calls per second",
        points: Vec::new(),
        rate: true,
    };
    let xs: &[u32] = bench.size(&[1, 2, 4, 8, 16, 32, 45], &[1, 4]);
    series(empty, xs, |clients| {
        let load = Load {
            database: "postgres",
            script: &script,
            clients: clients as usize,
            // Each client opens eight connections first.
            length: bench.length(1.0 + f64::from(clients) / 15.0, 2.0),
        };
        let measured = rounds(bench.rounds, |side| {
            let rate = pgbench::run(bench.options, bench.servers.proxy(side), &load)?;
            bench.servers.settle()?;
            Ok(rate.tps)
        })?;
        Ok(Rounds(measured).medians())
    })
}

fn partitions(bench: &Bench<'_>) -> Outcome<Series> {
    let sessions = bench.sessions()?;
    let empty = Series {
        name: "partitions",
        title: "RUN ON ALL, one small row each",
        x: "partitions",
        y: "ms",
        points: Vec::new(),
        rate: false,
    };
    let xs: &[u32] = bench.size(&[1, 2, 4, 8, 16, 32, 64, 256, 1024], &[1, 4]);
    series(empty, xs, |partitions| {
        let query = format!("select count(*) from one_row_{partitions}()");
        let calls = bench.size(if partitions > 64 { 20 } else { 200 }, 10);
        let measured = rounds(bench.rounds, |side| {
            sessions::latency(sessions.of(side), &query, i64::from(partitions), calls)
        })?;
        Ok(Rounds(measured).medians())
    })
}

/// More of each than is read at once: the rows of those behind wait for their turn.
fn partitions_rows(bench: &Bench<'_>) -> Outcome<Series> {
    const ROWS: i64 = 200;
    let sessions = bench.sessions()?;
    let empty = Series {
        name: "partitions-rows",
        title: "RUN ON ALL, 200 rows of 100 bytes each",
        x: "partitions",
        y: "ms",
        points: Vec::new(),
        rate: false,
    };
    let xs: &[u32] = bench.size(&[1, 4, 16, 64, 256, 1024], &[1, 4]);
    series(empty, xs, |partitions| {
        let query = format!("select count(*) from some_rows_{partitions}()");
        let calls = bench.size(if partitions > 64 { 10 } else { 100 }, 10);
        let rows = ROWS * i64::from(partitions);
        let measured = rounds(bench.rounds, |side| {
            sessions::latency(sessions.of(side), &query, rows, calls)
        })?;
        Ok(Rounds(measured).medians())
    })
}

/// Time and memory, of the same calls.
fn rows(bench: &Bench<'_>) -> Outcome<Vec<Series>> {
    let xs: &[u32] = bench.size(
        &[1000, 10_000, 100_000, 1_000_000, 10_000_000],
        &[1000, 10_000],
    );
    let (little, few) = wide_query(1);
    let mut memory = Series {
        name: "rows-memory",
        title: "rows of 5 columns, 8 partitions: peak memory",
        x: "rows",
        y: "MB",
        points: Vec::new(),
        rate: false,
    };
    let empty = Series {
        name: "rows-time",
        title: "rows of 5 columns, 8 partitions: time",
        x: "rows",
        y: "s",
        points: Vec::new(),
        rate: false,
    };
    let time = series(empty, xs, |rows| {
        let (much, all) = wide_query(rows as usize / 8);
        let cost = |side| fresh(bench, side, (&little, few), (&much, all));
        // The largest takes as long as all others together, and noise weighs least there.
        let count = if rows > 1_000_000 { 1 } else { bench.rounds };
        let measured = rounds(count, cost)?;
        // A page is the least that can be seen.
        let medians = Rounds::of(&measured, |cost| cost.growth.max(4.0 / 1024.0)).medians();
        memory.points.push((f64::from(rows), medians));
        Ok(Rounds::of(&measured, |cost| cost.seconds).medians())
    })?;
    Ok(vec![time, memory])
}

fn split(
    bench: &Bench<'_>,
    name: &'static str,
    title: &'static str,
    function: &str,
) -> Outcome<Series> {
    let sessions = bench.sessions()?;
    let empty = Series {
        name,
        title,
        x: "elements",
        y: "ms",
        points: Vec::new(),
        rate: false,
    };
    let xs: &[u32] = bench.size(
        &[10, 100, 1000, 10_000, 100_000, 1_000_000],
        &[10, 100, 1000],
    );
    series(empty, xs, |elements| {
        let query = format!("select {function}({elements})");
        // Small calls are measured often: one alone is lost in the noise.
        let times = (20_000 / elements).clamp(1, 100);
        let measured = rounds(bench.rounds, |side| {
            let session = sessions.of(side);
            session.ask_float(&query)?;
            let mut seconds = 0.0;
            for _ in 0..times {
                seconds += session.ask_float(&query)?;
            }
            Ok(1e3 * seconds / f64::from(times))
        })?;
        Ok(Rounds(measured).medians())
    })
}

impl Series {
    fn line(&self, side: Side) -> Vec<(f64, f64)> {
        let point = |(x, pair): &(f64, Pair<f64>)| (*x, *pair.of(side));
        self.points.iter().map(point).collect()
    }

    /// How the cost grows where there is much of it: over the upper half of the points. The cost of a rate is what
    /// each of x has to wait.
    fn exponent(&self, side: Side) -> f64 {
        let cost = |(x, y): (f64, f64)| if self.rate { (x, x / y) } else { (x, y) };
        let costs: Vec<(f64, f64)> = self.line(side).into_iter().map(cost).collect();
        let upper = (costs.len() / 2).min(costs.len().saturating_sub(2));
        exponent(costs.split_at(upper).1)
    }

    fn chart(&self) -> String {
        Chart {
            title: self.title,
            x: self.x,
            y: self.y,
            lines: &[("C", self.line(Side::C)), ("ours", self.line(Side::Ours))],
        }
        .svg()
    }

    fn json(&self) -> Value {
        let values = |side| -> Vec<f64> {
            let line = self.line(side).into_iter();
            line.map(|(_, y)| significant(y)).collect()
        };
        let at: Vec<f64> = self.points.iter().map(|(x, _)| significant(*x)).collect();
        json!({
            "name": self.name,
            "title": self.title,
            "x": self.x,
            "y": self.y,
            "at": at,
            "c": values(Side::C),
            "ours": values(Side::Ours),
            "exponent_c": significant(self.exponent(Side::C)),
            "exponent_ours": significant(self.exponent(Side::Ours)),
        })
    }
}

fn table(all: &[Series]) -> String {
    let heads = [
        "growth",
        "over",
        "exponent of C",
        "exponent of ours",
        "linear",
    ];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    for series in all {
        let ours = series.exponent(Side::Ours);
        let (Some((first, _)), Some((last, _))) = (series.points.first(), series.points.last())
        else {
            continue;
        };
        lines.push(vec![
            series.title.to_owned(),
            format!("{first} to {last} {}", series.x),
            format!("{:.2}", series.exponent(Side::C)),
            format!("{ours:.2}"),
            if ours <= LINEAR { "or better" } else { "WORSE" }.to_owned(),
        ]);
    }
    columns(&lines)
}
