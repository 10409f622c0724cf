//! The table: one line per quantity, with its target.

use crate::measure::{Rounds, Side};
use crate::statistics::significant;
use serde_json::{Value, json};

/// What is asked of a quantity.
#[derive(Clone, Copy)]
pub enum Target {
    /// Ours by C's.
    RatioAtLeast(f64),
    RatioAtMost(f64),
    /// Ours alone.
    OursAtLeast(f64),
    OursAtMost(f64),
    /// Ours less C's.
    MoreAtMost(f64),
    /// Nothing: it explains another one.
    None,
}

/// One quantity of one workload.
pub struct Row {
    /// W1, W2 …
    pub workload: &'static str,
    pub what: &'static str,
    pub unit: &'static str,
    pub rounds: Rounds,
    pub target: Target,
}

impl Row {
    /// Whether it is what it should be, if anything is asked.
    pub fn met(&self) -> Option<bool> {
        let medians = self.rounds.medians();
        Some(match self.target {
            Target::RatioAtLeast(least) => self.rounds.ratio() >= least,
            Target::RatioAtMost(most) => self.rounds.ratio() <= most,
            Target::OursAtLeast(least) => medians.ours >= least,
            Target::OursAtMost(most) => medians.ours <= most,
            Target::MoreAtMost(most) => medians.ours - medians.c <= most,
            Target::None => return None,
        })
    }

    fn wanted(&self) -> String {
        match self.target {
            Target::RatioAtLeast(least) => format!(">= {least:.2} x"),
            Target::RatioAtMost(most) => format!("<= {most:.2} x"),
            Target::OursAtLeast(least) => format!("ours >= {least:.2}"),
            Target::OursAtMost(most) => format!("ours <= {most:.1}"),
            Target::MoreAtMost(most) => format!("<= C + {most:.1}"),
            Target::None => String::new(),
        }
    }

    pub fn json(&self) -> Value {
        let medians = self.rounds.medians();
        let (low, high) = self.rounds.ratio_range();
        let all = |side| -> Vec<f64> {
            let rounds = self.rounds.0.iter();
            rounds.map(|pair| significant(*pair.of(side))).collect()
        };
        json!({
            "workload": self.workload,
            "what": self.what,
            "unit": self.unit,
            "c": significant(medians.c),
            "ours": significant(medians.ours),
            "ratio": significant(self.rounds.ratio()),
            "ratio_low": significant(low),
            "ratio_high": significant(high),
            "target": self.wanted(),
            "met": self.met(),
            "c_rounds": all(Side::C),
            "ours_rounds": all(Side::Ours),
        })
    }

    fn cells(&self) -> Vec<String> {
        let medians = self.rounds.medians();
        let (low, high) = self.rounds.ratio_range();
        vec![
            format!("{} {}", self.workload, self.what),
            self.unit.to_owned(),
            figure(medians.c),
            figure(medians.ours),
            format!("{:.2} ({low:.2} to {high:.2})", self.rounds.ratio()),
            self.wanted(),
            match self.met() {
                Some(true) => "met",
                Some(false) => "NOT MET",
                None => "",
            }
            .to_owned(),
        ]
    }
}

/// Three digits, more before the point.
fn figure(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// Markdown, and readable as it is.
pub fn render(rows: &[Row]) -> String {
    let heads = [
        "workload",
        "unit",
        "C",
        "ours",
        "ratio (range)",
        "target",
        "met",
    ];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(Row::cells));
    columns(&lines)
}

/// A table of cells, the first line its head.
pub fn columns(lines: &[Vec<String>]) -> String {
    let count = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(&format!("| {cell:<width$} "));
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                text.push_str(&format!("| {} ", "-".repeat(*width)));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Pair;

    fn row(target: Target) -> Row {
        let pair = |c, ours| Pair { c, ours };
        Row {
            workload: "W0",
            what: "nothing",
            unit: "tps",
            rounds: Rounds(vec![pair(10.0, 15.0), pair(10.0, 12.0), pair(10.0, 20.0)]),
            target,
        }
    }

    #[test]
    fn targets() {
        for (target, met) in [
            (Target::RatioAtLeast(1.5), true),
            (Target::RatioAtLeast(1.51), false),
            (Target::RatioAtMost(1.5), true),
            (Target::RatioAtMost(1.4), false),
            (Target::OursAtLeast(15.0), true),
            (Target::OursAtMost(14.0), false),
            (Target::MoreAtMost(5.0), true),
            (Target::MoreAtMost(4.9), false),
        ] {
            assert_eq!(row(target).met(), Some(met), "{}", row(target).wanted());
        }
    }

    #[test]
    fn lines_up() {
        let text = render(&[row(Target::RatioAtLeast(2.0))]);
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.contains("| 1.50 (1.20 to 2.00) | >= 2.00 x | NOT MET |"),
            "{text}"
        );
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert!(lengths.windows(2).all(|two| two.first() == two.last()));
    }
}
