//! `cargo xtask ci`: everything that must hold before a change lands, the same at home.
//!
//! Sections go from quick to slow, and every one runs whatever became of those before it. Minutes
//! are shown beside a budget; only `--budget` makes the total of the budget a condition, since
//! time depends on the machine.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::Task;
use crate::args::Args;
use crate::bench;
use crate::child;
use crate::deny;
use crate::docs;
use crate::failure::Failure;
use crate::fmt;
use crate::place::Place;
use crate::skips;
use crate::tally::Tally;
use crate::test;
use crate::tidy;
use crate::wasm;

pub(crate) const TASK: Task = Task {
    name: "ci",
    usage: "[--only SECTION] [--budget]",
    about: "runs every check; --budget also fails when the whole takes longer than its budget",
    run,
};

struct Section {
    name: &'static str,
    /// On two cores, from nothing.
    budget_minutes: f64,
    run: fn(&Place, &mut Tally) -> Result<(), Failure>,
}

/// What compiles for one section serves the next: Clippy checks every crate, the documentation
/// reads what Clippy checked, and the generated files come from the program that the tests built.
const SECTIONS: &[Section] = &[
    Section {
        name: "format",
        budget_minutes: 0.2,
        run: |place, _| fmt::run(place, true),
    },
    Section {
        name: "tidy",
        budget_minutes: 0.3,
        run: |place, _| tidy::check(place),
    },
    Section {
        name: "clippy",
        budget_minutes: 3.5,
        run: |place, _| clippy(place),
    },
    Section {
        name: "docs",
        budget_minutes: 1.0,
        run: |place, _| docs::crates(place),
    },
    Section {
        name: "deny",
        budget_minutes: 4.0,
        run: deny::run,
    },
    Section {
        name: "test",
        budget_minutes: 16.0,
        run: tests,
    },
    Section {
        name: "generated",
        budget_minutes: 0.5,
        run: |place, _| docs::check_built(place),
    },
    Section {
        name: "wasm",
        budget_minutes: 1.0,
        run: |place, _| wasm::run(place),
    },
    Section {
        name: "bench",
        budget_minutes: 4.0,
        run: carried,
    },
    Section {
        name: "counts",
        budget_minutes: 8.0,
        run: counted,
    },
];

/// The whole, on two cores, from nothing.
const BUDGET_MINUTES: f64 = 39.0;

/// What became of a section.
struct Done {
    section: &'static Section,
    took: Duration,
    outcome: Result<(), Failure>,
}

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let only = args.value("--only")?;
    let budget = args.flag("--budget");
    args.finish()?;
    let chosen = |section: &&Section| only.as_deref().is_none_or(|name| section.name == name);
    let mut tally = Tally::default();
    let mut all = Vec::new();
    for section in SECTIONS.iter().filter(chosen) {
        println!("\n== {} ==", section.name);
        let began = Instant::now();
        let outcome = (section.run)(place, &mut tally);
        if let Err(failure) = &outcome {
            println!("{}: {failure}", section.name);
        }
        all.push(Done {
            section,
            took: began.elapsed(),
            outcome,
        });
    }
    if all.is_empty() {
        return Err(Failure::Usage("no such section".to_owned()));
    }
    // The end of a long log is what people see of it: everything worth knowing stands there.
    print!("\n{}", tally.report());
    let allowed = skips::judge(place, &tally);
    let verdict = verdict(&all, budget).and(allowed);
    print!("\n{}", table(&all));
    std::io::stdout()
        .flush()
        .map_err(Failure::file("standard output"))?;
    verdict
}

fn clippy(place: &Place) -> Result<(), Failure> {
    let mut clippy = child::cargo(place, "clippy");
    child::run(clippy.args(["--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn tests(place: &Place, tally: &mut Tally) -> Result<(), Failure> {
    let found = test::run_all(place, None)?;
    let verdict = test::verdict(&found);
    tally.add(found);
    verdict
}

/// Whether servers carry what they are given: ours and its peers, by the load generator. Never how fast.
fn carried(place: &Place, tally: &mut Tally) -> Result<(), Failure> {
    let mut found = Tally::default();
    bench::quick(place, &mut found)?;
    let verdict = test::verdict(&found);
    tally.add(found);
    verdict
}

/// Whether a message takes as many instructions as it did.
fn counted(place: &Place, tally: &mut Tally) -> Result<(), Failure> {
    let mut found = Tally::default();
    let verdict = bench::counts::check(place, &mut found);
    tally.add(found);
    verdict
}

fn minutes(took: Duration) -> f64 {
    took.as_secs_f64() / 60.0
}

fn total(all: &[Done]) -> f64 {
    all.iter().map(|done| minutes(done.took)).sum()
}

fn table(all: &[Done]) -> String {
    let mut text = format!("{:<12}{:>8}{:>8}\n", "section", "minutes", "budget");
    for Done {
        section,
        took,
        outcome,
    } in all
    {
        let mark = match outcome {
            Ok(()) => String::new(),
            Err(failure) => format!("  failed: {failure}"),
        };
        let (name, budget) = (section.name, section.budget_minutes);
        text += &format!("{name:<12}{:>8.1}{budget:>8.1}{mark}\n", minutes(*took));
    }
    text + &format!("{:<12}{:>8.1}{BUDGET_MINUTES:>8.1}\n", "all", total(all))
}

fn verdict(all: &[Done], budget: bool) -> Result<(), Failure> {
    let failed = all.iter().filter(|done| done.outcome.is_err()).count();
    if failed > 0 {
        return Err(Failure::Found {
            what: "failed sections",
            count: failed,
        });
    }
    if budget && total(all) > BUDGET_MINUTES {
        return Err(Failure::Environment(format!(
            "longer than {BUDGET_MINUTES} minutes"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(minutes: u64, good: bool) -> Done {
        let failure = Failure::Found {
            what: "untidy places",
            count: 2,
        };
        let outcome = if good { Ok(()) } else { Err(failure) };
        Done {
            section: &SECTIONS[0],
            took: Duration::from_secs(minutes * 60),
            outcome,
        }
    }

    #[test]
    fn sections_fit_into_the_whole_budget() {
        let sum: f64 = SECTIONS.iter().map(|section| section.budget_minutes).sum();
        assert!(sum <= BUDGET_MINUTES, "{sum}");
    }

    #[test]
    fn a_failed_section_fails_the_run_and_shows_in_the_table() {
        let all = [done(1, true), done(2, false)];
        let table = table(&all);
        assert!(
            table.contains("     2.0     0.2  failed: 2 untidy places\n"),
            "{table}"
        );
        assert!(table.contains("all              3.0    39.0"), "{table}");
        assert!(matches!(
            verdict(&all, false),
            Err(Failure::Found { count: 1, .. })
        ));
    }

    #[test]
    fn the_budget_is_a_condition_only_when_asked() {
        let slow = [done(60, true)];
        assert!(verdict(&slow, false).is_ok());
        assert!(matches!(verdict(&slow, true), Err(Failure::Environment(_))));
    }
}
