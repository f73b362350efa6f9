//! Line charts as SVG, which need nothing but a browser.

use std::fmt::Write;

/// Width of a chart in its own units, which are about a telephone's: letters stay readable there.
const WIDTH: f64 = 420.0;
/// Height of a chart.
const HEIGHT: f64 = 190.0;
/// Room at the left for figures.
const LEFT: f64 = 62.0;
/// Room at the bottom for seconds.
const BOTTOM: f64 = 26.0;
/// Room at the top and the right.
const EDGE: f64 = 10.0;
/// Steps from the bottom to the top.
const STEPS: u32 = 4;
/// Steps are one of these and zeros.
const ROUND: [f64; 5] = [1.0, 2.0, 2.5, 5.0, 10.0];

/// Values of one run, second by second; none where there was nothing to measure.
pub(super) struct Line<'a> {
    pub(super) label: &'a str,
    pub(super) values: Vec<Option<f64>>,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// How many.
    Count,
    /// Times in microseconds.
    Micros,
    /// Parts of a hundred.
    Percent,
    /// Mebibytes.
    Mib,
}

impl Unit {
    /// A value of an axis that goes up to `top`.
    fn shown(self, value: f64, top: f64) -> String {
        let (divisor, name) = match self {
            Unit::Count => (1.0, ""),
            Unit::Percent => (1.0, " %"),
            Unit::Mib => (1.0, " MiB"),
            Unit::Micros if top < 1e3 => (1.0, " µs"),
            Unit::Micros if top < 1e6 => (1e3, " ms"),
            Unit::Micros => (1e6, " s"),
        };
        // Two digits are enough for every round step, and what rounds them to nothing is left out.
        let number = format!("{:.2}", value / divisor);
        let number = number.trim_end_matches('0').trim_end_matches('.');
        format!("{number}{name}")
    }

    /// The smallest step that makes sense.
    fn step_min(self) -> f64 {
        match self {
            Unit::Count | Unit::Micros => 1.0,
            Unit::Percent | Unit::Mib => 0.25,
        }
    }
}

/// A chart of these lines.
pub(super) fn chart(title: &str, lines: &[Line<'_>], unit: Unit) -> String {
    let values = lines.iter().flat_map(|line| &line.values);
    let step = step(values.flatten().copied().fold(0.0, f64::max), unit);
    let top = step * f64::from(STEPS);
    let longest = lines.iter().map(|line| line.values.len()).max();
    let last = longest.unwrap_or(0).max(2) - 1;
    let x = |second: usize| LEFT + (WIDTH - LEFT - EDGE) * second as f64 / last as f64;
    let y = |value: f64| EDGE + (HEIGHT - EDGE - BOTTOM) * (1.0 - value / top);
    let mut svg = format!("<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{title}'>");
    for at in 0..=STEPS {
        let value = step * f64::from(at);
        let _fits = write!(
            svg,
            "<line class='grid' x1='{LEFT}' x2='{}' y1='{y:.1}' y2='{y:.1}'/><text x='{}' y='{:.1}' text-anchor='end'>{}</text>",
            WIDTH - EDGE,
            LEFT - 8.0,
            y(value) + 4.0,
            unit.shown(value, top),
            y = y(value),
        );
    }
    for (second, anchor) in [(0, "start"), (last / 2, "middle"), (last, "end")] {
        let _fits = write!(
            svg,
            "<text x='{:.1}' y='{}' text-anchor='{anchor}'>{} s</text>",
            x(second),
            HEIGHT - 8.0,
            second + 1,
        );
    }
    for (at, line) in lines.iter().enumerate() {
        let class = at % super::page::COLOURS;
        let label = super::page::escape(line.label);
        // Each stretch without a gap is a line of its own.
        let all: Vec<(usize, Option<f64>)> = line.values.iter().copied().enumerate().collect();
        for stretch in all.split(|(_, value)| value.is_none()) {
            let points = stretch.iter().filter_map(|(second, value)| {
                value.map(|value| format!("{:.1},{:.1}", x(*second), y(value)))
            });
            let points: Vec<String> = points.collect();
            if !points.is_empty() {
                let _fits = write!(
                    svg,
                    "<polyline class='run{class}' points='{}'><title>{label}</title></polyline>",
                    points.join(" ")
                );
            }
        }
    }
    svg.push_str("</svg>");
    svg
}

/// The smallest round step of which [`STEPS`] reach a value.
fn step(value: f64, unit: Unit) -> f64 {
    let least = value / f64::from(STEPS);
    if !least.is_finite() || least <= unit.step_min() {
        return unit.step_min();
    }
    let zeros = 10_f64.powf(least.log10().floor());
    let is_whole = |step: &f64| unit != Unit::Count || step.fract() == 0.0;
    let mut steps = ROUND.iter().map(|round| round * zeros).filter(is_whole);
    steps.find(|step| *step >= least).unwrap_or(10.0 * zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_steps() {
        for (value, unit, expected) in [
            (0.0, Unit::Count, "4"),
            (3.0, Unit::Count, "4"),
            (9.0, Unit::Count, "20"),
            (300.0, Unit::Count, "400"),
            (40.0, Unit::Count, "40"),
            (41.0, Unit::Count, "80"),
            (0.0, Unit::Micros, "4 µs"),
            (42_270.0, Unit::Micros, "80 ms"),
            (999.0, Unit::Micros, "1 ms"),
            (2_000_001.0, Unit::Micros, "4 s"),
            (61.0, Unit::Percent, "80 %"),
            (0.1, Unit::Percent, "1 %"),
            (116.0, Unit::Mib, "200 MiB"),
        ] {
            let top = step(value, unit) * f64::from(STEPS);
            assert!(top >= value);
            assert_eq!(unit.shown(top, top), expected, "{value}");
        }
        assert_eq!(Unit::Micros.shown(7_500.0, 10_000.0), "7.5 ms");
        assert_eq!(Unit::Count.shown(0.0, 100.0), "0");
    }

    #[test]
    fn where_nothing_was_measured_nothing_is_drawn() {
        let line = Line {
            label: "a",
            values: vec![None, Some(1.0), Some(2.0), None, Some(3.0)],
        };
        let svg = chart("t", &[line], Unit::Count);
        assert_eq!(svg.matches("<polyline").count(), 2);
        let none = Line {
            label: "a",
            values: Vec::new(),
        };
        assert!(!chart("t", &[none], Unit::Count).contains("NaN"));
    }
}
