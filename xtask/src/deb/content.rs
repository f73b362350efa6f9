//! The files that a package installs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Package, licences};
use crate::child;
use crate::failure::Failure;

/// What the program says of itself, by shell: where it goes, as Debian's packages have it.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/waxwing"),
    ("zsh", "usr/share/zsh/vendor-completions/_waxwing"),
    ("fish", "usr/share/fish/vendor_completions.d/waxwing.fish"),
];

/// Files of the checkout that are installed as they are.
const AS_THEY_ARE: &[(&str, &str)] = &[
    ("deploy/sysusers.conf", "usr/lib/sysusers.d/waxwing.conf"),
    ("deploy/tmpfiles.conf", "usr/lib/tmpfiles.d/waxwing.conf"),
    ("deploy/debian/copyright", "usr/share/doc/waxwing/copyright"),
    (
        "deploy/debian/README.Debian",
        "usr/share/doc/waxwing/README.Debian",
    ),
    (
        "deploy/debian/lintian-overrides",
        "usr/share/lintian/overrides/waxwing",
    ),
    (
        "deploy/fail2ban/filter.conf",
        "usr/share/doc/waxwing/examples/fail2ban/filter.conf",
    ),
    (
        "deploy/fail2ban/jail.conf",
        "usr/share/doc/waxwing/examples/fail2ban/jail.conf",
    ),
];

/// Writes everything below the package's root, but for `DEBIAN`.
pub(super) fn write(package: &Package<'_>, program: &Path) -> Result<(), Failure> {
    let source = |path: &str| {
        let path = package.place.root.join(path);
        fs::read_to_string(&path).map_err(Failure::file(path))
    };
    install_program(package, program)?;
    for (from, to) in AS_THEY_ARE {
        put(package, to, source(from)?.as_bytes(), 0o644)?;
    }
    let unit = unit(&source("deploy/waxwing.service")?)?;
    put(
        package,
        "usr/lib/systemd/system/waxwing.service",
        unit.as_bytes(),
        0o644,
    )?;
    let config = configuration(&source("example.toml")?)?;
    put(
        package,
        "etc/waxwing/waxwing.toml",
        config.as_bytes(),
        0o644,
    )?;
    for (shell, to) in COMPLETIONS {
        let text = child::capture(Command::new(program).args(["completions", shell]))?;
        put(package, to, text.as_bytes(), 0o644)?;
    }
    manual(package, program)?;
    let notes = [
        ("changelog", source("CHANGELOG.md")?),
        ("changelog.Debian", changelog(package)?),
        ("THIRD-PARTY", licences::text(package.place)?),
    ];
    for (name, text) in notes {
        put_compressed(
            package,
            &format!("usr/share/doc/waxwing/{name}"),
            text.as_bytes(),
        )?;
    }
    Ok(())
}

/// Without what only debuggers read, as Debian wants programs.
fn install_program(package: &Package<'_>, program: &Path) -> Result<(), Failure> {
    let to = put(package, "usr/bin/waxwing", b"", 0o755)?;
    let mut strip = Command::new("strip");
    strip
        .args([
            "--strip-unneeded",
            "--remove-section=.comment",
            "--remove-section=.note",
        ])
        .arg("-o")
        .arg(&to)
        .arg(program);
    child::capture(&mut strip)?;
    set_mode(&to, 0o755)
}

fn manual(package: &Package<'_>, program: &Path) -> Result<(), Failure> {
    let folder = package.root.with_file_name("manual");
    let mut write = Command::new(program);
    child::capture(write.args(["manual", "--dir"]).arg(&folder))?;
    let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
    for entry in entries {
        let path = entry.map_err(Failure::file(&folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Only for those who have the sources.
        if name == "waxwing-generate.1" {
            continue;
        }
        let section = name.rsplit('.').next().unwrap_or("1");
        let text = fs::read(&path).map_err(Failure::file(&path))?;
        put_compressed(
            package,
            &format!("usr/share/man/man{section}/{name}"),
            &text,
        )?;
    }
    Ok(())
}

/// Replaces what must stand there exactly once.
fn replaced(text: &str, from: &str, to: &str, of: &'static str) -> Result<String, Failure> {
    if text.matches(from).count() == 1 {
        return Ok(text.replace(from, to));
    }
    Err(Failure::Answer {
        of,
        why: format!("`{from}` does not stand in it once"),
    })
}

/// The unit, for a program that the package manager has installed.
fn unit(text: &str) -> Result<String, Failure> {
    const OF: &str = "deploy/waxwing.service";
    let first = text.find("[Unit]").unwrap_or_default();
    let text = text.get(first..).unwrap_or_default();
    let text = replaced(text, "ExecStart=/usr/local/bin/", "ExecStart=/usr/bin/", OF)?;
    replaced(
        &text,
        "ExecReload=/usr/local/bin/",
        "ExecReload=/usr/bin/",
        OF,
    )
}

/// The configuration of a server that can be tried out on its machine at once.
fn configuration(text: &str) -> Result<String, Failure> {
    const OF: &str = "example.toml";
    let domains = "domains = [\"example.org\"]\n";
    let ours = "# Put yours here, and its certificate under [tls]; /usr/share/doc/waxwing/README.Debian says more.\n\
        domains = [\"localhost\"]\n";
    let text = replaced(text, &format!("\n{domains}"), &format!("\n{ours}"), OF)?;
    let text = replaced(
        &text,
        "\ncertificate = \"/etc/waxwing/fullchain.pem\"",
        "\ncertificate = \"/etc/waxwing/local/cert.pem\"",
        OF,
    )?;
    replaced(
        &text,
        "\nkey = \"/etc/waxwing/privkey.pem\"",
        "\nkey = \"/etc/waxwing/local/key.pem\"",
        OF,
    )
}

/// Who answers for the package: the workspace's authors.
pub(super) const MAINTAINER: &str = env!("CARGO_PKG_AUTHORS");

/// The package's own changelog; what changed in the server is in the other one.
fn changelog(package: &Package<'_>) -> Result<String, Failure> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email"])
        .arg(format!("--date=@{}", package.time));
    let date = child::capture(date.env("LC_ALL", "C"))?;
    let version = &package.version;
    Ok(format!(
        "waxwing ({version}) unstable; urgency=medium\n\n  * What has changed is in changelog.gz beside this.\n\n \
         -- {MAINTAINER}  {date}"
    ))
}

/// Writes a file below the package's root, and the folders above it.
pub(super) fn put(
    package: &Package<'_>,
    to: &str,
    bytes: &[u8],
    mode: u32,
) -> Result<PathBuf, Failure> {
    let path = package.root.join(to);
    let above = path
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(&package.root));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    }
    for folder in above {
        set_mode(folder, 0o755)?;
    }
    fs::write(&path, bytes).map_err(Failure::file(&path))?;
    set_mode(&path, mode)?;
    Ok(path)
}

/// The same, made smaller by gzip, without a time in it (Debian Policy 12.3).
fn put_compressed(package: &Package<'_>, to: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = put(package, to, bytes, 0o644)?;
    child::capture(
        Command::new("gzip")
            .args(["--best", "--no-name", "--force"])
            .arg(path),
    )
    .map(drop)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Failure::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_in_a_file_stands_there_once() {
        let unit = unit(include_str!("../../../deploy/waxwing.service")).unwrap();
        assert!(
            unit.starts_with("[Unit]\n") && !unit.contains("/usr/local"),
            "{unit}"
        );
        assert!(super::unit("[Service]\nExecStart=/opt/waxwing\n").is_err());
        let config = configuration(include_str!("../../../example.toml")).unwrap();
        assert!(config.contains("\ndomains = [\"localhost\"]\n"), "{config}");
        assert!(
            config.contains("\nkey = \"/etc/waxwing/local/key.pem\"\n"),
            "{config}"
        );
        assert!(configuration("domains = []\n").is_err());
    }
}
