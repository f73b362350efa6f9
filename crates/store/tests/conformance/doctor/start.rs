//! What a server does not start on: everything that is damaged in a small database.

use waxwing_store::Loss;

use super::*;

/// Bits that are flipped in each page, and in the first hundred bytes.
const FLIPS: u64 = 2;
const FLIPS_AT_FIRST: u64 = 50;

/// Opens the copy as a server does: it is taken, or refused and left as it is.
fn starts(rig: &Rig, database: &[u8]) -> Result<(), OpenError> {
    let path = rig.damaged.path().join("waxwing.db");
    // Connections that are closed at the same time leave it, each to the other.
    let _none_left = fs::remove_file(rig.damaged.path().join("waxwing.db-wal"));
    fs::write(&path, database).unwrap();
    let looked = Store::sqlite_look(rig.damaged.path(), &all());
    assert!(fs::read(&path).unwrap() == database);
    let opened = Store::sqlite(rig.damaged.path(), &SqliteOptions::default(), &all());
    let opened = opened.map(drop);
    assert_eq!(looked.map(|_| ()), opened);
    if opened.is_err() {
        assert!(fs::read(&path).unwrap() == database);
        assert!(!rig.damaged.path().join("waxwing.db-wal").exists());
    }
    opened
}

/// Whether a doctor finds nothing wrong.
fn is_well(rig: &Rig, database: &[u8]) -> bool {
    let path = rig.damaged.path().join("waxwing.db");
    fs::write(path, database).unwrap();
    examine(rig.damaged.path()).is_ok_and(|examination| {
        let findings = examination.findings();
        findings.damages.is_empty() && findings.versions.is_empty()
    })
}

#[test]
fn a_flipped_bit_is_refused_or_no_damage() {
    let rig = Rig::new();
    let mut random = numbers(0xF11B);
    let pages = (rig.database.len() / PAGE) as u64;
    let heads = (0..FLIPS_AT_FIRST).map(|_| (0, 100));
    let within =
        (0..pages).flat_map(|page| (0..FLIPS).map(move |_| (page * PAGE as u64, PAGE as u64)));
    let (mut refused, mut unseen) = (0, 0);
    for (start, length) in heads.chain(within) {
        let number = random.next().unwrap();
        let (at, bit) = ((start + number % length) as usize, number >> 40 & 7);
        let mut bytes = rig.database.clone();
        bytes[at] ^= 1 << bit;
        match starts(&rig, &bytes) {
            Err(_) => refused += 1,
            Ok(()) => {
                unseen += 1;
                let here = format!("page {} byte {} bit {bit}", at / PAGE + 1, at % PAGE);
                assert!(is_well(&rig, &bytes), "{here}");
            }
        }
    }
    assert!(refused > unseen / 4, "{refused} of {unseen}");
}

#[test]
fn an_owner_that_the_index_calls_otherwise_is_refused() {
    let rig = Rig::new();
    let mut bytes = rig.database.clone();
    let name = b"user-2@example.org";
    // The table of owners begins at page 6, its index at page 7.
    let page = &bytes[6 * PAGE..7 * PAGE];
    let place = page.windows(name.len()).position(|part| part == name);
    bytes[6 * PAGE + place.expect("it is in the index")] ^= 0x80;
    let said = starts(&rig, &bytes).unwrap_err().to_string();
    assert!(said.contains("is damaged"), "{said}");
    assert!(!is_well(&rig, &bytes));
}

#[test]
fn each_of_the_first_bytes_that_says_something_else_is_refused() {
    let rig = Rig::new();
    for (at, bit) in [
        (17, 1),
        (18, 0),
        (36, 0),
        (39, 0),
        (59, 1),
        (63, 0),
        (72, 3),
        (91, 7),
    ] {
        let mut bytes = rig.database.clone();
        bytes[at] ^= 1 << bit;
        assert!(starts(&rig, &bytes).is_err(), "byte {at}");
        assert!(!is_well(&rig, &bytes), "byte {at}");
    }
}

#[test]
fn records_of_a_table_that_is_not_listed_are_refused() {
    for edit in [
        "DELETE FROM shape",
        "DELETE FROM shape WHERE name = 'cards'",
        "UPDATE table_row SET shape = shape + 100 WHERE shape = (SELECT id FROM shape WHERE name = 'cards')",
        "UPDATE high_water SET log_id = 1 << 60",
        "DELETE FROM owner WHERE id = 2",
        "UPDATE log_entry SET payload = payload + 1000000 WHERE id = 1",
    ] {
        for is_large in [false, true] {
            let rig = Rig::new();
            let path = rig.damaged.path().join("waxwing.db");
            let db = Connection::open(&path).unwrap();
            db.execute_batch(edit).unwrap();
            drop(db);
            let mut bytes = fs::read(&path).unwrap();
            // Of a large one what is listed can be known, and no more.
            if is_large {
                let pages: u32 = (65 << 20) / 4_096;
                bytes.resize(65 << 20, 0);
                bytes[28..32].copy_from_slice(&pages.to_be_bytes());
            }
            let is_listed = !edit.contains("shape");
            assert_eq!(
                starts(&rig, &bytes).is_ok(),
                is_large && is_listed,
                "{edit}"
            );
        }
    }
}

#[test]
fn what_costs_nothing_is_refused_too() {
    let rig = Rig::new();
    let path = rig.damaged.path().join("waxwing.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("UPDATE table_row SET index_keys = NULL WHERE index_keys IS NOT NULL")
        .unwrap();
    drop(db);
    let bytes = fs::read(&path).unwrap();
    assert!(starts(&rig, &bytes).is_err());
    let examination = rig.examined(&bytes).unwrap();
    let losses: Vec<_> = (examination.findings().damages.iter())
        .map(|damage| damage.loss.clone())
        .collect();
    assert_eq!(losses, [Loss::Nothing]);
}
