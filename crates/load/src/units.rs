//! Rates and times as people write them: `500/s`, `2/min`, `60s`, `5m`.

use std::time::Duration;

/// What a text should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No rate.
    #[error("a rate is a number and a unit, such as 500/s or 30/min")]
    Rate,
    /// No time.
    #[error("a time is a number and a unit, such as 500ms, 60s, 5m or 1h")]
    Time,
}

/// How often something happens.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// Most often that anything can be asked to happen in a second.
const PER_SECOND_MAX: f64 = 10_000_000.0;
/// Longest time that can be asked for.
const SECS_MAX: f64 = 7.0 * 86_400.0;

impl Rate {
    /// So often in a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.0
    }

    /// A part of it.
    #[must_use]
    pub fn part(self, share: f64) -> Rate {
        Rate(self.0 * share)
    }
}

/// Reads a rate.
///
/// # Errors
/// [`UnitError::Rate`] for anything else, for none, and for more than ten million in a second.
pub fn rate(text: &str) -> Result<Rate, UnitError> {
    let (number, unit) = text.split_once('/').ok_or(UnitError::Rate)?;
    let secs = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err(UnitError::Rate),
    };
    let number: f64 = number.trim().parse().map_err(|_| UnitError::Rate)?;
    let rate = number / secs;
    let is_one = rate > 0.0 && rate <= PER_SECOND_MAX;
    is_one.then_some(Rate(rate)).ok_or(UnitError::Rate)
}

/// Reads a time.
///
/// # Errors
/// [`UnitError::Time`] for anything else, and for more than a week.
pub fn time(text: &str) -> Result<Duration, UnitError> {
    let at = text.find(|char: char| char.is_ascii_alphabetic());
    let (number, unit) = text.split_at(at.ok_or(UnitError::Time)?);
    let secs = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err(UnitError::Time),
    };
    let number: f64 = number.trim().parse().map_err(|_| UnitError::Time)?;
    let secs = number * secs;
    let is_one = (0.0..=SECS_MAX).contains(&secs);
    is_one
        .then(|| Duration::from_secs_f64(secs))
        .ok_or(UnitError::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, per_second) in [
            ("500/s", 500.0),
            ("0.5/s", 0.5),
            ("30/min", 0.5),
            ("7200/h", 2.0),
        ] {
            assert_eq!(rate(text).map(Rate::per_second), Ok(per_second), "{text}");
        }
        for wrong in [
            "", "500", "/s", "-1/s", "0/s", "NaN/s", "inf/s", "5/day", "1e9/s",
        ] {
            assert_eq!(rate(wrong), Err(UnitError::Rate), "{wrong}");
        }
    }

    #[test]
    fn times() {
        for (text, millis) in [
            ("60s", 60_000),
            ("500ms", 500),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "60", "s", "-1s", "1d", "NaNs", "infs", "169h"] {
            assert_eq!(time(wrong), Err(UnitError::Time), "{wrong}");
        }
    }
}
