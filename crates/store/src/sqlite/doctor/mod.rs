//! Examining a data directory that is damaged, and saving what can be read.
//!
//! SQLite gives up where a page is not what it should be, and cannot be asked for what lies behind it. So the pages are
//! read here, one by one, and every record that can be read goes into a scratch database, where all is weighed against
//! itself: each fact stands in a data directory at least twice. The directory itself is opened for reading only.
//!
//! The database has no check sums: a bit that flips inside a text is found only where the text is then none.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use rusqlite::Connection;

use super::dump;
use super::fault::failed;
use super::open::{Directory, LAYOUT, Lock, beside, io, newer_layout};
use crate::backend::Contents;
use crate::backup::{BackupAbout, BackupError, BackupSummary};
use crate::error::{OpenError, StoreError};
use crate::examination::{Damage, DamagedPart, ExamineOptions, Findings, Loss};
use crate::owner::Owner;
use crate::shape::{Shape, declared};

mod files;
mod guess;
mod image;
mod logs;
mod order;
mod page;
mod record;
mod scratch;
mod sum;
mod trees;
mod walk;
mod weigh;

use guess::Lists;
pub(super) use image::{Image, PAGE_BYTES};
use trees::TREES;
use walk::Walk;
use weigh::Weighing;

/// A data directory that was examined, and what could be read of it.
pub struct Examination {
    db: Connection,
    files: Box<dyn Contents>,
    findings: Findings,
    any_version: bool,
    /// No server starts on it meanwhile.
    _lock: Option<Lock>,
}

impl std::fmt::Debug for Examination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examination")
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

/// What tells whether a file was written to.
type Stamp = Option<(u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    let of = |found: Metadata| (found.len(), found.mtime(), found.mtime_nsec());
    fs::metadata(path).ok().map(of)
}

impl Examination {
    /// Reads everything in a data directory that can be read; nothing in it is changed, or opened for writing. Memory
    /// is bounded. Blocks.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while a server has it open, or wrote to it meanwhile; [`OpenError::Newer`],
    /// [`OpenError::Foreign`] and the like where it is not for this program; an error of the environment, such as a
    /// full disk for the scratch file.
    pub fn of(
        directory: &Path,
        options: &ExamineOptions<'_>,
        shapes: &[Shape],
    ) -> Result<Self, OpenError> {
        let place = Directory::new(directory);
        let declared = declared(shapes)?;
        check_there(&place)?;
        let refusal = match place.look(&declared) {
            Err(error @ OpenError::InUse(_)) => return Err(error),
            looked => looked.err(),
        };
        let lock = match File::open(place.path.join("waxwing.lock")) {
            Ok(file) => Some(place.locked(file)?),
            Err(_) => None,
        };
        let ahead = beside(&place.database, "-wal");
        let before = (stamp(&place.database), stamp(&ahead));
        let wrong = |error| OpenError::Environment {
            path: options.scratch.to_owned(),
            error,
        };
        let image = Image::open(&place.database).map_err(|error| io(&place.database, &error))?;
        let mut walk = Walk::new(&image);
        let db = scratch::open(options.scratch)?;
        scratch::fill(&db, &mut walk).map_err(wrong)?;
        if !is_ours(&db, &image, &walk, &declared).map_err(|error| wrong(failed(&error)))? {
            return Err(OpenError::Foreign(place.database));
        }
        let layout = (image.layout > LAYOUT).then(|| newer_layout(image.layout));
        if let Some(error) = layout.clone().filter(|_| !walk.schema_is_whole) {
            return Err(error);
        }
        let files = place.look_at_blobs(options.objects)?;
        let mut findings = weigh(&db, &walk, Some(&*files), options, &declared).map_err(wrong)?;
        findings.refusal = refusal;
        findings.versions.splice(..0, layout);
        findings.is_unfinished = (image.ahead.as_ref()).is_some_and(|ahead| ahead.unfinished > 0);
        let mut damages = files::damages(&place, &image);
        damages.extend(of_structure(&walk));
        damages.append(&mut findings.damages);
        findings.damages = damages;
        if before != (stamp(&place.database), stamp(&ahead)) {
            return Err(OpenError::InUse(place.path));
        }
        Ok(Self {
            db,
            files,
            findings,
            any_version: options.any_version,
            _lock: lock,
        })
    }

    /// What was found.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Writes everything that could be read as a backup, which can be restored as any other.
    ///
    /// # Errors
    /// The first of [`Findings::versions`], unless any version was asked for; an error of the environment.
    pub fn export(
        &self,
        out: &mut dyn Write,
        about: BackupAbout,
    ) -> Result<BackupSummary, BackupError> {
        if let Some(error) = self.findings.versions.first().filter(|_| !self.any_version) {
            return Err(error.clone().into());
        }
        let never = AtomicBool::new(false);
        let written = dump::from_snapshot(&self.db, &*self.files, &never, out, about);
        self.db.execute_batch("ROLLBACK")?;
        written
    }
}

/// What is damaged in a database, as an examination finds it: stored files, which take long to read, are not looked at.
/// What was read is held in memory.
pub(super) fn damages(
    image: &Image,
    declared: &BTreeMap<&'static str, Shape>,
    now_micros: u64,
) -> Result<Vec<Damage>, StoreError> {
    let sql = |error: rusqlite::Error| failed(&error);
    let mut walk = Walk::new(image);
    let db = scratch::in_memory().map_err(sql)?;
    scratch::fill(&db, &mut walk)?;
    let mut damages = of_structure(&walk);
    if damages.is_empty() {
        let how = ExamineOptions {
            scratch: Path::new(""),
            now_micros,
            any_version: false,
            objects: None,
        };
        damages = weigh(&db, &walk, None, &how, declared)?.damages;
    }
    Ok(damages)
}

/// Whether there is a database to look at.
fn check_there(place: &Directory) -> Result<(), OpenError> {
    match fs::metadata(&place.database) {
        Ok(_) => place.check_regular(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            place.check_vacant()?;
            Err(OpenError::Missing(place.path.clone()))
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Err(OpenError::NoDirectory(place.path.clone()))
        }
        Err(error) => Err(io(&place.database, &error)),
    }
}

/// Whether anything in it says that it is a database of ours.
fn is_ours(
    db: &Connection,
    image: &Image,
    walk: &Walk<'_>,
    declared: &BTreeMap<&'static str, Shape>,
) -> rusqlite::Result<bool> {
    if image.is_marked || walk.schema_is_whole {
        return Ok(true);
    }
    let mut select = db.prepare("SELECT name FROM shape UNION SELECT name FROM x_shape")?;
    let mut names = select.query([])?;
    while let Some(row) = names.next()? {
        let name: Option<String> = row.get(0)?;
        if name.is_some_and(|name| declared.contains_key(name.as_str())) {
            return Ok(true);
        }
    }
    // No other program names owners as we do.
    let mut select = db.prepare("SELECT name FROM owner UNION SELECT name FROM x_owner")?;
    let mut names = select.query([])?;
    while let Some(row) = names.next()? {
        let name: Option<Vec<u8>> = row.get(0)?;
        if name.is_some_and(|name| Owner::from_bytes(&name).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn weigh(
    db: &Connection,
    walk: &Walk<'_>,
    files: Option<&dyn Contents>,
    options: &ExamineOptions<'_>,
    declared: &BTreeMap<&'static str, Shape>,
) -> Result<Findings, StoreError> {
    let mut weighing = Weighing {
        db,
        declared,
        now_micros: options.now_micros,
        any_version: options.any_version,
        damages: Vec::new(),
        versions: Vec::new(),
    };
    let is_whole = |name: &str| {
        let mut trees = TREES.iter().zip(&walk.trees);
        trees.any(|(tree, found)| tree.name == name && found.is_whole())
    };
    let mut shapes = Vec::new();
    let mut run = || {
        db.execute_batch("BEGIN")?;
        weighing.repeated(walk)?;
        weighing.shapes(&Lists {
            shapes: is_whole("shape") || is_whole("sqlite_autoindex_shape_1"),
            indexes: is_whole("shape_index"),
        })?;
        weighing.owners()?;
        weighing.rows(is_whole("table_row"))?;
        weighing.logs(is_whole("log_entry"))?;
        weighing.high_water()?;
        weighing.losses()?;
        shapes = weighing.shapes_left()?;
        weighing.references()?;
        Ok(())
    };
    run().map_err(|error: rusqlite::Error| failed(&error))?;
    let blobs = files.map_or(Ok(0), |files| weighing.files(files))?;
    let count = || {
        db.execute_batch("COMMIT")?;
        weighing.count(
            "SELECT count(*) FROM owner o WHERE name IS NOT NULL AND (o.id IN (SELECT owner FROM table_row)
             OR o.id IN (SELECT owner FROM log_entry) OR o.id IN (SELECT owner FROM blob_ref))",
        )
    };
    Ok(Findings {
        refusal: None,
        owners: count().map_err(|error| failed(&error))?,
        versions: weighing.versions,
        damages: weighing.damages,
        is_unfinished: false,
        shapes,
        blobs,
    })
}

/// What is wrong with the pages.
fn of_structure(walk: &Walk<'_>) -> Vec<Damage> {
    let mut all = Vec::new();
    if !walk.schema_is_whole {
        all.push(Damage {
            part: DamagedPart::Pages(trees::SCHEMA.title),
            text: "it is not as it was made; where the tables are is known without it".to_owned(),
            loss: Loss::Nothing,
        });
    }
    let places = 0..walk.trees.len();
    all.extend(places.filter_map(|place| sum::pages(place, &walk.trees)));
    let is_reachable = walk.trees.iter().all(walk::Found::is_whole);
    if !walk.free_is_whole || (walk.unused > 0 && is_reachable) {
        let mut text = "the list of free pages is broken".to_owned();
        if walk.unused > 0 {
            text = format!("{text}, and {} pages belong to nothing", walk.unused);
        }
        all.push(Damage {
            part: DamagedPart::Pages("free pages"),
            text,
            loss: Loss::Nothing,
        });
    }
    all
}
