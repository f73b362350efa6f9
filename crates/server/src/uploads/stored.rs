//! What is stored of files: of each account, so that it goes with the account.

use waxwing_store::{Batch, BlobHash, Expiring, Index, Owner, StoreError, Table};

use crate::uploads::Bucket;

/// Where a file stands among those of its account: its kind by number, when it came, in microseconds since 1970, and its id.
/// The oldest of a kind is the first.
pub(crate) type Place = (u8, u64, String);

/// A file.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredFile {
    /// The SHA-256 of its content.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) hash: Vec<u8>,
    /// Bytes of its content.
    #[prost(uint64, tag = "2")]
    pub(crate) size: u64,
    /// Its media type.
    #[prost(string, tag = "3")]
    pub(crate) media_type: String,
    /// What it is called.
    #[prost(string, tag = "4")]
    pub(crate) name: String,
    /// When it must be gone, in microseconds since 1970; 0 where nobody has said so.
    #[prost(uint64, tag = "5")]
    pub(crate) end_micros: u64,
}

impl StoredFile {
    /// The name of its content.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn hash(&self) -> Result<BlobHash, StoreError> {
        let hash = self.hash.as_slice().try_into();
        hash.map(BlobHash).map_err(|_| damaged())
    }
}

/// What is said where stored files contradict themselves.
pub(crate) fn damaged() -> StoreError {
    StoreError::Damaged { shape: "uploads" }
}

/// Files by their ids.
pub(crate) static BY_ID: Index<Place, StoredFile, String> =
    Index::unique("by-id", |(_, _, id), _| vec![id.clone()]);

/// Files that must be gone at a time, by that time.
pub(crate) static BY_END: Index<Place, StoredFile, u64> = Index::ordered("by-end", |_, file| {
    let end = (file.end_micros > 0).then_some(file.end_micros);
    end.into_iter().collect()
});

/// The files of each account.
pub(crate) static FILES: Table<Place, StoredFile> =
    Table::new("uploads", 1).index(&BY_ID).index(&BY_END);

/// Bytes of the files of each account, by kind.
pub(crate) static SIZES: Table<u8, i64> = Table::new("upload-sizes", 1);

/// A slot that was not used up.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredSlot {
    /// Bytes of the file that it is for.
    #[prost(uint64, tag = "1")]
    pub(crate) size: u64,
    /// The kind of that file, by number.
    #[prost(uint32, tag = "2")]
    pub(crate) bucket: u32,
    /// Until when somebody may begin to use it, in microseconds since 1970. The row is there for as long as the file may take
    /// then.
    #[prost(uint64, tag = "3")]
    pub(crate) until_micros: u64,
}

/// The slots of each account, by the ids of files to come.
pub(crate) static SLOTS: Expiring<String, StoredSlot> = Table::new("upload-slots", 1).expiring();

/// What was counted, as a number of bytes.
pub(crate) fn counted(count: Option<i64>) -> u64 {
    u64::try_from(count.unwrap_or_default()).unwrap_or_default()
}

/// As it is added to a count.
pub(crate) fn count(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Enters a file.
pub(crate) fn enter(batch: &mut Batch, owner: &Owner, place: &Place, file: &StoredFile) {
    batch.put(&FILES, owner, place, file);
    batch.add(&SIZES, owner, &place.0, count(file.size));
}

/// Takes a file out, if it is there still; its content goes with the last reference to it.
pub(crate) fn take_out(batch: &mut Batch, owner: &Owner, place: &Place, file: &StoredFile) {
    batch.require_present(&FILES, owner, place);
    batch.delete(&FILES, owner, place);
    batch.add(&SIZES, owner, &place.0, -count(file.size));
}

/// All files of a kind come before those of the next.
pub(crate) fn bucket_of(place: &Place) -> Option<Bucket> {
    Bucket::numbered(place.0)
}
