//! Copying a store from one place to another: a backup that goes through a pipe, and then another of what came of it, to
//! be compared with the first.

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::backup::{BackupAbout, BackupError, BackupSummary, verify_backup};
use crate::error::OpenError;
use crate::place::StorePlace;
use crate::shape::Shape;
use crate::store::Store;

/// Pieces that wait in a pipe.
const PIECES_MAX: usize = 4;
/// Bytes of a piece, but for one that is larger by itself.
const PIECE_BYTES: usize = 256 << 10;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What there is at the old place.
    pub from: BackupSummary,
    /// What was found at the new one afterwards.
    pub to: BackupSummary,
}

impl Copied {
    /// Whether all of it is the same: each record with its key, times, marks and place in the order, each file. The
    /// SHA-256 is that of everything.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.from == self.to
    }
}

/// Why nothing was copied, or not everything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// A store is not copied onto itself.
    #[error("both places are {0}")]
    Same(
        /// Which.
        String,
    ),
    /// There is nothing to copy.
    #[error("{0} holds nothing that could be copied")]
    Nothing(
        /// The old place.
        String,
    ),
    /// The old place cannot be opened.
    #[error("what is to be copied cannot be opened: {0}")]
    From(OpenError),
    /// It cannot be read to its end.
    #[error("what is to be copied cannot be read: {}; the new place holds nothing", words(.0))]
    Read(BackupError),
    /// The new place cannot be written.
    #[error("nothing was copied: {}", words(.0))]
    To(BackupError),
    /// The new place has everything, and cannot be read again to be compared.
    #[error("everything was written, and cannot be read again to be compared: {}", words(.0))]
    Compare(BackupError),
}

/// What a backup says of itself, where nobody made or restores one.
fn words(error: &BackupError) -> String {
    match error {
        BackupError::Damaged { record, reason } => {
            format!("its record {record} is damaged: {reason}")
        }
        BackupError::Blob(hash) => format!("the stored file {hash} is missing or damaged"),
        BackupError::Busy => "a backup of it is being made; wait for its end".to_owned(),
        BackupError::GivenUp(reason) => format!("it was given up: {reason}"),
        BackupError::NotEmpty(place) => {
            format!("{} is not empty; the new place has to be", place.display())
        }
        BackupError::DatabaseNotEmpty(place) => {
            format!("{place} is not empty: it holds what a Waxwing server has stored")
        }
        error => error.to_string(),
    }
}

impl StorePlace {
    /// Copies everything to another place that holds nothing yet, and reads it there again. Tables of an older version are
    /// first brought to that of this program, at both places. In bounded memory. Blocks, and is not for a thread of a runtime.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn copy_to(
        &self,
        to: &StorePlace,
        shapes: &[Shape],
        about: BackupAbout,
    ) -> Result<Copied, CopyError> {
        if self == to {
            return Err(CopyError::Same(to.to_string()));
        }
        // An empty store is not made just to be copied.
        if !self.look(shapes).map_err(CopyError::From)? {
            return Err(CopyError::Nothing(self.to_string()));
        }
        let store = self.open(shapes).map_err(CopyError::From)?;
        let from = pass(&store, about.clone(), |input| {
            to.restore_from(input, shapes)
        })?;
        drop(store);
        let store = to.open(shapes);
        let store = store.map_err(|error| CopyError::Compare(error.into()))?;
        let to = pass(&store, about, |input| verify_backup(input, shapes));
        let to = to.map_err(|error| match error {
            CopyError::Read(error) | CopyError::To(error) => CopyError::Compare(error),
            error => error,
        })?;
        Ok(Copied { from, to })
    }
}

/// Has a backup of a store taken in by somebody.
fn pass(
    store: &Store,
    about: BackupAbout,
    take: impl FnOnce(Pipe) -> Result<BackupSummary, BackupError>,
) -> Result<BackupSummary, CopyError> {
    let (send, receive) = sync_channel(PIECES_MAX);
    let out = io::BufWriter::with_capacity(PIECE_BYTES, Mouth(send));
    // It begins at the call, on a thread of its own.
    let given = store.backup(out, about);
    let taken = take(Pipe {
        receive,
        piece: Vec::new(),
        at: 0,
    });
    let given = waited_for(given);
    match (taken, given) {
        (Ok(summary), Ok(_)) => Ok(summary),
        // What was damaged before it was sent may be noticed at either end.
        (Err(error @ BackupError::Damaged { .. }), given) => Err(CopyError::Read(match given {
            Err(cause @ BackupError::Blob(_)) => cause,
            _ => error,
        })),
        // Whoever stopped first says why; the other one only noticed.
        (Err(error), Err(cause)) if is_of_input(&error) => Err(CopyError::Read(cause)),
        (Err(error), _) => Err(CopyError::To(error)),
        (Ok(_), Err(cause)) => Err(CopyError::Read(cause)),
    }
}

/// Told when a future may go on.
#[derive(Default)]
struct Signal {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

/// Waits for a backend's answer on this thread.
fn waited_for<T>(answer: impl Future<Output = T>) -> T {
    let signal = Arc::<Signal>::default();
    let waker = Waker::from(Arc::clone(&signal));
    let mut answer = pin!(answer);
    loop {
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            return answer;
        }
        let told = signal.told.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = |told: &mut bool| !*told;
        let told = signal.changed.wait_while(told, untold);
        *told.unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// Whether somebody stopped because of what came.
fn is_of_input(error: &BackupError) -> bool {
    matches!(
        error,
        BackupError::Foreign | BackupError::CutShort { .. } | BackupError::GivenUp(_)
    )
}

/// Where a backup is written into a pipe.
struct Mouth(SyncSender<Vec<u8>>);

impl Write for Mouth {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.send(bytes.to_vec());
        sent.map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where it comes out again; it ends when nobody writes any more.
struct Pipe {
    receive: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Ok(piece) = self.receive.recv() else {
                return Ok(0);
            };
            (self.piece, self.at) = (piece, 0);
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gives_what_was_written_and_ends() {
        let (send, receive) = sync_channel(PIECES_MAX);
        let mut mouth = Mouth(send);
        for piece in [&b"ab"[..], b"", b"cde"] {
            mouth.write_all(piece).unwrap();
        }
        drop(mouth);
        let mut pipe = Pipe {
            receive,
            piece: Vec::new(),
            at: 0,
        };
        let mut two = [0; 2];
        pipe.read_exact(&mut two).unwrap();
        let mut rest = Vec::new();
        pipe.read_to_end(&mut rest).unwrap();
        assert_eq!((&two, rest.as_slice()), (b"ab", &b"cde"[..]));
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_broken() {
        let (send, receive) = sync_channel(PIECES_MAX);
        drop(receive);
        let error = Mouth(send).write(b"a").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
