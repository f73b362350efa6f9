//! A folder for what servers write, which goes however this ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::child;
use crate::failure::Failure;

/// The folder. A shell waits beside it for this task to end, be it by Ctrl-C or by a failure, and removes it.
pub(super) struct Scratch {
    path: PathBuf,
    broom: Child,
}

/// Servers end when this task does, a moment later: what they still write goes too.
const SWEEP: &str = "trap '' INT TERM HUP; read -r _; for _ in 1 2 3 4 5; do rm -rf -- \"$1\" 2>/dev/null \
                     && sleep 1 && [ ! -e \"$1\" ] && exit; sleep 1; done";

impl Scratch {
    /// Below the folder for what outlives no restart but is on a disk, where a database's own user may enter.
    pub(super) fn new() -> Result<Scratch, Failure> {
        let path = PathBuf::from(format!("/var/tmp/waxwing-bench-{}", std::process::id()));
        fs::create_dir(&path).map_err(Failure::file(&path))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", SWEEP, "sh"])
            .arg(&path)
            .stdin(Stdio::piped());
        let broom = command.spawn().map_err(child::start_failure(&command))?;
        Ok(Scratch { path, broom })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody is left who could be told of a failure.
        let _removed = fs::remove_dir_all(&self.path);
        drop(self.broom.stdin.take());
        let _ended = self.broom.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_whoever_made_it() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        fs::write(path.join("file"), "text").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
