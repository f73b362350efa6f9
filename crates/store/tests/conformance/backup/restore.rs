//! Restoring: all or nothing, and only where nothing is.

use std::fs;
use std::path::Path;

use waxwing_store::{
    BackupError, KeyRange, LogId, Migration, OpenError, PostgresOptions, RowError, SqliteOptions,
    Store, Table, Verdict,
};

use super::{backup_of, fill};
use crate::place::{InMemory, OnDisk, Place, TestDirectory, wait};
use crate::shapes::{
    BY_TAG, BY_TEXT, CARDS, Card, NOTES, TAGGED, alice, all, bob, card, commit, committed, tagged,
};

fn open(directory: &TestDirectory) -> Result<Store, OpenError> {
    Store::sqlite(directory.path(), &SqliteOptions::default(), &all())
}

/// A directory that holds a file with a backup of the place.
fn saved(place: &dyn Place) -> (TestDirectory, std::path::PathBuf, Vec<u8>) {
    let store = place.open(&all());
    fill(&store);
    let bytes = backup_of(&store).1;
    let folder = TestDirectory::new();
    fs::create_dir_all(folder.path()).unwrap();
    let file = folder.path().join("backup");
    fs::write(&file, &bytes).unwrap();
    (folder, file, bytes)
}

#[test]
fn everything_is_there_again() {
    for place in [&InMemory::new() as &dyn Place, &OnDisk::new()] {
        let (_folder, file, bytes) = saved(place);
        let directory = TestDirectory::new();
        let restored = Store::sqlite_restore(&file, directory.path(), None, &all()).unwrap();
        assert_eq!(restored.bytes, bytes.len() as u64);
        assert!(!directory.path().join("restoring").exists());
        let store = open(&directory).unwrap();
        // What is in a backup of it is what was in that backup.
        assert!(backup_of(&store).1 == bytes);
        // What is not in a backup was made again.
        let found = wait(store.find(&TAGGED, &BY_TAG, &KeyRange::all(), 10)).unwrap();
        assert_eq!(found.len(), 2);
        let one = KeyRange::exactly("unique");
        let found = wait(store.find(&TAGGED, &BY_TEXT, &one, 10)).unwrap();
        assert_eq!((found.len(), &found[0].owner), (1, &bob()));
        let taken = commit(&store, |batch| {
            batch.put(&TAGGED, &alice(), "another", &tagged("unique", &[]));
        });
        assert!(taken.is_err());
        let room = waxwing_store::Owner::room("hatter@rooms.example.org");
        assert_eq!(
            wait(store.id_of(&NOTES, &room, b"once")),
            Ok(Some(LogId(300)))
        );
        assert_eq!(wait(store.last_log_id()), Ok(LogId(400)));
        drop(store);
        open(&directory).unwrap();
    }
}

#[test]
fn a_database_is_filled_by_a_whole_backup_or_not_at_all() {
    let Some(database) = crate::server::InPostgres::new("restore") else {
        return;
    };
    let options = PostgresOptions::default();
    let place = database.address();
    let restore = |file: &Path| Store::postgres_restore(file, &place, &options, &all());
    let (_folder, file, bytes) = saved(&InMemory::new());
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'waxwing'";
    for at in (0..bytes.len()).step_by(bytes.len() / 20) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(&file, &flipped).unwrap();
        assert!(restore(&file).is_err());
        let schemas = database.server.sql(&database.database, schemas);
        assert_eq!(schemas, ["0"], "what was not whole is gone");
    }
    fs::write(&file, &bytes).unwrap();
    assert_eq!(restore(&file).unwrap().bytes, bytes.len() as u64);
    let Err(BackupError::DatabaseNotEmpty(name)) = restore(&file) else {
        panic!("it was overwritten");
    };
    assert!(name.starts_with("postgresql://127.0.0.1:"), "{name}");
    let store = database.open(&all());
    assert!(backup_of(&store).1 == bytes);
    let found = wait(store.find(&TAGGED, &BY_TAG, &KeyRange::all(), 10)).unwrap();
    assert_eq!(found.len(), 2);
    drop(store);
    let exported = fs::File::create(&file).unwrap();
    Store::postgres_export(&place, &options, exported, super::about()).unwrap();
    assert!(
        fs::read(&file).unwrap() == bytes,
        "the same without a server"
    );
    let settings = Store::postgres_settings(&place, &options).unwrap();
    assert!(!settings.in_use && !settings.fsync && !settings.tls && settings.bytes > 0);
}

/// A backup of an older version is brought to what is declared, as with SQLite.
#[test]
fn an_older_backup_is_brought_up_to_date_in_a_database() {
    let Some(database) = crate::server::InPostgres::new("restore/older") else {
        return;
    };
    let (_folder, file, _) = saved(&InMemory::new());
    let mut shapes = all();
    shapes[0] = LOUD_CARDS.shape();
    let options = PostgresOptions::default();
    Store::postgres_restore(&file, &database.address(), &options, &shapes).unwrap();
    let store = Store::postgres(&database.address(), &options, &shapes).unwrap();
    let card = wait(store.get(&LOUD_CARDS, &alice(), "a")).unwrap();
    assert_eq!(card.unwrap().text, "A");
}

#[test]
fn a_damaged_backup_touches_nothing() {
    let (_folder, file, bytes) = saved(&InMemory::new());
    let directory = TestDirectory::new();
    for at in (0..bytes.len()).step_by(bytes.len() / 50) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(&file, &flipped).unwrap();
        assert!(Store::sqlite_restore(&file, directory.path(), None, &all()).is_err());
        fs::write(&file, &bytes[..at]).unwrap();
        assert!(Store::sqlite_restore(&file, directory.path(), None, &all()).is_err());
        assert!(!directory.path().exists());
    }
}

#[test]
fn a_directory_that_is_not_empty_is_refused() {
    let (_folder, file, _) = saved(&InMemory::new());
    let not_empty = |directory: &TestDirectory| {
        let names = || {
            let files = fs::read_dir(directory.path()).unwrap();
            let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = names();
        assert_eq!(
            Store::sqlite_restore(&file, directory.path(), None, &all()),
            Err(BackupError::NotEmpty(directory.path().to_owned()))
        );
        assert_eq!(names(), before);
    };
    let directory = TestDirectory::new();
    fs::create_dir_all(directory.path().join("blobs/ab")).unwrap();
    not_empty(&directory);
    let directory = TestDirectory::new();
    fs::create_dir_all(directory.path()).unwrap();
    fs::write(directory.path().join("notes.txt"), "mine").unwrap();
    not_empty(&directory);
    let directory = TestDirectory::new();
    let store = open(&directory).unwrap();
    committed(&store, |batch| batch.put(&CARDS, &alice(), "a", &card("a")));
    not_empty(&directory);
    assert_eq!(wait(store.get(&CARDS, &alice(), "a")), Ok(Some(card("a"))));
}

#[test]
fn what_a_first_start_left_that_was_cut_short_is_no_obstacle() {
    let (_folder, file, _) = saved(&InMemory::new());
    let directory = TestDirectory::new();
    fs::create_dir_all(directory.path().join("blobs")).unwrap();
    let left = [
        "waxwing.lock",
        "waxwing.db.new",
        "waxwing.db.new-wal",
        "waxwing.db.new-journal",
        "admin.sock",
        "token-keys",
    ];
    for name in left {
        fs::write(directory.path().join(name), "").unwrap();
    }
    Store::sqlite_restore(&file, directory.path(), None, &all()).unwrap();
    assert!(!directory.path().join("waxwing.db.new").exists());
    assert!(!directory.path().join("waxwing.db.new-wal").exists());
    drop(open(&directory).unwrap());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &to);
        } else {
            fs::copy(file.path(), to).unwrap();
        }
    }
}

/// Wherever the power goes, a server refuses what is there, and another restore takes it.
#[test]
fn a_restore_that_did_not_end_is_refused_and_can_be_done_again() {
    let (_folder, file, bytes) = saved(&InMemory::new());
    let whole = TestDirectory::new();
    Store::sqlite_restore(&file, whole.path(), None, &all()).unwrap();
    // Nothing built yet; the database half built; everything built; the blobs renamed.
    for step in 0..4 {
        let directory = TestDirectory::new();
        let restoring = directory.path().join("restoring");
        fs::create_dir_all(&restoring).unwrap();
        match step {
            0 => {}
            1 => fs::write(restoring.join("waxwing.db"), "half").unwrap(),
            2 => copy(whole.path(), &restoring),
            _ => {
                copy(whole.path(), &restoring);
                fs::rename(restoring.join("blobs"), directory.path().join("blobs")).unwrap();
            }
        }
        assert_eq!(
            open(&directory).unwrap_err(),
            OpenError::Unrestored(directory.path().to_owned())
        );
        Store::sqlite_restore(&file, directory.path(), None, &all()).unwrap();
        assert!(backup_of(&open(&directory).unwrap()).1 == bytes);
    }
}

fn shout(row: &mut waxwing_store::Row) -> Result<Verdict, RowError> {
    let mut card: Card = row.value()?;
    card.text = card.text.to_uppercase();
    row.set_value(&card);
    Ok(Verdict::Keep)
}

static SHOUT: &[Migration] = &[shout];
static LOUD_CARDS: Table<String, Card> = Table::new("cards", 2).migrations(SHOUT);

#[test]
fn an_older_backup_is_brought_to_what_is_declared() {
    let (_folder, file, _) = saved(&OnDisk::new());
    let mut shapes = all();
    shapes[0] = LOUD_CARDS.shape();
    let directory = TestDirectory::new();
    Store::sqlite_restore(&file, directory.path(), None, &shapes).unwrap();
    let store = Store::sqlite(directory.path(), &SqliteOptions::default(), &shapes).unwrap();
    assert_eq!(
        wait(store.get(&LOUD_CARDS, &alice(), "a")),
        Ok(Some(card("A")))
    );
}

#[test]
fn what_is_restored_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, file, _) = saved(&InMemory::new());
    let directory = TestDirectory::new();
    Store::sqlite_restore(&file, directory.path(), None, &all()).unwrap();
    let mode = |name: &str| {
        let path = directory.path().join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!([mode(""), mode("waxwing.db")], [0o700, 0o600]);
}
