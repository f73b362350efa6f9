//! Building the server needs Rust and a C compiler, nothing of a client's.

use super::tree::Tree;
use super::{Finding, found};

/// Packages of graphical and calling clients, and system libraries behind them.
const CLIENT_PACKAGES: &[&str] = &[
    "wry",
    "tao",
    "dioxus",
    "webkit2gtk",
    "gtk",
    "glib",
    "ratatui",
    "crossterm",
    "cpal",
    "opus",
    "openssl-sys",
    "native-tls",
    "waxwing-client",
    "waxwing-connect",
    "waxwing-e2ee",
    "waxwing-app",
    "waxwing-tui",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let linked = tree.linked_by_server.lines();
    let findings = linked.filter_map(|line| {
        let name = line.split(' ').next()?;
        let sqlcipher = name == "libsqlite3-sys" && line.contains("sqlcipher");
        let client = CLIENT_PACKAGES.contains(&name) || sqlcipher;
        client.then(|| {
            let what = format!("the server would link `{line}`, which is a client's");
            found("crates/waxwing/Cargo.toml", 0, what)
        })
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_packages_are_found() {
        let findings = |text: &str| {
            check(&Tree {
                linked_by_server: text.to_owned(),
                ..Tree::default()
            })
            .len()
        };
        assert_eq!(
            findings("tokio v1.0.0 net\nlibsqlite3-sys v0.3.0 bundled,cc\n"),
            0
        );
        assert_eq!(
            findings("wry v0.5.0 \nlibsqlite3-sys v0.3.0 bundled-sqlcipher\n"),
            2
        );
    }
}
