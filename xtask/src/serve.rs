//! `cargo xtask serve`: the server, built and started on a folder of its own, with a certificate,
//! two accounts, and everything said that a person needs to connect.
//!
//! The task becomes the server: it leaves a short-lived child behind that waits until the server
//! is ready, makes the accounts and prints, and then replaces itself. So signals, exit code and
//! process id are the server's own.

mod accounts;
mod announcement;
mod config;
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
        let mut certificate = Command::new(server);
        certificate
            .args(["certificate", "local", "--domain", &domain, "--dir"])
            .arg(folder.tls());
        child::run(&mut certificate)?;
        Accounts::make(&folder.accounts(), &domain)?;
        return config::write(folder, &domain);
    }
    let config = Config::read(&folder.config())?;
    match domain {
        Some(domain) if !config.domains.contains(&domain) => Err(Failure::Usage(format!(
            "{} serves {}; another domain wants another --data",
            folder.path().display(),
            config.domains.join(", ")
        ))),
        _ => Ok(()),
    }
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
            let accounts = Accounts::read(&folder.accounts())?;
            accounts.create_missing(&output.stdout, || waxwing(server, folder))?;
            let config = Config::read(&folder.config())?;
            print!("{}", announcement::text(folder, &config, &accounts));
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
