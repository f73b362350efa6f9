//! Blobs in an object store: what the shapes' promises do not say.
//!
//! Length: each way in which an object store fails is one test.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use waxwing_store::{
    BackupAbout, Blame, Blob, BlobHash, ObjectFault, OpenError, PostgresOptions, SqliteOptions,
    Store, StoreError, StorePlace,
};

use crate::object_place::{
    BUCKET, Fault, Front, InBoth, InObjects, KEY_ID, SECRET, TIMES, at, files_below, folder, fresh,
};
use crate::place::{Place, TestDirectory, wait};
use crate::server::InPostgres;
use crate::shapes::{alice, all, committed};

/// How long something may take that happens by itself.
const WAIT: Duration = Duration::from_secs(60);
/// More than one part.
const LARGE: usize = 11 << 20;

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + WAIT;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn try_write(store: &Store, content: &Bytes) -> Result<Blob, StoreError> {
    let mut writer = wait(store.blob_writer())?;
    let mut rest = content.clone();
    while !rest.is_empty() {
        let part = rest.split_to(rest.len().min(1 << 20));
        wait(writer.write(part))?;
    }
    wait(writer.finish())
}

fn content(bytes: usize) -> Bytes {
    let words =
        (0..bytes as u32 / 4).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes());
    words.collect::<Vec<u8>>().into()
}

/// A store that reaches its objects by a front.
struct Fronted {
    place: InObjects,
    front: Front,
}

fn fronted(name: &str) -> Option<Fronted> {
    let mut place = InObjects::new(name)?;
    let front = Front::before(place.server.port());
    place.objects = fresh(&front.endpoint());
    Some(Fronted { place, front })
}

fn fault<T: std::fmt::Debug>(done: Result<T, StoreError>) -> ObjectFault {
    let error = done.unwrap_err();
    assert_eq!(error.blame(), Blame::Environment);
    let said = format!("{error} {error:?}");
    for secret in [SECRET, KEY_ID, "secret-of-the-front"] {
        assert!(!said.contains(secret), "{said}");
    }
    match error {
        StoreError::Objects(fault) => fault,
        error => panic!("{error:?}"),
    }
}

#[test]
fn a_large_blob_goes_in_parts_and_comes_in_ranges() {
    let Some(place) = InObjects::new("parts") else {
        return;
    };
    let store = place.open(&all());
    let content = content(LARGE);
    let blob = try_write(&store, &content).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    let hash = *blob.hash();
    drop((blob, store));
    let name = hash.to_string();
    assert_eq!(place.keys(), [format!("{}/{name}", &name[..2])]);
    let store = place.open(&all());
    let blob = wait(store.blob(&hash)).unwrap().unwrap();
    assert_eq!(blob.length(), LARGE as u64);
    for (from, bytes) in [(0, 10), (5 << 20, 1 << 20), (LARGE - 3, 100), (LARGE, 9)] {
        let end = (from + bytes).min(LARGE);
        let read = wait(blob.read(from as u64, bytes)).unwrap();
        assert_eq!(read, content[from..end], "from {from}");
    }
    // Nothing of it stays on this machine.
    let left = files_below(&place.directory.path().join("blobs"));
    assert_eq!(left, ["objects"]);
}

#[test]
fn each_fault_has_its_name() {
    let Some(Fronted { place, front }) = fronted("faults") else {
        return;
    };
    let store = place.open(&all());
    let kept = Bytes::from_static(b"what was kept before");
    let blob = try_write(&store, &kept).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    let new = Bytes::from_static(b"new");
    for (how, write, read) in [
        (
            Fault::Status(503),
            ObjectFault::Busy { status: 503 },
            ObjectFault::Busy { status: 503 },
        ),
        (
            Fault::Status(403),
            ObjectFault::NotLetIn,
            ObjectFault::NotLetIn,
        ),
        (
            Fault::Hang,
            ObjectFault::Slow { millis: 2_000 },
            ObjectFault::Slow { millis: 2_000 },
        ),
    ] {
        front.set(how);
        assert_eq!(fault(try_write(&store, &new)), write, "{how:?}");
        assert_eq!(fault(wait(blob.read(0, 9))), read, "{how:?}");
    }
    for how in [Fault::Cut, Fault::Truncate] {
        front.set(how);
        let read = fault(wait(blob.read(0, 9)));
        assert!(
            matches!(read, ObjectFault::Unreachable { .. }),
            "{how:?}: {read:?}"
        );
    }
    front.set(Fault::Shorten);
    let read = fault(wait(blob.read(0, 9)));
    assert!(
        matches!(read, ObjectFault::Damaged | ObjectFault::Failed { .. }),
        "{read:?}"
    );
    front.set(Fault::None);
    assert_eq!(wait(blob.read(0, 99)).unwrap(), kept);
    try_write(&store, &new).unwrap();
}

#[test]
fn an_object_that_is_gone_is_told_from_a_bucket_that_is() {
    let Some(place) = InObjects::new("gone") else {
        return;
    };
    let store = place.open(&all());
    let blob = try_write(&store, &Bytes::from_static(b"gone")).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    let hash = *blob.hash();
    let name = hash.to_string();
    fs::remove_file(place.folder().join("blobs").join(&name[..2]).join(&name)).unwrap();
    assert_eq!(fault(wait(blob.read(0, 9))), ObjectFault::Gone);
    drop(blob);
    // Whoever has read it gives its lease back behind the answer.
    let is_gone = |_| {
        thread::sleep(Duration::from_millis(10));
        wait(store.blob(&hash)).unwrap().is_none()
    };
    assert!((0..500).any(is_gone));
    fs::remove_dir_all(place.folder()).unwrap();
    assert_eq!(fault(wait(store.blob(&hash))), ObjectFault::NotOurs);
}

#[test]
fn wrong_settings_are_told_apart_and_do_not_keep_a_server_from_starting() {
    let Some(mut place) = InObjects::new("settings") else {
        return;
    };
    let endpoint = place.server.endpoint();
    let right = place.objects.clone();
    let content = Bytes::from_static(b"a");
    let nobody = waxwing_objects::Server::new().unwrap();
    nobody.stop();
    for (objects, named) in [
        (
            at(&endpoint, "s3://no-such-bucket/a"),
            ObjectFault::NoBucket,
        ),
        (
            right.clone().with_key(KEY_ID, "wrong").unwrap(),
            ObjectFault::NotLetIn,
        ),
        (
            right.clone().with_key("wrong", SECRET).unwrap(),
            ObjectFault::NotLetIn,
        ),
    ] {
        assert_eq!(objects.probe(), Err(named.clone()));
        place.objects = objects;
        let store = place.open(&all());
        assert_eq!(fault(try_write(&store, &content)), named);
    }
    place.objects = fresh(&nobody.endpoint());
    let store = place.open(&all());
    let unreachable = fault(try_write(&store, &content));
    assert!(
        matches!(unreachable, ObjectFault::Unreachable { .. }),
        "{unreachable:?}"
    );
    // As soon as it is there, it is used.
    nobody.start();
    try_write(&store, &content).unwrap();
    drop(store);
    assert_eq!(right.probe(), Ok(false));
    place.objects = right.clone();
    place.directory = TestDirectory::new();
    drop(place.open(&all()));
    assert_eq!(right.probe(), Ok(true));
}

#[test]
fn what_fails_in_the_middle_leaves_no_parts() {
    let Some(Fronted { place, front }) = fronted("parts-fail") else {
        return;
    };
    let store = place.open(&all());
    front.set(Fault::SecondPart);
    let failed = fault(try_write(&store, &content(LARGE)));
    assert_eq!(failed, ObjectFault::Busy { status: 503 });
    assert_eq!(place.keys(), [""; 0]);
    let parts = place.directory.path().join("blobs/parts");
    assert_eq!(files_below(&parts), [""; 0]);
    let begun = place.server.objects(BUCKET).join(".sgwtmp/multipart");
    let begun = fs::read_dir(&begun).map_or(0, |all| all.count());
    assert_eq!(begun, 0, "the server has forgotten the first part");
}

#[test]
fn parts_of_a_life_that_ended_are_forgotten_by_the_next() {
    let Some(place) = InObjects::new("parts-next") else {
        return;
    };
    drop(place.open(&all()));
    let parts = place.directory.path().join("blobs/parts");
    // As a power cut may leave it, and as it is after one of S3's that has gone meanwhile.
    fs::write(parts.join("0"), "test/blobs/ab/").unwrap();
    fs::write(parts.join("1"), "test/blobs/ab/cd\nno-such-upload\n").unwrap();
    let _store = place.open(&all());
    until("notes of parts stay", || files_below(&parts).is_empty());
}

#[test]
fn what_could_not_be_removed_is_removed_later() {
    let Some(Fronted { place, front }) = fronted("remove-later") else {
        return;
    };
    let store = place.open(&all());
    let content = Bytes::from_static(b"to be removed");
    let blob = try_write(&store, &content).unwrap();
    let hash = *blob.hash();
    front.set(Fault::Status(503));
    let before = front.asked();
    drop(blob);
    until("nobody tries to remove it", || front.asked() > before + 1);
    assert_eq!(place.keys().len(), 1);
    front.set(Fault::None);
    until("it stays", || place.keys().is_empty());
    // One that was removed, and nobody has heard of it: it counts as gone, and can be stored anew.
    let blob = try_write(&store, &content).unwrap();
    front.set(Fault::LoseDeletes);
    let before = front.asked();
    drop(blob);
    until("nobody tries to remove it", || front.asked() > before + 1);
    until("it counts as there", || {
        matches!(wait(store.blob(&hash)), Ok(None))
    });
    front.set(Fault::None);
    let blob = try_write(&store, &content).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    std::thread::sleep(Duration::from_millis(3 * TIMES.again_millis));
    assert_eq!(wait(blob.read(0, 99)).unwrap(), content);
    assert_eq!(place.keys().len(), 1);
}

#[test]
fn orphans_are_removed_once_the_object_store_can_be_asked() {
    let Some(Fronted { place, front }) = fronted("orphans") else {
        return;
    };
    let store = place.open(&all());
    let kept = try_write(&store, &Bytes::from_static(b"kept")).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &kept));
    drop((kept, store));
    let orphan = place.folder().join("blobs/ff");
    fs::create_dir_all(&orphan).unwrap();
    fs::write(orphan.join("f".repeat(64)), "written just before a crash").unwrap();
    let foreign = place.folder().join("blobs/ff/notes.txt");
    fs::write(&foreign, "not ours").unwrap();
    front.set(Fault::Status(503));
    let _store = place.open(&all());
    front.set(Fault::None);
    until("the orphan stays", || place.keys().len() == 2);
    assert!(foreign.exists());
}

#[test]
fn nobody_shares_a_prefix() {
    let Some(place) = InObjects::new("shared") else {
        return;
    };
    let store = place.open(&all());
    let blob = try_write(&store, &Bytes::from_static(b"ours")).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    let other = TestDirectory::new();
    let refused = Store::sqlite(other.path(), &place.options(), &all()).unwrap_err();
    let OpenError::Objects { fault, .. } = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(fault, ObjectFault::Foreign { .. }), "{fault:?}");
    drop((blob, store));
    // Nor one with somebody else's objects.
    let objects = fresh(&place.server.endpoint());
    let folder = folder(place.server, &objects);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("photo.jpg"), "a photo").unwrap();
    let options = SqliteOptions {
        objects: Some(objects),
        ..SqliteOptions::default()
    };
    let other = TestDirectory::new();
    let refused = Store::sqlite(other.path(), &options, &all()).unwrap_err();
    assert!(matches!(
        refused,
        OpenError::Objects {
            fault: ObjectFault::Foreign { .. },
            ..
        }
    ));
    assert_eq!(files_below(&folder), ["photo.jpg"]);
    // A place without what says whose it is, where there were files before, is another one.
    let elsewhere = SqliteOptions {
        objects: Some(fresh(&place.server.endpoint())),
        ..SqliteOptions::default()
    };
    let refused = Store::sqlite(place.directory.path(), &elsewhere, &all()).unwrap_err();
    assert!(matches!(
        refused,
        OpenError::Objects {
            fault: ObjectFault::NotOurs,
            ..
        }
    ));
    drop(place.open(&all()));
}

#[test]
fn files_are_not_lost_by_a_change_of_settings() {
    let Some(place) = InObjects::new("change") else {
        return;
    };
    let disk = SqliteOptions::default();
    let with = |options: &SqliteOptions| Store::sqlite(place.directory.path(), options, &all());
    // While there are none, they may go anywhere.
    drop(with(&disk).unwrap());
    drop(with(&place.options()).unwrap());
    drop(with(&disk).unwrap());
    let store = with(&place.options()).unwrap();
    let blob = try_write(&store, &Bytes::from_static(b"kept")).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    let hash = *blob.hash();
    drop((blob, store));
    let refused = with(&disk).unwrap_err();
    let OpenError::FilesElsewhere { files, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(files, place.objects.to_string());
    let is_there = |hash: &BlobHash| wait(place.open(&all()).blob(hash)).unwrap().is_some();
    assert!(is_there(&hash));
    // The other way round.
    let other = TestDirectory::new();
    let store = Store::sqlite(other.path(), &disk, &all()).unwrap();
    let blob = try_write(&store, &Bytes::from_static(b"on the disk")).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    drop((blob, store));
    let objects = SqliteOptions {
        objects: Some(fresh(&place.server.endpoint())),
        ..SqliteOptions::default()
    };
    let refused = Store::sqlite(other.path(), &objects, &all()).unwrap_err();
    assert!(
        matches!(refused, OpenError::FilesElsewhere { .. }),
        "{refused:?}"
    );
}

fn about() -> BackupAbout {
    BackupAbout {
        product: "test".to_owned(),
        at_micros: 1,
    }
}

#[test]
fn everything_moves_from_the_disk_to_objects_and_back() {
    let Some(place) = InObjects::new("move") else {
        return;
    };
    let first = TestDirectory::new();
    let store = Store::sqlite(first.path(), &SqliteOptions::default(), &all()).unwrap();
    let contents = [content(LARGE), content(1_000), Bytes::new()];
    let mut hashes = Vec::new();
    for content in &contents {
        let blob = try_write(&store, content).unwrap();
        committed(&store, |batch| batch.blob_ref(&alice(), &blob));
        hashes.push(*blob.hash());
    }
    drop(store);
    let disk = StorePlace::Directory(first.path().to_owned(), None);
    let objects = Some(place.objects.clone());
    let there = StorePlace::Directory(place.directory.path().to_owned(), objects.clone());
    let copied = disk.copy_to(&there, &all(), about()).unwrap();
    assert!(copied.is_same());
    assert_eq!((copied.to.blobs, place.keys().len()), (3, 3));
    assert!(!place.directory.path().join("restoring").exists());
    let last = TestDirectory::new();
    let back = StorePlace::Directory(last.path().to_owned(), None);
    let copied = there.copy_to(&back, &all(), about()).unwrap();
    assert!(copied.is_same());
    let store = back.open(&all()).unwrap();
    for (hash, content) in hashes.iter().zip(&contents) {
        let blob = wait(store.blob(hash)).unwrap().unwrap();
        assert_eq!(blob.length(), content.len() as u64);
        assert_eq!(
            wait(blob.read(0, 100)).unwrap(),
            content[..content.len().min(100)]
        );
    }
    // It goes nowhere where something is.
    let full = TestDirectory::new();
    let full = StorePlace::Directory(full.path().to_owned(), objects);
    disk.copy_to(&full, &all(), about()).unwrap_err();
    assert_eq!(place.keys().len(), 3);
    drop(place.open(&all()));
}

#[test]
fn a_database_moves_its_files_to_objects_and_back() {
    let Some(place) = InBoth::new("objects/move-postgresql") else {
        return;
    };
    let (Some(first), Some(last)) = (
        InPostgres::new("objects/first"),
        InPostgres::new("objects/last"),
    ) else {
        return;
    };
    let content = content(LARGE);
    let store = first.open(&all());
    let blob = try_write(&store, &content).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    let hash = *blob.hash();
    drop((blob, store));
    // What is in the database is not taken for what is not there.
    let options = PostgresOptions {
        objects: Some(place.objects.objects.clone()),
        ..PostgresOptions::default()
    };
    let refused = Store::postgres(&first.address(), &options, &all()).unwrap_err();
    assert!(
        matches!(refused, OpenError::FilesElsewhere { .. }),
        "{refused:?}"
    );
    let objects = Some(place.objects.objects.clone());
    let there = StorePlace::Database(place.postgres.address(), objects);
    let from = StorePlace::Database(first.address(), None);
    assert!(from.copy_to(&there, &all(), about()).unwrap().is_same());
    assert_eq!(place.objects.keys().len(), 1);
    let store = place.open(&all());
    let blob = wait(store.blob(&hash)).unwrap().unwrap();
    assert_eq!(
        wait(blob.read(6_000_000, 9)).unwrap(),
        content[6_000_000..6_000_009]
    );
    drop((blob, store));
    let refused = place.postgres.try_open(&all()).unwrap_err();
    assert!(
        matches!(refused, OpenError::FilesElsewhere { .. }),
        "{refused:?}"
    );
    // As `doctor` reads it, whether a server runs on it or not.
    let exported = Store::postgres_export(
        &place.postgres.address(),
        &options,
        std::io::sink(),
        about(),
    );
    assert_eq!(exported.unwrap().blobs, 1);
    let back = StorePlace::Database(last.address(), None);
    assert!(there.copy_to(&back, &all(), about()).unwrap().is_same());
    let blob = wait(last.open(&all()).blob(&hash)).unwrap().unwrap();
    assert_eq!(blob.length(), LARGE as u64);
}
