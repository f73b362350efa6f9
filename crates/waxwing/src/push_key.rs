//! The key by which push services know the server (RFC 8292): a file in the data directory, outside of the database, like
//! those of tokens.

use std::io;
use std::path::Path;

use waxwing_server::TokenSecret;

use crate::files;
use crate::token_keys::{self, TokenKeysError};

/// The file's name, in the data directory.
pub(crate) const FILE: &str = "push-key";
/// A key.
const KEY_BYTES: usize = 32;
/// What a new file begins with.
const WORDS: &str = "\
# The key by which push services know this server (RFC 8292), 64 hexadecimal digits. Browsers bind their endpoints to it: with
# another one, clients have to subscribe again.
";

/// Reads the key of a data directory, or makes it where there is no file yet.
///
/// # Errors
/// What is wrong with the file, in the operator's words.
pub(crate) fn open(data_dir: &Path) -> Result<Option<TokenSecret>, TokenKeysError> {
    let path = data_dir.join(FILE);
    if !path.exists() {
        make(&path).map_err(|error| TokenKeysError::Write { path, error })?;
        tracing::info!("the key for push services was made");
    }
    read(data_dir)
}

/// Reads the key of a data directory.
///
/// # Errors
/// What is wrong with the file, in the operator's words.
pub(crate) fn read(data_dir: &Path) -> Result<Option<TokenSecret>, TokenKeysError> {
    let keys = token_keys::read_file(data_dir.join(FILE))?;
    Ok(keys.into_iter().next())
}

fn make(path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::from)?;
    // Below the order of the curve, and not nothing: a key whatever was thrown.
    let [first, .., last] = &mut key;
    *first &= 0x7f;
    *last |= 1;
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    files::replace(path, format!("{WORDS}{digits}\n").as_bytes(), 0o600)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_and_kept() {
        let dir = std::env::temp_dir().join(format!("waxwing-push-key-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let made = open(&dir).unwrap();
        assert!(made.is_some());
        assert_eq!(open(&dir).unwrap(), made);
        let path = dir.join(FILE);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&path, "no key").unwrap();
        assert!(open(&dir).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
