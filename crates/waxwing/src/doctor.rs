//! `waxwing doctor`: says what is damaged in a data directory, in plain words, and saves what can be read.

mod database;

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use waxwing_server::Server;
use waxwing_store::{
    BackupAbout, BackupError, BackupSummary, Damage, DamagedPart, Examination, ExamineOptions,
    Findings, Loss, ObjectPlace, OpenError, Owner, StoreError,
};

use crate::backups::{self, BackupFailed};
use crate::check::finding::{Finding, Level};
use crate::cli::Doctor;
use crate::config::Config;
use crate::data_dir::mend;
use crate::outside::unix_micros;
use crate::{Outcome, say, say_json, storage};

/// Bytes that are written to a backup at a time.
const WRITE_BYTES: usize = 1 << 20;

/// Examines a data directory or the configured database, and exports it if that is asked for.
pub(crate) fn run(config: &Path, how: &Doctor) -> Outcome {
    if let Some(dir) = &how.dir {
        // Whose files are elsewhere, the configuration says where.
        let objects = Config::load(config).ok();
        let objects = objects.and_then(|config| storage::objects(&config).ok().flatten());
        return examine(dir, objects.as_ref(), how);
    }
    match Config::load(config) {
        Ok(loaded) if loaded.store.is_some() => database::run(&loaded, config, how),
        Ok(loaded) => match storage::objects(&loaded) {
            Ok(objects) => examine(&loaded.data_dir, objects.as_ref(), how),
            Err(error) => Outcome::Failed(error.to_string()),
        },
        Err(error) => Outcome::Misused(format!(
            "{}: {error}; name the directory: waxwing doctor DIR",
            config.display()
        )),
    }
}

fn examine(dir: &Path, objects: Option<&ObjectPlace>, how: &Doctor) -> Outcome {
    if let Some(inside) = [&how.export, &how.scratch]
        .into_iter()
        .flatten()
        .find(|path| is_inside(path, dir))
    {
        return Outcome::Refused(format!(
            "{} is in {}, where nothing is written; choose another place",
            inside.display(),
            dir.display()
        ));
    }
    let scratch = scratch(how);
    if !scratch.is_dir() {
        return Outcome::Refused(format!(
            "there is no directory {}: an export, and a copy of the database while it works, need one that is there",
            scratch.display()
        ));
    }
    let options = ExamineOptions {
        scratch: &scratch,
        now_micros: unix_micros(),
        any_version: how.any_version,
        objects,
    };
    let examination = match Examination::of(dir, &options, &Server::shapes()) {
        Ok(examination) => examination,
        Err(error) => return not_examined(&error, &scratch),
    };
    let findings = examination.findings();
    // A backup of nothing would have a server start as if nothing had ever been there.
    let exported = (how.export.as_ref())
        .filter(|_| !is_all_lost(findings))
        .map(|file| export(&examination, file));
    report(dir, how, findings, exported)
}

/// Whether a file would lie in a directory, or is it.
fn is_inside(path: &Path, dir: &Path) -> bool {
    let (Ok(path), Ok(dir)) = (std::path::absolute(path), dir.canonicalize()) else {
        return false;
    };
    path.ancestors()
        .find_map(|above| above.canonicalize().ok())
        .is_some_and(|above| above.starts_with(dir))
}

/// Where there is probably room for a copy of the database.
fn scratch(how: &Doctor) -> PathBuf {
    if let Some(scratch) = &how.scratch {
        return scratch.clone();
    }
    let beside = how.export.as_deref().and_then(Path::parent);
    match beside {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        // Unlike /tmp it is no memory.
        None if std::env::var_os("TMPDIR").is_none() => PathBuf::from("/var/tmp"),
        None => std::env::temp_dir(),
    }
}

fn not_examined(error: &OpenError, scratch: &Path) -> Outcome {
    match error {
        OpenError::InUse(dir) => Outcome::Refused(format!(
            "a server runs on {}: `waxwing backup FILE` saves everything that it has; stop it to have its data examined",
            dir.display()
        )),
        OpenError::Newer { .. } => Outcome::Refused(format!(
            "{error}; nothing was exported: use the version of Waxwing that wrote it, or a newer one"
        )),
        OpenError::ReadOnly(path)
        | OpenError::Denied(path)
        | OpenError::Environment { path, .. }
            if path == scratch =>
        {
            Outcome::Failed(format!(
                "{error}; it needs room for a copy of the database: name a place with --scratch DIR"
            ))
        }
        OpenError::Denied(_) => Outcome::Failed(format!(
            "{error}; run this as root, or as the user that runs the server"
        )),
        OpenError::ReadOnly(_) | OpenError::Environment { .. } => {
            Outcome::Failed(error.to_string())
        }
        OpenError::Occupied { path, found } => Outcome::Refused(format!(
            "{} holds {found} and no Waxwing database; name the directory in which waxwing.db is",
            path.display()
        )),
        error => Outcome::Refused(error.to_string()),
    }
}

/// Whether there was something, and nothing of it can be read.
fn is_all_lost(findings: &Findings) -> bool {
    let is_lossy = |damage: &Damage| matches!(damage.loss, Loss::Unknown | Loss::Records(..));
    records(findings) == 0 && findings.blobs == 0 && findings.damages.iter().any(is_lossy)
}

fn records(findings: &Findings) -> u64 {
    findings.shapes.iter().map(|shape| shape.records).sum()
}

fn export(examination: &Examination, file: &Path) -> Result<BackupSummary, BackupFailed> {
    let about = BackupAbout {
        product: env!("CARGO_PKG_VERSION").to_owned(),
        at_micros: unix_micros(),
    };
    backups::keep(file, |out| {
        let mut out = BufWriter::with_capacity(WRITE_BYTES, out);
        examination
            .export(&mut out, about)
            .map_err(|error| match error {
                // What it reads from is written already.
                BackupError::Store(StoreError::DiskFull) => BackupFailed::Io {
                    path: file.to_owned(),
                    reason: io::ErrorKind::StorageFull.into(),
                },
                BackupError::Open(error) => BackupFailed::Unusable(error.into()),
                error => BackupFailed::Unusable(error),
            })?;
        Ok(())
    })
}

fn report(
    dir: &Path,
    how: &Doctor,
    findings: &Findings,
    exported: Option<Result<BackupSummary, BackupFailed>>,
) -> Outcome {
    let all = lines(dir, findings);
    let is_whole = all.iter().all(|finding| finding.level <= Level::Note);
    let (summary, failed) = match exported {
        Some(Ok(summary)) => (Some(summary), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let file = how.export.as_deref().unwrap_or(Path::new(""));
    if how.output.json {
        say_json(&in_json(
            dir,
            findings,
            &all,
            summary.as_ref().map(|summary| (file, summary)),
        ));
    } else {
        for finding in &all {
            say(&finding.lines());
        }
        if let Some(summary) = &summary {
            say(&format!(
                "{} holds {}",
                file.display(),
                backups::in_words(summary)
            ));
            say(&format!("sha256 {}", backups::hex(&summary.sha256)));
            say(&left_behind(findings));
        }
    }
    match failed {
        Some(error) => Outcome::Failed(error.to_string()),
        None if how.export.is_some() && is_all_lost(findings) => Outcome::Failed(format!(
            "nothing that {} held can be read; no backup was written, and nothing in it was changed",
            dir.display()
        )),
        None if summary.is_some() || is_whole => Outcome::Done,
        None if how.output.json => Outcome::Found,
        None => Outcome::Refused(verdict(dir, findings)),
    }
}

/// What all of it comes to, where not everything is well.
fn verdict(dir: &Path, findings: &Findings) -> String {
    let dir = dir.display();
    if !findings.damages.is_empty() {
        return format!("{dir} is damaged; nothing in it was changed");
    }
    if !findings.versions.is_empty() {
        return format!("{dir} is not damaged, and not for this version of Waxwing");
    }
    format!("{dir} is not damaged; the server starts on it when what is said above is mended")
}

fn left_behind(findings: &Findings) -> String {
    let (mut records, mut files, mut unknown, mut guessed) = (0, 0, false, false);
    for damage in &findings.damages {
        match (&damage.loss, &damage.part) {
            (Loss::Records(..), DamagedPart::Blob(_)) => files += 1,
            (Loss::Records(count, _), _) => records += count,
            (Loss::Unknown, _) => unknown = true,
            (Loss::Guessed, _) => guessed = true,
            (Loss::Nothing, _) => {}
        }
    }
    let mut text = match (records, files, unknown) {
        (0, 0, false) => "nothing that is known was left behind".to_owned(),
        _ => format!("left behind: {records} records and {files} files that are known to be lost"),
    };
    if unknown {
        text.push_str("; what else the damaged pages held cannot be told");
    }
    if guessed {
        text.push_str("; which tables the records are of was guessed: look at what is restored before others use it");
    }
    text
}

/// What was found, for people.
fn lines(dir: &Path, findings: &Findings) -> Vec<Finding> {
    let shown = dir.display();
    let mut all = Vec::new();
    if let Some(error) = &findings.refusal {
        let text = format!("the server does not start on it: {error}");
        let finding = Finding::fatal("server", text);
        // What is said below of a version mends it.
        all.push(
            if findings.damages.is_empty() && findings.versions.contains(error) {
                finding
            } else {
                finding.mend(advice(dir, findings, error))
            },
        );
    } else if !findings.damages.is_empty() {
        let text = format!("the server would start on {shown}, and meet the damage later");
        all.push(Finding::bad("server", text).mend(save(dir)));
    }
    for error in &findings.versions {
        let mend = "use the version of Waxwing that wrote it, or a newer one; if none was ever started here, the number is damaged: --any-version exports what can be read";
        all.push(Finding::fatal("version", error.to_string()).mend(mend));
    }
    all.extend(findings.damages.iter().map(damage));
    if findings.is_unfinished {
        let text = "the last write did not reach the disk whole, as after a power cut; nothing of it was acknowledged";
        all.push(Finding::note("write-ahead", text));
    }
    let records = records(findings);
    let (owners, files) = (findings.owners, findings.blobs);
    let text = format!("{records} records of {owners} owners and {files} files can be read");
    all.push(if all.is_empty() {
        Finding::good("data", format!("{shown} is whole: {text}"))
    } else {
        Finding::note("data", text)
    });
    all
}

fn advice(dir: &Path, findings: &Findings, refusal: &OpenError) -> String {
    let own = mend(refusal).filter(|_| !matches!(refusal, OpenError::Damaged { .. }));
    match (own, findings.damages.is_empty()) {
        (Some(own), true) => own.to_owned(),
        (Some(own), false) => format!("{own};\n{}", save(dir)),
        (None, false) => save(dir),
        (None, true) => "mend that first; nothing in it is damaged".to_owned(),
    }
}

fn save(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "keep the directory as it is, see to the disk, and restore the latest backup into a new one (`waxwing restore FILE`);\nwhere there is none, or what was written since counts more, save what can be read: waxwing doctor {dir} --export FILE"
    )
}

fn damage(damage: &Damage) -> Finding {
    let about = match &damage.part {
        DamagedPart::File => "file",
        DamagedPart::WriteAhead => "write-ahead",
        DamagedPart::Pages(_) => "pages",
        DamagedPart::Shape(_) => "records",
        DamagedPart::Index(_) => "index",
        DamagedPart::References => "references",
        DamagedPart::Blob(_) => "stored file",
        _ => "owners",
    };
    let mut text = format!("{}: {}", damage.part, damage.text);
    match &damage.loss {
        Loss::Nothing => {
            text.push_str("; nothing is lost by it");
            return Finding::warning(about, text);
        }
        Loss::Guessed => return Finding::warning(about, text),
        Loss::Unknown => {}
        Loss::Records(count, owners) => text.push_str(&whose(*count, owners)),
    }
    Finding::bad(about, text)
}

/// Of whom something is lost.
fn whose(count: u64, owners: &[(Owner, u64)]) -> String {
    if owners.is_empty() {
        return String::new();
    }
    let named: Vec<_> = owners
        .iter()
        .map(|(owner, records)| format!("{} {records}", name(owner)))
        .collect();
    let known: u64 = owners.iter().map(|(_, records)| records).sum();
    let more = if known < count { ", and others" } else { "" };
    format!(" (of {}{more})", named.join(", "))
}

fn name(owner: &Owner) -> &str {
    match owner.name() {
        "" => "the server",
        name => name,
    }
}

/// What was found, for programs.
fn in_json(
    dir: &Path,
    findings: &Findings,
    lines: &[Finding],
    exported: Option<(&Path, &BackupSummary)>,
) -> Value {
    let shapes = findings.shapes.iter().map(|shape| {
        let value = json!({ "records": shape.records, "owners": shape.owners });
        (shape.name.clone(), value)
    });
    json!({
        "directory": dir.display().to_string(),
        "findings": lines.iter().map(Finding::to_json).collect::<Vec<_>>(),
        "shapes": shapes.collect::<serde_json::Map<_, _>>(),
        "owners": findings.owners,
        "files": findings.blobs,
        "exported": exported.map(|(file, summary)| backups::in_json(file, summary)),
    })
}
