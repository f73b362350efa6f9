//! What `cargo test` prints: counted, and cut down to what a person wants to read.
//!
//! Every result line is shown. What a test printed is shown where it failed; of one that passed, only
//! lines that begin with [`FIGURES`] are.

use crate::tally::{Failed, Tally};

/// How a line begins that belongs to what a test has shown: counts, rates.
const FIGURES: &str = "figures: ";

/// Lines of a failed test that are repeated in the summary.
const WORDS_LINES_MAX: usize = 8;
const WORD_CHARS_MAX: usize = 300;

/// One run of `cargo test` as it is read.
#[derive(Default)]
pub(crate) struct CargoOutput {
    tally: Tally,
    /// The test program that runs, until it has given its result.
    program: Option<String>,
    part: Part,
    /// What the failed test has printed whose part this is.
    printed: Vec<String>,
}

#[derive(Default, PartialEq)]
enum Part {
    #[default]
    Results,
    /// What passed tests printed, and their names once more.
    Passed,
    /// What failed tests printed, each under a heading.
    Failed(Option<String>),
}

impl CargoOutput {
    /// Reads a line; says whether to show it.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if let Some(program) = program(line) {
            self.end_program();
            self.program = Some(program.to_owned());
            return true;
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.end_part(Part::Results);
            self.program = None;
            self.tally.passed += count_before(counts, " passed").unwrap_or_default();
            return true;
        }
        match (line, &self.part) {
            ("successes:", Part::Results) => self.end_part(Part::Passed),
            ("failures:", _) => self.end_part(Part::Failed(None)),
            _ => {}
        }
        if let Some(name) = heading(line).filter(|_| self.part != Part::Passed) {
            self.end_part(Part::Failed(Some(name.to_owned())));
        }
        match &self.part {
            Part::Passed => line.starts_with(FIGURES),
            Part::Failed(_) => {
                self.printed.push(line.to_owned());
                true
            }
            Part::Results => {
                self.result(line);
                true
            }
        }
    }

    /// What came of all of it.
    pub(crate) fn end(mut self) -> Tally {
        self.end_part(Part::Results);
        self.end_program();
        self.tally
    }

    fn result(&mut self, line: &str) {
        let Some((name, outcome)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        else {
            return;
        };
        if outcome.starts_with("FAILED") {
            self.note_failed(name);
        } else if let Some(why) = outcome.strip_prefix("ignored") {
            let why = why.trim_start_matches(", ");
            self.tally
                .skip(name, if why.is_empty() { "ignored" } else { why });
        }
    }

    /// The test, under the name of its program: the same name may stand in several.
    fn note_failed(&mut self, name: &str) -> &mut Failed {
        let full = match &self.program {
            Some(program) => format!("{name} ({program})"),
            None => name.to_owned(),
        };
        let failed = &mut self.tally.failed;
        let at = failed.iter().position(|failed| failed.name == full);
        let at = at.unwrap_or_else(|| {
            failed.push(Failed::named(full));
            failed.len() - 1
        });
        &mut failed[at]
    }

    fn end_part(&mut self, next: Part) {
        let printed = std::mem::take(&mut self.printed);
        if let Part::Failed(Some(name)) = std::mem::replace(&mut self.part, next) {
            self.note_failed(&name).words = words(&printed);
        }
    }

    /// A program that gave no result was ended by something.
    fn end_program(&mut self) {
        self.end_part(Part::Results);
        if let Some(program) = self.program.take() {
            let what = format!("{program} ended without a result");
            self.tally.failed.push(Failed::named(what));
        }
    }
}

/// `tests/ordeal.rs` of `     Running tests/ordeal.rs (target/debug/deps/ordeal-0123)`.
fn program(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(name);
    }
    let (source, built) = line.strip_prefix("Running ")?.split_once(" (")?;
    if source.starts_with("unittests ") {
        // Every crate has a `src/lib.rs`.
        let file = built.trim_end_matches(')').rsplit('/').next()?;
        return file.rsplit_once('-').map(|(name, _)| name);
    }
    Some(source)
}

/// The name in `---- NAME stdout ----`, or without `stdout`.
fn heading(line: &str) -> Option<&str> {
    let name = line.strip_prefix("---- ")?.strip_suffix(" ----")?;
    Some(name.strip_suffix(" stdout").unwrap_or(name))
}

/// The lines that say what went wrong: from the panic on, where there is one, without backtrace.
fn words(printed: &[String]) -> Vec<String> {
    let lines = || printed.iter().skip(1);
    let panic =
        lines().position(|line| line.contains(" panicked at ") || line.starts_with("Error: "));
    let said = lines()
        .skip(panic.unwrap_or(0))
        .filter(|line| !line.trim().is_empty())
        .take_while(|line| *line != "stack backtrace:" && !line.starts_with("note: "));
    said.take(WORDS_LINES_MAX)
        .map(|line| line.chars().take(WORD_CHARS_MAX).collect())
        .collect()
}

/// `12` of `ok. 12 passed; 0 failed`.
fn count_before(text: &str, word: &str) -> Option<usize> {
    text.split(word).next()?.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Skip;

    /// What is shown, and what is counted.
    fn read(output: &str) -> (Vec<&str>, Tally) {
        let mut read = CargoOutput::default();
        let shown = output.lines().filter(|line| read.line(line)).collect();
        (shown, read.end())
    }

    const OUTPUT: &str = "   Compiling x
     Running unittests src/lib.rs (/t/debug/deps/waxwing_wire-0a1b)

running 4 tests
test jid::roundtrip ... ok
test jid::bad ... FAILED
test slow ... ignored, an hour long
test other ... ignored

successes:

---- jid::roundtrip stdout ----
a table of allocations
figures: 100 blows, nothing lost


successes:
    jid::roundtrip

failures:

---- jid::bad stdout ----
chatter before it

thread 'jid::bad' (7) panicked at src/jid.rs:3:5:
assertion `left == right` failed
  left: 1
 right: 2
stack backtrace:
   0: begin
note: Some details are omitted


failures:
    jid::bad

test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out

     Running tests/all.rs (/t/debug/deps/all-0a1b)
test result: ok. 30 passed; 0 failed; 0 ignored; 0 measured
";

    #[test]
    fn results_are_counted_and_failures_keep_their_first_words() {
        let (_, tally) = read(OUTPUT);
        assert_eq!(tally.summary(), "31 passed, 1 failed, 2 skipped");
        assert_eq!(tally.failed[0].name, "jid::bad (waxwing_wire)");
        let words = [
            "thread 'jid::bad' (7) panicked at src/jid.rs:3:5:",
            "assertion `left == right` failed",
            "  left: 1",
            " right: 2",
        ];
        assert_eq!(tally.failed[0].words, words);
        let skip = |name: &str, why: &str| Skip {
            name: name.to_owned(),
            why: why.to_owned(),
        };
        assert_eq!(
            tally.skipped,
            [skip("slow", "an hour long"), skip("other", "ignored")]
        );
    }

    #[test]
    fn what_passed_is_silent_but_for_its_figures() {
        let (shown, _) = read(OUTPUT);
        for line in [
            "test jid::roundtrip ... ok",
            "test jid::bad ... FAILED",
            "figures: 100 blows, nothing lost",
            "chatter before it",
            "test result: ok. 30 passed; 0 failed; 0 ignored; 0 measured",
        ] {
            assert!(shown.contains(&line), "{line}");
        }
        assert!(!shown.contains(&"a table of allocations"));
        assert!(!shown.contains(&"    jid::roundtrip"));
    }

    #[test]
    fn a_program_that_ends_without_a_result_has_failed() {
        let (_, tally) = read(
            "     Running tests/a.rs (/t/a-1)\ntest deep ... ok\n     Running tests/b.rs (/t/b-1)\n\
             test result: ok. 2 passed; 0 failed\n   Doc-tests waxwing_wire\n",
        );
        let names: Vec<_> = tally.failed.iter().map(|failed| &failed.name[..]).collect();
        assert_eq!(
            names,
            [
                "tests/a.rs ended without a result",
                "waxwing_wire ended without a result"
            ]
        );
        assert_eq!(tally.passed, 2);
    }

    #[test]
    fn runners_of_our_own_are_read_too() {
        let (_, tally) = read(
            "     Running tests/conversations.rs (/t/c-1)\ntest memory::xep_0199_ping: Odd ... FAILED\n\n\
             ---- memory::xep_0199_ping: Odd ----\nxep_0199_ping.md:12: nothing came\n\n\
             test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n",
        );
        let [failed] = &tally.failed[..] else {
            panic!("{tally:?}")
        };
        assert_eq!(
            failed.name,
            "memory::xep_0199_ping: Odd (tests/conversations.rs)"
        );
        assert_eq!(failed.words, ["xep_0199_ping.md:12: nothing came"]);
    }
}
