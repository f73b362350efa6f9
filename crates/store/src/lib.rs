//! Storage shapes, their backends and one conformance suite.
//!
//! Three shapes, declared by features: [`Table`] (values by key, with secondary keys, expiry and counters),
//! [`Log`] (entries by id, with marks) and [`Blob`] (large content by its hash). The first part of every key is
//! its [`Owner`]. A [`Batch`] carries writes and preconditions over several of them and commits atomically.
//!
//! ```
//! # use waxwing_store::{Batch, LogId, Memory, Owner, StoreError, Table};
//! #[derive(Clone, PartialEq, prost::Message)]
//! struct Contact {
//!     #[prost(string, tag = "1")]
//!     name: String,
//! }
//! static ROSTER: Table<String, Contact> = Table::new("roster", 1);
//!
//! # async fn tour() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Memory::new().open(&[ROSTER.shape()])?;
//! let alice = Owner::account("alice@example.org");
//! let mut batch = Batch::new();
//! batch.require_absent(&ROSTER, &alice, "bob@example.org");
//! batch.put(&ROSTER, &alice, "bob@example.org", &Contact { name: "Bob".into() });
//! store.commit(batch).await?; // it is on disk
//! assert_eq!(store.get(&ROSTER, &alice, "bob@example.org").await?.unwrap().name, "Bob");
//! # Ok(())
//! # }
//! ```
//!
//! Two backends, SQLite and PostgreSQL, and [`Memory`], the double for tests. `tests/conformance` defines what the
//! shapes promise and runs against all of them.

mod alarm;
mod backend;
mod backup;
mod batch;
mod blob;
mod copy;
mod error;
mod examination;
mod figures;
mod key;
pub mod limits;
mod log;
mod memory;
mod numbered;
mod objects;
mod op;
mod owner;
mod place;
mod postgres;
mod reply;
mod shape;
mod sqlite;
mod store;
mod table;
mod words;

pub use backend::Done;
pub use backup::{
    BACKUP_FORMAT, BACKUP_MAGIC, BackupAbout, BackupError, BackupShape, BackupSummary,
    examine_backup, verify_backup,
};
pub use batch::{Appended, Batch, Committed};
pub use blob::{Blob, BlobHash, BlobWriter};
pub use copy::{Copied, CopyError};
pub use error::{Blame, OpenError, StoreError};
pub use examination::{Damage, DamagedPart, ExamineOptions, ExaminedShape, Findings, Loss};
pub use figures::Figures;
pub use key::{AsKey, AsPrefix, Key, KeyRange};
pub use log::{Append, Direction, Entries, Entry, Log, LogId, Marks, Page};
pub use memory::Memory;
pub use objects::{ObjectFault, ObjectPlace, ObjectPlaceError, ObjectTimes};
pub use owner::{Owner, OwnerKind};
pub use place::StorePlace;
pub use postgres::{PostgresAddress, PostgresOptions, PostgresSettings};
pub use shape::{Migration, Row, RowError, Shape, Verdict};
pub use sqlite::{Examination, SqliteOptions};
pub use store::{Found, Store};
pub use table::{Expiring, Index, IndexOf, Table};
