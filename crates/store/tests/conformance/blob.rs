//! Large content by its hash.

use bytes::Bytes;
use waxwing_store::{Blame, Blob, BlobHash, Store, StoreError};

use crate::place::{Place, wait};
use crate::shapes::{alice, all, bob, commit, committed};

fn write(store: &Store, content: &[u8]) -> Blob {
    let mut writer = wait(store.blob_writer()).unwrap();
    for part in content.chunks(7) {
        wait(writer.write(Bytes::copy_from_slice(part))).unwrap();
    }
    assert_eq!(writer.length(), content.len() as u64);
    wait(writer.finish()).unwrap()
}

fn is_there(store: &Store, hash: &BlobHash) -> bool {
    // A blob is removed after the commit that it waited for: the second one comes later.
    committed(store, |_| {});
    committed(store, |_| {});
    wait(store.blob(hash)).unwrap().is_some()
}

pub(crate) fn a_blob_is_read_in_parts(place: &dyn Place) {
    let store = place.open(&all());
    let content: Vec<u8> = (0..1_000_u32).map(|byte| byte as u8).collect();
    let blob = write(&store, &content);
    assert_eq!(blob.length(), 1_000);
    assert_eq!(wait(blob.read(0, 2_000)).unwrap(), content);
    assert_eq!(wait(blob.read(990, 5)).unwrap(), content[990..995]);
    assert_eq!(wait(blob.read(990, 50)).unwrap(), content[990..]);
    assert_eq!(wait(blob.read(1_000, 5)).unwrap(), b""[..]);
    assert_eq!(wait(blob.read(5_000, 5)).unwrap(), b""[..]);
    let again = wait(store.blob(blob.hash())).unwrap().unwrap();
    assert_eq!((again.length(), again.hash()), (1_000, blob.hash()));
}

pub(crate) fn a_blob_has_the_name_of_its_content(place: &dyn Place) {
    let store = place.open(&all());
    // FIPS 180-4's own example.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let blob = write(&store, b"abc");
    assert_eq!(blob.hash().to_string(), abc);
    assert_eq!(BlobHash::from_hex(abc).as_ref(), Some(blob.hash()));
    assert_eq!(BlobHash::from_hex(&abc.to_uppercase()), None);
    assert_eq!(BlobHash::from_hex(&abc[1..]), None);
    let same = write(&store, b"abc");
    assert_eq!(same.hash(), blob.hash());
    drop(blob);
    assert_eq!(wait(same.read(0, 9)).unwrap(), b"abc"[..]);
    let empty = write(&store, b"");
    assert_eq!(
        (empty.length(), wait(empty.read(0, 9)).unwrap().len()),
        (0, 0)
    );
}

pub(crate) fn a_reference_keeps_a_blob(place: &dyn Place) {
    let store = place.open(&all());
    let blob = write(&store, b"kept");
    let hash = *blob.hash();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    drop(blob);
    assert!(is_there(&store, &hash));
    drop(store);
    let store = place.open(&all());
    assert!(is_there(&store, &hash));
    committed(&store, |batch| batch.blob_unref(&alice(), &hash));
    assert!(!is_there(&store, &hash));
    let again = write(&store, b"kept");
    assert_eq!(wait(again.read(0, 9)).unwrap(), b"kept"[..]);
}

pub(crate) fn a_lease_keeps_a_blob(place: &dyn Place) {
    let store = place.open(&all());
    let blob = write(&store, b"leased");
    let hash = *blob.hash();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    committed(&store, |batch| batch.blob_unref(&alice(), &hash));
    assert_eq!(wait(blob.read(0, 9)).unwrap(), b"leased"[..]);
    let second = wait(store.blob(&hash)).unwrap().unwrap();
    drop(blob);
    assert!(is_there(&store, &hash));
    committed(&store, |batch| batch.blob_ref(&bob(), &second));
    drop(second);
    assert!(is_there(&store, &hash));
}

pub(crate) fn an_unfinished_blob_leaves_nothing(place: &dyn Place) {
    let store = place.open(&all());
    let mut writer = wait(store.blob_writer()).unwrap();
    wait(writer.write("abc".into())).unwrap();
    drop(writer);
    let abc = write(&store, b"abc");
    let hash = *abc.hash();
    drop(abc);
    assert!(
        !is_there(&store, &hash),
        "nor does one that nothing refers to, once nobody has it"
    );
}

pub(crate) fn references_are_counted_by_owner(place: &dyn Place) {
    let store = place.open(&all());
    let blob = write(&store, b"shared");
    let hash = *blob.hash();
    committed(&store, |batch| {
        batch.blob_ref(&alice(), &blob);
        batch.blob_ref(&alice(), &blob);
        batch.blob_ref(&bob(), &blob);
    });
    drop(blob);
    committed(&store, |batch| batch.blob_unref(&alice(), &hash));
    committed(&store, |batch| batch.blob_unref(&bob(), &hash));
    assert!(is_there(&store, &hash));
    let none = commit(&store, |batch| batch.blob_unref(&bob(), &hash));
    assert_eq!(none, Err(StoreError::NoSuchBlob));
    assert!(is_there(&store, &hash));
    committed(&store, |batch| batch.blob_unref(&alice(), &hash));
    assert!(!is_there(&store, &hash));
}

pub(crate) fn a_reference_to_nothing_is_refused(place: &dyn Place) {
    let store = place.open(&all());
    let hash = BlobHash([7; 32]);
    assert!(wait(store.blob(&hash)).unwrap().is_none());
    let refused = commit(&store, |batch| batch.blob_unref(&alice(), &hash));
    assert_eq!(refused, Err(StoreError::NoSuchBlob));
    assert_eq!(StoreError::NoSuchBlob.blame(), Blame::Caller);
}

pub(crate) fn a_deleted_owner_gives_its_references_back(place: &dyn Place) {
    let store = place.open(&all());
    let (own, shared) = (write(&store, b"own"), write(&store, b"shared"));
    let hashes = (*own.hash(), *shared.hash());
    committed(&store, |batch| {
        batch.blob_ref(&alice(), &own);
        batch.blob_ref(&alice(), &shared);
        batch.blob_ref(&bob(), &shared);
    });
    drop((own, shared));
    committed(&store, |batch| batch.delete_owner(&alice()));
    while is_there(&store, &hashes.0) {}
    assert!(is_there(&store, &hashes.1));
}
