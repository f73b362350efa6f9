//! `cargo xtask bench micro`: the workspace's benchmarks, optimised, one after the other. Each prints its
//! own table; nothing is compared with an earlier run, since figures of two machines are not.

use serde_json::Value;

use crate::args::Args;
use crate::child;
use crate::debian;
use crate::failure::Failure;
use crate::place::Place;
use crate::test;

/// A benchmark as Cargo knows it.
#[derive(Debug, PartialEq)]
struct Bench {
    package: String,
    name: String,
}

/// Runs the benchmarks whose package or name contains the word.
pub(super) fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let filter = args.word().unwrap_or_default();
    args.finish()?;
    let metadata = child::capture(child::cargo(place, "metadata").args([
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let all = benches(&metadata)?;
    let chosen: Vec<_> = all.iter().filter(|bench| bench.matches(&filter)).collect();
    if chosen.is_empty() {
        let known: Vec<_> = all.iter().map(Bench::shown).collect();
        let text = format!("which benchmark? There are: {}", known.join(", "));
        return Err(Failure::Usage(text));
    }
    // They compare with other people's libraries.
    let missing = debian::ensure(&test::debian_packages());
    if !missing.is_empty() {
        let text = format!("Debian packages missing: {}", missing.join(" "));
        return Err(Failure::Environment(text));
    }
    for bench in chosen {
        let (package, name) = (&bench.package, &bench.name);
        let mut command = child::cargo(place, "bench");
        child::run(command.args(["--package", package, "--bench", name]))?;
    }
    Ok(())
}

impl Bench {
    fn matches(&self, filter: &str) -> bool {
        self.shown().contains(filter)
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.package, self.name)
    }
}

/// Reads `cargo metadata --no-deps`.
fn benches(metadata: &str) -> Result<Vec<Bench>, Failure> {
    let metadata: Value = serde_json::from_str(metadata).map_err(|error| Failure::Answer {
        of: "cargo metadata",
        why: error.to_string(),
    })?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut benches = Vec::new();
    for package in list(&metadata["packages"]) {
        let targets = list(&package["targets"]);
        let is_bench = |target: &&Value| list(&target["kind"]).iter().any(|kind| kind == "bench");
        benches.extend(targets.iter().filter(is_bench).map(|target| Bench {
            package: text(&package["name"]),
            name: text(&target["name"]),
        }));
    }
    Ok(benches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_found_and_chosen_by_either_name() {
        let metadata = r#"{"packages":[{"name":"waxwing-wire","targets":[
            {"name":"waxwing_wire","kind":["lib"]},{"name":"compare","kind":["bench"]}]}]}"#;
        let benches = benches(metadata).unwrap();
        let [bench] = &benches[..] else {
            panic!("{benches:?}")
        };
        assert_eq!(bench.shown(), "waxwing-wire/compare");
        assert!(bench.matches("") && bench.matches("wire") && bench.matches("compare"));
        assert!(!bench.matches("store"));
    }
}
