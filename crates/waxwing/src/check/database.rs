//! The database, where the server stores in one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use waxwing_server::Server;
use waxwing_store::{OpenError, PostgresOptions, PostgresSettings, Store, StorePlace};

use super::finding::Finding;
use crate::config::{Config, Database};
use crate::data_dir::mend;
use crate::storage;

const ABOUT: &str = "database";
/// Bytes in a megabyte, as people say it.
const MEGABYTE: u64 = 1_000_000;

/// Whether the server would open its database, and what should be otherwise there; `path` is that of the configuration.
/// Nothing is changed.
pub(crate) fn findings(config: &Config, path: &Path) -> Vec<Finding> {
    let Some(database) = &config.store else {
        return Vec::new();
    };
    let mut findings = secrets(database, path);
    match storage::place(config) {
        Ok(place) => findings.extend(place_findings(&place)),
        Err(error) => findings.push(
            Finding::fatal(ABOUT, error.to_string())
                .mend("write the password into the file, as its only line"),
        ),
    }
    if let Some(left) = storage::left_behind(config) {
        findings.push(Finding::warning(ABOUT, left).mend("copy it, or move it away"));
    }
    findings
}

fn refused(error: &OpenError) -> Finding {
    let finding = Finding::fatal(ABOUT, error.to_string());
    finding.mend(mend(error).unwrap_or("create an empty database for Waxwing alone"))
}

fn place_findings(place: &StorePlace) -> Vec<Finding> {
    let StorePlace::Database(address, _) = place else {
        return Vec::new();
    };
    let settings = match Store::postgres_settings(address, &PostgresOptions::default()) {
        Ok(settings) => settings,
        Err(error) => return vec![refused(&error)],
    };
    let mut findings = vec![match place.look(&Server::shapes()) {
        Err(error) => refused(&error),
        Ok(_) if settings.in_use => {
            Finding::good(ABOUT, format!("{place} is in use by a server that runs"))
        }
        Ok(true) => Finding::good(
            ABOUT,
            format!("{place} holds data that this program can use"),
        ),
        Ok(false) => Finding::good(ABOUT, format!("{place} is empty, for a first start")),
    }];
    findings.push(Finding::good(
        ABOUT,
        format!(
            "PostgreSQL {}, {} MB{}",
            settings.version,
            settings.bytes / MEGABYTE,
            if settings.tls { ", by TLS" } else { "" }
        ),
    ));
    findings.extend(of_settings(&settings));
    if address.is_unprotected() {
        let text = "what goes to the database and back can be read or changed on its way";
        findings.push(
            Finding::warning(ABOUT, text)
                .mend("add ?sslmode=verify-full to 'store.url', and sslrootcert=FILE for an authority of one's own"),
        );
    }
    findings
}

/// What its operator should set otherwise.
fn of_settings(settings: &PostgresSettings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !settings.fsync {
        let text = "fsync is off: what is acknowledged does not survive a power cut";
        findings.push(Finding::bad(ABOUT, text).mend("ALTER SYSTEM SET fsync = on"));
    }
    if !settings.full_page_writes {
        let text = "full_page_writes is off: a power cut can damage what is stored";
        let mend =
            "ALTER SYSTEM SET full_page_writes = on, unless the disk never writes half a page";
        findings.push(Finding::warning(ABOUT, text).mend(mend));
    }
    if !settings.autovacuum {
        let text = "autovacuum is off: room that messages leave is never given back";
        findings.push(Finding::warning(ABOUT, text).mend("ALTER SYSTEM SET autovacuum = on"));
    }
    if settings.has_synchronous_standby && settings.synchronous_commit == "local" {
        let text = "synchronous_commit is local: a standby may lack what was acknowledged last";
        findings
            .push(Finding::warning(ABOUT, text).mend("ALTER SYSTEM SET synchronous_commit = on"));
    }
    findings
}

/// Whether others can read the password.
fn secrets(database: &Database, path: &Path) -> Vec<Finding> {
    let in_url = database.address.has_password().then_some(path);
    let files = in_url.into_iter().chain(database.password_file.as_deref());
    let readable = files.filter(|file| {
        let found = fs::metadata(file);
        found.is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
    });
    readable
        .map(|file| {
            let file = file.display();
            let text = format!("other users of this machine can read the password in {file}");
            Finding::warning(ABOUT, text).mend(format!("chmod o= '{file}'"))
        })
        .collect()
}
