//! The object store that tests start for themselves: Versity's gateway, built from the Go module proxy's source.

use std::path::PathBuf;
use std::process::Command;

use crate::child;
use crate::debian;
use crate::place::Place;

/// Where its version stands.
const NAMED_IN: &str = "tests/objects/src/lib.rs";
/// Debian's package of Go.
const GO: &str = "golang-go";
/// What is built of it.
const PACKAGE: &str = "github.com/versity/versitygw/cmd/versitygw";

/// Builds it where it is not there yet. Tests that want it are skipped where it cannot be built.
pub(crate) fn ensure(place: &Place) {
    let text = std::fs::read_to_string(place.root.join(NAMED_IN)).unwrap_or_default();
    let Some(version) = version(&text) else {
        eprintln!("{NAMED_IN} names no version of versitygw");
        return;
    };
    let folder = folder(place, version);
    if folder.join("versitygw").exists() {
        return;
    }
    let has_go = Command::new("go").arg("version").output().is_ok();
    if !has_go && !debian::ensure(&[GO.to_owned()]).is_empty() {
        eprintln!("there is no Go to build {PACKAGE} with");
        return;
    }
    // Its sums are looked up by Go itself, in the public database of them; so is a newer Go, where it wants one.
    let mut go = Command::new("go");
    go.args(["install", &format!("{PACKAGE}@{version}")])
        .env("GOBIN", &folder)
        .env("CGO_ENABLED", "0")
        .current_dir(&place.cache);
    if let Err(failure) = child::run(&mut go) {
        eprintln!("{failure}");
    }
}

/// The same place that `tests/objects` looks at.
fn folder(place: &Place, version: &str) -> PathBuf {
    place.cache.join("versitygw").join(version)
}

fn version(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("pub const VERSION: &str = \"")?;
    let (version, _) = rest.split_once('"')?;
    version.starts_with('v').then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_in_the_tests() {
        let place = Place::find().unwrap();
        let text = std::fs::read_to_string(place.root.join(NAMED_IN)).unwrap();
        let found = version(&text).unwrap();
        assert_eq!(found.split('.').count(), 3, "{found}");
        assert_eq!(version("pub const VERSION: &str = \"latest\";"), None);
    }
}
