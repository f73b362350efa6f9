//! [XEP-0082: XMPP Date and Time Profiles](https://xmpp.org/extensions/xep-0082.html)
//!
//! Conversation: `xep_0160_offline.md`

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::payload::{Text, TextFault};

const MICROS_A_SECOND: i64 = 1_000_000;
const SECS_A_DAY: i64 = 86_400;

/// A moment, in microseconds since 1970-01-01T00:00:00Z, of the years 1 to 9999.
///
/// Written in UTC, as XEP-0082 advises, with no fraction, three or six digits of it. Read with any
/// offset from UTC and any number of digits, of which the seventh and later are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(i64);

impl DateTime {
    /// The first moment: 0001-01-01T00:00:00Z.
    pub const MIN: DateTime = DateTime(-62_135_596_800 * MICROS_A_SECOND);
    /// The last moment: 9999-12-31T23:59:59.999999Z.
    pub const MAX: DateTime = DateTime(253_402_300_800 * MICROS_A_SECOND - 1);

    /// The moment so many microseconds after 1970 began (before, if negative). Beyond the years 1 to
    /// 9999, the nearest moment within.
    pub const fn from_micros(micros: i64) -> DateTime {
        if micros < DateTime::MIN.0 {
            DateTime::MIN
        } else if micros > DateTime::MAX.0 {
            DateTime::MAX
        } else {
            DateTime(micros)
        }
    }

    /// As [`DateTime::from_micros`], from a clock that knows no time before 1970.
    pub fn from_unix_micros(micros: u64) -> DateTime {
        DateTime::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Microseconds since 1970 began; negative before.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Microseconds since 1970 began; 0 before.
    pub fn unix_micros(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.div_euclid(MICROS_A_SECOND);
        let micros = self.0.rem_euclid(MICROS_A_SECOND);
        let (year, month, day) = civil_from_days(secs.div_euclid(SECS_A_DAY));
        let of_day = secs.rem_euclid(SECS_A_DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match (micros, micros % 1000) {
            (0, _) => {}
            (_, 0) => write!(f, ".{:03}", micros / 1000)?,
            _ => write!(f, ".{micros:06}")?,
        }
        f.write_str("Z")
    }
}

impl FromStr for DateTime {
    type Err = TextFault;

    fn from_str(text: &str) -> Result<DateTime, TextFault> {
        parse(text.trim_ascii().as_bytes()).ok_or(TextFault::DateTime)
    }
}

impl Text for DateTime {
    fn from_text(text: &str) -> Result<DateTime, TextFault> {
        text.parse()
    }

    fn to_text(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }
}

/// `CCYY-MM-DDThh:mm:ss[.sss]TZD` (§3.2).
fn parse(text: &[u8]) -> Option<DateTime> {
    let mut rest = text;
    let year = number(&mut rest, 4)?;
    literal(&mut rest, b'-')?;
    let month = number(&mut rest, 2)?;
    literal(&mut rest, b'-')?;
    let day = number(&mut rest, 2)?;
    literal(&mut rest, b'T')?;
    let hour = number(&mut rest, 2)?;
    literal(&mut rest, b':')?;
    let minute = number(&mut rest, 2)?;
    literal(&mut rest, b':')?;
    let second = number(&mut rest, 2)?;
    let micros = fraction(&mut rest)?;
    let offset_secs = zone(&mut rest)?;
    let valid = rest.is_empty()
        && year >= 1
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let secs = days_from_civil(year, month, day) * SECS_A_DAY + hour * 3600 + minute * 60 + second;
    let moment = (secs - offset_secs) * MICROS_A_SECOND + micros;
    (DateTime::MIN.0..=DateTime::MAX.0)
        .contains(&moment)
        .then_some(DateTime(moment))
}

fn number(rest: &mut &[u8], digits: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(digits)?;
    *rest = after;
    number.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn literal(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

/// Microseconds of an optional fraction.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let Some(after) = rest.strip_prefix(b".") else {
        return Some(0);
    };
    let digits = after
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    *rest = &after[digits..];
    let padded = after[..digits]
        .iter()
        .copied()
        .chain(std::iter::repeat(b'0'))
        .take(6);
    (digits > 0).then(|| padded.fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
}

/// Seconds that the zone is ahead of UTC. XML Schema part 2 §3.2.7.3 knows zones up to 14 hours away.
fn zone(rest: &mut &[u8]) -> Option<i64> {
    let (sign, after) = rest.split_first()?;
    *rest = after;
    if *sign == b'Z' {
        return Some(0);
    }
    let hours = number(rest, 2)?;
    literal(rest, b':')?;
    let minutes = number(rest, 2)?;
    let secs = hours * 3600 + minutes * 60;
    match sign {
        _ if minutes > 59 || secs > 14 * 3600 => None,
        b'+' => Some(secs),
        b'-' => Some(-secs),
        _ => None,
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days of 400 years; the Gregorian calendar repeats after as many.
const DAYS_AN_ERA: i64 = 146_097;
/// Days from 0000-03-01, where the calculation begins (so that the leap day ends a year), to 1970.
const DAYS_TO_1970: i64 = 719_468;

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    year.div_euclid(400) * DAYS_AN_ERA + days - DAYS_TO_1970
}

/// Year, month and day so many days after 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let of_era = days.rem_euclid(DAYS_AN_ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year + days.div_euclid(DAYS_AN_ERA) * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
impl crate::payload::testing::Sample for DateTime {
    fn sample(source: &mut crate::payload::testing::Source<'_>) -> DateTime {
        let micros = i64::sample(source) % DateTime::MAX.0;
        let step = [1, 1000, MICROS_A_SECOND][source.below(3)];
        DateTime::from_micros(micros / step * step)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> Option<i64> {
        text.parse().ok().map(DateTime::micros)
    }

    /// §3.2, RFC 3339, and what `date -u -d TEXT +%s` says of them.
    #[test]
    fn known_moments() {
        for (text, secs) in [
            ("1969-07-21T02:56:15Z", -14_159_025),
            ("1969-07-20T21:56:15-05:00", -14_159_025),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2002-09-10T23:08:25Z", 1_031_699_305),
            ("2002-09-11T01:08:25+02:00", 1_031_699_305),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(micros(text), Some(secs * MICROS_A_SECOND), "{text}");
        }
        assert_eq!(
            micros(" 2002-09-10T23:08:25Z\n"),
            micros("2002-09-10T23:08:25Z")
        );
    }

    #[test]
    fn fractions() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.5Z", 500_000),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1970-01-01T00:00:00.1234567899999999999999Z", 123_456),
            ("1969-12-31T23:59:59.999999Z", -1),
        ] {
            assert_eq!(micros(text), Some(expected), "{text}");
        }
        let shown = |micros| DateTime::from_micros(micros).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00Z");
        assert_eq!(shown(500_000), "1970-01-01T00:00:00.500Z");
        assert_eq!(shown(1), "1970-01-01T00:00:00.000001Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn refused() {
        for wrong in [
            "",
            "1969-07-21",
            "1969-07-21T02:56:15",
            "1969-07-21 02:56:15Z",
            "1969-07-21T02:56:15z",
            "1969-07-21T02:56:15.Z",
            "1969-07-21T02:56:15Z ?",
            "1969-07-21T02:56Z",
            "19690721T02:56:15",
            "69-07-21T02:56:15Z",
            "0000-01-01T00:00:00Z",
            "-001-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "1969-00-21T02:56:15Z",
            "1969-13-21T02:56:15Z",
            "1969-07-00T02:56:15Z",
            "1969-04-31T02:56:15Z",
            "1900-02-29T00:00:00Z",
            "1969-07-21T24:00:00Z",
            "1969-07-21T23:60:00Z",
            "1969-07-21T23:59:60Z",
            "1969-07-21T02:56:15+1:00",
            "1969-07-21T02:56:15+14:01",
            "1969-07-21T02:56:15*01:00",
            "1969-07-21T02:56:15+01:60",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "１969-07-21T02:56:15Z",
        ] {
            assert_eq!(
                DateTime::from_text(wrong),
                Err(TextFault::DateTime),
                "{wrong}"
            );
        }
    }

    #[test]
    fn bounds() {
        assert_eq!(DateTime::MIN.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(DateTime::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(DateTime::from_micros(i64::MIN), DateTime::MIN);
        assert_eq!(DateTime::from_micros(i64::MAX), DateTime::MAX);
        assert_eq!(DateTime::from_unix_micros(u64::MAX), DateTime::MAX);
        assert_eq!(DateTime::from_unix_micros(7).unix_micros(), 7);
        assert_eq!(DateTime::from_micros(-7).unix_micros(), 0);
    }

    /// Every day from 1600 to 2400, one after another, as a calendar has them.
    #[test]
    fn every_day_follows_the_one_before() {
        let mut days = days_from_civil(1600, 1, 1);
        for year in 1600..2400 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month) {
                    assert_eq!(days_from_civil(year, month, day), days);
                    assert_eq!(civil_from_days(days), (year, month, day));
                    days += 1;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(micros in DateTime::MIN.0..=DateTime::MAX.0) {
            let moment = DateTime(micros);
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9TZ:.+-]{0,32}") {
            if let Ok(moment) = text.parse::<DateTime>() {
                prop_assert_eq!(moment.to_string().parse(), Ok(moment));
            }
        }
    }
}
