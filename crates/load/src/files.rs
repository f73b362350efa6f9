//! Files that are written: tried beforehand, and never in the place of others.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The first of those that are to be written which is also read, or written twice.
pub(crate) fn overwritten<'a>(written: &[&'a Path], read: &[&Path]) -> Option<&'a Path> {
    let mut known: Vec<PathBuf> = read.iter().map(|path| place(path)).collect();
    for path in written {
        let place = place(path);
        if known.contains(&place) {
            return Some(path);
        }
        known.push(place);
    }
    None
}

/// Where a file is, or would be, whatever it is called.
fn place(path: &Path) -> PathBuf {
    let beside = || {
        let directory = path.parent()?;
        let directory = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        Some(directory.canonicalize().ok()?.join(path.file_name()?))
    };
    let place = path.canonicalize().ok().or_else(beside);
    place.unwrap_or_else(|| path.to_owned())
}

/// Files that were made to see whether they can be; those into which nothing was written go again.
#[derive(Default)]
pub(crate) struct Made(Vec<PathBuf>);

impl Made {
    /// Finds out whether a file can be written.
    pub(crate) fn try_to_write(&mut self, path: &Path) -> io::Result<()> {
        let is_new = fs::symlink_metadata(path).is_err();
        OpenOptions::new().create(true).append(true).open(path)?;
        if is_new {
            self.0.push(path.to_owned());
        }
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            if fs::metadata(path).is_ok_and(|file| file.len() == 0) {
                let _kept = fs::remove_file(path);
            }
        }
    }
}
