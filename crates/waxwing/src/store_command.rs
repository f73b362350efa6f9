//! `waxwing store copy`: moves everything from one kind of storage to another.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use waxwing_server::Server;
use waxwing_store::{BackupAbout, BackupSummary, OpenError, PostgresAddress, StorePlace};

use crate::backups::hex;
use crate::cli::CopyOrder;
use crate::config::Config;
use crate::data_dir::mend;
use crate::outside::unix_micros;
use crate::{Outcome, say, say_json, storage};

/// Copies, and says what it found at both places.
pub(crate) fn copy(config: &Path, order: &CopyOrder) -> Outcome {
    let places = || -> Result<(StorePlace, StorePlace), Outcome> {
        Ok((
            named(order.from.as_deref(), config)?,
            named(order.to.as_deref(), config)?,
        ))
    };
    let (from, to) = match places() {
        Ok(places) => places,
        Err(outcome) => return outcome,
    };
    let about = BackupAbout {
        product: env!("CARGO_PKG_VERSION").to_owned(),
        at_micros: unix_micros(),
    };
    let copied = match from.copy_to(&to, &Server::shapes(), about) {
        Ok(copied) => copied,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    if order.output.json {
        say_json(&json!({
            "from": from.to_string(),
            "to": to.to_string(),
            "same": copied.is_same(),
            "copied": in_json(&copied.from),
            "found": in_json(&copied.to),
        }));
    } else {
        show(&copied.from, &copied.to);
    }
    if !copied.is_same() {
        return Outcome::Failed(format!(
            "what was found at {to} is not what was copied; do not use it, and keep {from}"
        ));
    }
    if !order.output.json {
        say(&format!(
            "{to} holds everything that {from} holds, which was left as it is"
        ));
    }
    Outcome::Done
}

/// A place that the command line names, or that of the configuration.
fn named(text: Option<&str>, config: &Path) -> Result<StorePlace, Outcome> {
    let Some(text) = text else {
        let config = Config::load(config)
            .map_err(|error| Outcome::Misused(format!("{}: {error}", config.display())))?;
        let place = storage::place(&config);
        return place.map_err(|error| Outcome::Failed(error.to_string()));
    };
    if !(text.starts_with("postgresql://") || text.starts_with("postgres://")) {
        return Ok(StorePlace::Directory(PathBuf::from(text), None));
    }
    let address = PostgresAddress::parse(text);
    let place = address.map(|address| StorePlace::Database(address, None));
    place.map_err(misused)
}

fn misused(error: OpenError) -> Outcome {
    match mend(&error) {
        Some(mend) => Outcome::Misused(format!("{error}; {mend}")),
        None => Outcome::Misused(error.to_string()),
    }
}

/// Counts and hashes of both, side by side.
fn show(from: &BackupSummary, to: &BackupSummary) {
    let width = from.shapes.iter().map(|shape| shape.name.len());
    let width = width.max().unwrap_or(0).max("bytes of files".len());
    let line = |name: &str, from: u64, to: Option<u64>| {
        let to = to.map_or_else(|| "-".to_owned(), |count| count.to_string());
        say(&format!("{name:width$}  {from:>12}  {to:>12}"));
    };
    say(&format!("{:width$}  {:>12}  {:>12}", "", "copied", "found"));
    for shape in &from.shapes {
        let found = to.shapes.iter().find(|other| other.name == shape.name);
        line(&shape.name, shape.records, found.map(|other| other.records));
    }
    line("owners", from.owners, Some(to.owners));
    line("files", from.blobs, Some(to.blobs));
    line("bytes of files", from.blob_bytes, Some(to.blob_bytes));
    line("last log id", from.last_log_id.0, Some(to.last_log_id.0));
    say(&format!(
        "{:width$}  {}",
        "copied, sha256",
        hex(&from.sha256)
    ));
    say(&format!("{:width$}  {}", "found, sha256", hex(&to.sha256)));
}

fn in_json(summary: &BackupSummary) -> Value {
    let shapes = summary.shapes.iter();
    let shapes = shapes.map(|shape| (shape.name.clone(), json!(shape.records)));
    json!({
        "shapes": shapes.collect::<Map<_, _>>(),
        "owners": summary.owners,
        "files": summary.blobs,
        "file_bytes": summary.blob_bytes,
        "last_log_id": summary.last_log_id.0,
        "sha256": hex(&summary.sha256),
    })
}
