//! Plots: lines over logarithmic axes, as SVG that is readable on a light and on a dark page.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;

const STYLE: &str = "
  text { font: 13px sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: bold }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .line { fill: none; stroke-width: 2.5 }
  .l0 { stroke: #9a6700 } .d0 { fill: #9a6700 }
  .l1 { stroke: #0969da } .d1 { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .grid { stroke: #3d444d }
    .l0 { stroke: #d29922 } .d0 { fill: #d29922 }
    .l1 { stroke: #58a6ff } .d1 { fill: #58a6ff }
  }
";

/// One plot. All values must be above 0.
pub struct Chart<'a> {
    pub title: &'a str,
    /// What the axes are.
    pub x: &'a str,
    pub y: &'a str,
    /// Up to two lines, each with its name.
    pub lines: &'a [(&'a str, Vec<(f64, f64)>)],
}

/// A logarithmic axis: values from `low` to `high` lie from pixel `from` to `to`.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// From the tick below all values to the one above.
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::MIN_POSITIVE, f64::max);
        let low = ticks(least / 10.0, least).pop().unwrap_or(least);
        let above = ticks(most, most * 10.0);
        let high = above.first().copied().unwrap_or(most);
        Self {
            low,
            // An axis of one value would have no length.
            high: if high > low { high } else { low * 10.0 },
            from,
            to,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// The powers of ten, and 2 and 5 times them where there is room.
    fn ticks(&self) -> Vec<f64> {
        let mut ticks = ticks(self.low, self.high);
        if ticks.len() > 8 {
            ticks.retain(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-9);
        }
        ticks
    }
}

/// 1, 2 and 5 times the powers of ten, from `low` to `high`.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    (first..=last)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
        .filter(|tick| *tick >= low * (1.0 - 1e-9) && *tick <= high * (1.0 + 1e-9))
        .collect()
}

impl Chart<'_> {
    /// The whole file.
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let x = Axis::over(points().map(|(x, _)| *x), LEFT, WIDTH - RIGHT);
        let y = Axis::over(points().map(|(_, y)| *y), HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n<style>{STYLE}</style>\n"
        );
        text(&mut svg, LEFT, 24.0, "start", "title", self.title);
        text(&mut svg, 8.0, TOP - 8.0, "start", "", self.y);
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        text(&mut svg, middle, HEIGHT - 14.0, "middle", "", self.x);
        for tick in x.ticks() {
            let at = x.at(tick);
            rule(&mut svg, (at, TOP), (at, HEIGHT - BOTTOM));
            text(
                &mut svg,
                at,
                HEIGHT - BOTTOM + 18.0,
                "middle",
                "",
                &label(tick),
            );
        }
        for tick in y.ticks() {
            let at = y.at(tick);
            rule(&mut svg, (LEFT, at), (WIDTH - RIGHT, at));
            text(&mut svg, LEFT - 8.0, at + 4.0, "end", "", &label(tick));
        }
        for (index, (name, points)) in self.lines.iter().enumerate() {
            let at: Vec<(f64, f64)> = points.iter().map(|(a, b)| (x.at(*a), y.at(*b))).collect();
            line(&mut svg, index, &at);
            if let Some((end, height)) = at.last() {
                // The two names must not lie on each other where the lines end together.
                let beside = if index == 0 { -4.0 } else { 12.0 };
                text(&mut svg, end + 10.0, height + beside, "start", "", name);
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
    );
}

fn rule(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn line(svg: &mut String, index: usize, points: &[(f64, f64)]) {
    let path: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let path = path.join(" ");
    let _ = writeln!(svg, "<polyline class=\"line l{index}\" points=\"{path}\"/>");
    for (x, y) in points {
        let _ = writeln!(
            svg,
            "<circle class=\"d{index}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"
        );
    }
}

/// 0.05, 20, 5k, 10M.
fn label(value: f64) -> String {
    let (scaled, unit) = match value {
        _ if value >= 1e6 => (value / 1e6, "M"),
        _ if value >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{}{unit}", (scaled * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for (value, expected) in [(0.05, "0.05"), (20.0, "20"), (5000.0, "5k"), (1e7, "10M")] {
            assert_eq!(label(value), expected);
        }
    }

    #[test]
    fn axes_hold_all_values() {
        let axis = Axis::over([3.0, 45.0].into_iter(), 0.0, 100.0);
        assert_eq!((axis.low, axis.high), (2.0, 50.0));
        assert_eq!(axis.at(2.0), 0.0);
        assert_eq!(axis.at(50.0), 100.0);
        assert_eq!(axis.ticks(), [2.0, 5.0, 10.0, 20.0, 50.0]);
    }

    #[test]
    fn long_axes_have_powers_of_ten_only() {
        let axis = Axis::over([1000.0, 1e7].into_iter(), 0.0, 100.0);
        assert_eq!(axis.ticks().len(), 5);
    }

    #[test]
    fn draws_every_point() {
        let chart = Chart {
            title: "a < b",
            x: "x",
            y: "y",
            lines: &[
                ("C", vec![(1.0, 2.0), (10.0, 3.0)]),
                ("ours", vec![(1.0, 1.0)]),
            ],
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("<circle").count(), 3);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("a &lt; b") && svg.ends_with("</svg>\n"));
    }
}
