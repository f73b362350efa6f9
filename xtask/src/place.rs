//! Where things are: the checkout, and the cache folder that holds what is built.

use std::env;
use std::path::PathBuf;

use crate::failure::Failure;

pub(crate) struct Place {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// `waxwing` in the user's cache folder: outside the checkout, so that a fresh clone builds warm.
    pub(crate) cache: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
}

impl Place {
    pub(crate) fn find() -> Result<Place, Failure> {
        // Cargo sets it for `cargo run`; the built-in value serves a binary started by hand.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().unwrap_or(&manifest).to_path_buf();
        let cache = cache_folder(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))?;
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| cache.join("target"), |set| root.join(set));
        Ok(Place {
            root,
            cache,
            target,
        })
    }

    /// A program that the workspace builds, in the profile's folder (`debug`, `release`).
    pub(crate) fn program(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(name)
    }
}

type EnvValue = Option<std::ffi::OsString>;

fn cache_folder(xdg: EnvValue, home: EnvValue) -> Result<PathBuf, Failure> {
    // The XDG base directory specification has relative values ignored.
    let base = xdg
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| home.map(|home| PathBuf::from(home).join(".cache")))
        .ok_or_else(|| Failure::Environment("neither XDG_CACHE_HOME nor HOME is set".to_owned()))?;
    Ok(base.join("waxwing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_folder_follows_the_xdg_specification() {
        let found = |xdg: Option<&str>, home: Option<&str>| {
            cache_folder(xdg.map(Into::into), home.map(Into::into)).ok()
        };
        assert_eq!(found(Some("/c"), Some("/h")), Some("/c/waxwing".into()));
        assert_eq!(
            found(Some("relative"), Some("/h")),
            Some("/h/.cache/waxwing".into())
        );
        assert_eq!(found(None, Some("/h")), Some("/h/.cache/waxwing".into()));
        assert_eq!(found(None, None), None);
    }
}
