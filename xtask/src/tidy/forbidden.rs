//! Crates without I/O stay without: no runtime, socket, thread, clock or global randomness.

use super::rust::has_word;
use super::tree::{File, Tree};
use super::{Finding, found};

/// Folders of `crates/` that get the outside as arguments.
const PURE: &[&str] = &[
    "wire", "stanza", "stream", "store", "server", "testkit", "e2ee", "client",
];

/// What none of them names, with what to do instead.
const WORDS: &[(&str, &str)] = &[
    ("tokio", "a runtime belongs in a binary"),
    ("async_std", "a runtime belongs in a binary"),
    ("TcpStream", "sockets belong in `dial` and `waxwing`"),
    ("TcpListener", "sockets belong in `dial` and `waxwing`"),
    ("UdpSocket", "sockets belong in `dial` and `waxwing`"),
    ("UnixStream", "sockets belong in `dial` and `waxwing`"),
    ("UnixListener", "sockets belong in `dial` and `waxwing`"),
    ("ToSocketAddrs", "names are looked up by `dial`"),
    (
        "std::net::*",
        "name what is used; addresses are allowed, sockets are not",
    ),
    ("Instant::now", "time is an argument"),
    ("SystemTime::now", "time is an argument"),
    ("UNIX_EPOCH.elapsed", "time is an argument"),
    ("getrandom", "randomness is an argument"),
    ("OsRng", "randomness is an argument"),
    ("thread_rng", "randomness is an argument"),
    ("rand::rng", "randomness is an argument"),
    ("rand::random", "randomness is an argument"),
];

const THREADS: &[&str] = &[
    "std::thread",
    "thread::spawn",
    "thread::sleep",
    "thread::Builder",
];

/// Packages that none of them depends on, tests aside.
const PACKAGES: &[&str] = &[
    "tokio",
    "getrandom",
    "rand",
    "fastrand",
    "socket2",
    "mio",
    "axum",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for krate in PURE {
        for file in tree.product_files(krate) {
            check_file(krate, file, &mut findings);
        }
    }
    for package in &tree.packages {
        let folder = package.folder.rsplit('/').next().unwrap_or_default();
        let banned = package.dependencies.iter().filter(|dependency| {
            PURE.contains(&folder)
                && !dependency.for_tests_only
                && PACKAGES.contains(&dependency.name.as_str())
        });
        findings.extend(banned.map(|dependency| {
            let what = format!(
                "a crate without I/O may not depend on `{}`",
                dependency.name
            );
            found(&format!("{}/Cargo.toml", package.folder), 0, what)
        }));
    }
    findings
}

fn check_file(krate: &str, file: &File, findings: &mut Vec<Finding>) {
    let source = file.source();
    // The SQLite backend is one writer thread and its readers.
    let threads_allowed = krate == "store" && file.path.contains("/sqlite");
    for (number, line) in source.product_lines() {
        let words = WORDS.iter().filter(|(word, _)| has_word(line, word));
        findings
            .extend(words.map(|(word, why)| found(&file.path, number, format!("`{word}`: {why}"))));
        if !threads_allowed && THREADS.iter().any(|word| has_word(line, word)) {
            findings.push(found(&file.path, number, "threads belong in a binary"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::{package, tree};
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&tree(&[(path, text)])).len()
    }

    #[test]
    fn clocks_sockets_runtimes_and_threads_are_found() {
        for line in [
            "let now = std::time::Instant::now();",
            "use std::net::{IpAddr, TcpStream};",
            "use tokio::sync::mpsc;",
            "std::thread::spawn(|| ());",
            "let x = rand::random::<u8>();",
        ] {
            assert_eq!(count("crates/server/src/lib.rs", line), 1, "{line}");
            assert_eq!(count("crates/waxwing/src/main.rs", line), 0, "{line}");
        }
    }

    #[test]
    fn addresses_comments_and_tests_are_allowed() {
        let text = "use std::net::IpAddr; // no tokio here\n#[cfg(test)]\nmod tests {\n  use tokio::x;\n}\npub struct Message { pub thread: Option<String> }\n";
        assert_eq!(count("crates/stream/src/lib.rs", text), 0);
    }

    #[test]
    fn only_the_sqlite_backend_has_threads() {
        let line = "let writer = std::thread::Builder::new();";
        assert_eq!(count("crates/store/src/sqlite/writer.rs", line), 0);
        assert_eq!(count("crates/store/src/memory.rs", line), 1);
    }

    #[test]
    fn dependencies_count_too() {
        let packages = vec![package("stanza", &["rand", "dev:tokio"])];
        let tree = Tree {
            packages,
            ..Tree::default()
        };
        assert_eq!(check(&tree).len(), 1);
    }
}
