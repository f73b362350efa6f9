//! The commands `waxwing backup`, `verify` and `restore`.
//!
//! The running server writes a backup into the admin socket; this side writes it to the file, so that it belongs to
//! whoever asked, wherever that may write. It gets its name when it has been read again and found whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};
use waxwing_server::Server;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_store::{BACKUP_FORMAT, BACKUP_MAGIC, BackupError, BackupSummary, verify_backup};

use crate::admin_socket::{self, CommandError};
use crate::cli::Output;
use crate::config::Config;
use crate::{Outcome, files, say, say_json, storage};

/// Longest time in which nothing of a backup comes or is taken: counting a large store on a slow disk takes a while
/// before the first byte.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(600);
/// Most bytes of the line before a backup.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Bytes read from a file at a time.
const READ_BYTES: usize = 1 << 20;

/// Why there is no new backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupFailed {
    /// The server.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The place has something else.
    #[error("{} is there and is no Waxwing backup; it was left as it is", .0.display())]
    Taken(PathBuf),
    /// What elsewhere stands for standard output.
    #[error(
        "a backup is read again when it is whole, so it needs a file; './-' is one of that name"
    )]
    NoFile,
    /// A file, or the connection to the server.
    #[error("{}: {reason}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// In the system's words.
        reason: io::Error,
    },
    /// It did not come whole.
    #[error("{0}; no backup was kept")]
    Unusable(#[from] BackupError),
}

/// Has the running server write a backup to `file`.
pub(crate) fn backup(config: &Config, file: &Path, output: Output) -> Outcome {
    outcome(
        write(&config.admin_socket(), file),
        file,
        output,
        |summary| format!("{} holds {summary}", file.display()),
    )
}

/// Whether the name stands elsewhere for standard input or output.
fn is_stream(file: &Path) -> bool {
    file == Path::new("-")
}

/// Whether the file is there and may be read: the store's errors speak of what is in it.
fn check_readable(file: &Path) -> Result<(), Outcome> {
    if is_stream(file) {
        let text = "a backup is read from a file; './-' is one of that name";
        return Err(Outcome::Refused(text.to_owned()));
    }
    match files::open(file) {
        Ok(_) => Ok(()),
        Err(error) => Err(Outcome::Failed(format!("{}: {error}", file.display()))),
    }
}

/// Reads a backup to its end.
pub(crate) fn verify(file: &Path, output: Output) -> Outcome {
    if let Err(outcome) = check_readable(file) {
        return outcome;
    }
    let read = read(file).map_err(|error| format!("{}: {error}", file.display()));
    outcome(read, file, output, |summary| {
        format!("{} is whole and can be restored: {summary}", file.display())
    })
}

/// Restores a backup into the configured data directory or database.
pub(crate) fn restore(config: &Config, file: &Path, output: Output) -> Outcome {
    if let Err(outcome) = check_readable(file) {
        return outcome;
    }
    let place = match storage::place(config) {
        Ok(place) => place,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let restored = place.restore(file, &Server::shapes());
    let restored = restored.map_err(|error| match error {
        error if is_of_file(&error) => format!("{}: {error}", file.display()),
        BackupError::Open(error) if config.store.is_some() => {
            storage::refused(config, error).to_string()
        }
        error => error.to_string(),
    });
    outcome(restored, file, output, |summary| {
        format!("{place} holds {summary}; the server can be started")
    })
}

/// Whether a restore failed by the backup, and not by the place where it goes.
fn is_of_file(error: &BackupError) -> bool {
    matches!(
        error,
        BackupError::Foreign
            | BackupError::NewerFormat { .. }
            | BackupError::NewerShape { .. }
            | BackupError::UnknownShape(_)
            | BackupError::TooOld { .. }
            | BackupError::CutShort { .. }
            | BackupError::Damaged { .. }
            | BackupError::GivenUp(_)
    )
}

fn outcome<E: std::fmt::Display>(
    result: Result<BackupSummary, E>,
    file: &Path,
    output: Output,
    text: impl FnOnce(String) -> String,
) -> Outcome {
    match result {
        Ok(summary) if output.json => say_json(&in_json(file, &summary)),
        Ok(summary) => {
            say(&text(in_words(&summary)));
            say(&format!("sha256 {}", hex(&summary.sha256)));
        }
        Err(error) => return Outcome::Failed(error.to_string()),
    }
    Outcome::Done
}

pub(crate) fn in_words(summary: &BackupSummary) -> String {
    let records: u64 = summary.shapes.iter().map(|shape| shape.records).sum();
    format!(
        "everything as of {}: {records} records of {} owners and {} files, {} bytes, by version {}",
        time(summary),
        summary.owners,
        summary.blobs,
        summary.bytes,
        summary.about.product,
    )
}

pub(crate) fn in_json(file: &Path, summary: &BackupSummary) -> Value {
    let shapes = summary.shapes.iter().map(|shape| {
        let value = json!({ "version": shape.version, "records": shape.records });
        (shape.name.clone(), value)
    });
    json!({
        "file": file.display().to_string(),
        "format": BACKUP_FORMAT,
        "version": summary.about.product,
        "made_at": time(summary),
        "owners": summary.owners,
        "shapes": shapes.collect::<Map<_, _>>(),
        "files": summary.blobs,
        "file_bytes": summary.blob_bytes,
        "bytes": summary.bytes,
        "sha256": hex(&summary.sha256),
    })
}

fn time(summary: &BackupSummary) -> String {
    DateTime::from_unix_micros(summary.about.at_micros).to_string()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(file: &Path) -> Result<BackupSummary, BackupError> {
    let input = BufReader::with_capacity(READ_BYTES, File::open(file)?);
    verify_backup(input, &Server::shapes())
}

/// A file that goes, unless it has got its name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Where it has its name, there is nothing here.
        let _gone = fs::remove_file(&self.0);
    }
}

fn write(socket: &Path, file: &Path) -> Result<BackupSummary, BackupFailed> {
    keep(file, |out| {
        let mut stream = begin(socket)?;
        io::copy(&mut stream, out).map_err(|reason| BackupFailed::Io {
            path: file.to_owned(),
            reason,
        })?;
        Ok(())
    })
}

/// Has a backup written to a file that gets its name when the backup is whole and on the disk.
pub(crate) fn keep(
    file: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), BackupFailed>,
) -> Result<BackupSummary, BackupFailed> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |reason| BackupFailed::Io { path, reason }
    };
    if is_stream(file) {
        return Err(BackupFailed::NoFile);
    }
    let target = std::path::absolute(file).map_err(failed(file))?;
    check_place(&target)?;
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}.unfinished", std::process::id()));
    let unfinished = Unfinished(folder.join(name));
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished.0)
        .map_err(failed(&target))?;
    fill(&mut out)?;
    out.sync_all().map_err(failed(&unfinished.0))?;
    let summary = read(&unfinished.0)?;
    fs::rename(&unfinished.0, &target).map_err(failed(&target))?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(folder))?;
    Ok(summary)
}

/// An older backup may be replaced, and nothing else.
fn check_place(target: &Path) -> Result<(), BackupFailed> {
    let failed = |reason| BackupFailed::Io {
        path: target.to_owned(),
        reason,
    };
    let taken = || BackupFailed::Taken(target.to_owned());
    match fs::metadata(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(there) if !there.is_file() => Err(taken()),
        Ok(_) => {
            let mut magic = Vec::new();
            let file = File::open(target).map_err(failed)?;
            file.take(BACKUP_MAGIC.len() as u64)
                .read_to_end(&mut magic)
                .map_err(failed)?;
            if magic == BACKUP_MAGIC {
                Ok(())
            } else {
                Err(taken())
            }
        }
    }
}

/// Asks the server; what comes then is the backup.
fn begin(socket: &Path) -> Result<BufReader<UnixStream>, BackupFailed> {
    let failed = |reason| BackupFailed::Io {
        path: socket.to_owned(),
        reason,
    };
    let mut stream =
        UnixStream::connect(socket).map_err(|error| admin_socket::not_reached(socket, error))?;
    stream.set_read_timeout(Some(SILENCE_MAX)).map_err(failed)?;
    let request = json!({ "command": "backup", "args": {} });
    io::Write::write_all(&mut stream, format!("{request}\n").as_bytes()).map_err(failed)?;
    let mut stream = BufReader::with_capacity(READ_BYTES, stream);
    let mut line = String::new();
    (&mut stream)
        .take(ANSWER_BYTES_MAX)
        .read_line(&mut line)
        .map_err(failed)?;
    admin_socket::read_answer(&line)?;
    Ok(stream)
}
