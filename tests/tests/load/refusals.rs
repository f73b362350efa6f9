//! What is wrong with a command line is said before anything is done.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use waxwing_tests::Scratch;

use crate::rig::program;

fn refused(words: &str) -> String {
    let all: Vec<&str> = words.split(' ').collect();
    let ran = program(&all);
    assert_eq!(ran.code, Some(2), "{words}: {}", ran.out);
    assert_eq!(ran.out, "", "{words}");
    ran.err
}

/// What a run with these words is told.
fn is_refused(words: &str, error: &str) {
    let run = "run --server 127.0.0.1:1 --domain waxwing.example";
    let said = refused(&format!("{run} {words}"));
    assert_eq!(said, format!("error: {error}\n"), "{words}");
}

#[test]
fn each_slip_is_named() {
    for (words, error) in [
        (
            "--scenario nap",
            "there is no scenario `nap`; `waxwing-load scenarios` lists what there is",
        ),
        (
            "--scenario chat",
            "the scenario `chat` needs a rate, such as --rate 500/s",
        ),
        (
            "--scenario flood --rate 1/s",
            "the scenario `flood` goes as fast as it can and takes no rate",
        ),
        (
            "--scenario mixed --rate 1/s",
            "the scenario `mixed` needs a file of weights (--mix)",
        ),
        (
            "--scenario idle --mechanism ROT13",
            "there is no mechanism `ROT13`",
        ),
        (
            "--scenario idle --prefix @",
            "`@0@waxwing.example` cannot be an account, or its password cannot be one",
        ),
        (
            "--scenario idle --accounts /nowhere",
            "/nowhere cannot be read: No such file or directory (os error 2)",
        ),
        (
            "--scenario idle --ca /nowhere",
            "/nowhere cannot be read: No such file or directory (os error 2)",
        ),
        (
            "--scenario idle --json /nowhere/run.json",
            "/nowhere/run.json cannot be written: No such file or directory (os error 2)",
        ),
        (
            "--scenario idle --report /nowhere/run.html",
            "/nowhere/run.html cannot be written: No such file or directory (os error 2)",
        ),
        (
            "--scenario idle --pid 4294967295",
            "--pid 4294967295: there is no such process to look at: No such file or directory (os error 2)",
        ),
        (
            "--scenario idle --source 192.0.2.1",
            "192.0.2.1 is no address of this machine to connect from: Cannot assign requested address (os error 99)",
        ),
        (
            "--scenario idle --source ::1",
            "::1 cannot connect to 127.0.0.1: one is IPv4, and the other is IPv6",
        ),
        (
            "--scenario idle --account-command false",
            "`false` failed for load0@waxwing.example: exit status: 1",
        ),
    ] {
        is_refused(words, error);
    }
    let server = refused("run --server here --domain waxwing.example --scenario idle");
    assert_eq!(
        server,
        "error: `here` is no address and port, such as 127.0.0.1:5222\n"
    );
}

/// It would be called good.
#[test]
fn what_would_do_nothing_is_named() {
    for (words, error) in [
        (
            "--scenario chat --rate 1/s --mix /nowhere",
            "the scenario `chat` takes no file of weights (--mix); `mixed` does",
        ),
        (
            "--scenario flood --clients 1",
            "the scenario `flood` has nothing to do with fewer than 2 clients: take at least --clients 2",
        ),
        (
            "--scenario offline --rate 1/s --clients 1",
            "the scenario `offline` has nothing to do with fewer than 2 clients: take at least --clients 2",
        ),
        (
            "--scenario pubsub --rate 1/s --clients 1",
            "the scenario `pubsub` has nothing to do with fewer than 2 clients: take at least --clients 2",
        ),
        (
            "--scenario chat --rate 1/s --duration 0s",
            "in a --duration of nothing nothing is measured",
        ),
        (
            "--scenario chat --rate 0.000000001/h --duration 1s",
            "at this --rate nothing is due in `chat` as long as --duration says",
        ),
    ] {
        is_refused(words, error);
    }
}

#[test]
fn what_no_option_can_be_is_named() {
    for (words, error) in [
        (
            "--scenario chat --rate 5",
            "a rate is a number and a unit, such as 500/s or 30/min",
        ),
        (
            "--scenario idle --duration 5",
            "a time is a number and a unit, such as 500ms, 60s, 5m or 1h",
        ),
        (
            "--scenario idle --transport udp",
            "[possible values: plain, starttls, tls, websocket, websocket-plain]",
        ),
        (
            "--scenario idle --register --accounts f",
            "cannot be used with",
        ),
        ("--scenario idle --clients 0", "0 is not in 1..=1000000"),
    ] {
        let run = "run --server 127.0.0.1:1 --domain waxwing.example";
        let said = refused(&format!("{run} {words}"));
        assert!(said.contains(error), "{words}: {said}");
    }
}

#[test]
fn each_file_that_is_of_no_use_is_named() {
    let directory = Scratch::new("load-refused").unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    for (text, clients, error) in [
        (
            "chat = 1\nnap = 1\n",
            9,
            "there is no scenario `nap` to mix",
        ),
        (
            "chat = -1\n",
            9,
            "the weight of `chat` is no number above 0 and up to 1000000",
        ),
        (
            "chat = 1e308\nlogin = 1e308\n",
            9,
            "the weight of `chat` is no number above 0 and up to 1000000",
        ),
        ("mixed = 1\n", 9, "there is no scenario `mixed` to mix"),
        ("", 9, "nothing is to be mixed"),
    ] {
        let mix = file("mix.toml", text);
        let words = format!("--scenario mixed --rate 1/s --clients {clients} --mix {mix}");
        is_refused(&words, &format!("--mix {mix}: {error}"));
    }
    let mix = file("mix.toml", "chat = 1\nidle = 1\nflood = 2\n");
    let words = format!("--scenario mixed --rate 1/s --clients 5 --mix {mix}");
    is_refused(
        &words,
        "each of 3 scenarios that are mixed needs two clients: take at least --clients 6",
    );
    let accounts = file("accounts", "alice@waxwing.example\n");
    let line = format!(
        "{accounts}:1: an address and a password are to stand here, with white space between"
    );
    is_refused(&format!("--scenario idle --accounts {accounts}"), &line);
    let ca = file("ca.pem", "nothing");
    is_refused(
        &format!("--scenario idle --ca {ca}"),
        &format!("{ca}: there is no certificate in it"),
    );
    let report = refused(&format!("report {accounts}"));
    assert!(
        report.starts_with(&format!("error: {accounts} cannot be read: ")),
        "{report}"
    );
}

/// What is written would destroy what else is there.
#[test]
fn no_file_is_overwritten_by_another() {
    let directory = Scratch::new("load-overwritten").unwrap();
    let one = directory.path().join("one").display().to_string();
    let again = directory.path().join("./one").display().to_string();
    is_refused(
        &format!("--scenario idle --json {one} --report {again}"),
        &format!("{again} would be overwritten: it is named for something else too"),
    );
    assert!(!std::path::Path::new(&one).exists());
    std::fs::write(&one, "a@waxwing.example x\n").unwrap();
    let error = format!("{one} would be overwritten: it is named for something else too");
    is_refused(
        &format!("--scenario idle --clients 1 --accounts {one} --json {one}"),
        &error,
    );
    let report = refused(&format!("report {one} --out {one}"));
    assert_eq!(report, format!("error: {error}\n"));
    assert_eq!(std::fs::read(&one).unwrap(), b"a@waxwing.example x\n");
}

/// A file that was made to see whether it can be goes again.
#[test]
fn who_could_not_begin_leaves_no_file() {
    let directory = Scratch::new("load-unbegun").unwrap();
    let json = directory.path().join("run.json");
    let words = format!("--scenario idle --pid 4294967295 --json {}", json.display());
    is_refused(
        &words,
        "--pid 4294967295: there is no such process to look at: No such file or directory (os error 2)",
    );
    assert!(!json.exists());
}

#[test]
fn what_cannot_be_said_is_an_error() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let load = waxwing_tests::Built::load().unwrap();
    let output = Command::new(load)
        .arg("scenarios")
        .stdout(full)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(
        said,
        "error: standard output cannot be written: No space left on device (os error 28)\n"
    );
}

/// Ctrl-C, or the end of everything, while a server, which never answers, is waited for.
#[test]
fn who_does_not_wait_for_the_end_is_told_what_there_is() {
    let directory = Scratch::new("load-interrupted").unwrap();
    for signal in ["-INT", "-TERM"] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = silent.local_addr().unwrap().to_string();
        let json = directory.path().join(signal);
        let mut command = Command::new(waxwing_tests::Built::load().unwrap());
        command.args(["run", "--server", &server, "--domain", "waxwing.example"]);
        command.args(["--transport", "plain", "--scenario", "idle"]);
        command.args(["--clients", "1", "--json"]).arg(&json);
        let running = command.stdout(Stdio::piped()).spawn().unwrap();
        let _client = silent.accept().unwrap();
        let kill = format!("kill {signal} {}", running.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let output = running.wait_with_output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{signal}: {out}");
        assert!(out.contains("1 × interrupted: "), "{out}");
        let written = std::fs::read_to_string(&json).unwrap();
        assert!(written.contains("interrupted: "), "{written}");
    }
}

/// A limit of this system, as a shell sets it.
#[test]
fn open_files_are_counted_beforehand() {
    let load = waxwing_tests::Built::load().unwrap();
    let words = "run --server 127.0.0.1:1 --domain waxwing.example --scenario idle --transport plain --duration 10ms --clients";
    let limited = |clients: u32| {
        let script = format!(
            "ulimit -Sn 50; ulimit -Hn 100; exec {} {words} {clients}",
            load.display()
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    // The soft limit is raised by itself.
    assert_eq!(limited(36), (Some(1), String::new()));
    let error = "error: 37 clients need 101 open files, and this system allows 100 (ulimit -Hn): raise that, or take fewer \
                 clients in each of several processes\n";
    assert_eq!(limited(37), (Some(2), error.to_owned()));
}
