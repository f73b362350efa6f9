//! Crates without I/O stay without: no runtime, socket, file, process, thread, clock or global
//! randomness. What they need of the outside is an argument.

use super::rust::has_word;
use super::tree::{File, Tree};
use super::{Finding, found};

/// Folders of `crates/` that get the outside as arguments.
const PURE: &[&str] = &[
    "wire", "stanza", "stream", "store", "server", "testkit", "e2ee", "client",
];

const RUNTIME: &str = "a runtime belongs in a binary";
const SOCKET: &str = "sockets belong in `dial` and `waxwing`";
const CLOCK: &str = "time is an argument";
const RANDOM: &str = "randomness is an argument";
const TERMINAL: &str = "whoever calls has the terminal";

/// What none of them names, with what to do instead. A name counts wherever it stands, so that no
/// alias hides it.
const WORDS: &[(&str, &str)] = &[
    ("tokio", RUNTIME),
    ("async_std", RUNTIME),
    ("smol", RUNTIME),
    ("async_executor", RUNTIME),
    ("async_io", RUNTIME),
    ("futures_executor", RUNTIME),
    ("futures::executor", RUNTIME),
    ("pollster", RUNTIME),
    ("TcpStream", SOCKET),
    ("TcpListener", SOCKET),
    ("UdpSocket", SOCKET),
    ("UnixStream", SOCKET),
    ("UnixListener", SOCKET),
    ("UnixDatagram", SOCKET),
    ("ToSocketAddrs", "names are looked up by `dial`"),
    ("Instant", CLOCK),
    ("SystemTime", CLOCK),
    ("UNIX_EPOCH", CLOCK),
    ("getrandom", RANDOM),
    ("OsRng", RANDOM),
    ("SysRng", RANDOM),
    ("ThreadRng", RANDOM),
    ("thread_rng", RANDOM),
    ("rand::rng", RANDOM),
    ("rand::random", RANDOM),
    ("stdin", TERMINAL),
    ("stdout", TERMINAL),
    ("stderr", TERMINAL),
];

/// Modules of the standard library that none of them imports or names.
const MODULES: &[(&str, &str)] = &[
    (
        "std::fs",
        "files belong in a binary, or in the store's backend",
    ),
    ("std::process", "programs are started by a binary"),
    ("std::thread", "threads belong in a binary"),
    ("std::os", "the operating system is a binary's"),
];

/// What there is in `std::net` besides sockets.
const ADDRESSES: &[&str] = &[
    "AddrParseError",
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
];

/// Packages that none of them depends on, tests aside.
const PACKAGES: &[&str] = &[
    "async-io",
    "async-std",
    "axum",
    "chrono",
    "fastrand",
    "getrandom",
    "hickory-resolver",
    "hyper",
    "hyper-util",
    "mio",
    "quanta",
    "rand",
    "rayon",
    "reqwest",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tokio-rustls",
    "ureq",
    "uuid",
];

/// What a folder depends on all the same, for its backends alone.
const FOR_BACKENDS: &[(&str, &[&str])] =
    &[("store", &["hyper", "hyper-util", "tokio", "tokio-rustls"])];

/// Runtimes that nothing depends on: there is one.
const OTHER_RUNTIMES: &[&str] = &[
    "actix-rt",
    "async-executor",
    "async-global-executor",
    "async-std",
    "compio",
    "glommio",
    "monoio",
    "smol",
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
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let pure = PURE.contains(&folder) && !dependency.for_tests_only;
            let in_backend = FOR_BACKENDS
                .iter()
                .any(|(home, names)| *home == folder && names.contains(&name));
            let what = if pure && PACKAGES.contains(&name) && !in_backend {
                format!("a crate without I/O may not depend on `{name}`")
            } else if OTHER_RUNTIMES.contains(&name) {
                format!("`{name}`: the runtime is tokio")
            } else {
                continue;
            };
            findings.push(found(&format!("{}/Cargo.toml", package.folder), 0, what));
        }
    }
    findings
}

fn check_file(krate: &str, file: &File, findings: &mut Vec<Finding>) {
    let source = file.source();
    // The SQLite backend is files, one writer thread, and readers beside it; the PostgreSQL backend is a runtime of its
    // own, and what waits for a server needs a clock. So do blobs in an object store, whose requests one file makes.
    let is_store = krate == "store";
    let is_objects = is_store && file.path.contains("/objects/");
    let has_server = is_objects || is_store && file.path.contains("/postgres");
    let is_backend = has_server || is_store && file.path.contains("/sqlite");
    let has_socket = is_objects && file.path.ends_with("/http.rs");
    let is_allowed =
        |why: &str| has_server && [RUNTIME, CLOCK].contains(&why) || has_socket && why == SOCKET;
    let mut add = |line, what: String| {
        let finding = found(&file.path, line, what);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    };
    let modules = || MODULES.iter().filter(|_| !is_backend);
    for (number, line) in source.product_lines() {
        let words = WORDS.iter().chain(modules());
        let words = words.filter(|(_, why)| !is_allowed(why));
        for (word, why) in words.filter(|(word, _)| has_word(line, word)) {
            add(number, format!("`{word}`: {why}"));
        }
    }
    for (line, path) in source.imports() {
        let below = |module: &str| {
            path.strip_prefix(module)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        for (module, why) in modules().filter(|(module, _)| below(module)) {
            add(line, format!("`{module}`: {why}"));
        }
        let address = path.strip_prefix("std::net::");
        if below("std::net") && !address.is_some_and(|name| ADDRESSES.contains(&name)) {
            add(line, format!("`{path}`: addresses are allowed, {SOCKET}"));
        }
        if ["std::*", "std::time::*"].contains(&path.as_str()) {
            add(line, format!("`{path}`: name what is used"));
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
            "use std::time::Instant as I;",
            "use std::{time::SystemTime as Clock};",
            "use std::time::*;",
            "use std::net::*;",
            "use std::{net};",
            "use std::net::{self as n};",
            "use tokio::sync::mpsc;",
            "smol::block_on(work);",
            "futures::executor::block_on(work);",
            "std::thread::spawn(|| ());",
            "use std::{sync::Arc, thread as t};",
            "let x = rand::random::<u8>();",
        ] {
            assert_eq!(count("crates/server/src/lib.rs", line), 1, "{line}");
            assert_eq!(count("crates/waxwing/src/main.rs", line), 0, "{line}");
        }
        // Two reasons.
        let both = "use std::net::{IpAddr, TcpStream};";
        assert_eq!(count("crates/server/src/lib.rs", both), 2);
    }

    #[test]
    fn files_programs_and_terminals_are_found() {
        for line in [
            "let text = std::fs::read(path);",
            "use std::{fs, io};",
            "use std::process::Command;",
            "use std::os::unix::fs::PermissionsExt;",
            "use std::io::{self, stdin};",
        ] {
            assert_eq!(count("crates/stream/src/lib.rs", line), 1, "{line}");
            assert_eq!(count("crates/dial/src/lib.rs", line), 0, "{line}");
        }
        assert_eq!(
            count("crates/stream/src/lib.rs", "use std::io::{Read, Write};"),
            0
        );
    }

    #[test]
    fn addresses_comments_and_tests_are_allowed() {
        let text = "use std::net::{IpAddr, SocketAddr}; // no tokio here\n#[cfg(test)]\nmod tests {\n  use tokio::x;\n  use std::fs;\n}\npub struct Message { pub thread: Option<String> }\n";
        assert_eq!(count("crates/stream/src/lib.rs", text), 0);
    }

    #[test]
    fn only_backends_have_files_and_threads() {
        let line = "use std::fs; let writer = std::thread::Builder::new();";
        assert_eq!(count("crates/store/src/sqlite/writer.rs", line), 0);
        assert_eq!(count("crates/store/src/postgres/mod.rs", line), 0);
        assert_eq!(count("crates/store/src/memory.rs", line), 2);
    }

    #[test]
    fn only_what_talks_to_a_server_has_a_runtime_and_a_clock() {
        let line = "use tokio::time::sleep; use std::time::Instant;";
        assert_eq!(count("crates/store/src/postgres/lock.rs", line), 0);
        for path in ["store/src/sqlite/writer.rs", "server/src/postgres.rs"] {
            assert_eq!(count(&format!("crates/{path}"), line), 2, "{path}");
        }
        let socket = "let socket = TcpStream::connect(address);";
        assert_eq!(count("crates/store/src/postgres/lock.rs", socket), 1);
        assert_eq!(count("crates/store/src/objects/blobs.rs", line), 0);
        assert_eq!(count("crates/store/src/objects/blobs.rs", socket), 1);
        assert_eq!(count("crates/store/src/objects/http.rs", socket), 0);
    }

    #[test]
    fn dependencies_count_too() {
        let findings = |packages| {
            let tree = Tree {
                packages,
                ..Tree::default()
            };
            check(&tree).len()
        };
        assert_eq!(findings(vec![package("stanza", &["rand", "dev:tokio"])]), 1);
        assert_eq!(findings(vec![package("waxwing", &["tokio", "rand"])]), 0);
        assert_eq!(findings(vec![package("store", &["tokio", "rand"])]), 1);
        assert_eq!(findings(vec![package("server", &["tokio"])]), 1);
        assert_eq!(findings(vec![package("waxwing", &["async-std"])]), 1);
    }
}
