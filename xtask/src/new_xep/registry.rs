//! Adding a file to the lists of a registry, in the form that the list already has.

/// The text with one line more in every list of specifications: consecutive lines that differ in
/// nothing but the file they name. A sorted list stays sorted; where order has a meaning, the new
/// line comes last.
pub(crate) fn with_line(text: &str, stem: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut at = 0;
    while at < lines.len() {
        let Some((before, after)) = split(&lines[at]).map(|(a, _, b)| (a.to_owned(), b.to_owned()))
        else {
            at += 1;
            continue;
        };
        let stems = list(&lines[at..], &before, &after);
        let sorted = stems.is_sorted();
        let after_smaller = stems
            .iter()
            .take_while(|other| other.as_str() < stem)
            .count();
        let place = at + if sorted { after_smaller } else { stems.len() };
        at += stems.len() + 1;
        lines.insert(place, format!("{before}{stem}{after}"));
    }
    lines.join("\n") + "\n"
}

/// The files named by the lines from the first on, as far as they have one form.
fn list(lines: &[String], before: &str, after: &str) -> Vec<String> {
    let stems = lines.iter().map_while(|line| {
        let (a, stem, b) = split(line)?;
        (a == before && b == after).then(|| stem.to_owned())
    });
    stems.collect()
}

/// A line that names the file of a specification: what comes before, the file, what comes after.
fn split(line: &str) -> Option<(&str, &str, &str)> {
    let comment = line.find("//").unwrap_or(line.len());
    let start = ["xep_", "rfc", "proto_"]
        .iter()
        .filter_map(|kind| line[..comment].find(kind))
        .filter(|at| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .min()?;
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let end = line[start..]
        .find(word)
        .map_or(line.len(), |length| start + length);
    Some((&line[..start], &line[start..end], &line[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_gets_a_line_in_its_form() {
        let text = "//! Lists xep_0001_x.\n\npub mod rfc6121_roster;\npub mod xep_0199_ping;\n\n\
            const ALL: &[F] = &[\n    &xep_0199_ping::FEATURE,\n    &rfc6121_roster::FEATURE,\n];\n";
        let expected = "//! Lists xep_0001_x.\n\npub mod rfc6121_roster;\npub mod xep_0092_version;\n\
            pub mod xep_0199_ping;\n\nconst ALL: &[F] = &[\n    &xep_0199_ping::FEATURE,\n    \
            &rfc6121_roster::FEATURE,\n    &xep_0092_version::FEATURE,\n];\n";
        assert_eq!(with_line(text, "xep_0092_version"), expected);
    }

    #[test]
    fn a_sorted_list_grows_at_its_ends_too() {
        let text = "mod xep_0030_disco;\nmod xep_0199_ping;\n";
        assert!(with_line(text, "xep_0004_forms").starts_with("mod xep_0004_forms;\n"));
        assert!(with_line(text, "xep_0363_upload").ends_with("mod xep_0363_upload;\n"));
    }
}
