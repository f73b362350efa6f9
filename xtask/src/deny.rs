//! cargo-deny: licences, banned packages, sources, advisories. Its settings are in `deny.toml`.

use std::process::Command;

use crate::child;
use crate::failure::Failure;
use crate::place::Place;
use crate::tally::Tally;

const VERSION: &str = "0.20.2";

/// How the advisories are named where they are skipped.
const ADVISORIES: &str = "cargo-deny/advisories";

pub(crate) fn run(place: &Place, tally: &mut Tally) -> Result<(), Failure> {
    let program = ensure(place)?;
    let check = |what: &[&str]| {
        let mut command = Command::new(&program);
        command
            .current_dir(&place.root)
            .args(["--locked", "--workspace", "check"])
            .args(what);
        command
    };
    child::run(&mut check(&["bans", "licenses", "sources"]))?;
    // The database of advisories is a repository of its own; where it cannot be fetched, that is
    // said, and the rest still counts.
    let mut fetch = Command::new(&program);
    fetch
        .current_dir(&place.root)
        .args(["--locked", "fetch", "db"]);
    if child::succeeds(&mut fetch) {
        return child::run(&mut check(&["--disable-fetch", "advisories"]));
    }
    tally.skip(
        ADVISORIES,
        "the advisory database cannot be fetched from here",
    );
    Ok(())
}

/// cargo-deny of our version, built once into the cache folder.
fn ensure(place: &Place) -> Result<std::path::PathBuf, Failure> {
    let tools = place.cache.join("tools");
    let program = tools.join("bin").join("cargo-deny");
    let wanted = format!("cargo-deny {VERSION}");
    let version = Command::new(&program).arg("--version").output();
    if version.is_ok_and(|output| output.stdout.trim_ascii() == wanted.as_bytes()) {
        return Ok(program);
    }
    // Compiled fast, since it runs for a second; in a folder of its own that Cargo removes.
    let mut install = Command::new("cargo");
    install
        .args([
            "install",
            "cargo-deny",
            "--locked",
            "--version",
            VERSION,
            "--root",
        ])
        .arg(&tools)
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    child::run(&mut install)?;
    Ok(program)
}
