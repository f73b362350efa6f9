//! Keys that show that a request is of the client that made the one before (XEP-0124 §15).

use sha1::{Digest, Sha1};

use super::request::Request;

/// What is known of a client's keys: nothing, where it uses none.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// What the next request's key is hashed to.
    expected: Option<String>,
}

impl Keys {
    /// Whether a request follows the one before; it is the one before from then on.
    pub(super) fn follow(&mut self, request: &Request) -> bool {
        let is_begun = self.expected.is_some();
        let follows = match (&self.expected, &request.key) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(expected), Some(key)) => successor(key).eq_ignore_ascii_case(expected),
        };
        self.expected = match &request.new_key {
            None if is_begun => request.key.clone(),
            new => new.clone(),
        };
        follows
    }
}

/// What a key is made into (§15.3).
fn successor(key: &str) -> String {
    let hashed = Sha1::digest(key.as_bytes());
    hashed.iter().map(|byte| format!("{byte:02x}")).collect()
}
