//! When the machine fails the server: no descriptors, no room on the disk, data that is not its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use waxwing_dial::Stream;
use waxwing_tests::Built;
use waxwing_wire::Stanza;

use crate::check::check;
use crate::rig::{
    ALICE, BOB, available, body, done, failed, log_in, next, say, server, settle, soon,
};

/// Descriptors that are left to a server that is to run out of them.
const DESCRIPTORS_LEFT: usize = 20;

fn descriptors(built: &Built) -> usize {
    let folder = format!("/proc/{}/fd", built.pid);
    fs::read_dir(folder).unwrap().count()
}

async fn sends(from: &mut Stream, to: &mut Stream, text: &str) {
    let message =
        format!("<message to='bob@waxwing.example' type='chat'><body>{text}</body></message>");
    say(from, &message).await;
    assert_eq!(body(&next(to, "message").await), text);
}

/// How often the log says that there is a shortage.
fn shortages(built: &Built) -> usize {
    built
        .log()
        .unwrap()
        .matches("can be accepted; those")
        .count()
}

#[tokio::test]
async fn without_descriptors_it_goes_on_says_so_once_and_recovers() {
    let built = server("daemon-descriptors");
    let mut alice = available(&built, ALICE).await;
    let mut bob = available(&built, BOB).await;
    let limit = descriptors(&built) + DESCRIPTORS_LEFT;
    let pid = built.pid.to_string();
    let prlimit = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--nofile={limit}:")])
        .status()
        .unwrap();
    assert!(prlimit.success());
    // Twice: the second shortage is news again.
    for time in 1..=2 {
        let mut idle = Vec::new();
        while shortages(&built) < time {
            // More than there is room for; the system takes them for us.
            idle.push(TcpStream::connect(built.c2s).unwrap());
            tokio::task::yield_now().await;
            assert!(idle.len() < 2_000, "there is always another one");
            if idle.len() > DESCRIPTORS_LEFT {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        // For longer than it waits between two attempts.
        for number in 0..50 {
            sends(&mut alice, &mut bob, &number.to_string()).await;
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(shortages(&built), time);
        drop(idle);
        let over = async {
            loop {
                drop(TcpStream::connect(built.c2s).unwrap());
                let log = built.log().unwrap();
                if log.matches("connections are accepted again").count() == time {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        soon(over).await;
        assert_eq!(shortages(&built), time);
        let mut again = log_in(&built, ALICE).await.unwrap();
        settle(&mut again).await;
        sends(&mut alice, &mut bob, "still here").await;
    }
}

/// A small file system, as long as it is used.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Puts one in the place of a directory, with its content; `None` where this user may not.
    fn under(path: &Path) -> Option<SmallDisk> {
        let before = path.with_extension("before");
        fs::rename(path, &before).unwrap();
        fs::create_dir(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs"])
            .arg(path)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            return None;
        }
        let disk = SmallDisk(path.to_owned());
        let copied = Command::new("cp")
            .arg("-a")
            .arg(before.join("."))
            .arg(path)
            .status();
        assert!(copied.unwrap().success());
        Some(disk)
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.0.join("ballast")).unwrap();
        let full = loop {
            if let Err(error) = ballast.write_all(&[1; 512]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }

    /// Lets nobody write (`ro`), or everybody again (`rw`).
    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        let mut mount = Command::new("mount");
        let status = mount.args(["-o", &how]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The test is over; what is left goes with the machine.
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The error's condition of an answer that has to be one.
fn condition(stanza: &Stanza) -> String {
    assert_eq!(stanza.kind().as_deref(), Some("error"), "{stanza:?}");
    let element = stanza.element();
    let error = element.child("jabber:client", "error").unwrap();
    assert_eq!(error.attr("type"), Some("wait"));
    error.children().next().unwrap().name().to_owned()
}

/// A test that cannot be done here says so to the runner.
pub(crate) fn skip(name: &str, why: &str) {
    if let Some(file) = std::env::var_os("WAXWING_SKIPS") {
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        writeln!(file, "{name}: {why}").unwrap();
    }
}

/// Sends a message until it is refused: the write-ahead log has room of its own left for a while. How
/// many were taken, and the refusal; a ping's answer follows it.
async fn use_up(stream: &mut Stream, message: &str) -> (usize, Stanza) {
    for kept in 0..1_000 {
        say(stream, message).await;
        let ping = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
        say(stream, ping).await;
        let answer = soon(stream.next()).await.unwrap();
        if answer.name() == "message" {
            return (kept, answer);
        }
    }
    panic!("the disk is never full");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_acknowledges_nothing_and_recovers() {
    let mut built = server("daemon-full");
    built.stop().unwrap();
    let Some(disk) = SmallDisk::under(&built.data_dir) else {
        return skip("daemon/full_disk", "this user may not mount a small disk");
    };
    built.restart().unwrap();
    let mut alice = log_in(&built, ALICE).await.unwrap();
    let message = |text: &str| {
        format!(
            "<message id='m' to='bob@waxwing.example' type='chat'><body>{text}</body></message>"
        )
    };
    let contact = "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='carol@waxwing.example'/></query></iq>";
    say(&mut alice, &message("before")).await;
    settle(&mut alice).await;
    disk.fill();
    let filler = "x".repeat(20_000);
    let (kept, refused) = use_up(&mut alice, &message(&filler)).await;
    assert_eq!(condition(&refused), "resource-constraint");
    next(&mut alice, "iq").await;
    for _ in 0..3 {
        say(&mut alice, contact).await;
        assert_eq!(
            condition(&next(&mut alice, "iq").await),
            "resource-constraint"
        );
        say(&mut alice, &message("lost")).await;
        assert_eq!(
            condition(&next(&mut alice, "message").await),
            "resource-constraint"
        );
    }
    // Who only reads is served.
    say(
        &mut alice,
        "<iq type='get' id='q'><query xmlns='jabber:iq:roster'/></iq>",
    )
    .await;
    let roster = next(&mut alice, "iq").await;
    assert!(!String::from_utf8_lossy(roster.bytes()).contains("carol"));

    disk.make_room();
    say(&mut alice, &message("after")).await;
    say(&mut alice, contact).await;
    loop {
        let iq = next(&mut alice, "iq").await;
        if iq.id().as_deref() == Some("r") {
            assert_eq!(iq.kind().as_deref(), Some("result"));
            break;
        }
    }
    let mut bob = log_in(&built, BOB).await.unwrap();
    say(&mut bob, "<presence/>").await;
    assert_eq!(body(&next(&mut bob, "message").await), "before");
    for _ in 0..kept {
        assert_eq!(body(&next(&mut bob, "message").await), filler);
    }
    assert_eq!(body(&next(&mut bob, "message").await), "after");
    drop((alice, bob));
    built.stop().unwrap();
    drop(disk);
}

#[test]
fn a_disk_that_cannot_be_written_is_refused_at_the_start() {
    let mut built = server("daemon-read-only");
    built.stop().unwrap();
    let Some(disk) = SmallDisk::under(&built.data_dir) else {
        return skip(
            "daemon/read_only_disk",
            "this user may not mount a small disk",
        );
    };
    disk.remount("ro");
    let said = refused(&built);
    assert!(said.contains("its disk is read-only"), "{said}");
    // Nobody takes that for damage, whether or not the server was killed and left its log.
    for _ in 0..2 {
        let dir = built.data_dir.display().to_string();
        let said = built.command(["doctor", &dir]).unwrap();
        let (out, last) = (
            String::from_utf8(said.stdout).unwrap(),
            String::from_utf8(said.stderr).unwrap(),
        );
        assert_eq!(said.status.code(), Some(1), "{out}");
        assert!(
            out.contains("waxwing.db cannot be written: its disk is read-only"),
            "{out}"
        );
        assert!(out.contains("ReadWritePaths"), "{out}");
        assert!(
            last.contains("is not damaged; the server starts on it when"),
            "{last}"
        );
        let found = check(&built);
        let data = found["findings"].as_array().unwrap().iter();
        let data = data.filter(|finding| finding["about"] == "data");
        let texts: Vec<_> = data
            .map(|finding| finding["text"].as_str().unwrap())
            .collect();
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert!(texts[0].contains("its disk is read-only"), "{texts:?}");
        disk.remount("rw");
        built.restart().unwrap();
        built.kill().unwrap();
        disk.remount("ro");
    }
    disk.remount("rw");
    built.restart().unwrap();
    built.stop().unwrap();
    drop(disk);
}

/// Makes the disk read-only for a server that runs, without a mount: a file that is open for writing keeps a file system
/// from being mounted read-only, but not a disk from failing. Every write to the database's files is answered with
/// EROFS, as the kernel does after an error of the disk, until this is dropped.
struct ReadOnly(Child);

impl ReadOnly {
    fn under(built: &Built) -> Option<ReadOnly> {
        let database = built.data_dir.join("waxwing.db");
        let mut strace = Command::new("strace");
        strace.args(["--follow-forks", "--quiet=all", "--output=/dev/null"]);
        for ending in ["", "-wal"] {
            let mut path = database.clone().into_os_string();
            path.push(ending);
            strace.arg("--trace-path").arg(path);
        }
        for call in [
            "pwrite64",
            "write",
            "ftruncate",
            "fallocate",
            "fdatasync",
            "fsync",
        ] {
            strace.arg(format!("--inject={call}:error=EROFS"));
        }
        strace.args(["--attach", &built.pid.to_string()]);
        strace.stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = strace.spawn().ok()?;
        // Until it holds every thread.
        loop {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            if is_traced(built.pid) {
                return Some(ReadOnly(child));
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

fn is_traced(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.map_while(Result::ok).all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0\n")
    })
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        // Asked to end, it lets go of whom it holds.
        let _asked = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.0.id())])
            .status();
        let _gone = self.0.wait();
    }
}

#[tokio::test]
async fn a_disk_that_turns_read_only_refuses_writes_and_recovers() {
    let built = server("daemon-turns-read-only");
    let mut alice = log_in(&built, ALICE).await.unwrap();
    let message = |text: &str| {
        format!(
            "<message id='m' to='bob@waxwing.example' type='chat'><body>{text}</body></message>"
        )
    };
    let contact = |name: &str| {
        format!(
            "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='{name}@waxwing.example'/></query></iq>"
        )
    };
    let roster = "<iq type='get' id='q'><query xmlns='jabber:iq:roster'/></iq>";
    say(&mut alice, &message("before")).await;
    say(&mut alice, &contact("bob")).await;
    settle(&mut alice).await;
    // Twice: the second time is news again.
    for round in 1..=2 {
        let Some(disk) = ReadOnly::under(&built) else {
            return skip("daemon/turns_read_only", "this user may not trace a server");
        };
        for _ in 0..5 {
            say(&mut alice, &message("lost")).await;
            let refused = next(&mut alice, "message").await;
            assert_eq!(refused.kind().as_deref(), Some("error"), "{refused:?}");
            say(&mut alice, &contact("carol")).await;
            let refused = next(&mut alice, "iq").await;
            assert_eq!(refused.kind().as_deref(), Some("error"), "{refused:?}");
            // Reading goes on, and nothing is there that was refused.
            say(&mut alice, roster).await;
            let answer = next(&mut alice, "iq").await;
            let answer = String::from_utf8_lossy(answer.bytes()).into_owned();
            assert!(
                answer.contains("bob@") && !answer.contains("carol@"),
                "{answer}"
            );
        }
        drop(disk);
        let said = built.log().unwrap();
        assert_eq!(
            said.matches("the database cannot be written").count(),
            round,
            "{said}"
        );
        say(&mut alice, &message(&format!("after {round}"))).await;
        settle(&mut alice).await;
        let said = built.log().unwrap();
        assert_eq!(
            said.matches("can be written again").count(),
            round,
            "{said}"
        );
    }
    let mut bob = log_in(&built, BOB).await.unwrap();
    say(&mut bob, "<presence/>").await;
    for expected in ["before", "after 1", "after 2"] {
        assert_eq!(body(&next(&mut bob, "message").await), expected);
    }
}

/// Every file of a directory, with its content.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path());
    let files = files.filter(|path| path.is_file());
    files
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let built = server("daemon-second");
    let mut alice = available(&built, ALICE).await;
    let said = failed(&built, 1, &["serve"]);
    assert!(said.contains("is in use by another process"), "{said}");
    settle(&mut alice).await;
    // Its commands still reach the first one.
    done(&built, &["account", "list"]);
}

/// Has the server refuse its data, which stay as they are.
fn refused(built: &Built) -> String {
    let before = files(&built.data_dir);
    let found = check(built);
    assert!(files(&built.data_dir) == before, "{found}");
    assert_eq!(found["starts"], false, "{found}");
    let said = failed(built, 1, &["serve"]);
    assert!(files(&built.data_dir) == before, "{said}");
    said
}

#[test]
fn data_that_are_newer_foreign_or_damaged_are_refused_untouched() {
    let mut built = server("daemon-foreign");
    built.stop().unwrap();
    let path = built.data_dir.join("waxwing.db");
    let good = fs::read(&path).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut other = good.clone();
        change(&mut other);
        fs::write(&path, other).unwrap();
        refused(&built)
    };
    // The layout's version and whose file it is stand in the header.
    let said = with(&|db| db[63] = 99);
    assert!(said.contains("written by a newer program"), "{said}");
    let said = with(&|db| db[68] ^= 1);
    assert!(said.contains("is not a Waxwing database"), "{said}");
    let said = with(&|db| *db = b"my notes".to_vec());
    assert!(said.contains("is not a Waxwing database"), "{said}");
    let said = with(&|db| db.truncate(db.len() / 2));
    assert!(said.contains("is damaged"), "{said}");
    // A flipped bit in the head of any page: what kind it is, and where its cells are.
    for page in 1..good.len() / 4_096 {
        for at in [0, 3, 5] {
            let said = with(&|db| db[page * 4_096 + at] ^= 0x04);
            assert!(said.contains("is damaged"), "page {page} {at}: {said}");
        }
    }
    fs::write(&path, &good).unwrap();
    // Its parts without the database.
    let moved = built.directory().join("waxwing.db");
    fs::rename(&path, &moved).unwrap();
    fs::create_dir_all(built.data_dir.join("blobs/ab")).unwrap();
    let said = refused(&built);
    assert!(said.contains("is missing"), "{said}");
    fs::rename(&moved, &path).unwrap();
    built.restart().unwrap();
}
