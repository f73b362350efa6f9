//! `cargo xtask docs`: what is generated from the server's registry, and the crates' documentation.

use std::process::Command;

use crate::Task;
use crate::args::Args;
use crate::child;
use crate::failure::Failure;
use crate::place::Place;

pub(crate) const TASK: Task = Task {
    name: "docs",
    usage: "[--check]",
    about: "writes the generated documents and builds the crates' documentation; --check only compares",
    run,
};

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let check = args.flag("--check");
    args.finish()?;
    if check {
        return check_generated(place);
    }
    child::run(child::cargo(place, "build").arg("--package=waxwing"))?;
    child::run(&mut generate(place))?;
    crates(place)
}

/// Builds the server and compares what it would generate with what is committed.
pub(crate) fn check_generated(place: &Place) -> Result<(), Failure> {
    child::run(child::cargo(place, "build").arg("--package=waxwing"))?;
    check_built(place)
}

/// The comparison, by the server as last built.
pub(crate) fn check_built(place: &Place) -> Result<(), Failure> {
    child::run(generate(place).arg("--check"))
}

/// The documentation of every crate; a warning is an error.
pub(crate) fn crates(place: &Place) -> Result<(), Failure> {
    let mut doc = child::cargo(place, "doc");
    doc.args(["--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    child::run(&mut doc)
}

/// `waxwing generate --dir .`, which knows everything about the features.
fn generate(place: &Place) -> Command {
    let mut command = Command::new(place.program("debug", "waxwing"));
    command
        .current_dir(&place.root)
        .args(["generate", "--dir", "."]);
    command
}
