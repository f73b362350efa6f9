//! What is read in queries of archives, apart from everything else: for tests that ask for anything.

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0313_archive::Query;
use waxwing_store::LogId;

use crate::archive::Question;
pub use crate::archive::question::PAGE_MESSAGES_MAX;
use crate::stanza_id::StanzaIds;

/// A query as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Most messages in the answer.
    pub messages_max: usize,
    /// How many are asked for by their ids, if any.
    pub ids: Option<usize>,
    /// How many ids have to be there, so that the answer means anything.
    pub known: usize,
    /// Whether it is from the newest on backwards.
    pub is_backward: bool,
}

/// Reads queries as a server with this key does.
pub struct Reader(StanzaIds);

impl Reader {
    /// A server's, whose secret this is.
    pub fn new(key: [u8; 32]) -> Reader {
        Reader(StanzaIds::new(key))
    }

    /// The id that this server gives to an entry.
    pub fn id(&self, entry: u64) -> String {
        self.0.text(LogId(entry))
    }

    /// Reads a query.
    ///
    /// # Errors
    ///
    /// The error that it is answered with.
    pub fn read(&self, query: &Query) -> Result<Asked, StanzaError> {
        let question = Question::read(&self.0, query)?;
        Ok(Asked {
            messages_max: question.messages_max,
            ids: question.ids.map(|ids| ids.len()),
            known: question.known.len(),
            is_backward: question.is_backward,
        })
    }
}
