//! Counting tests by what their runners print.

/// What ran, over all runners.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    /// Names, or descriptions of runs that failed as a whole.
    pub(crate) failed: Vec<String>,
    pub(crate) skipped: Vec<Skip>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) why: String,
}

impl Tally {
    /// Reads a line of `cargo test`.
    pub(crate) fn cargo_line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count_before(counts, " passed").unwrap_or_default();
            return;
        }
        let Some((name, outcome)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        else {
            return;
        };
        if outcome.starts_with("FAILED") {
            self.failed.push(name.to_owned());
        } else if let Some(why) = outcome.strip_prefix("ignored") {
            let why = why.trim_start_matches(", ");
            self.skip(name, if why.is_empty() { "ignored" } else { why });
        }
    }

    /// Reads a line of a partner in `interop/`: `ok NAME`, `not ok NAME: why`, `skip NAME: why`.
    pub(crate) fn partner_line(&mut self, line: &str) {
        if line.starts_with("ok ") {
            self.passed += 1;
        } else if let Some(rest) = line.strip_prefix("not ok ") {
            self.failed.push(rest.to_owned());
        } else if let Some(rest) = line.strip_prefix("skip ") {
            let (name, why) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
            self.skip(name, why);
        }
    }

    /// Reads what tests said in a file of `NAME: why` lines: they ran, found that they could not
    /// test, and were counted as passed.
    pub(crate) fn late_skips(&mut self, text: &str) {
        for (name, why) in text.lines().filter_map(|line| line.split_once(": ")) {
            self.passed = self.passed.saturating_sub(1);
            self.skip(name, why);
        }
    }

    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        self.skipped.push(Skip {
            name: name.to_owned(),
            why: why.to_owned(),
        });
    }

    /// Takes part in the count of a larger run.
    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }

    /// Names what did not pass, then gives the counts alone on a line.
    pub(crate) fn print(&self) {
        println!();
        for name in &self.failed {
            println!("failed: {name}");
        }
        for skip in &self.skipped {
            println!("skipped: {}: {}", skip.name, skip.why);
        }
        println!("{}", self.summary());
    }

    fn summary(&self) -> String {
        let (failed, skipped) = (self.failed.len(), self.skipped.len());
        format!("{} passed, {failed} failed, {skipped} skipped", self.passed)
    }
}

/// `12` of `ok. 12 passed; 0 failed`.
fn count_before(text: &str, word: &str) -> Option<usize> {
    text.split(word).next()?.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_test_is_counted() {
        let mut tally = Tally::default();
        let output = "running 4 tests\ntest jid::roundtrip ... ok\ntest jid::bad ... FAILED\n\
            test slow ... ignored, an hour long\ntest other ... ignored\n\
            test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out\n\
            test result: ok. 30 passed; 0 failed; 0 ignored; 0 measured\n";
        output.lines().for_each(|line| tally.cargo_line(line));
        assert_eq!(tally.summary(), "31 passed, 1 failed, 2 skipped");
        assert_eq!(tally.failed, ["jid::bad"]);
        assert_eq!(tally.skipped[0].why, "an hour long");
        assert_eq!(tally.skipped[1].why, "ignored");
    }

    #[test]
    fn partners_are_counted() {
        let mut tally = Tally::default();
        let output =
            "# a remark\nok login\nnot ok roster: no push\nskip dino/chat: no display\nskip odd\n";
        output.lines().for_each(|line| tally.partner_line(line));
        assert_eq!(tally.summary(), "1 passed, 1 failed, 2 skipped");
        assert_eq!(tally.failed, ["roster: no push"]);
        assert_eq!(
            tally.skipped[0],
            Skip {
                name: "dino/chat".into(),
                why: "no display".into()
            }
        );
    }

    #[test]
    fn a_test_that_could_not_test_is_no_pass() {
        let mut tally = Tally {
            passed: 5,
            ..Tally::default()
        };
        tally.late_skips("power/cuts: no C compiler\n");
        assert_eq!(tally.summary(), "4 passed, 0 failed, 1 skipped");
    }
}
