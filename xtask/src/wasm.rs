//! The cores build for the web: `wire`, `stanza` and `stream` for `wasm32-unknown-unknown`.
//!
//! By the toolchain in use, if rustup has the target or can fetch it; else by Debian's, which
//! compiles the standard library from source.

use std::process::Command;

use crate::child;
use crate::debian;
use crate::failure::Failure;
use crate::place::Place;

const TARGET: &str = "wasm32-unknown-unknown";
const CORES: &[&str] = &["waxwing-wire", "waxwing-stanza", "waxwing-stream"];
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld"];

pub(crate) fn run(place: &Place) -> Result<(), Failure> {
    if child::succeeds(Command::new("rustup").args(["target", "add", TARGET])) {
        println!("{TARGET}: by the toolchain in use");
        return child::run(child::cargo(place, "build").args(arguments()));
    }
    let wanted: Vec<_> = DEBIAN_PACKAGES
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let missing = debian::ensure(&wanted);
    if !missing.is_empty() {
        return Err(Failure::Environment(format!(
            "rustup has no {TARGET}, and Debian's packages are missing: {}",
            missing.join(" ")
        )));
    }
    println!("{TARGET}: by Debian's toolchain for the web");
    child::run(&mut debian_build(place))
}

fn arguments() -> impl Iterator<Item = String> {
    let packages = CORES.iter().map(|name| format!("--package={name}"));
    packages.chain(["--target".to_owned(), TARGET.to_owned()])
}

/// Debian ships the sources of the standard library and no build of it for this target.
fn debian_build(place: &Place) -> Command {
    let mut command = Command::new("/usr/bin/cargo");
    command
        .current_dir(&place.root)
        .arg("build")
        .args(arguments())
        .args(["-Zbuild-std=std,panic_abort", "--ignore-rust-version"])
        .env("CARGO_TARGET_DIR", place.cache.join("target-web"))
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
        .env_remove("RUSTUP_TOOLCHAIN");
    command
}
