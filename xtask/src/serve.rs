//! `cargo xtask serve`: the server, built and started on a folder of its own, with a certificate,
//! two accounts, and everything said that a person needs to connect.
//!
//! The task becomes the server: it leaves a short-lived child behind that waits until the server
//! is ready, makes the accounts and prints, and then replaces itself. So signals, exit code and
//! process id are the server's own.

mod accounts;
mod announcement;
mod config;
mod invitation;
mod ports;

use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Task;
use crate::args::Args;
use crate::child;
use crate::failure::Failure;
use crate::place::Place;
use accounts::Accounts;
use config::{Config, Folder};

pub(crate) const TASK: Task = Task {
    name: "serve",
    usage: "[--data DIR] [--release] [--domain DOMAIN]",
    about: "builds and starts the server; DIR is ./waxwing-data, DOMAIN is localhost",
    run,
};

/// How the task calls itself to wait for the server.
const ANNOUNCE: &str = "--announce";
const READY_TRIES_MAX: u32 = 600;
const READY_PAUSE: Duration = Duration::from_millis(100);

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let data = args
        .value("--data")?
        .map_or_else(|| place.root.join("waxwing-data"), PathBuf::from);
    let domain = args.value("--domain")?;
    let release = args.flag("--release");
    let announce = args.flag(ANNOUNCE);
    args.finish()?;
    let profile = if release { "release" } else { "debug" };
    let server = place.program(profile, "waxwing");
    let folder = Folder::at(std::path::absolute(&data).map_err(Failure::file(&data))?);
    if announce {
        return announce_when_ready(&server, &folder);
    }

    folder.refuse_foreign()?;
    let mut build = child::cargo(place, "build");
    build
        .arg("--package=waxwing")
        .args(release.then_some("--release"));
    child::run(&mut build)?;
    prepare(&server, &folder, domain)?;
    ports::check(&Config::read(&folder.config())?, &folder.config())?;

    let own = std::env::current_exe().map_err(Failure::file("the task's own program"))?;
    let mut child = Command::new(own);
    child
        .args(["serve", ANNOUNCE, "--data"])
        .arg(folder.path())
        .args(release.then_some("--release"));
    child.spawn().map_err(child::start_failure(&child))?;
    let mut command = waxwing(&server, &folder);
    command.arg("serve");
    let error = command.exec();
    Err(child::start_failure(&command)(error))
}

/// On first start: certificate, passwords and, last, the configuration that marks it as done.
fn prepare(server: &Path, folder: &Folder, domain: Option<String>) -> Result<(), Failure> {
    if !folder.config().exists() {
        let domain = domain.unwrap_or_else(|| "localhost".to_owned());
        folder.create()?;
        let domain = certificate(server, folder, &domain).inspect_err(|_| folder.remove_empty())?;
        Accounts::make(&folder.accounts_waiting(), &domain)?;
        return config::write(folder, &domain);
    }
    let config = Config::read(&folder.config())?;
    match domain.map(|domain| plain_spelling(&domain)) {
        Some(domain) if !config.domains.contains(&domain) => Err(Failure::Usage(format!(
            "{} serves {}; another domain wants another --data",
            folder.path().display(),
            config.domains.join(", ")
        ))),
        _ => Ok(()),
    }
}

/// Makes authority and certificate; the domain as the server spells it. Where a first start was interrupted, nobody
/// trusts what it left.
fn certificate(server: &Path, folder: &Folder, domain: &str) -> Result<String, Failure> {
    let mut command = Command::new(server);
    command.args(["certificate", "local", "--replace-authority", "--json"]);
    command.arg(format!("--domain={domain}"));
    command.arg("--dir").arg(folder.tls());
    let output = command.output().map_err(child::start_failure(&command))?;
    let answer = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes);
    if !output.status.success() {
        let error = answer(&output.stderr).unwrap_or_default();
        let text = error["error"]["text"].as_str().map_or_else(
            || String::from_utf8_lossy(&output.stderr).into_owned(),
            str::to_owned,
        );
        return Err(Failure::Usage(text));
    }
    let made = answer(&output.stdout).unwrap_or_default();
    let domain = made["domains"][0].as_str();
    domain.map(str::to_owned).ok_or(Failure::Answer {
        of: "waxwing certificate local",
        why: "no domain".to_owned(),
    })
}

/// Near enough to the server's spelling to find a domain again that a person has typed twice.
fn plain_spelling(domain: &str) -> String {
    domain.strip_suffix('.').unwrap_or(domain).to_lowercase()
}

/// The server's program with its configuration.
fn waxwing(server: &Path, folder: &Folder) -> Command {
    let mut command = Command::new(server);
    command.arg("--config").arg(folder.config());
    command
}

fn announce_when_ready(server: &Path, folder: &Folder) -> Result<(), Failure> {
    // The parent becomes the server; when it ends, somebody else is the parent.
    let parent = parent_id();
    for _ in 0..READY_TRIES_MAX {
        let list = waxwing(server, folder)
            .args(["account", "list", "--json"])
            .output();
        if let Ok(output) = list
            && output.status.success()
        {
            let (waiting, made) = (folder.accounts_waiting(), folder.accounts());
            if waiting.exists() {
                Accounts::create(&waiting, &made, &output.stdout, || waxwing(server, folder))?;
                continue;
            }
            let accounts = Accounts::read(&made)?.still_there(&output.stdout)?;
            let config = Config::read(&folder.config())?;
            let link = invitation::link(&config, || waxwing(server, folder))?;
            print!("{}", announcement::text(folder, &config, &accounts, &link));
            return Ok(());
        }
        if parent_id() != parent {
            return Ok(());
        }
        std::thread::sleep(READY_PAUSE);
    }
    Err(Failure::Environment(
        "the server does not answer on its admin socket".to_owned(),
    ))
}
