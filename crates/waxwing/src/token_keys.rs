//! The keys of the tokens by which devices log in again (XEP-0484): a file in the data directory, outside of the database,
//! so that neither the database nor a backup of it lets anybody in.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use waxwing_server::TokenSecret;

use crate::files::{self, FileError};

/// The file's name, in the data directory.
pub(crate) const FILE: &str = "token-keys";
/// Most keys in it: the one for new tokens, and those of tokens that may still come.
pub(crate) const KEYS_MAX: usize = 16;
/// Most bytes of it: the keys, with a line of words for each.
const FILE_BYTES_MAX: u64 = 8 * 1024;
/// A key.
const KEY_BYTES: usize = 32;
/// What a new file begins with.
const WORDS: &str = "\
# Keys of the tokens by which devices log in without a password, 64 hexadecimal digits a line. The first is for new
# tokens; those below it are still taken. Keep them apart from backups of the database. Without them, devices use their
# passwords once more. A new one: openssl rand -hex 32
";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenKeysError {
    /// The file cannot be read.
    #[error("{}: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: FileError,
    },
    /// The first file cannot be written.
    #[error("{} cannot be made: {error}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line of it.
    #[error("{}:{line}: a key is 64 hexadecimal digits; `openssl rand -hex 32` makes one", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line.
        line: usize,
    },
    /// There is none in it.
    #[error("{} holds no key; a line of `openssl rand -hex 32` is one, and without the file one is made", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// There are too many.
    #[error("{} holds more than {KEYS_MAX} keys; those at its end can go", .path.display())]
    Many {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the keys of a data directory.
///
/// # Errors
/// What is wrong with the file, in the operator's words.
pub(crate) fn read(data_dir: &Path) -> Result<Vec<TokenSecret>, TokenKeysError> {
    let path = data_dir.join(FILE);
    let content = files::read(&path, FILE_BYTES_MAX);
    let content = content.map_err(|error| TokenKeysError::Read {
        path: path.clone(),
        error,
    })?;
    parse(&path, &content)
}

/// Reads the keys of a data directory, or makes the first one where there is no file yet.
///
/// # Errors
/// What is wrong with the file, in the operator's words.
pub(crate) fn open(data_dir: &Path) -> Result<Vec<TokenSecret>, TokenKeysError> {
    let path = data_dir.join(FILE);
    if !path.exists() {
        let mut key = [0; KEY_BYTES];
        let made = getrandom::fill(&mut key).map_err(io::Error::from);
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let content = format!("{WORDS}{digits}\n");
        let made = made.and_then(|()| files::replace(&path, content.as_bytes(), 0o600));
        made.map_err(|error| TokenKeysError::Write {
            path: path.clone(),
            error,
        })?;
        tracing::info!("the keys of tokens were made");
    }
    if let Some(mode) = seen_by_others(data_dir) {
        let mode = format!("{mode:o}");
        tracing::warn!(path = %path.display(), mode, "others can read the keys of tokens, and log in by them as anybody who has one");
    }
    read(data_dir)
}

/// The mode of the file, where others than its owner may read it.
pub(crate) fn seen_by_others(data_dir: &Path) -> Option<u32> {
    let mode = std::fs::metadata(data_dir.join(FILE))
        .ok()?
        .permissions()
        .mode();
    (mode & 0o077 != 0).then_some(mode & 0o777)
}

fn parse(path: &Path, content: &[u8]) -> Result<Vec<TokenSecret>, TokenKeysError> {
    let mut keys = Vec::new();
    for (at, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let key = key(line).ok_or_else(|| TokenKeysError::Line {
            path: path.to_owned(),
            line: at + 1,
        })?;
        keys.push(TokenSecret::new(key));
    }
    let path = path.to_owned();
    match keys.len() {
        0 => Err(TokenKeysError::Empty { path }),
        count if count > KEYS_MAX => Err(TokenKeysError::Many { path }),
        _ => Ok(keys),
    }
}

fn key(digits: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    if digits.len() != 2 * KEY_BYTES {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_first_key_is_made_and_kept() {
        let dir = std::env::temp_dir().join(format!("waxwing-token-keys-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let made = open(&dir).unwrap();
        assert_eq!(made.len(), 1);
        assert_eq!(open(&dir).unwrap(), made);
        let mode = fs::metadata(dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_file(dir.join(FILE)).unwrap();
        assert_ne!(open(&dir).unwrap(), made);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn keys_stand_in_lines_of_their_own() {
        let path = Path::new("keys");
        let (one, other) = ("0f".repeat(32), "A0".repeat(32));
        let content = format!("# words\r\n{one}\r\n\n  {other}  \n");
        let expected = [TokenSecret::new([15; 32]), TokenSecret::new([160; 32])];
        assert_eq!(parse(path, content.as_bytes()).unwrap(), expected);
        for (content, words) in [
            (String::new(), "holds no key"),
            ("# nothing".to_owned(), "holds no key"),
            (format!("{one}\n{one}0"), "keys:2: a key is"),
            (format!("{}zz", &one[..62]), "keys:1: a key is"),
            (format!("{}\u{e9}", &one[..62]), "keys:1: a key is"),
            (format!("{one}\n").repeat(17), "more than 16"),
        ] {
            let error = parse(path, content.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains(&one), "{error}");
        }
    }
}
