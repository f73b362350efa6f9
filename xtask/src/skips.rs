//! Which tests may be left out where nobody is looking: `.ci/allowed-skips`.
//!
//! One line is `NAME: why`; a name that ends in `*` stands for all that begin so. With `CI=true` a
//! skip that no line names is a failure.

use crate::failure::Failure;
use crate::place::Place;
use crate::tally::{Skip, Tally};

const FILE: &str = ".ci/allowed-skips";

/// With `CI=true`, refuses skips that are not allowed.
pub(crate) fn judge(place: &Place, tally: &Tally) -> Result<(), Failure> {
    if std::env::var("CI").as_deref() != Ok("true") {
        return Ok(());
    }
    let path = place.root.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(Failure::file(path))?;
    let refused = refused(&tally.skipped, &text);
    for skip in &refused {
        println!(
            "skipped, and {FILE} does not allow it: {}: {}",
            skip.name, skip.why
        );
    }
    match refused.len() {
        0 => Ok(()),
        count => Err(Failure::Found {
            what: "skips that are not allowed",
            count,
        }),
    }
}

fn refused<'s>(skips: &'s [Skip], allowed: &str) -> Vec<&'s Skip> {
    let lines = allowed.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(n, _)| n)
        .collect();
    let is_allowed = |skip: &&Skip| {
        names.iter().any(|name| match name.strip_suffix('*') {
            Some(beginning) => skip.name.starts_with(beginning),
            None => skip.name == *name,
        })
    };
    skips.iter().filter(|skip| !is_allowed(skip)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_skips_with_a_reason_pass() {
        let skip = |name: &str| Skip {
            name: name.to_owned(),
            why: "so".to_owned(),
        };
        let skips = ["dino/chat", "dino/call", "slixmpp/sm", "bare"].map(skip);
        let allowed = "# comment\ndino/*: no display\nslixmpp/sm: not yet\nbare\n";
        let names: Vec<_> = refused(&skips, allowed)
            .iter()
            .map(|s| s.name.as_str())
            .collect();
        assert_eq!(names, ["bare"]);
    }
}
