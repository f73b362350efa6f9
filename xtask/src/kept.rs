//! The server's program, kept for as long as it is tested. Several checkouts may build into one
//! folder, and each build puts its own program under the one name.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A second name of the program's file, in a folder of its own, which goes when this is dropped.
pub(crate) struct Kept {
    folder: PathBuf,
    program: PathBuf,
}

impl Kept {
    /// Keeps what was just built.
    pub(crate) fn of(program: &Path) -> Result<Kept, Failure> {
        let name = program.file_name().unwrap_or_default();
        let beside = program.with_file_name("kept");
        let folder = beside.join(std::process::id().to_string());
        fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
        let kept = Kept {
            program: folder.join(name),
            folder,
        };
        // Cargo replaces the name and not the file; where there are no links, a copy does.
        fs::hard_link(program, &kept.program)
            .or_else(|_| fs::copy(program, &kept.program).map(drop))
            .map_err(Failure::file(program))?;
        Ok(kept)
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // What is left takes no room until Cargo's folder goes: it is another name of a file there.
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_when_another_takes_the_name() {
        let folder = std::env::temp_dir().join(format!("waxwing-kept-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("waxwing");
        fs::write(&program, "ours").unwrap();
        let kept = Kept::of(&program).unwrap();
        // As Cargo does.
        fs::remove_file(&program).unwrap();
        fs::write(&program, "theirs").unwrap();
        assert_eq!(fs::read_to_string(kept.program()).unwrap(), "ours");
        let path = kept.program().to_owned();
        drop(kept);
        assert!(!path.exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
