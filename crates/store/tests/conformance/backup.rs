//! Backups: one file for every backend, in which nothing goes unnoticed.

mod damage;
mod restore;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, mpsc};

use waxwing_store::{
    Append, BackupAbout, BackupError, BackupSummary, Blob, KeyRange, LogId, Marks, Memory, Owner,
    Store, verify_backup,
};

use crate::place::{InMemory, OnDisk, Place, wait};
use crate::server::InPostgres;
use crate::shapes::{
    BOTH, CARDS, COUNTERS, MESSAGES, NOTES, SESSIONS, TAGGED, alice, all, append, append_to, bob,
    card, committed, tagged,
};

/// Where a test's backup goes.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn about() -> BackupAbout {
    BackupAbout {
        product: "1.2.3".to_owned(),
        at_micros: 1_700_000_000_000_000,
    }
}

pub(crate) fn backup_of(store: &Store) -> (BackupSummary, Vec<u8>) {
    let sink = Sink::default();
    let summary = wait(store.backup(sink.clone(), about())).unwrap();
    let bytes = std::mem::take(&mut *sink.0.lock().unwrap());
    (summary, bytes)
}

fn blob(store: &Store, content: Vec<u8>) -> Blob {
    let mut writer = wait(store.blob_writer()).unwrap();
    wait(writer.write(content.into())).unwrap();
    wait(writer.finish()).unwrap()
}

/// Something of everything that can be stored.
pub(crate) fn fill(store: &Store) {
    let room = Owner::room("hatter@rooms.example.org");
    let large = blob(store, (0..3_000_000_u32).map(|n| (n % 251) as u8).collect());
    let (small, empty) = (blob(store, b"tea".to_vec()), blob(store, Vec::new()));
    committed(store, |batch| {
        batch.put(&CARDS, &alice(), "a", &card("a"));
        batch.put(&CARDS, &Owner::server(), "", &card(""));
        batch.put(&TAGGED, &bob(), "b", &tagged("unique", &["x", "y"]));
        batch.put_expiring(&SESSIONS, &alice(), "s", &card("soon"), 2_000_000);
        batch.add(&COUNTERS, &room, "visits", 41);
        batch.add(&COUNTERS, &room, "visits", 1);
        append_to(
            batch,
            &alice(),
            100,
            Marks::ARCHIVED,
            Some("bob@example.org"),
        );
        append(batch, &alice(), 200, BOTH());
        append(batch, &bob(), 150, Marks::UNDELIVERED);
        batch.blob_ref(&alice(), &large);
        batch.blob_ref(&alice(), &large);
        batch.blob_ref(&bob(), &small);
        batch.blob_ref(&room, &empty);
    });
    committed(store, |batch| {
        let payload = card("note");
        let note = Append {
            id: LogId(300),
            marks: Marks::ARCHIVED,
            unique: Some(b"once"),
            address: None,
            payload: &payload,
        };
        batch.append(&NOTES, &room, note);
        append(batch, &bob(), 400, Marks::ARCHIVED);
    });
    // The last id has been given out, though its entry is gone; and so is an owner.
    committed(store, |batch| {
        batch.delete_entries(&MESSAGES, &bob(), LogId(400)..=LogId(400), 1);
        batch.put(
            &CARDS,
            &Owner::account("carol@example.org"),
            "c",
            &card("c"),
        );
        batch.blob_ref(&Owner::account("carol@example.org"), &small);
    });
    committed(store, |batch| {
        batch.delete_owner(&Owner::account("carol@example.org"));
    });
}

#[test]
fn it_is_the_same_whatever_stores_it() {
    let (memory, disk) = (InMemory::new(), OnDisk::new());
    let server = InPostgres::new("backup");
    let mut files = Vec::new();
    let server = server.iter().map(|place| place as &dyn Place);
    for place in [&memory as &dyn Place, &disk].into_iter().chain(server) {
        let store = place.open(&all());
        fill(&store);
        let (summary, bytes) = backup_of(&store);
        assert_eq!(verify_backup(bytes.as_slice(), &all()), Ok(summary.clone()));
        assert_eq!(summary.bytes, bytes.len() as u64);
        assert_eq!(summary.about, about());
        assert_eq!(summary.last_log_id, LogId(400));
        assert_eq!(
            (
                summary.owners,
                summary.references,
                summary.blobs,
                summary.blob_bytes
            ),
            (4, 3, 3, 3_000_003)
        );
        let records: Vec<_> = summary
            .shapes
            .iter()
            .map(|shape| (shape.name.as_str(), shape.version, shape.records))
            .collect();
        let expected = [
            ("cards", 1, 2),
            ("counters", 1, 1),
            ("expiring-counters", 1, 0),
            ("messages", 1, 3),
            ("notes", 1, 1),
            ("pairs", 1, 0),
            ("sessions", 1, 1),
            ("tagged", 1, 1),
        ];
        assert_eq!(records, expected);
        files.push(bytes);
    }
    assert!(
        files.iter().all(|file| *file == files[0]),
        "the bytes differ"
    );
}

#[test]
fn what_was_committed_before_is_in_it_and_writers_go_on() {
    let place = OnDisk::new();
    let store = place.open(&all());
    let (ask, asked) = mpsc::channel::<()>();
    let writer = store.clone();
    let writing = std::thread::spawn(move || {
        let mut id = 0;
        while asked.try_recv() == Err(mpsc::TryRecvError::Empty) {
            id += 1;
            committed(&writer, |batch| {
                append(batch, &alice(), id, BOTH());
                batch.add(&COUNTERS, &alice(), "sent", 1);
            });
        }
        id
    });
    let mut last = 0;
    for _ in 0..20 {
        let before = wait(store.count_entries(&MESSAGES, &alice(), Marks::NONE)).unwrap();
        let (summary, bytes) = backup_of(&store);
        let entries = summary.shapes.iter().find(|shape| shape.name == "messages");
        let entries = entries.unwrap().records;
        assert!(
            entries >= before && entries >= last,
            "{entries} {before} {last}"
        );
        assert!(verify_backup(bytes.as_slice(), &all()).is_ok());
        last = entries;
    }
    ask.send(()).unwrap();
    assert!(writing.join().unwrap() >= last);
}

/// Takes what is written only when it is told to.
struct Slow(mpsc::Receiver<()>, mpsc::Sender<()>);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _told = self.1.send(());
        // Nobody tells any more: it goes on by itself.
        let _ended = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn there_is_one_at_a_time_and_it_keeps_its_blobs() {
    let place = OnDisk::new();
    let store = place.open(&all());
    let doomed = blob(&store, b"on its way out".to_vec());
    let hash = *doomed.hash();
    committed(&store, |batch| batch.blob_ref(&alice(), &doomed));
    drop(doomed);
    let (go_on, wait_here) = mpsc::channel();
    let (begun, has_begun) = mpsc::channel();
    let first = store.clone();
    let first = std::thread::spawn(move || wait(first.backup(Slow(wait_here, begun), about())));
    has_begun.recv().unwrap();
    assert_eq!(
        wait(store.backup(io::sink(), about())),
        Err(BackupError::Busy)
    );
    // Its last reference goes while the backup has still to read it.
    committed(&store, |batch| batch.blob_unref(&alice(), &hash));
    committed(&store, |_| {});
    drop(go_on);
    assert_eq!(first.join().unwrap().unwrap().blobs, 1);
    // And then so does it.
    while wait(store.blob(&hash)).unwrap().is_some() {
        committed(&store, |_| {});
    }
    assert_eq!(backup_of(&store).0.blobs, 0);
}

#[test]
fn closing_the_store_ends_it() {
    let place = OnDisk::new();
    let store = place.open(&all());
    fill(&store);
    let (go_on, wait_here) = mpsc::channel();
    let (begun, has_begun) = mpsc::channel();
    let backup = store.backup(Slow(wait_here, begun), about());
    let outcome = std::thread::spawn(move || wait(backup));
    has_begun.recv().unwrap();
    drop(go_on);
    drop(store);
    // Whole or given up, as it came; the directory is free again either way.
    let outcome = outcome.join().unwrap();
    assert!(
        outcome.is_ok() || matches!(outcome, Err(BackupError::Store(_))),
        "{outcome:?}"
    );
    place.open(&all());
}

#[test]
fn only_what_is_durable_is_in_it() {
    let memory = Memory::new();
    let store = memory.open(&all()).unwrap();
    committed(&store, |batch| batch.put(&CARDS, &alice(), "a", &card("a")));
    memory.hold();
    let mut batch = waxwing_store::Batch::new();
    batch.put(&CARDS, &alice(), "b", &card("b"));
    drop(store.commit(batch));
    assert_eq!(wait(store.count(&CARDS, &alice(), &KeyRange::all())), Ok(2));
    assert_eq!(backup_of(&store).0.shapes[0].records, 1);
    memory.release();
    assert_eq!(backup_of(&store).0.shapes[0].records, 2);
}
