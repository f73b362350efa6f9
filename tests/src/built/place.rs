//! Where the server's program is, and an address that no other test uses.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{BuiltError, run, system};

/// Port that is held at an address as long as a test uses it.
const CLAIM_PORT: u16 = 5221;
/// Addresses that are tried before the test gives up.
const CLAIMS_MAX: u32 = 1_000;

static CLAIMS: AtomicU32 = AtomicU32::new(0);
static SERVER: OnceLock<PathBuf> = OnceLock::new();
static LOAD: OnceLock<PathBuf> = OnceLock::new();

/// An address of 127.0.0.0/8, all of which is loopback on Linux. Fixed ports at an address of one's
/// own cannot be taken by others between two lives of a server, as free ports of 127.0.0.1 can.
#[derive(Debug)]
pub(super) struct Address {
    ip: Ipv4Addr,
    _claim: TcpListener,
}

impl Address {
    /// Takes an address until dropped.
    pub(super) fn claim() -> io::Result<Address> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..CLAIMS_MAX {
            let number = CLAIMS.fetch_add(1, Ordering::Relaxed);
            // Neighbouring processes begin far from each other.
            let [_, b, c, d] = std::process::id()
                .wrapping_mul(251)
                .wrapping_add(number)
                .to_be_bytes();
            // Nothing ends in .0 or .255, nothing begins with the usual 127.0.
            let ip = Ipv4Addr::new(127, b | 1, c, d.clamp(1, 254));
            match TcpListener::bind((ip, CLAIM_PORT)) {
                Ok(claim) => return Ok(Address { ip, _claim: claim }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) fn ip(&self) -> Ipv4Addr {
        self.ip
    }
}

/// The program that `WAXWING_BIN` names, as `cargo xtask test` does; otherwise it is built beside
/// this test.
pub(super) fn binary() -> Result<PathBuf, BuiltError> {
    program("WAXWING_BIN", "waxwing", &SERVER)
}

/// The load generator: what `WAXWING_LOAD_BIN` names, or built beside this test.
pub(super) fn load() -> Result<PathBuf, BuiltError> {
    program("WAXWING_LOAD_BIN", "waxwing-load", &LOAD)
}

fn program(
    variable: &str,
    package: &str,
    found: &OnceLock<PathBuf>,
) -> Result<PathBuf, BuiltError> {
    if let Some(named) = std::env::var_os(variable).filter(|named| !named.is_empty()) {
        return std::path::absolute(named).map_err(system(variable));
    }
    if let Some(built) = found.get() {
        return Ok(built.clone());
    }
    let built = build(package)?;
    Ok(found.get_or_init(|| built).clone())
}

fn build(package: &str) -> Result<PathBuf, BuiltError> {
    // TARGET/PROFILE/deps/TEST: Cargo says nowhere else where it builds.
    let test = std::env::current_exe().map_err(system("the test's own program"))?;
    let profile = test.ancestors().nth(2).unwrap_or(Path::new("/"));
    let target = profile.parent().unwrap_or(Path::new("/"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--package", package, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    run(&mut command, "")?;
    Ok(profile.join(package))
}
