//! The object store for files, where there is one.

use super::finding::Finding;
use crate::config::Config;
use crate::storage;

const ABOUT: &str = "files";

/// Whether the bucket can be used: a small object is written, read and removed.
pub(crate) fn findings(config: &Config) -> Vec<Finding> {
    let place = match storage::objects(config) {
        Ok(Some(place)) => place,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Finding::fatal(ABOUT, error.to_string())],
    };
    let mut findings = vec![match place.probe() {
        Ok(true) => Finding::good(
            ABOUT,
            format!(
                "{place} holds files of a Waxwing server, and can be written, read and cleaned up"
            ),
        ),
        Ok(false) => Finding::good(
            ABOUT,
            format!("{place} can be written, read and cleaned up"),
        ),
        // Without it the server starts, and only takes and gives no files.
        Err(fault) => Finding::bad(ABOUT, format!("{place} {fault}")).mend(
            "see to the section [blobs], and to what the key may do: list, read, write and delete",
        ),
    }];
    if place.is_unprotected() {
        let text = "files can be read or changed on their way to the object store and back";
        findings.push(Finding::warning(ABOUT, text).mend("use https in 'blobs.endpoint'"));
    }
    findings
}
