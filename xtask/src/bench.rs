//! `cargo xtask bench`: Waxwing beside Prosody and ejabberd, in one run on one machine.
//!
//! Each server is pinned to one processor and `waxwing-load` to another. Runs are interleaved, one server after the other
//! and all of it several times, so that what else the machine does meets all of them. Figures are of the machine; what is
//! claimed is the ratio. `docs/benchmarks.md` is written from them, and a page of charts.

pub(crate) mod counts;
mod machine;
mod measured;
mod micro;
mod numbers;
mod page;
mod peer;
mod play;
mod running;
mod scratch;
mod targets;
mod works;

use crate::Task;
use crate::args::Args;
use crate::debian;
use crate::failure::Failure;
use crate::place::Place;
use crate::tally::{Failed, Tally};
use crate::{skips, test};
use peer::Peer;
use play::{Play, Programs};
use works::Shape;

pub(crate) const TASK: Task = Task {
    name: "bench",
    usage: "[--quick] [--rounds N] [--seconds N] [--accounts N] | counts [--write [--because NNNN]] | micro [NAME]",
    about: "puts Waxwing, Prosody and ejabberd under load and writes docs/benchmarks.md; --quick checks only that nothing \
            is lost; counts counts the instructions of a message's way, and fails where they grew; micro runs the benchmarks whose package or name contains NAME",
    run,
};

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let quick = args.flag("--quick");
    let mut shape = Shape::FULL;
    for (name, value) in [
        ("--rounds", &mut shape.rounds),
        ("--seconds", &mut shape.secs),
        ("--accounts", &mut shape.accounts),
    ] {
        if let Some(text) = args.value(name)? {
            *value = number(name, &text)?;
        }
    }
    match args.word().as_deref() {
        Some("counts") => return counts::run(place, args),
        Some("micro") => return micro::run(place, args),
        Some(other) => {
            let text = format!("what is `{other}`? (`cargo xtask bench --help`)");
            return Err(Failure::Usage(text));
        }
        None => args.finish()?,
    }
    if quick {
        let mut tally = Tally::default();
        self::quick(place, &mut tally)?;
        print!("\n{}", tally.report());
        test::verdict(&tally)?;
        return skips::judge(place, &tally);
    }
    full(place, &shape)
}

fn number(name: &str, text: &str) -> Result<u32, Failure> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Failure::Usage(format!("{name} wants a number above 0")))
}

/// Everything, with figures.
fn full(place: &Place, shape: &Shape) -> Result<(), Failure> {
    let missing = debian::ensure(&peer::packages());
    if !missing.is_empty() {
        let text = format!("Debian packages missing: {}", missing.join(" "));
        return Err(Failure::Environment(text));
    }
    let programs = Programs::build(place, "release")?;
    let mut play = Play::new(place, &programs, &Peer::ALL, shape)?;
    let results = play.all(&works::full())?;
    let machine = machine::Machine::look(place, &programs)?;
    // What is said there is of a whole run.
    let path = match *shape == Shape::FULL {
        true => place.root.join("docs/benchmarks.md"),
        false => place.target.join("bench/benchmarks.md"),
    };
    let text = page::text(&machine, shape, &works::full(), &results);
    std::fs::write(&path, text).map_err(Failure::file(&path))?;
    let charts = play.charts(&programs)?;
    println!("{}\n{}", path.display(), charts.display());
    let unclean = results.complaints();
    for complaint in &unclean {
        println!("{complaint}");
    }
    match unclean.len() {
        0 => Ok(()),
        count => Err(Failure::Found {
            what: "runs in which something went wrong",
            count,
        }),
    }
}

/// A short run of little, as part of CI: whether all servers are carried through, never how fast. Programs are those that
/// tests build.
pub(crate) fn quick(place: &Place, tally: &mut Tally) -> Result<(), Failure> {
    let programs = Programs::build(place, "debug")?;
    let missing = debian::ensure(&peer::packages());
    let is_missing = |name: &str| missing.iter().any(|missing| missing == name);
    let (absent, there): (Vec<Peer>, Vec<Peer>) = Peer::ALL
        .into_iter()
        .partition(|peer| peer.packages().iter().any(|name| is_missing(name)));
    for peer in absent {
        let why = format!("Debian packages missing: {}", missing.join(" "));
        tally.skip(&format!("bench/{}", peer.folder()), &why);
    }
    let mut play = Play::new(place, &programs, &there, &Shape::QUICK)?;
    let results = play.all(&works::quick())?;
    tally.passed += results.clean_count();
    let complaints = results.complaints().into_iter();
    tally.failed.extend(complaints.map(Failed::named));
    Ok(())
}
