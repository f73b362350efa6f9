//! External components: whether they can connect.

use super::finding::Finding;
use crate::config::Config;

const ABOUT: &str = "components";

/// What is found of the components that the configuration names, and of the listeners for them.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let listen = &config.listen;
    let listens = !(listen.components_loopback.is_empty() && listen.components_tls.is_empty());
    let mut findings: Vec<Finding> = config
        .components
        .iter()
        .map(|(host, component)| {
            let file = component.secret_file.display();
            Finding::good(
                ABOUT,
                format!("{host} may connect with the secret in {file}"),
            )
        })
        .collect();
    match (config.components.is_empty(), listens) {
        (false, false) => findings.push(
            Finding::bad(ABOUT, "nothing listens for components".to_owned())
                .mend("add 'components_loopback = [\"127.0.0.1:5347\"]' to [listen]"),
        ),
        (true, true) => findings.push(Finding::note(
            ABOUT,
            "an address listens for components, and no component may connect".to_owned(),
        )),
        _ => {}
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::finding::Level;
    use super::*;

    fn levels(more: &str) -> Vec<Level> {
        let text = format!("domains = [\"example.org\"]\ndata_dir = \"/data\"\n{more}");
        let config = Config::parse(&text, Path::new("/etc/waxwing")).unwrap();
        findings(&config)
            .iter()
            .map(|finding| finding.level)
            .collect()
    }

    #[test]
    fn a_component_needs_a_listener() {
        let listen = "[listen]\ncomponents_loopback = [\"127.0.0.1:5347\"]\n";
        let component = "[component.\"irc.example.org\"]\nsecret_file = \"x\"\n";
        assert_eq!(levels(""), []);
        assert_eq!(levels(component), [Level::Good, Level::Bad]);
        assert_eq!(levels(listen), [Level::Note]);
        assert_eq!(levels(&format!("{listen}{component}")), [Level::Good]);
    }
}
