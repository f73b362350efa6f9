//! A session that outlives its connection: XEP-0198 §5.

use std::fmt;

use bytes::Bytes;
use waxwing_stanza::FullJid;
use waxwing_stream::sm::{Failed, Resume, Sm};

/// A session to be resumed by [`Dialer::resume`](crate::Dialer::resume).
pub struct Session {
    pub(crate) jid: FullJid,
    pub(crate) id: String,
    pub(crate) sm: Sm<()>,
}

impl Session {
    /// Its address.
    #[must_use]
    pub fn jid(&self) -> &FullJid {
        &self.jid
    }

    /// Stanzas sent that the server has not acknowledged, oldest first. They are sent again when the
    /// session is resumed.
    pub fn unacked(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.sm.unacked().map(|unacked| &unacked.bytes)
    }

    pub(crate) fn request(&self) -> Resume {
        Resume {
            h: self.sm.handled_count(),
            previd: self.id.clone(),
        }
    }

    /// The session is gone: what of it never reached the server, as far as that can be known.
    pub(crate) fn end(mut self, failed: &Failed) -> Vec<Bytes> {
        if let Some(h) = failed.h {
            // A count beyond what was sent tells nothing; everything is left then.
            let _settled = self.sm.resume(h);
        }
        self.sm
            .into_unacked()
            .map(|unacked| unacked.bytes)
            .collect()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("unacked", &self.sm.unacked().len())
            .finish_non_exhaustive()
    }
}

/// What becomes of a session while a new stream is negotiated.
#[derive(Default)]
pub(crate) struct Former {
    pub(crate) session: Option<Session>,
    /// Of a session that is gone.
    pub(crate) lost: Vec<Bytes>,
}
