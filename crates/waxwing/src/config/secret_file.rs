//! Files that hold a secret which another program knows too: an external component, a TURN server, or an object store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use waxwing_stream::{SECRET_BYTES_MAX, Secret, SecretError};

use super::{Config, ConfigError};
use crate::files::{self, FileError};

/// What others than the owner of a secret's file must not be able to: its group to write, everybody else anything.
const OTHERS: u32 = 0o027;

/// Why a file has no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretFileError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] FileError),
    /// Others may read or change it.
    #[error("others may read or change it (its mode is {0:o}); `chmod 640` ends that")]
    Shared(u32),
    /// It holds something else than one line of text.
    #[error("it holds something else than one line of text")]
    Text,
    /// What it holds is none.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// The secret that a file holds, in one line.
fn secret(path: &Path) -> Result<Secret, SecretFileError> {
    let bytes = files::read(path, SECRET_BYTES_MAX as u64 + 2)?;
    let mode = fs::metadata(path).map_err(FileError::from)?;
    let mode = mode.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(SecretFileError::Shared(mode));
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretFileError::Text)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.chars().any(char::is_control) {
        return Err(SecretFileError::Text);
    }
    Ok(Secret::new(line)?)
}

impl Config {
    /// Reads the secrets of components and of services beside the server.
    pub(super) fn read_secrets(&mut self) -> Result<(), ConfigError> {
        let components = self.components.iter_mut().map(|(host, component)| {
            let key = format!("component.{host}.secret_file");
            (key, &component.secret_file, &mut component.secret)
        });
        let external = self.external.iter_mut().filter_map(|(name, external)| {
            let key = format!("external.{name}.secret_file");
            Some((key, external.secret_file.as_ref()?, &mut external.secret))
        });
        let blobs = self.blobs.iter_mut().map(|blobs| {
            let key = "blobs.secret_file".to_owned();
            (key, &blobs.secret_file, &mut blobs.secret)
        });
        for (key, file, place) in components.chain(external).chain(blobs) {
            let found = secret(file).map_err(|error| ConfigError::Value {
                line: self.places.line(&key),
                key,
                expected: format!("names {}, which has no secret: {error}", file.display()),
            })?;
            *place = Some(found);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_that_others_cannot_read() {
        let dir = std::env::temp_dir().join(format!("waxwing-secrets-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("secret");
        let with = |content: &[u8], mode: u32| {
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            secret(&file)
        };
        let pencil = Ok(Secret::new("pencil").unwrap());
        assert_eq!(with(b"pencil", 0o600), pencil);
        assert_eq!(with(b"pencil\r\n", 0o640), pencil);
        for mode in [0o644, 0o660, 0o602, 0o601] {
            assert_eq!(with(b"pencil", mode), Err(SecretFileError::Shared(mode)));
        }
        for content in [&b"one\ntwo\n"[..], b"\xff", b"tab\t"] {
            assert_eq!(with(content, 0o600), Err(SecretFileError::Text));
        }
        assert_eq!(with(b"\n", 0o600), Err(SecretError::Empty.into()));
        let long = vec![b'x'; SECRET_BYTES_MAX + 3];
        assert!(matches!(
            with(&long, 0o600),
            Err(SecretFileError::Unreadable(_))
        ));
        fs::remove_dir_all(dir).unwrap();
    }
}
