//! What the package manager reads: `DEBIAN/control` and the files beside it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Package;
use super::content::{MAINTAINER, put};
use crate::child;
use crate::failure::Failure;

const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];

/// Writes `DEBIAN`; the architecture.
pub(super) fn write(package: &Package<'_>, work: &Path) -> Result<String, Failure> {
    let source = |name: &str| {
        let path = package.place.root.join("deploy/debian").join(name);
        fs::read_to_string(&path).map_err(Failure::file(path))
    };
    let mut ask = Command::new("dpkg");
    let architecture = child::capture(ask.arg("--print-architecture"))?;
    let architecture = architecture.trim().to_owned();
    let mut files = Vec::new();
    list(&package.root, &mut files)?;
    files.sort();
    put(
        package,
        "DEBIAN/md5sums",
        sums(package, &files)?.as_bytes(),
        0o644,
    )?;
    put(
        package,
        "DEBIAN/conffiles",
        conffiles(package, &files).as_bytes(),
        0o644,
    )?;
    let control = filled(
        &source("control")?,
        &[
            ("@version@", &package.version),
            ("@architecture@", &architecture),
            ("@size@", &kibibytes(&files)?.to_string()),
            ("@libraries@", &libraries(package, work)?),
            ("@maintainer@", MAINTAINER),
        ],
    );
    put(package, "DEBIAN/control", control.as_bytes(), 0o644)?;
    for name in SCRIPTS {
        put(
            package,
            &format!("DEBIAN/{name}"),
            source(name)?.as_bytes(),
            0o755,
        )?;
    }
    Ok(architecture)
}

fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (name, value) in values {
        text = text.replace(name, value);
    }
    text
}

/// Every file below a folder.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(Failure::file(folder))? {
        let path = entry.map_err(Failure::file(folder))?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn below_root<'a>(package: &Package<'_>, file: &'a Path) -> &'a Path {
    file.strip_prefix(&package.root).unwrap_or(file)
}

fn sums(package: &Package<'_>, files: &[PathBuf]) -> Result<String, Failure> {
    let mut sum = Command::new("md5sum");
    sum.current_dir(&package.root).arg("--");
    // Configuration is the administrator's to change.
    let relative = files.iter().map(|file| below_root(package, file));
    sum.args(relative.filter(|path| !path.starts_with("etc")));
    child::capture(&mut sum)
}

fn conffiles(package: &Package<'_>, files: &[PathBuf]) -> String {
    let relative = files.iter().map(|file| below_root(package, file));
    let of_etc = relative.filter(|path| path.starts_with("etc"));
    of_etc
        .map(|path| format!("/{}\n", path.display()))
        .collect()
}

/// As Debian Policy 5.6.20 counts: each file in whole kibibytes.
fn kibibytes(files: &[PathBuf]) -> Result<u64, Failure> {
    let mut all = 0;
    for file in files {
        let size = fs::metadata(file).map_err(Failure::file(file))?.size();
        all += size.div_ceil(1024);
    }
    Ok(all)
}

/// The packages of the libraries that the program is linked to, as dpkg-shlibdeps finds them.
fn libraries(package: &Package<'_>, work: &Path) -> Result<String, Failure> {
    // It wants to stand in a source package.
    let folder = work.join("shlibdeps/debian");
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let source = "Source: waxwing\n\nPackage: waxwing\nArchitecture: any\n";
    let file = folder.join("control");
    fs::write(&file, source).map_err(Failure::file(&file))?;
    let mut ask = Command::new("dpkg-shlibdeps");
    ask.current_dir(work.join("shlibdeps")).arg("-O");
    let answer = child::capture(ask.arg(package.root.join("usr/bin/waxwing")))?;
    let depends = answer
        .lines()
        .find_map(|line| line.strip_prefix("shlibs:Depends="));
    depends.map(str::to_owned).ok_or_else(|| Failure::Answer {
        of: "dpkg-shlibdeps",
        why: format!("no dependencies in `{answer}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_file_has_a_place_for_every_value() {
        let template = include_str!("../../../deploy/debian/control");
        let names = [
            "@version@",
            "@architecture@",
            "@size@",
            "@libraries@",
            "@maintainer@",
        ];
        let values: Vec<_> = names.iter().map(|name| (*name, "x")).collect();
        for name in names {
            assert_eq!(template.matches(name).count(), 1, "{name}");
        }
        let filled = filled(template, &values);
        assert!(filled.contains("\nDepends: x, systemd |"), "{filled}");
        assert!(!filled.contains('@'), "{filled}");
        // A name and one address (Debian policy §5.6.2), which is nobody's if it is an example's.
        let (name, address) = MAINTAINER.split_once(" <").unwrap();
        let address = address.strip_suffix('>').unwrap();
        assert!(!name.is_empty() && address.matches('@').count() == 1);
        assert!(!address.ends_with("@waxwing.example"), "{MAINTAINER}");
    }
}
