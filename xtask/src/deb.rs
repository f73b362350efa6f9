//! `cargo xtask deb`: a Debian package of the server.
//!
//! The same sources give the same bytes: times come from `SOURCE_DATE_EPOCH` or the last commit, and a release build
//! does not know where it was built.

mod content;
mod control;
mod licences;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Task;
use crate::args::Args;
use crate::child;
use crate::failure::Failure;
use crate::place::Place;

pub(crate) const TASK: Task = Task {
    name: "deb",
    usage: "[--out DIR] [--program FILE] [--version VERSION]",
    about: "builds a Debian package in DIR (.), of a release build or of the program in FILE",
    run,
};

/// Programs of Debian that make it, with their packages.
const TOOLS: &[(&str, &str)] = &[
    ("dpkg-deb", "dpkg"),
    ("dpkg-shlibdeps", "dpkg-dev"),
    ("strip", "binutils"),
];

/// What one package is made of.
struct Package<'a> {
    place: &'a Place,
    /// Debian's: upstream's, a hyphen, and the package's own.
    version: String,
    /// In seconds since 1970.
    time: u64,
    /// What becomes the root directory, with `DEBIAN` in it.
    root: PathBuf,
}

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let out = args
        .value("--out")?
        .map_or_else(|| place.root.clone(), PathBuf::from);
    let program = args.value("--program")?.map(PathBuf::from);
    let version = args.value("--version")?;
    args.finish()?;
    let version = match version {
        Some(version) => version,
        None => format!("{}-1", workspace_version(place)?),
    };
    if !is_version(&version) {
        let text = format!("`{version}` is no version of a Debian package, such as 1.2.3-1");
        return Err(Failure::Usage(text));
    }
    tools_are_there()?;
    let program = match program {
        Some(program) => std::path::absolute(&program).map_err(Failure::file(program))?,
        None => release_build(place)?,
    };
    fs::create_dir_all(&out).map_err(Failure::file(&out))?;
    let work = place
        .target
        .join("deb")
        .join(std::process::id().to_string());
    let package = Package {
        place,
        version,
        time: time(place)?,
        root: work.join("root"),
    };
    let made = make(&package, &program, &work, &out);
    // What is left of a failed one takes room until the next `cargo clean`, and helps to find out why.
    if made.is_ok() {
        fs::remove_dir_all(&work).map_err(Failure::file(&work))?;
    }
    println!("{}", made?.display());
    Ok(())
}

fn make(
    package: &Package<'_>,
    program: &Path,
    work: &Path,
    out: &Path,
) -> Result<PathBuf, Failure> {
    content::write(package, program)?;
    let architecture = control::write(package, work)?;
    let file = out.join(format!("waxwing_{}_{architecture}.deb", package.version));
    let mut build = Command::new("dpkg-deb");
    build
        .args(["--root-owner-group", "--build"])
        .arg(&package.root)
        .arg(&file)
        .env("SOURCE_DATE_EPOCH", package.time.to_string());
    child::capture(&mut build)?;
    Ok(file)
}

fn tools_are_there() -> Result<(), Failure> {
    let lacking = |(tool, _): &&(&str, &str)| !child::succeeds(Command::new(tool).arg("--version"));
    match TOOLS.iter().find(lacking) {
        None => Ok(()),
        Some((tool, package)) => Err(Failure::Environment(format!(
            "there is no {tool}; on Debian: apt install {package}"
        ))),
    }
}

/// The server for others: without the paths of this machine in it.
fn release_build(place: &Place) -> Result<PathBuf, Failure> {
    let home = |name: &str, folder: &str| {
        let set = std::env::var(name).ok();
        set.or_else(|| {
            std::env::var("HOME")
                .ok()
                .map(|home| format!("{home}/{folder}"))
        })
    };
    let mut paths = vec![
        (place.root.display().to_string(), "/waxwing"),
        (place.target.display().to_string(), "/target"),
    ];
    paths.extend(home("CARGO_HOME", ".cargo").map(|path| (path, "/cargo")));
    paths.extend(home("RUSTUP_HOME", ".rustup").map(|path| (path, "/rustup")));
    let flags = |option: &str, between: &str| {
        let all = paths
            .iter()
            .map(|(from, to)| format!("{option}={from}={to}"));
        all.collect::<Vec<_>>().join(between)
    };
    let mut build = child::cargo(place, "build");
    build
        .args(["--release", "--locked", "--package=waxwing"])
        // Between flags stands U+001F, as Cargo wants it: paths may have spaces.
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            flags("--remap-path-prefix", "\u{1f}"),
        )
        .env("CFLAGS", flags("-ffile-prefix-map", " "));
    child::run(&mut build)?;
    Ok(place.program("release", "waxwing"))
}

fn workspace_version(place: &Place) -> Result<String, Failure> {
    let path = place.root.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
    let version = |text: &str| {
        let table: toml::Table = text.parse().ok()?;
        let package = table.get("workspace")?.get("package")?;
        package.get("version")?.as_str().map(str::to_owned)
    };
    version(&text).ok_or_else(|| Failure::Answer {
        of: "Cargo.toml",
        why: "no version of the workspace".to_owned(),
    })
}

/// The part of Debian Policy 5.6.12 that we use: no epoch, and a package's own part.
fn is_version(text: &str) -> bool {
    let Some((upstream, own)) = text.rsplit_once('-') else {
        return false;
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".+~".contains(c);
    upstream.starts_with(|c: char| c.is_ascii_digit())
        && !own.is_empty()
        && own.chars().all(allowed)
        && upstream.chars().all(|c| allowed(c) || c == '-')
}

/// `SOURCE_DATE_EPOCH`, or when the last commit was made.
fn time(place: &Place) -> Result<u64, Failure> {
    let (of, text) = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => ("SOURCE_DATE_EPOCH", text),
        Err(_) => {
            let mut log = Command::new("git");
            log.current_dir(&place.root)
                .args(["log", "-1", "--format=%ct"]);
            ("git log", child::capture(&mut log)?)
        }
    };
    text.trim().parse().map_err(|_| Failure::Answer {
        of,
        why: format!("`{}` is no time in seconds", text.trim()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_debian_packages() {
        for good in ["0.1.0-1", "1.0~rc1-2", "0.1.0-1+deb12u1", "1.0-beta-3"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["0.1.0", "v1-1", "1.0-", "-1", "1.0 -1", "1:2.0-1", "../x-1"] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
