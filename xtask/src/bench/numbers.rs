//! Figures of several runs in few.

/// What several runs came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) lowest: f64,
    pub(super) highest: f64,
}

impl Spread {
    /// Of nothing, nothing.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = figures.into_iter().filter(|one| one.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (&lowest, &highest) = (sorted.first()?, sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[half]
        } else {
            f64::midpoint(sorted[half - 1], sorted[half])
        };
        Some(Spread {
            median,
            lowest,
            highest,
        })
    }

    /// The median, and between which figures it is.
    pub(super) fn shown(&self) -> String {
        let median = shown(self.median);
        let (lowest, highest) = (shown(self.lowest), shown(self.highest));
        if lowest == highest {
            return median;
        }
        format!("{median} ({lowest} – {highest})")
    }
}

/// A figure to three digits, thousands apart.
pub(super) fn shown(figure: f64) -> String {
    if figure == 0.0 {
        return "0".to_owned();
    }
    let size = figure.abs().log10().floor();
    let places = (2.0 - size).clamp(0.0, 4.0);
    let unit = 10f64.powf(size - 2.0).max(1e-4);
    let rounded = (figure / unit).round() * unit;
    let text = format!("{rounded:.*}", places as usize);
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, char) in whole.char_indices() {
        let left = whole.len() - at;
        if at > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(char);
    }
    if rest.is_empty() {
        return grouped;
    }
    format!("{grouped}.{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread = |figures: &[f64]| Spread::of(figures.iter().copied());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[f64::NAN]), None);
        let one = spread(&[3.0]).unwrap();
        assert_eq!((one.lowest, one.median, one.highest), (3.0, 3.0, 3.0));
        let three = spread(&[9.0, 1.0, 4.0]).unwrap();
        assert_eq!((three.lowest, three.median, three.highest), (1.0, 4.0, 9.0));
        assert_eq!(spread(&[1.0, 2.0, 4.0, 9.0]).unwrap().median, 3.0);
    }

    #[test]
    fn figures_have_three_digits() {
        for (figure, text) in [
            (0.0, "0"),
            (2.346, "2.35"),
            (0.0214, "0.0214"),
            (35.52, "35.5"),
            (0.999_9, "1.000"),
            (669.4, "669"),
            (1_532.0, "1,530"),
            (116_006.0, "116,000"),
            (-1_234.0, "-1,230"),
            (-123_456.0, "-123,000"),
        ] {
            assert_eq!(shown(figure), text);
        }
        let spread = Spread::of([2.0, 2.301, 2.5]).unwrap();
        assert_eq!(spread.shown(), "2.30 (2.00 – 2.50)");
        assert_eq!(Spread::of([2.0]).unwrap().shown(), "2.00");
    }
}
