//! `waxwing doctor` where the server stores in a database: PostgreSQL looks after its files, so what is looked at is
//! whether everything can be read, and is what was stored.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;
use std::thread;

use serde_json::{Map, Value, json};
use waxwing_server::Server;
use waxwing_store::{
    BackupAbout, BackupError, BackupSummary, ObjectPlace, PostgresAddress, PostgresOptions, Store,
    StorePlace, examine_backup,
};

use crate::backups::{self, BackupFailed};
use crate::check;
use crate::check::finding::{Finding, Level};
use crate::cli::Doctor;
use crate::config::Config;
use crate::outside::unix_micros;
use crate::{Outcome, say, say_json, storage};

/// Bytes that are written at a time.
const WRITE_BYTES: usize = 1 << 20;

/// What a database holds, and of which shape how much is not what was stored.
type Examined = (BackupSummary, Vec<(String, u64)>);

/// Examines the configured database, whether a server runs on it or not, and exports it if that is asked for.
pub(crate) fn run(config: &Config, path: &Path, how: &Doctor) -> Outcome {
    if how.any_version || how.scratch.is_some() {
        return Outcome::Misused(
            "--any-version and --scratch are for data directories; a database needs neither"
                .to_owned(),
        );
    }
    let mut findings = check::database::findings(config, path);
    let is_open = findings.iter().all(|finding| finding.level < Level::Fatal);
    let read = match storage::place(config) {
        Ok(StorePlace::Database(address, objects)) if is_open => {
            Some(read(&address, objects, how.export.as_deref()))
        }
        _ => None,
    };
    let shown = storage::shown(config);
    let (examined, failed) = match read {
        Some(Ok(examined)) => (Some(examined), None),
        // Nobody spoke of a backup where none was asked for.
        Some(Err(BackupFailed::Unusable(error))) => (None, Some(error.to_string())),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    if let Some((summary, unread)) = &examined {
        findings.extend(said_of(summary, unread));
    }
    if let Some(error) = &failed {
        findings.push(
            Finding::bad("data", format!("not everything can be read: {error}"))
                .mend("keep the database as it is, and restore the latest backup into a new one (`waxwing restore FILE`)"),
        );
    }
    report(&shown, how, &findings, examined.as_ref());
    match failed {
        Some(error) if how.export.is_some() => {
            Outcome::Failed(format!("{error}; no backup was written"))
        }
        None if !is_open && how.export.is_some() => {
            Outcome::Failed(format!("{shown} cannot be opened; no backup was written"))
        }
        _ if findings
            .iter()
            .any(|finding| finding.level > Level::Warning) =>
        {
            Outcome::Found
        }
        _ => Outcome::Done,
    }
}

fn said_of(summary: &BackupSummary, unread: &[(String, u64)]) -> Vec<Finding> {
    let mut findings: Vec<_> = unread
        .iter()
        .map(|(shape, count)| {
            let text = format!("{shape}: {count} records are not what was stored");
            Finding::bad("records", text).mend("restore the latest backup into a new database")
        })
        .collect();
    let records: u64 = summary.shapes.iter().map(|shape| shape.records).sum();
    let (owners, files) = (summary.owners, summary.blobs);
    let text = format!("{records} records of {owners} owners and {files} files can be read");
    findings.push(match unread {
        [] => Finding::good("data", format!("everything is whole: {text}")),
        _ => Finding::note("data", text),
    });
    findings
}

fn report(shown: &str, how: &Doctor, findings: &[Finding], examined: Option<&Examined>) {
    let exported = how.export.as_deref().zip(examined);
    if how.output.json {
        let shapes = examined
            .into_iter()
            .flat_map(|(summary, _)| &summary.shapes);
        let shapes = shapes.map(|shape| (shape.name.clone(), json!({ "records": shape.records })));
        let value: Value = json!({
            "database": shown,
            "findings": findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
            "shapes": shapes.collect::<Map<_, _>>(),
            "owners": examined.map(|(summary, _)| summary.owners),
            "files": examined.map(|(summary, _)| summary.blobs),
            "exported": exported.map(|(file, (summary, _))| backups::in_json(file, summary)),
        });
        return say_json(&value);
    }
    for finding in findings {
        say(&finding.lines());
    }
    if let Some((file, (summary, _))) = exported {
        let words = backups::in_words(summary);
        say(&format!("{} holds {words}", file.display()));
        say(&format!("sha256 {}", backups::hex(&summary.sha256)));
    }
}

fn about() -> BackupAbout {
    BackupAbout {
        product: env!("CARGO_PKG_VERSION").to_owned(),
        at_micros: unix_micros(),
    }
}

/// Reads all of it, into a backup where that is asked for.
fn read(
    address: &PostgresAddress,
    objects: Option<ObjectPlace>,
    export: Option<&Path>,
) -> Result<Examined, BackupFailed> {
    let options = PostgresOptions {
        objects,
        ..PostgresOptions::default()
    };
    let Some(file) = export else {
        return Ok(pass(address, &options)?);
    };
    backups::keep(file, |out| {
        let out = out.try_clone().map_err(BackupError::from)?;
        let out = BufWriter::with_capacity(WRITE_BYTES, out);
        Store::postgres_export(address, &options, out, about())?;
        Ok(())
    })?;
    let input = File::open(file).map_err(BackupError::from)?;
    let input = BufReader::with_capacity(WRITE_BYTES, input);
    Ok(examine_backup(input, &Server::shapes())?)
}

/// Reads all of it, and keeps nothing.
fn pass(address: &PostgresAddress, options: &PostgresOptions) -> Result<Examined, BackupError> {
    let (input, output) = io::pipe()?;
    let examine = thread::spawn(move || {
        let input = BufReader::with_capacity(WRITE_BYTES, input);
        examine_backup(input, &Server::shapes())
    });
    let output = BufWriter::with_capacity(WRITE_BYTES, output);
    let written = Store::postgres_export(address, options, output, about());
    let examined = examine.join();
    let examined =
        examined.map_err(|_| BackupError::from(io::Error::other("a thread panicked")))?;
    match (written, examined) {
        // Whoever stopped first says why; the other one only noticed.
        (
            Err(cause),
            Err(BackupError::Foreign | BackupError::CutShort { .. } | BackupError::GivenUp(_)),
        ) => Err(cause),
        (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
        (Ok(_), Ok(examined)) => Ok(examined),
    }
}
