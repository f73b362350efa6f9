//! The typed front.

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prost::Message;

use crate::alarm::{Alarm, Heard};
use crate::backend::{
    Backend, Count, CountEntries, Done, Find, Get, IdOf, Owners, PageOf, Place, Query, Scan,
};
use crate::backup::{BackupAbout, BackupError, BackupSummary};
use crate::batch::{Batch, Committed};
use crate::blob::{self, Blob, BlobHash, BlobWriter};
use crate::error::StoreError;
use crate::figures::Figures;
use crate::key::{AsKey, Key, KeyRange, encoded};
use crate::limits::Limit;
use crate::log::{Direction, Entries, Entry, Log, LogId, Marks, Page};
use crate::owner::Owner;
use crate::reply::{Awaited, Reply, Unanswered, reply};
use crate::table::{Index, Table};

/// An open store. Cheap to clone; the last clone closes it.
///
/// A read sees every batch that was submitted before the read was called, on disk or not: the *staged* state.
/// All futures may be polled by any executor; the question is asked when the function is called, not when its
/// future is first polled.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    alarm: Arc<Alarm>,
    unanswered: Unanswered,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A row found through an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<K, V> {
    /// Whose row it is.
    pub owner: Owner,
    /// Its key.
    pub key: K,
    /// Its value.
    pub value: V,
    place: Place,
}

/// Writing.
impl Store {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        let alarm = backend.alarm();
        Self {
            backend,
            alarm,
            unanswered: Unanswered::default(),
        }
    }

    /// Submits a batch. It is queued at the call, in the order of calls, without waiting. `done` is called once:
    /// after the batch is on disk, or was refused, or failed; in the order of submission; from a thread of the
    /// backend, so it must be quick and must not panic. It is dropped uncalled only where the store went away
    /// (a crash of the double).
    ///
    /// What `done` may get is documented at [`StoreError`].
    pub fn submit(
        &self,
        batch: Batch,
        done: impl FnOnce(Result<Committed, StoreError>) + Send + 'static,
    ) {
        let awaited = Awaited::new(&self.unanswered);
        let done = move |outcome| {
            done(outcome);
            drop(awaited);
        };
        self.backend.submit(batch, Box::new(done));
    }

    /// Submits a batch, as [`submit`](Self::submit) does, at the call; the future gives the outcome. Dropping
    /// the future does not take the batch back.
    ///
    /// # Errors
    /// What is documented at [`StoreError`].
    pub fn commit(
        &self,
        batch: Batch,
    ) -> impl Future<Output = Result<Committed, StoreError>> + Send + use<> {
        let (reply, answer) = reply();
        let reply = reply.counted(&self.unanswered);
        let done: Done = Box::new(move |outcome| reply.send(outcome));
        self.backend.submit(batch, done);
        answer
    }
}

/// Looking after it.
impl Store {
    /// What it has done, and what waits. The double counts nothing.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.backend.figures()
    }

    /// How many questions and batches are not answered yet. When there are none, everybody who waited for one has been woken:
    /// for tests that have to know that nothing more will happen by itself.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::SeqCst)
    }
}

/// Reading tables.
///
/// # Errors
/// All of these can fail by the environment, by [`StoreError::UnknownShape`], and where more rows are asked for
/// than [`ROWS_MAX`](crate::limits::ROWS_MAX).
impl Store {
    /// The value of a key.
    pub fn get<K, V, Q>(
        &self,
        table: &Table<K, V>,
        owner: &Owner,
        key: &Q,
    ) -> impl Future<Output = Result<Option<V>, StoreError>> + Send + use<K, V, Q>
    where
        V: Message + Default,
        K: Key,
        Q: AsKey<K> + ?Sized,
    {
        let table = *table;
        let get = Get {
            shape: table.name,
            owner: owner.clone(),
            key: encoded(key),
            now_micros: table.now_micros,
        };
        let answer = self.ask(|reply| Query::Get(get, reply));
        let alarm = Arc::clone(&self.alarm);
        async move {
            let value = answer.await?;
            let value = value.map(|value| table.decode_value(&value));
            alarm.heard(value.transpose())
        }
    }

    /// The keys and values of a range, in the order of keys, at most `limit`.
    pub fn scan<K, V>(
        &self,
        table: &Table<K, V>,
        owner: &Owner,
        range: &KeyRange<K>,
        direction: Direction,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(K, V)>, StoreError>> + Send + use<K, V>
    where
        K: Key,
        V: Message + Default,
    {
        let table = *table;
        let scan = Scan {
            shape: table.name,
            owner: owner.clone(),
            range: range.bytes.clone(),
            direction,
            limit,
            now_micros: table.now_micros,
        };
        let answer = self.ask_within(limit, |reply| Query::Scan(scan, reply));
        let alarm = Arc::clone(&self.alarm);
        async move {
            let rows = answer.await?;
            let rows = rows
                .iter()
                .map(|row| Ok((table.decode_key(&row.key)?, table.decode_value(&row.value)?)));
            alarm.heard(rows.collect())
        }
    }

    /// How many values a range has. Looks at each of them.
    pub fn count<K, V>(
        &self,
        table: &Table<K, V>,
        owner: &Owner,
        range: &KeyRange<K>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send + use<K, V> {
        let count = Count {
            shape: table.name,
            owner: owner.clone(),
            range: range.bytes.clone(),
            now_micros: table.now_micros,
        };
        self.ask(|reply| Query::Count(count, reply))
    }

    /// Rows of all owners by a range of an index, in the order of index key, owner and key, at most `limit`.
    pub fn find<K, V, I>(
        &self,
        table: &Table<K, V>,
        index: &Index<K, V, I>,
        range: &KeyRange<I>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Found<K, V>>, StoreError>> + Send + use<K, V, I>
    where
        K: Key,
        V: Message + Default,
    {
        self.find_from(table, index, range, None, limit)
    }

    /// As [`find`](Self::find), but only what comes after a row that was found.
    pub fn find_after<K, V, I>(
        &self,
        table: &Table<K, V>,
        index: &Index<K, V, I>,
        range: &KeyRange<I>,
        last: &Found<K, V>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Found<K, V>>, StoreError>> + Send + use<K, V, I>
    where
        K: Key,
        V: Message + Default,
    {
        self.find_from(table, index, range, Some(last.place.clone()), limit)
    }

    fn find_from<K, V, I>(
        &self,
        table: &Table<K, V>,
        index: &Index<K, V, I>,
        range: &KeyRange<I>,
        after: Option<Place>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Found<K, V>>, StoreError>> + Send + use<K, V, I>
    where
        K: Key,
        V: Message + Default,
    {
        let table = *table;
        let find = Find {
            shape: table.name,
            index: index.name(),
            range: range.bytes.clone(),
            after,
            limit,
            now_micros: table.now_micros,
        };
        let answer = self.ask_within(limit, |reply| Query::Find(find, reply));
        let alarm = Arc::clone(&self.alarm);
        async move {
            let rows = answer.await?;
            let found = rows.into_iter().map(|row| {
                Ok(Found {
                    owner: row.place.owner.clone(),
                    key: table.decode_key(&row.place.key)?,
                    value: table.decode_value(&row.value)?,
                    place: row.place,
                })
            });
            alarm.heard(found.collect())
        }
    }

    /// The owners that have a row in a table, expired or not, in order, at most `limit`.
    pub fn owners<K, V>(
        &self,
        table: &Table<K, V>,
        after: Option<&Owner>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Owner>, StoreError>> + Send + use<K, V> {
        self.owners_of(table.name, after, limit)
    }
}

/// Reading logs.
///
/// # Errors
/// As for tables.
impl Store {
    /// A page of an owner's log.
    pub fn page<T>(
        &self,
        log: &Log<T>,
        owner: &Owner,
        page: Page,
    ) -> impl Future<Output = Result<Entries<T>, StoreError>> + Send + use<T>
    where
        T: Message + Default,
    {
        let shape = log.name;
        let limit = page.limit;
        let query = PageOf {
            shape,
            owner: owner.clone(),
            page,
        };
        let answer = self.ask_within(limit, |reply| Query::Page(query, reply));
        let alarm = Arc::clone(&self.alarm);
        async move {
            let page = answer.await?;
            let entries = page.entries.into_iter().map(|entry| {
                let payload =
                    T::decode(entry.payload).map_err(|_| StoreError::Damaged { shape })?;
                Ok(Entry {
                    id: entry.id,
                    marks: entry.marks,
                    payload,
                })
            });
            Ok(Entries {
                entries: alarm.heard(entries.collect())?,
                next: page.next,
            })
        }
    }

    /// How many entries of an owner's log have all of these marks. Looks at each of them.
    pub fn count_entries<T>(
        &self,
        log: &Log<T>,
        owner: &Owner,
        marks: Marks,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send + use<T> {
        let count = CountEntries {
            shape: log.name,
            owner: owner.clone(),
            marks,
        };
        self.ask(|reply| Query::CountEntries(count, reply))
    }

    /// The id of the entry that has this unique key.
    pub fn id_of<T>(
        &self,
        log: &Log<T>,
        owner: &Owner,
        unique: &[u8],
    ) -> impl Future<Output = Result<Option<LogId>, StoreError>> + Send + use<T> {
        let id_of = IdOf {
            shape: log.name,
            owner: owner.clone(),
            unique: unique.to_vec(),
        };
        self.ask(|reply| Query::IdOf(id_of, reply))
    }

    /// The greatest id that any log ever had an entry by: where the caller's numbers go on.
    pub fn last_log_id(&self) -> impl Future<Output = Result<LogId, StoreError>> + Send + use<> {
        self.ask(Query::LastLogId)
    }

    /// The owners that have an entry in a log, in order, at most `limit`.
    pub fn log_owners<T>(
        &self,
        log: &Log<T>,
        after: Option<&Owner>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Owner>, StoreError>> + Send + use<T> {
        self.owners_of(log.name, after, limit)
    }
}

/// Blobs.
impl Store {
    /// Begins a blob.
    ///
    /// # Errors
    /// An error of the environment.
    pub async fn blob_writer(&self) -> Result<BlobWriter, StoreError> {
        BlobWriter::create(&self.backend).await
    }

    /// Opens a stored blob; `None` where there is none.
    ///
    /// # Errors
    /// An error of the environment.
    pub async fn blob(&self, hash: &BlobHash) -> Result<Option<Blob>, StoreError> {
        blob::open(&self.backend, *hash).await
    }
}

/// Backups.
impl Store {
    /// Writes everything as it is at one moment to `out`: at least what was reported committed before the call. Writers
    /// go on meanwhile; memory is bounded. `out` may block.
    ///
    /// # Errors
    /// [`BackupError::Busy`] while another one is being made; an error of the environment. What was written by then says
    /// that it is not whole.
    pub fn backup<W: Write + Send + 'static>(
        &self,
        out: W,
        about: BackupAbout,
    ) -> impl Future<Output = Result<BackupSummary, BackupError>> + Send + use<W> {
        let (reply, answer) = reply();
        self.backend.backup(Box::new(out), about, reply);
        async move { answer.await? }
    }
}

impl Store {
    fn owners_of(
        &self,
        shape: &'static str,
        after: Option<&Owner>,
        limit: usize,
    ) -> Heard<Vec<Owner>> {
        let owners = Owners {
            shape,
            after: after.cloned(),
            limit,
        };
        self.ask_within(limit, |reply| Query::Owners(owners, reply))
    }

    fn ask<T>(&self, query: impl FnOnce(Reply<T>) -> Query) -> Heard<T> {
        self.ask_within(0, query)
    }

    fn ask_within<T>(&self, limit: usize, query: impl FnOnce(Reply<T>) -> Query) -> Heard<T> {
        let (reply, answer) = reply();
        let reply = reply.counted(&self.unanswered);
        match Limit::Rows.check(limit) {
            Ok(()) => self.backend.read(query(reply)),
            Err(error) => reply.send(Err(error)),
        }
        Heard::new(answer, &self.alarm)
    }
}
