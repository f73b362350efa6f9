//! `cargo xtask fmt`: formats by the list of files that git knows. `cargo fmt` follows `mod` lines
//! and does not see modules that a macro declares.

use std::process::Command;

use crate::Task;
use crate::args::Args;
use crate::child;
use crate::failure::Failure;
use crate::place::Place;

pub(crate) const TASK: Task = Task {
    name: "fmt",
    usage: "[--check]",
    about: "formats every Rust file; --check only says which are not",
    run: |place, mut args: Args| {
        let check = args.flag("--check");
        args.finish()?;
        run(place, check)
    },
};

pub(crate) fn run(place: &Place, check: bool) -> Result<(), Failure> {
    let mut git = Command::new("git");
    git.current_dir(&place.root);
    git.args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "*.rs",
    ]);
    let list = child::capture(&mut git)?;
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.current_dir(&place.root).args(["--edition", "2024"]);
    if check {
        rustfmt.arg("--check");
    }
    // A file deleted but not yet staged is still listed.
    rustfmt.args(list.lines().filter(|path| place.root.join(path).exists()));
    child::run(&mut rustfmt)
}
