//! Line charts as SVG, which need nothing but a browser.

use std::fmt::Write;

/// Width of a chart in its own units; it is shown as wide as there is room.
const WIDTH: f64 = 640.0;
/// Height of a chart.
const HEIGHT: f64 = 220.0;
/// Room at the left for figures.
const LEFT: f64 = 64.0;
/// Room at the bottom for seconds.
const BOTTOM: f64 = 26.0;
/// Room at the top and the right.
const EDGE: f64 = 10.0;
/// Lines across.
const STEPS: u32 = 4;

/// Values of one run, second by second.
pub(super) struct Line<'a> {
    pub(super) label: &'a str,
    pub(super) values: Vec<f64>,
}

/// A chart of these lines; `shown` writes a value.
pub(super) fn chart(lines: &[Line<'_>], shown: impl Fn(f64) -> String) -> String {
    let values = lines.iter().flat_map(|line| &line.values);
    let most = top(values.copied().fold(0.0, f64::max));
    let longest = lines
        .iter()
        .map(|line| line.values.len())
        .max()
        .unwrap_or(0);
    let across = (longest.max(2) - 1) as f64;
    let x = |second: usize| LEFT + (WIDTH - LEFT - EDGE) * second as f64 / across;
    let y = |value: f64| EDGE + (HEIGHT - EDGE - BOTTOM) * (1.0 - value / most);
    let mut svg = format!("<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>");
    for step in 0..=STEPS {
        let value = most * f64::from(step) / f64::from(STEPS);
        let _fits = write!(
            svg,
            "<line class='grid' x1='{LEFT}' x2='{}' y1='{y:.1}' y2='{y:.1}'/><text x='{}' y='{:.1}' text-anchor='end'>{}</text>",
            WIDTH - EDGE,
            LEFT - 8.0,
            y(value) + 4.0,
            shown(value),
            y = y(value),
        );
    }
    for second in [0, (longest.max(2) - 1) / 2, longest.max(2) - 1] {
        let _fits = write!(
            svg,
            "<text x='{:.1}' y='{}' text-anchor='middle'>{second} s</text>",
            x(second).clamp(LEFT, WIDTH - EDGE - 12.0),
            HEIGHT - 8.0
        );
    }
    for (at, line) in lines.iter().enumerate() {
        let points: Vec<String> = line
            .values
            .iter()
            .enumerate()
            .map(|(second, value)| format!("{:.1},{:.1}", x(second), y(*value)))
            .collect();
        let _fits = write!(
            svg,
            "<polyline class='run{}' points='{}'><title>{}</title></polyline>",
            at % super::page::COLOURS,
            points.join(" "),
            super::page::escape(line.label)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The next round number from a value on: 1, 2 or 5 and zeros.
fn top(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let unit = 10_f64.powf(value.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * unit >= value);
    factor.unwrap_or(10.0) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_end_at_round_numbers() {
        for (value, expected) in [
            (0.0, 1.0),
            (0.7, 1.0),
            (1.0, 1.0),
            (1.1, 2.0),
            (30.0, 50.0),
            (501.0, 1000.0),
        ] {
            assert!(
                (top(value) - expected).abs() < 1e-9,
                "{value}: {}",
                top(value)
            );
        }
        assert!((top(f64::NAN) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_leaves_the_frame() {
        for values in [vec![], vec![3.0], vec![0.0, 5.0, 2.0], vec![0.0; 600]] {
            let svg = chart(
                &[Line {
                    label: "<a>",
                    values,
                }],
                |value| value.to_string(),
            );
            assert!(
                !svg.contains("NaN") && !svg.contains("<a>") && svg.ends_with("</svg>"),
                "{svg}"
            );
        }
    }
}
