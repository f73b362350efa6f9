//! What a request for a file asks for: all of it, a part, or only what is new (RFC 9110 §13, §14).

/// The headers of a request that say which part it wants and when; each as all the lines that there are of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions<'a> {
    /// Whether it is a GET: no other request has ranges (§14.2).
    pub is_get: bool,
    /// `If-Match`.
    pub if_match: &'a [&'a [u8]],
    /// `If-None-Match`.
    pub if_none_match: &'a [&'a [u8]],
    /// `If-Range`.
    pub if_range: &'a [&'a [u8]],
    /// `Range`.
    pub range: &'a [&'a [u8]],
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it (200).
    All,
    /// So many bytes from here on (206); at least one.
    Some {
        /// The first.
        first: u64,
        /// How many.
        length: u64,
    },
    /// Who asks has it (304).
    NotModified,
    /// It is not what who asks would go on with (412).
    Failed,
    /// It is not that long (416).
    Unsatisfiable,
}

impl Conditions<'_> {
    /// What is answered of a file with this strong entity tag, quotes included, and length (§13.2.2).
    #[must_use]
    pub fn part(&self, tag: &[u8], length: u64) -> Part {
        if !self.if_match.is_empty() && !lists(self.if_match, tag, Compared::Strongly) {
            return Part::Failed;
        }
        if lists(self.if_none_match, tag, Compared::Weakly) {
            return Part::NotModified;
        }
        let ([range], true) = (self.range, self.is_get) else {
            return Part::All;
        };
        let holds = match self.if_range {
            [] => true,
            // A date is none that we have given.
            [one] => one.trim_ascii() == tag,
            _ => false,
        };
        match range_of(range, length).filter(|_| holds) {
            Some(part) => part,
            None => Part::All,
        }
    }
}

/// How entity tags are compared (§8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    Strongly,
    Weakly,
}

/// Whether lines of a list name the tag, or all of them by `*`. What comes behind what is no tag is not read.
fn lists(lines: &[&[u8]], tag: &[u8], compared: Compared) -> bool {
    lines.iter().any(|line| {
        let line = line.trim_ascii();
        line == b"*" || Tags(line).any(|found| found.is(tag, compared))
    })
}

/// One tag of a list.
struct Tag<'a> {
    is_weak: bool,
    /// With its quotes.
    quoted: &'a [u8],
}

impl Tag<'_> {
    fn is(&self, tag: &[u8], compared: Compared) -> bool {
        self.quoted == tag && !(self.is_weak && compared == Compared::Strongly)
    }
}

/// The tags of a list (§8.8.3), as long as they are tags.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
        let start = self.0.iter().position(|byte| !is_between(byte))?;
        let rest = self.0.get(start..)?;
        let (is_weak, quoted) = match rest.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|byte| *byte == b'"')?;
        let (quoted, rest) = quoted.split_at_checked(end + 2)?;
        self.0 = rest;
        Some(Tag { is_weak, quoted })
    }
}

/// The part that a `Range` names; `None` where it names none, or several, which are not served: then it is all of it (§14.2).
fn range_of(value: &[u8], length: u64) -> Option<Part> {
    let (unit, set) = value.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let set = set.trim_ascii();
    let dash = set.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (set.get(..dash)?, set.get(dash + 1..)?);
    if first.is_empty() {
        // So many at the end.
        let last = number(last)?.min(length);
        return Some(match last {
            0 => Part::Unsatisfiable,
            last => Part::Some {
                first: length - last,
                length: last,
            },
        });
    }
    let first = number(first)?;
    let last = match last {
        [] => u64::MAX,
        last => number(last)?,
    };
    if last < first {
        return None;
    }
    if first >= length {
        return Some(Part::Unsatisfiable);
    }
    Some(Part::Some {
        first,
        length: last.min(length - 1) - first + 1,
    })
}

/// Digits, and nothing else. What is greater than any file is as great as that.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_u64, |value, digit| {
        let value = value.saturating_mul(10);
        value.saturating_add(u64::from(digit - b'0'))
    });
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &[u8] = b"\"abc\"";

    fn ranged(range: &str) -> Part {
        let conditions = Conditions {
            is_get: true,
            range: &[range.as_bytes()],
            ..Conditions::default()
        };
        conditions.part(TAG, 100)
    }

    fn some(first: u64, length: u64) -> Part {
        Part::Some { first, length }
    }

    /// RFC 9110 §14.1.2, §14.2.
    #[test]
    fn ranges() {
        for (range, part) in [
            ("bytes=0-0", some(0, 1)),
            ("bytes=0-99", some(0, 100)),
            ("bytes=10-19", some(10, 10)),
            ("BYTES=10-19", some(10, 10)),
            ("bytes= 10-19 ", some(10, 10)),
            ("bytes=90-", some(90, 10)),
            ("bytes=99-1000", some(99, 1)),
            ("bytes=0-99999999999999999999999", some(0, 100)),
            ("bytes=-1", some(99, 1)),
            ("bytes=-1000", some(0, 100)),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            // What is none, or several.
            ("bytes=20-10", Part::All),
            ("bytes=", Part::All),
            ("bytes=-", Part::All),
            ("bytes=a-b", Part::All),
            ("bytes=+1-2", Part::All),
            ("bytes=1-2-3", Part::All),
            ("bytes=--1", Part::All),
            ("bytes=0-1,5-6", Part::All),
            ("bytes 0-1", Part::All),
            ("lines=0-1", Part::All),
            ("\u{e9}\u{e9}\u{e9}", Part::All),
            ("", Part::All),
        ] {
            assert_eq!(ranged(range), part, "{range}");
        }
        let twice: &[&[u8]] = &[b"bytes=0-1", b"bytes=0-1"];
        let conditions = Conditions {
            is_get: true,
            range: twice,
            ..Conditions::default()
        };
        assert_eq!(conditions.part(TAG, 100), Part::All);
        let head = Conditions {
            range: &[b"bytes=0-1"],
            ..Conditions::default()
        };
        assert_eq!(head.part(TAG, 100), Part::All);
    }

    /// RFC 9110 §13.1.5.
    #[test]
    fn a_part_of_another_file_is_none() {
        for (if_range, part) in [
            (&b"\"abc\""[..], some(0, 2)),
            (b" \"abc\" ", some(0, 2)),
            (b"\"abd\"", Part::All),
            (b"W/\"abc\"", Part::All),
            (b"Sat, 29 Oct 1994 19:43:31 GMT", Part::All),
            (b"*", Part::All),
        ] {
            let conditions = Conditions {
                is_get: true,
                if_range: &[if_range],
                range: &[b"bytes=0-1"],
                ..Conditions::default()
            };
            assert_eq!(conditions.part(TAG, 100), part);
        }
    }

    /// RFC 9110 §13.1.1, §13.1.2.
    #[test]
    fn tags() {
        let with = |if_match: &[&[u8]], if_none_match: &[&[u8]]| {
            let conditions = Conditions {
                is_get: true,
                if_match,
                if_none_match,
                ..Conditions::default()
            };
            conditions.part(TAG, 100)
        };
        for (line, known) in [
            (&b"\"abc\""[..], true),
            (b"*", true),
            (b"W/\"abc\"", true),
            (b"\"x\", \"abc\"", true),
            (b",,\"x\",W/\"abc\" ,", true),
            (b"\"a,b\",\"abc\"", true),
            (b"\"x\"", false),
            (b"abc", false),
            (b"\"abc", false),
            (b"x, \"abc\"", false),
            (b"w/\"abc\"", false),
            (b"\xff", false),
            (b"", false),
        ] {
            let expected = if known { Part::NotModified } else { Part::All };
            assert_eq!(with(&[], &[line]), expected, "{line:?}");
        }
        assert_eq!(with(&[], &[b"\"x\"", b"\"abc\""]), Part::NotModified);
        assert_eq!(with(&[b"\"abc\""], &[]), Part::All);
        assert_eq!(with(&[b"*"], &[]), Part::All);
        assert_eq!(with(&[b"\"x\""], &[]), Part::Failed);
        assert_eq!(with(&[b"W/\"abc\""], &[]), Part::Failed);
        assert_eq!(with(&[b"\"x\""], &[b"*"]), Part::Failed);
    }
}
