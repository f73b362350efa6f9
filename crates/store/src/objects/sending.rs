//! A file on its way to the object store: whole first on this machine, since its name is its hash, and then sent.
//!
//! A large one goes in parts. Which parts were begun is written down beside the files that come, so that those of a life that
//! ended in the middle are forgotten by the next one: S3 keeps them, and wants money for them, until somebody says so.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use object_store::path::Path as Key;

use super::client::Client;
use super::fault::ObjectFault;
use crate::error::{StoreError, io_failed};

/// Bytes of a part: the least that S3 takes, and what is held in memory of a file that is sent.
pub(super) const PART_BYTES: u64 = 5 << 20;
/// Most parts of a file. What is longer than so many of the least has larger ones.
const PARTS_MAX: u64 = 10_000;

/// Where files lie while they come: `new/`, and `parts/` for what is written down of files that are sent.
pub(super) struct Spool {
    directory: PathBuf,
    next_name: AtomicU64,
}

/// Where it is written down that a file was begun to be sent in parts, and its key with the upload's id, unless that was cut short.
type Unfinished = (PathBuf, Option<(Key, String)>);

/// A file that comes; it goes when this is dropped.
pub(super) struct Spooled {
    file: File,
    path: PathBuf,
    pub(super) bytes: u64,
}

impl Spool {
    /// Makes the folder ready, and removes what a former life had not finished.
    pub(super) fn open(directory: PathBuf) -> std::io::Result<Self> {
        let new = directory.join("new");
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        for folder in [&new, &directory.join("parts")] {
            let mut builder = fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(folder)?;
        }
        Ok(Self {
            directory,
            next_name: AtomicU64::default(),
        })
    }

    fn number(&self) -> u64 {
        self.next_name.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn create(&self) -> Result<Spooled, StoreError> {
        let path = self.directory.join("new").join(self.number().to_string());
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path).map_err(|error| io_failed(&error))?;
        Ok(Spooled {
            file,
            path,
            bytes: 0,
        })
    }

    /// What former lives began to send in parts, and where that is written down.
    pub(super) fn unfinished(&self) -> std::io::Result<Vec<Unfinished>> {
        let mut all = Vec::new();
        for file in fs::read_dir(self.directory.join("parts"))? {
            let path = file?.path();
            let text = fs::read_to_string(&path)?;
            let begun = text
                .strip_suffix('\n')
                .and_then(|text| text.split_once('\n'));
            all.push((path, begun.map(|(key, id)| (Key::from(key), id.to_owned()))));
        }
        Ok(all)
    }

    /// Writes down what is begun; it is on the disk then.
    fn note(&self, key: &Key, id: &str) -> std::io::Result<PathBuf> {
        // Numbers begin again with each life, and what former ones left may still be there.
        let folder = self.directory.join("parts");
        loop {
            let path = folder.join(self.number().to_string());
            let created = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match created {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(mut file) => {
                    write!(file, "{key}\n{id}\n")?;
                    file.sync_all()?;
                    File::open(&folder)?.sync_all()?;
                    return Ok(path);
                }
            }
        }
    }

    /// Sends a file under a key. It is there when this returns, whole and for good, as far as the server's word goes.
    pub(super) async fn send(
        &self,
        client: &Client,
        key: &Key,
        spooled: &mut Spooled,
    ) -> Result<(), ObjectFault> {
        spooled.file.seek(SeekFrom::Start(0)).map_err(unread)?;
        if spooled.bytes <= PART_BYTES {
            let bytes = spooled.part(PART_BYTES)?;
            return client.put(key, bytes).await;
        }
        let id = client.begin(key).await?;
        let note = self.note(key, &id);
        let sent = match &note {
            Ok(_) => in_parts(client, key, &id, spooled).await,
            Err(error) => Err(unread(std::io::Error::from(error.kind()))),
        };
        let is_over = match sent {
            Ok(()) => true,
            Err(_) => client.abort(key, &id).await.is_ok(),
        };
        // Otherwise the next start goes on with it.
        if let Ok(note) = note
            && is_over
        {
            remove(&note);
        }
        sent
    }
}

async fn in_parts(
    client: &Client,
    key: &Key,
    id: &String,
    spooled: &mut Spooled,
) -> Result<(), ObjectFault> {
    let part_bytes = PART_BYTES.max(spooled.bytes.div_ceil(PARTS_MAX));
    let mut parts = Vec::new();
    loop {
        let bytes = spooled.part(part_bytes)?;
        if bytes.is_empty() {
            return client.complete(key, id, parts).await;
        }
        parts.push(client.put_part(key, id, parts.len(), bytes).await?);
    }
}

/// The file of this machine that is to be sent cannot be read.
fn unread(error: std::io::Error) -> ObjectFault {
    ObjectFault::Failed {
        reason: format!("what is to be sent cannot be read: {}", error.kind()),
    }
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, "a file that is not needed any more could not be removed");
    }
}

impl Spooled {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|error| io_failed(&error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn part(&mut self, bytes_max: u64) -> Result<Bytes, ObjectFault> {
        let mut part = Vec::with_capacity(usize::try_from(bytes_max.min(self.bytes)).unwrap_or(0));
        let read = (&mut self.file).take(bytes_max).read_to_end(&mut part);
        read.map_err(unread)?;
        Ok(part.into())
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        remove(&self.path);
    }
}
