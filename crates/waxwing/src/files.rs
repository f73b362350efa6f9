//! Files that somebody names. What is read whole must be a file: a FIFO or a device would be waited for, perhaps for
//! ever.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    /// It is something else.
    #[error("it is {0}, not a file")]
    Kind(&'static str),
    /// It is something else than a directory.
    #[error("it is there, and is no directory")]
    NoDirectory,
    /// It is longer than what it should be ever is.
    #[error("it has more than {0} bytes")]
    Long(u64),
    /// In the system's words.
    #[error("{0}")]
    System(String),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> FileError {
        FileError::System(error.to_string())
    }
}

/// What is there instead of a file.
fn other_kind(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    Some(if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    })
}

fn check_kind(kind: FileType) -> Result<(), FileError> {
    other_kind(kind).map_or(Ok(()), |kind| Err(FileError::Kind(kind)))
}

/// Opens a file to read it, and nothing but a file.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    // Before it is opened: opening can move a tape. What is put there meanwhile is found out afterwards.
    check_kind(fs::metadata(path)?.file_type())?;
    let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY);
    let mut options = OpenOptions::new();
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = options.read(true).custom_flags(flags).open(path)?;
    check_kind(file.metadata()?.file_type())?;
    Ok(file)
}

/// All that a file holds, up to `bytes_max`.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let mut content = Vec::new();
    open(path)?
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > bytes_max {
        return Err(FileError::Long(bytes_max));
    }
    Ok(content)
}

/// Writes a file under another name and gives it its own, so that it is never there half; who owns the one before
/// owns it.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let attempt = || -> io::Result<()> {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        if let Ok(before) = fs::metadata(path) {
            let ours = file.metadata()?;
            if (before.uid(), before.gid()) != (ours.uid(), ours.gid()) {
                chown(&new, Some(before.uid()), Some(before.gid()))?;
            }
        }
        fs::rename(&new, path)
    };
    attempt().inspect_err(|_| {
        // Where it has its name, there is nothing here.
        let _gone = fs::remove_file(&new);
    })
}

/// Makes a directory and those above it, where they are not there yet.
pub(crate) fn make_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => FileError::NoDirectory,
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    #[test]
    fn nothing_but_a_file_is_read() {
        let dir = std::env::temp_dir().join(format!("waxwing-files-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (fifo, socket, file) = (dir.join("fifo"), dir.join("socket"), dir.join("file"));
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        let _listener = UnixListener::bind(&socket).unwrap();
        fs::write(&file, "four").unwrap();
        for (path, kind) in [
            (&*fifo, "a FIFO"),
            (&*socket, "a socket"),
            (&*dir, "a directory"),
            (Path::new("/dev/zero"), "a device"),
        ] {
            assert_eq!(read(path, 10), Err(FileError::Kind(kind)));
        }
        assert_eq!(make_dir(&dir), Ok(()));
        assert_eq!(make_dir(&file), Err(FileError::NoDirectory));
        assert_eq!(read(&file, 4), Ok(b"four".to_vec()));
        assert_eq!(read(&file, 3), Err(FileError::Long(3)));
        let absent = read(&dir.join("absent"), 3).unwrap_err().to_string();
        assert!(absent.contains("No such file"), "{absent}");
        fs::remove_dir_all(dir).unwrap();
    }
}
