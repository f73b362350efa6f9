//! The slow part of a password check, taken out of the core.

use super::hash::{Hash, Secret};
use super::password::Password;

/// Work for somebody who may be slow: some ten thousand rounds of a hash. A worker with other
/// connections runs it on another thread and hands the outcome back; a test runs it at once.
#[derive(Debug)]
pub struct Stretch {
    pub(crate) hash: Hash,
    pub(crate) password: Password,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

impl Stretch {
    /// Rounds to compute, to judge how slow it will be.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Does the work.
    pub fn run(self) -> Stretched {
        Stretched(
            self.hash
                .stretch(self.password.bytes(), &self.salt, self.iterations),
        )
    }
}

/// Outcome of [`Stretch::run`]: as good as the password, so never printed and wiped when dropped.
#[derive(Debug)]
pub struct Stretched(pub(crate) Secret);
