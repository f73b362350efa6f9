//! The command line.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::task::LocalSet;
use waxwing_stream::sasl::Mechanism;

use crate::accounts::{self, Account, AccountError};
use crate::descriptors;
use crate::files::{self, Made};
use crate::pace::count;
use crate::process::{Usage, with_descendants};
use crate::progress::{Progress, say, summary};
use crate::report::{Report, page};
use crate::run::{PART_CLIENTS_MIN, Run};
use crate::scenario::{self, Need, Plan, SCENARIOS, Scenario};
use crate::stop::Stop;
use crate::target::{Belief, Target, TargetError, Transport};
use crate::units::{Rate, rate, time};

/// Puts an XMPP server under load and says how it carries it.
#[derive(Debug, Parser)]
#[command(name = "waxwing-load", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays a scenario against a server and says how it went.
    ///
    /// Ends with 0 if everything that was sent came once and in order and nothing failed, with 1 if something did not, and
    /// with 2 if it could not begin.
    Run(Box<RunArgs>),
    /// Writes a page that compares runs, from the files that `run --json` wrote.
    Report {
        /// Files of runs.
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// The page.
        #[arg(long, default_value = "report.html")]
        out: PathBuf,
    },
    /// Says which scenarios there are.
    Scenarios,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// What clients do; `waxwing-load scenarios` lists what there is.
    #[arg(long)]
    scenario: String,
    /// How many clients there are.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: u32,
    /// How often it is done, by all clients together, such as 500/s.
    #[arg(long, value_parser = rate)]
    rate: Option<Rate>,
    /// How long it is measured, such as 60s.
    #[arg(long, value_parser = time, default_value = "30s")]
    duration: Duration,
    /// How long the last messages are waited for.
    #[arg(long, value_parser = time, default_value = "10s")]
    settle: Duration,
    /// How many log in at once, where no rate says when.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    at_once: u32,
    /// Messages that each client has under way, in `flood`.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    window: u32,
    /// Contacts of each client, in `presence` and `prepare`.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    roster: u32,
    /// Bytes of each message's text.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=200_000))]
    body_bytes: u32,
    /// Asks that messages are not stored (XEP-0334 `no-store`).
    #[arg(long)]
    no_store: bool,
    /// TOML file with the weights of `mixed`: a line such as `chat = 3` for each scenario.
    #[arg(long, value_name = "FILE")]
    mix: Option<PathBuf>,

    /// The server's address and port, such as 127.0.0.1:5222 or [::1]:5223.
    #[arg(long, value_name = "HOST:PORT", help_heading = "The server")]
    server: String,
    /// The domain that accounts are at.
    #[arg(long, help_heading = "The server")]
    domain: String,
    /// How clients connect.
    #[arg(long, value_enum, default_value_t = Transport::Starttls, help_heading = "The server")]
    transport: Transport,
    /// Path of WebSockets, as in wss://HOST:PORT/xmpp-websocket.
    #[arg(long, default_value = "/xmpp-websocket", help_heading = "The server")]
    path: String,
    /// PEM file of authorities whose certificates are believed; without it, anybody's are.
    #[arg(long, value_name = "FILE", help_heading = "The server")]
    ca: Option<PathBuf>,
    /// Addresses of this machine to connect from, in turn: one has some 28,000 ports.
    #[arg(
        long,
        value_name = "ADDRESS,…",
        value_delimiter = ',',
        help_heading = "The server"
    )]
    source: Vec<IpAddr>,
    /// The server's process, on this machine: says what it uses. Those that it started count with it.
    #[arg(
        long,
        value_name = "PID,…",
        value_delimiter = ',',
        help_heading = "The server"
    )]
    pid: Vec<u32>,

    /// What the names of accounts begin with; a number follows, from 0.
    #[arg(long, default_value = "load", help_heading = "Accounts")]
    prefix: String,
    /// Password of these accounts.
    #[arg(long, default_value = "load-password", help_heading = "Accounts")]
    password: String,
    /// Makes each account in its own stream first (XEP-0077); what is there already is no error.
    #[arg(long, conflicts_with_all = ["account_command", "accounts"], help_heading = "Accounts")]
    register: bool,
    /// Makes each account by a command, in whose words {user}, {domain} and {password} are filled in. No shell reads it.
    #[arg(
        long,
        value_name = "COMMAND",
        conflicts_with = "accounts",
        help_heading = "Accounts"
    )]
    account_command: Option<String>,
    /// File of accounts: an address and a password on each line.
    #[arg(long, value_name = "FILE", help_heading = "Accounts")]
    accounts: Option<PathBuf>,
    /// The only SASL mechanism to log in by, such as SCRAM-SHA-256.
    #[arg(long, help_heading = "Accounts")]
    mechanism: Option<String>,
    /// Sends passwords inside TLS to a server that knows nothing better.
    #[arg(long, help_heading = "Accounts")]
    plain_passwords: bool,
    /// Leaves stream management (XEP-0198) out.
    #[arg(long, help_heading = "Accounts")]
    no_stream_management: bool,

    /// What this run is called where several are compared.
    #[arg(long, help_heading = "What is written")]
    label: Option<String>,
    /// Writes a page with charts.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    report: Option<PathBuf>,
    /// Writes what was measured as JSON.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    json: Option<PathBuf>,
    /// Says nothing while it runs.
    #[arg(long, help_heading = "What is written")]
    quiet: bool,
}

/// The largest weight in a mixed run.
const WEIGHT_MAX: f64 = 1_000_000.0;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("there is no scenario `{0}`; `waxwing-load scenarios` lists what there is")]
    Scenario(String),
    #[error("`{0}` is no address and port, such as 127.0.0.1:5222")]
    Server(String),
    #[error("the scenario `{0}` needs a rate, such as --rate 500/s")]
    RateMissing(&'static str),
    #[error("the scenario `{0}` goes as fast as it can and takes no rate")]
    RateUnused(&'static str),
    #[error("the scenario `mixed` needs a file of weights (--mix)")]
    MixMissing,
    #[error("the scenario `{0}` takes no file of weights (--mix); `mixed` does")]
    MixUnused(&'static str),
    #[error("each of {0} scenarios that are mixed needs two clients: take at least --clients {min}", min = PART_CLIENTS_MIN * .0)]
    MixClients(usize),
    #[error("--mix {0}: {1}")]
    Mix(String, String),
    #[error(
        "the scenario `{0}` has nothing to do with fewer than {1} clients: take at least --clients {1}"
    )]
    TooFewClients(&'static str, usize),
    #[error("in a --duration of nothing nothing is measured")]
    NoTime,
    #[error("at this --rate nothing is due in `{0}` as long as --duration says")]
    NothingDue(&'static str),
    #[error("there is no mechanism `{0}`")]
    Mechanism(String),
    #[error(transparent)]
    Accounts(#[from] AccountError),
    #[error(transparent)]
    Descriptors(#[from] descriptors::TooFew),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("{0} cannot be read: {1}")]
    Read(String, String),
    #[error("{0} cannot be written: {1}")]
    Write(String, String),
    #[error("--pid {0}: there is no such process to look at: {1}")]
    Process(u32, std::io::Error),
    #[error("{0}")]
    Register(String),
    #[error("interrupted before anything was measured")]
    Interrupted,
    #[error("{0} would be overwritten: it is named for something else too")]
    Overwritten(String),
    #[error("the program cannot be started: {0}")]
    Start(std::io::Error),
}

/// Does what was asked for; whether all went well.
pub(crate) fn run(args: Args) -> Result<bool, RunError> {
    match args.command {
        Command::Run(args) => load(&args),
        Command::Report { runs, out } => {
            let read_too: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
            distinct(&[&out], &read_too)?;
            let reports: Result<Vec<Report>, RunError> = runs.iter().map(read).collect();
            write(&out, &page(&reports?))?;
            Ok(true)
        }
        Command::Scenarios => {
            let line = |one: &Scenario| format!("{:<10} {}\n", one.name, one.about);
            tell(&SCENARIOS.iter().map(line).collect::<String>())?;
            Ok(true)
        }
    }
}

fn load(args: &RunArgs) -> Result<bool, RunError> {
    let scenario = scenario::find(&args.scenario);
    let scenario = scenario.ok_or_else(|| RunError::Scenario(args.scenario.clone()))?;
    let plan = plan(args, scenario)?;
    let target = target(args)?;
    let accounts = accounts(args)?;
    let _unwritten = check(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::Start)?;
    let report = LocalSet::new().block_on(&runtime, async {
        let mut stop = Stop::new().map_err(RunError::Start)?;
        if let Some(command) = &args.account_command {
            let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            tokio::select! {
                made = accounts::make(&accounts, &words) => made?,
                () = stop.asked() => return Err(RunError::Interrupted),
            }
        }
        let processes = with_descendants(&args.pid);
        let run = Run::new(plan, accounts, &target, &processes)?;
        let progress = Rc::new(Progress::new(args.quiet));
        let shown = progress.clone();
        let watching = tokio::task::spawn_local(
            run.clone()
                .watch(move |run, second| shown.tell(run, second)),
        );
        tokio::select! {
            () = (scenario.play)(run.clone()) => {}
            () = run.refused() => {}
            () = stop.asked() => run.interrupt(),
        }
        watching.abort();
        progress.end();
        if let Some(refusal) = run.refusal() {
            return Err(RunError::Register(refusal));
        }
        let (sum, readings) = run.sum();
        Ok::<Report, RunError>(Report {
            label: args.label.clone().unwrap_or_else(|| args.server.clone()),
            scenario: scenario.name.to_owned(),
            server: args.server.clone(),
            transport: args.transport.name().to_owned(),
            clients: args.clients as usize,
            rate_per_second: args.rate.map(Rate::per_second),
            sum,
            readings,
        })
    })?;
    let said = tell(&summary(&report));
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report);
        let json = json.map_err(|error| unwritten(path, &error))?;
        write(path, &json)?;
    }
    if let Some(path) = &args.report {
        write(path, &page(std::slice::from_ref(&report)))?;
    }
    said?;
    Ok(report.is_clean())
}

fn plan(args: &RunArgs, scenario: &'static Scenario) -> Result<Plan, RunError> {
    match (scenario.rate, args.rate) {
        (Need::Must, None) => return Err(RunError::RateMissing(scenario.name)),
        (Need::No, Some(_)) => return Err(RunError::RateUnused(scenario.name)),
        _ => {}
    }
    let mechanism = args.mechanism.as_ref().map(|name| {
        let mut known = Mechanism::ALL.into_iter();
        let found = known.find(|mechanism| mechanism.name() == name);
        found.ok_or_else(|| RunError::Mechanism(name.clone()))
    });
    let mix = match &args.mix {
        Some(_) if scenario.name != "mixed" => return Err(RunError::MixUnused(scenario.name)),
        Some(path) => mix(path)?,
        None if scenario.name == "mixed" => return Err(RunError::MixMissing),
        None => Vec::new(),
    };
    if (args.clients as usize) < PART_CLIENTS_MIN * mix.len() {
        return Err(RunError::MixClients(mix.len()));
    }
    does_something(args, scenario, &mix)?;
    Ok(Plan {
        clients: args.clients as usize,
        rate: args.rate,
        duration: args.duration,
        settle: args.settle,
        at_once: args.at_once as usize,
        window: args.window as usize,
        roster: args.roster as usize,
        body: "x".repeat(args.body_bytes as usize),
        no_store: args.no_store,
        register: args.register,
        mechanism: mechanism.transpose()?,
        plain_passwords: args.plain_passwords,
        stream_management: !args.no_stream_management,
        mix,
    })
}

/// Refuses what would end without having done anything, and be called good.
fn does_something(
    args: &RunArgs,
    scenario: &Scenario,
    mix: &[(&'static Scenario, f64)],
) -> Result<(), RunError> {
    if (args.clients as usize) < scenario.clients_min {
        let (name, least) = (scenario.name, scenario.clients_min);
        return Err(RunError::TooFewClients(name, least));
    }
    if args.duration.is_zero() {
        return Err(RunError::NoTime);
    }
    let Some(rate) = args.rate else {
        return Ok(());
    };
    let sum: f64 = mix.iter().map(|(_, weight)| weight).sum();
    let parts = mix.iter().map(|(part, weight)| (*part, weight / sum));
    for (part, share) in parts.chain([(scenario, 1.0)]) {
        let is_paced = part.rate != Need::No;
        if is_paced && count(rate.part(share), args.duration) == 0 {
            return Err(RunError::NothingDue(part.name));
        }
    }
    Ok(())
}

/// Weights of scenarios, from a file.
fn mix(path: &PathBuf) -> Result<Vec<(&'static Scenario, f64)>, RunError> {
    let shown = path.display().to_string();
    let wrong = |reason: String| RunError::Mix(shown.clone(), reason);
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let mut mix = Vec::new();
    for (name, weight) in table {
        let scenario = scenario::find(&name).filter(|scenario| scenario.name != "mixed");
        let scenario =
            scenario.ok_or_else(|| wrong(format!("there is no scenario `{name}` to mix")))?;
        let weight = weight
            .as_float()
            .or_else(|| weight.as_integer().map(|weight| weight as f64));
        let weight = weight.filter(|weight| *weight > 0.0 && *weight <= WEIGHT_MAX);
        let no_weight = || {
            wrong(format!(
                "the weight of `{name}` is no number above 0 and up to {WEIGHT_MAX}"
            ))
        };
        let weight = weight.ok_or_else(no_weight)?;
        mix.push((scenario, weight));
    }
    if mix.is_empty() {
        return Err(wrong("nothing is to be mixed".to_owned()));
    }
    Ok(mix)
}

fn target(args: &RunArgs) -> Result<Target, RunError> {
    let wrong = || RunError::Server(args.server.clone());
    let (host, port) = args.server.rsplit_once(':').ok_or_else(wrong)?;
    Ok(Target {
        host: host.to_owned(),
        domain: args.domain.clone(),
        path: args.path.clone(),
        port: port.parse().map_err(|_| wrong())?,
        transport: args.transport,
        belief: args.ca.clone().map_or(Belief::Anybody, Belief::Authorities),
        sources: args.source.clone(),
    })
}

fn accounts(args: &RunArgs) -> Result<Vec<Account>, RunError> {
    let count = args.clients as usize;
    Ok(match &args.accounts {
        Some(path) => accounts::from_file(path, count)?,
        None => accounts::numbered(&args.prefix, &args.domain, &args.password, count)?,
    })
}

fn read(path: &PathBuf) -> Result<Report, RunError> {
    let wrong = |reason: String| RunError::Read(path.display().to_string(), reason);
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn write(path: &PathBuf, text: &str) -> Result<(), RunError> {
    let written = std::fs::write(path, text);
    written.map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &dyn std::fmt::Display) -> RunError {
    RunError::Write(path.display().to_string(), error.to_string())
}

/// Says something on standard output.
fn tell(text: &str) -> Result<(), RunError> {
    let said = say(text);
    said.map_err(|error| RunError::Write("standard output".to_owned(), error.to_string()))
}

/// Refuses to write over what else is written or read.
fn distinct(written: &[&Path], read: &[&Path]) -> Result<(), RunError> {
    let twice = files::overwritten(written, read);
    twice.map_or(Ok(()), |path| {
        Err(RunError::Overwritten(path.display().to_string()))
    })
}

/// Finds out what would spoil the run at its end, or all of it.
fn check(args: &RunArgs) -> Result<Made, RunError> {
    let written: Vec<&Path> = [&args.json, &args.report]
        .into_iter()
        .flat_map(Option::as_deref)
        .collect();
    let read: Vec<&Path> = [&args.accounts, &args.mix, &args.ca]
        .into_iter()
        .flat_map(Option::as_deref)
        .collect();
    distinct(&written, &read)?;
    let mut made = Made::default();
    for path in written {
        let tried = made.try_to_write(path);
        tried.map_err(|error| unwritten(path, &error))?;
    }
    for &process in &args.pid {
        let usage = Usage::of(&[process]);
        usage.map_err(|error| RunError::Process(process, error))?;
    }
    descriptors::allow(args.clients as usize)?;
    Ok(made)
}
