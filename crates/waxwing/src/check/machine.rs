//! The machine: data directory, ports, disk, clock.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Access, access, statvfs};
use waxwing_server::{Server, is_push_key};
use waxwing_store::{OpenError, Store};

use super::finding::{Finding, Level};
use crate::config::Config;
use crate::data_dir::mend;
use crate::{listen, push_key, token_keys};

/// Free space below which the disk will be full soon.
const FREE_BYTES_WARNING: u64 = 1 << 30;
/// Free space that the write-ahead log alone can take.
const FREE_BYTES_LEAST: u64 = 128 << 20;
/// Free inodes below which no files can be made soon.
const FREE_FILES_WARNING: u64 = 1_000;
/// The longest path of a Unix socket (unix(7), `sun_path`), without the NUL behind it.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// The year 2025: no clock that is right shows less.
const EARLIEST: Duration = Duration::from_secs(1_735_689_600);
/// How much older than its data a clock may be.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(300);

/// The nearest directory that is there.
fn existing(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|dir| dir.exists())
}

/// Makes a directory as the server would, and takes back what was made.
fn try_to_make(dir: &Path) -> io::Result<()> {
    let mut missing: Vec<_> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    missing.reverse();
    let mut made = Vec::new();
    let mut outcome = Ok(());
    for dir in missing {
        outcome = DirBuilder::new().mode(0o700).create(dir);
        match outcome {
            Ok(()) => made.push(dir),
            Err(_) => break,
        }
    }
    for dir in made.into_iter().rev() {
        // What somebody has put there meanwhile is theirs.
        let _theirs = fs::remove_dir(dir);
    }
    outcome
}

/// Whether the server would open its data directory. Nothing stays written.
pub(crate) fn data_dir(config: &Config) -> Vec<Finding> {
    const ABOUT: &str = "data";
    let dir = &config.data_dir;
    let shown = dir.display();
    let mut findings = vec![looked_at(config)];
    // Nobody is told to change what is not ours.
    let ours = findings.iter().all(|finding| finding.level != Level::Fatal);
    if ours && std::fs::metadata(dir).is_ok_and(|found| found.permissions().mode() & 0o077 != 0) {
        let text = format!("other users of this machine can look into {shown}");
        findings.push(Finding::warning(ABOUT, text).mend(format!("chmod 700 '{shown}'")));
    }
    findings.extend(of_token_keys(dir));
    findings.extend(of_push_key(dir));
    let socket = config.admin_socket();
    if socket.as_os_str().as_bytes().len() > SOCKET_PATH_BYTES_MAX {
        let text = format!("the path of {} is too long for a socket", socket.display());
        findings.push(Finding::fatal(ABOUT, text).mend("give a shorter data_dir"));
    }
    findings
}

/// What is found at the place of the data directory.
fn looked_at(config: &Config) -> Finding {
    const ABOUT: &str = "data";
    let dir = &config.data_dir;
    let shown = dir.display();
    let unwritable = |place: &Path, error: rustix::io::Errno| {
        let place = place.to_owned();
        refused(&match error {
            rustix::io::Errno::ROFS => OpenError::ReadOnly(place),
            _ => OpenError::Denied(place),
        })
    };
    let rights = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    // Beside a database, only the socket for commands is there.
    let (looked, used_for) = match config.store {
        None => (
            Store::sqlite_look(dir, &Server::shapes()),
            "holds data that this program can use",
        ),
        Some(_) => (Ok(true), "can hold the socket for admin commands"),
    };
    let is_there = match looked {
        Err(OpenError::InUse(_)) => {
            return Finding::good(ABOUT, format!("{shown} is in use by a server that runs"));
        }
        Err(error) => return refused(&error),
        Ok(is_there) => is_there,
    };
    match (access(dir, rights), existing(dir)) {
        (Ok(()), _) if is_there => Finding::good(ABOUT, format!("{shown} {used_for}")),
        (Ok(()), _) => Finding::good(ABOUT, format!("{shown} is empty, for a first start")),
        (Err(error), Some(place)) if place == dir => unwritable(place, error),
        (Err(_), Some(place)) if !place.is_dir() => Finding::fatal(
            ABOUT,
            format!(
                "{shown} cannot be made: {} is no directory",
                place.display()
            ),
        )
        .mend("give another data_dir"),
        (Err(_), Some(place)) => match access(place, rights) {
            // Some file systems say yes, and mean what they hold themselves.
            Ok(()) => match try_to_make(dir) {
                Ok(()) => Finding::good(ABOUT, format!("{shown} can be made")),
                Err(error) => Finding::fatal(ABOUT, format!("{shown} cannot be made: {error}"))
                    .mend("give another data_dir"),
            },
            Err(error) => unwritable(place, error),
        },
        (Err(error), None) => unwritable(dir, error),
    }
}

/// The keys of tokens, where there are some: without a file the server makes it.
fn of_token_keys(dir: &Path) -> Option<Finding> {
    const ABOUT: &str = "data";
    let path = dir.join(token_keys::FILE);
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    if let Err(error) = token_keys::read(dir) {
        let mend = "mend the line; or remove the file: devices use their passwords then, once";
        return Some(Finding::fatal(ABOUT, error.to_string()).mend(mend));
    }
    of_mode(&path, mode)
}

/// The key by which push services know the server, where there is one.
fn of_push_key(dir: &Path) -> Option<Finding> {
    let path = dir.join(push_key::FILE);
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    let wrong = match push_key::read(dir) {
        Ok(key) if key.as_ref().is_none_or(is_push_key) => return of_mode(&path, mode),
        Ok(_) => format!("{}: the number is no key of P-256", path.display()),
        Err(error) => error.to_string(),
    };
    let mend = "mend the line; or remove the file: browsers subscribe again then";
    Some(Finding::fatal("data", wrong).mend(mend))
}

/// A file that nobody else is to read.
fn of_mode(path: &Path, mode: u32) -> Option<Finding> {
    let text = format!("other users of this machine can read {}", path.display());
    let mend = format!("chmod 600 '{}'", path.display());
    (mode & 0o077 != 0).then(|| Finding::bad("data", text).mend(mend))
}

fn refused(error: &OpenError) -> Finding {
    Finding::fatal("data", error.to_string()).mend(mend(error).unwrap_or("give another data_dir"))
}

/// Whether every address can listen; `ours` are those of the server that runs.
pub(crate) fn ports(config: &Config, ours: &[SocketAddr]) -> Vec<Finding> {
    let all = config.listen.all();
    all.into_iter()
        .map(|(key, address)| port(key, address, ours))
        .collect()
}

fn port(key: &str, address: SocketAddr, ours: &[SocketAddr]) -> Finding {
    const ABOUT: &str = "ports";
    if ours.contains(&address) {
        return Finding::good(
            ABOUT,
            format!("{address} ({key}) is in use by this server, which is running"),
        );
    }
    match listen::open(address) {
        Ok(_) => Finding::good(ABOUT, format!("{address} ({key}) is free")),
        // Whoever checks is no service of systemd, which gives its own what they need.
        Err(error) if error.is_forbidden() => Finding::warning(
            ABOUT,
            format!(
                "{address} ({key}) was not tried: {} that the service may have",
                error.reason
            ),
        )
        .mend(error.mend()),
        Err(error) => Finding::fatal(
            ABOUT,
            format!("{address} ({key}) cannot listen: {}", error.reason),
        )
        .mend(error.mend()),
    }
}

/// Whether there is room where the data are, or will be; of a database's disk nothing is known here.
pub(crate) fn disk(config: &Config) -> Option<Finding> {
    config.store.is_none().then(|| disk_of(config))
}

fn disk_of(config: &Config) -> Finding {
    const ABOUT: &str = "disk";
    let place = existing(&config.data_dir).unwrap_or(Path::new("/"));
    let shown = place.display();
    match statvfs(place) {
        Err(error) => Finding::warning(
            ABOUT,
            format!("{shown}: the free space cannot be found out: {error}"),
        ),
        Ok(found) => room(
            &shown.to_string(),
            found.f_bavail.saturating_mul(found.f_frsize),
            // Some file systems count none.
            (found.f_files > 0).then_some(found.f_favail),
        ),
    }
}

fn room(place: &str, bytes: u64, files: Option<u64>) -> Finding {
    const ABOUT: &str = "disk";
    let mend = "make room, or move data_dir to a larger disk; what cannot be stored is refused";
    let mebibytes = bytes >> 20;
    if bytes < FREE_BYTES_LEAST {
        return Finding::bad(ABOUT, format!("{place} has {mebibytes} MiB left")).mend(mend);
    }
    if files.is_some_and(|files| files < FREE_FILES_WARNING) {
        return Finding::bad(ABOUT, format!("{place} has hardly any inodes left"))
            .mend("remove files there");
    }
    if bytes < FREE_BYTES_WARNING {
        return Finding::warning(ABOUT, format!("{place} has {mebibytes} MiB left")).mend(mend);
    }
    Finding::good(
        ABOUT,
        format!(
            "{place} has {:.1} GiB left",
            f64::from(u32::try_from(mebibytes).unwrap_or(u32::MAX)) / 1_024.0
        ),
    )
}

/// Whether the clock can be right, as far as this machine knows.
pub(crate) fn clock(config: &Config) -> Finding {
    let now = SystemTime::now();
    let written =
        std::fs::metadata(config.data_dir.join("waxwing.db")).and_then(|found| found.modified());
    behind(now, written.ok()).unwrap_or_else(|| synchronised(ask_timedatectl().as_deref()))
}

fn behind(now: SystemTime, written: Option<SystemTime>) -> Option<Finding> {
    let mend = "set the clock: `timedatectl set-ntp true` keeps it right";
    if now < UNIX_EPOCH + EARLIEST {
        let text = "the clock shows a time before this program was written: certificates are not valid, and messages get wrong dates";
        return Some(Finding::bad("clock", text).mend(mend));
    }
    let written = written?.duration_since(now).ok()?;
    (written > CLOCK_BEHIND_MAX).then(|| {
        let text = format!(
            "the clock is {} minutes behind what was written last",
            written.as_secs() / 60
        );
        Finding::bad("clock", text).mend(mend)
    })
}

/// What systemd knows of the kernel's clock, whoever sets it.
fn ask_timedatectl() -> Option<String> {
    let mut timedatectl = Command::new("timedatectl");
    timedatectl.args(["show", "--property=NTPSynchronized", "--value"]);
    let output = timedatectl.stdin(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn synchronised(answer: Option<&str>) -> Finding {
    match answer {
        Some("yes") => Finding::good("clock", "the clock is kept right over the network"),
        Some("no") => Finding::warning("clock", "nothing keeps the clock right")
            .mend("`timedatectl set-ntp true`, or another NTP client"),
        _ => Finding::note(
            "clock",
            "whether something keeps the clock right cannot be found out here",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Level;

    #[test]
    fn the_keys_of_tokens_are_looked_at() {
        let dir = std::env::temp_dir().join(format!("waxwing-check-keys-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(token_keys::FILE);
        assert!(of_token_keys(&dir).is_none(), "the server makes it");
        fs::write(&path, "ab".repeat(32)).unwrap();
        let level = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            of_token_keys(&dir).map(|finding| finding.level)
        };
        assert_eq!((level(0o600), level(0o640)), (None, Some(Level::Bad)));
        fs::write(&path, "ab").unwrap();
        assert_eq!(level(0o600), Some(Level::Fatal));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_key_of_push_services_is_looked_at() {
        let dir = std::env::temp_dir().join(format!("waxwing-check-push-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(push_key::FILE);
        assert!(of_push_key(&dir).is_none(), "the server makes it");
        fs::write(&path, "ab".repeat(32)).unwrap();
        let level = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            of_push_key(&dir).map(|finding| finding.level)
        };
        assert_eq!((level(0o600), level(0o640)), (None, Some(Level::Bad)));
        for wrong in ["ab".to_owned(), "ff".repeat(32)] {
            fs::write(&path, wrong).unwrap();
            assert_eq!(level(0o600), Some(Level::Fatal));
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_cannot_be_made_is_found_out() {
        let config = |dir: &Path| {
            let text = format!("domains = [\"a.example\"]\ndata_dir = {dir:?}\n");
            Config::parse(&text, Path::new("/")).unwrap()
        };
        let found = data_dir(&config(Path::new("/proc/waxwing/data")));
        assert_eq!(found[0].level, Level::Fatal);
        assert!(
            found[0]
                .text
                .starts_with("/proc/waxwing/data cannot be made: "),
            "{found:?}"
        );
        let place = std::env::temp_dir().join(format!("waxwing-check-make-{}", std::process::id()));
        let found = data_dir(&config(&place.join("a/b")));
        assert!(found[0].text.ends_with("/a/b can be made"), "{found:?}");
        assert!(!place.exists());
        let found = data_dir(&config(&place.join("a".repeat(300))));
        assert_eq!(found[0].level, Level::Fatal, "{found:?}");
        assert!(!place.exists());
    }

    #[test]
    fn room_is_counted_in_bytes_and_inodes() {
        let level = |bytes, files| room("/", bytes, files).level;
        assert_eq!(level(10 << 30, None), Level::Good);
        assert_eq!(level(10 << 30, Some(5)), Level::Bad);
        assert_eq!(level(500 << 20, Some(1 << 20)), Level::Warning);
        assert_eq!(level(100 << 20, None), Level::Bad);
        assert_eq!(room("/srv", 3 << 29, None).text, "/srv has 1.5 GiB left");
    }

    #[test]
    fn a_clock_that_cannot_be_right_is_found_out() {
        let now = UNIX_EPOCH + EARLIEST + Duration::from_secs(86_400);
        assert_eq!(behind(now, None), None);
        assert_eq!(behind(now, Some(now + Duration::from_secs(200))), None);
        assert_eq!(behind(now, Some(now - Duration::from_secs(2_000))), None);
        let late = behind(now, Some(now + Duration::from_secs(7_200))).unwrap();
        assert_eq!(
            (late.level, &*late.text),
            (
                Level::Bad,
                "the clock is 120 minutes behind what was written last"
            )
        );
        assert_eq!(behind(UNIX_EPOCH, None).unwrap().level, Level::Bad);
        assert_eq!(synchronised(Some("yes")).level, Level::Good);
        assert_eq!(synchronised(Some("no")).level, Level::Warning);
        assert_eq!(synchronised(None).level, Level::Note);
    }
}
