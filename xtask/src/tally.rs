//! Counting tests by what their runners print.

use crate::failure::Failure;

/// What ran, over all runners.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<Failed>,
    pub(crate) skipped: Vec<Skip>,
}

/// A test that failed, or a run that failed as a whole.
#[derive(Debug, PartialEq)]
pub(crate) struct Failed {
    pub(crate) name: String,
    /// The first lines of what it said.
    pub(crate) words: Vec<String>,
}

impl Failed {
    pub(crate) fn named(name: impl Into<String>) -> Failed {
        Failed {
            name: name.into(),
            words: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) why: String,
}

impl Tally {
    /// Reads a line of a partner in `interop/`: `ok NAME`, `not ok NAME: why`, `skip NAME: why`.
    pub(crate) fn partner_line(&mut self, line: &str) {
        if line.starts_with("ok ") {
            self.passed += 1;
        } else if let Some(rest) = line.strip_prefix("not ok ") {
            self.failed.push(Failed::named(rest));
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

    /// A run that failed, though nothing in it did, has failed as a whole.
    pub(crate) fn note_end(&mut self, end: Result<(), Failure>) {
        if let Err(failure) = end
            && self.failed.is_empty()
        {
            self.failed.push(Failed::named(failure.to_string()));
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
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        for skip in &self.skipped {
            text += &format!("skipped: {}: {}\n", skip.name, skip.why);
        }
        for Failed { name, words } in &self.failed {
            text += &format!("failed: {name}\n");
            words
                .iter()
                .for_each(|line| text += &format!("    {line}\n"));
        }
        text + &self.summary() + "\n"
    }

    pub(crate) fn summary(&self) -> String {
        let (failed, skipped) = (self.failed.len(), self.skipped.len());
        format!("{} passed, {failed} failed, {skipped} skipped", self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_are_counted() {
        let mut tally = Tally::default();
        let output =
            "# a remark\nok login\nnot ok roster: no push\nskip dino/chat: no display\nskip odd\n";
        output.lines().for_each(|line| tally.partner_line(line));
        assert_eq!(tally.summary(), "1 passed, 1 failed, 2 skipped");
        assert_eq!(tally.failed, [Failed::named("roster: no push")]);
        assert_eq!(
            tally.skipped[0],
            Skip {
                name: "dino/chat".into(),
                why: "no display".into()
            }
        );
    }

    #[test]
    fn a_report_ends_with_failures_and_counts() {
        let mut tally = Tally::default();
        tally.skip("dino/chat", "no display");
        tally.failed.push(Failed {
            name: "jid::bad".to_owned(),
            words: vec!["panicked at src/jid.rs:3:5:".to_owned()],
        });
        assert_eq!(
            tally.report(),
            "skipped: dino/chat: no display\nfailed: jid::bad\n    panicked at src/jid.rs:3:5:\n\
             0 passed, 1 failed, 1 skipped\n"
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
