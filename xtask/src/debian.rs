//! Debian packages that tests need: installed by root, named for everybody else.

use std::process::Command;

use crate::child;

/// Packages that are not there, after root tried to install them.
pub(crate) fn ensure(wanted: &[String]) -> Vec<String> {
    let lacking = missing(wanted);
    if lacking.is_empty() || !is_root() {
        return lacking;
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(std::process::Stdio::null());
        command
    };
    let updated = child::run(apt().args(["--quiet", "--quiet", "update"]));
    let install = [
        "--quiet",
        "--quiet",
        "install",
        "--yes",
        "--no-install-recommends",
    ];
    let installed = child::run(apt().args(install).args(&lacking));
    // What failed is seen by what is still missing; the words help a person.
    for failure in [updated, installed].into_iter().filter_map(Result::err) {
        eprintln!("{failure}");
    }
    missing(wanted)
}

/// Packages that dpkg does not know as installed; all of them where there is no dpkg.
pub(crate) fn missing(wanted: &[String]) -> Vec<String> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut query = Command::new("dpkg-query");
    query
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\\n"])
        .args(wanted);
    let answer = query
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let installed = |name: &String| {
        answer
            .lines()
            .any(|line| line == format!("{name} installed"))
    };
    wanted
        .iter()
        .filter(|name| !installed(name))
        .cloned()
        .collect()
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("--user").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_cannot_exist_are_missing() {
        let wanted = ["waxwing-no-such-package".to_owned()];
        assert_eq!(missing(&wanted), wanted);
        assert!(missing(&[]).is_empty());
    }
}
