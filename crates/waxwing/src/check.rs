//! `waxwing check`: examines what the server needs and says in plain words what to mend.
//!
//! What the server refuses at its start is `fatal` here, and nothing else is; what else has to be mended the server
//! says in its log when it starts.

mod blobs;
mod bytestreams;
pub(crate) mod certificate;
mod components;
pub(crate) mod database;
mod dns;
mod external;
pub(crate) mod finding;
mod http;
mod machine;
mod push;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use waxwing_dial::{Resolve, SystemResolver};
use waxwing_server::{OptionValue, Registration};

use crate::admin_socket;
use crate::cli::Check;
use crate::config::Config;
use crate::outside::unix_micros;
use crate::serve::SettingsError;
use crate::terminal::plain;
use crate::{Outcome, say, say_json};

use certificate::system_authorities;
use finding::{Finding, Level};

/// Examines everything that the configuration at `path` names.
pub(crate) fn run(path: &Path, how: &Check) -> Outcome {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return Outcome::Misused(format!("{}: {error}", path.display())),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let mut findings = vec![Finding::good(
        "configuration",
        format!("{} can be read", path.display()),
    )];
    findings.push(settings(&config));
    findings.extend(registration(&config));
    findings.extend(components::findings(&config));
    findings.extend(bytestreams::findings(&config));
    findings.extend(http::findings(&config));
    findings.extend(push::findings(&config, !system_authorities().is_empty()));
    findings.extend(external::findings(&config));
    findings.extend(certificate::findings(&config, now_secs()));
    let (others, names) = runtime.block_on(async {
        let ours = listeners(&config).await;
        let ports = machine::ports(&config, &ours);
        (ports, look_up(&config, how).await)
    });
    findings.extend(machine::data_dir(&config));
    findings.extend(database::findings(&config, path));
    findings.extend(blobs::findings(&config));
    findings.extend(machine::disk(&config));
    findings.push(machine::clock(&config));
    findings.extend(others);
    findings.extend(names);
    conclude(&findings, how.output.json)
}

fn now_secs() -> i64 {
    i64::try_from(unix_micros() / 1_000_000).unwrap_or(i64::MAX)
}

fn settings(config: &Config) -> Finding {
    match config.settings().check() {
        Ok(()) => Finding::good(
            "configuration",
            format!("it serves {}", config.domains.join(", ")),
        ),
        Err(error) => {
            let error = SettingsError::new(config, error);
            Finding::fatal("configuration", error.to_string())
                .mend("mend the file; waxwing.toml(5) says what the keys are")
        }
    }
}

/// Who may make an account, and where.
fn registration(config: &Config) -> Vec<Finding> {
    let of = |domain: &String| {
        let own = config.domain_registration.get(domain);
        own.copied().unwrap_or(config.registration)
    };
    let at = |mode: Registration| {
        let domains = config.domains.iter().filter(|domain| of(domain) == mode);
        let domains: Vec<_> = domains.map(String::as_str).collect();
        (!domains.is_empty()).then(|| domains.join(", "))
    };
    let said = [
        (Registration::Open, "anybody may make an account at"),
        (
            Registration::Closed,
            "accounts come from the command line only at",
        ),
    ];
    let said = said.into_iter().filter_map(|(mode, said)| {
        let text = format!("{said} {}", at(mode)?);
        Some(Finding::good("registration", text))
    });
    let pages = config.domains.iter().filter_map(|domain| {
        let own = config.domain_options.get(domain);
        let own = own.and_then(|own| own.get("registration_url"));
        match own.or_else(|| config.options.get("registration_url"))? {
            OptionValue::Text(url) if url.is_empty() => None,
            OptionValue::Text(_) if of(domain) == Registration::Open => Some(Finding::note(
                "registration",
                format!("registration_url says nothing to clients at {domain}, where anybody may make an account"),
            )),
            OptionValue::Text(url) => Some(Finding::good(
                "registration",
                format!("clients of people without an account are sent from {domain} to {url}"),
            )),
            _ => None,
        }
    });
    said.chain(pages).collect()
}

/// Where the server listens that runs on the data directory, if one does.
async fn listeners(config: &Config) -> Vec<SocketAddr> {
    let answer = admin_socket::ask(&config.admin_socket(), "listeners", json!({})).await;
    let answer = answer.unwrap_or_default();
    let addresses = answer.get("addresses").and_then(Value::as_array);
    let addresses = addresses.into_iter().flatten().filter_map(Value::as_str);
    addresses.filter_map(|text| text.parse().ok()).collect()
}

async fn look_up(config: &Config, how: &Check) -> Vec<Finding> {
    let resolver = match (how.offline, how.dns) {
        (true, _) => return dns::findings(config, None).await,
        (false, Some(server)) => SystemResolver::with_servers(&[server]),
        (false, None) => SystemResolver::new(),
    };
    match &resolver {
        Ok(resolver) => dns::findings(config, Some(resolver as &dyn Resolve)).await,
        Err(error) => {
            let mut findings = dns::findings(config, None).await;
            let text = format!("names cannot be looked up: {error}");
            findings.push(
                Finding::warning("DNS", text)
                    .mend("name a server in /etc/resolv.conf, or with --dns ADDRESS:53"),
            );
            findings
        }
    }
}

fn conclude(findings: &[Finding], in_json: bool) -> Outcome {
    let count = |level: Level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    let (bad, fatal) = (count(Level::Bad), count(Level::Fatal));
    if in_json {
        let all: Vec<_> = findings.iter().map(Finding::to_json).collect();
        say_json(&json!({ "starts": fatal == 0, "well": bad + fatal == 0, "findings": all }));
        return match bad + fatal {
            0 => Outcome::Done,
            _ => Outcome::Found,
        };
    }
    for finding in findings {
        say(&finding.lines());
    }
    let things = |count: usize| match count {
        1 => "1 thing has to be mended".to_owned(),
        count => format!("{count} things have to be mended"),
    };
    match (bad, fatal) {
        (0, 0) => Outcome::Done,
        (bad, 0) => Outcome::Refused(format!(
            "{}; the server starts, and does not serve as it should",
            things(bad)
        )),
        (0, fatal) => Outcome::Refused(format!("{} before the server can run", things(fatal))),
        (bad, fatal) => Outcome::Refused(format!(
            "{} before the server can run, and {bad} more",
            things(fatal)
        )),
    }
}

/// What has to be mended with certificates that are used nevertheless, and what may have to be soon.
pub(crate) fn of_certificates(config: &Config) -> Vec<Finding> {
    let mut findings = certificate::findings(config, now_secs());
    findings.retain(|finding| finding.level >= Level::Warning);
    findings
}

/// Says it in the log.
pub(crate) fn log_warnings(findings: &[Finding]) {
    for finding in findings {
        let mend = finding.mend.as_deref().unwrap_or_default();
        let (text, mend) = (plain(&finding.text), plain(mend).replace('\n', "; "));
        match finding.level {
            Level::Bad | Level::Fatal => {
                tracing::warn!("has to be mended: the {}: {text}; {mend}", finding.about);
            }
            _ => tracing::warn!("the {}: {text}; {mend}", finding.about),
        }
    }
}
