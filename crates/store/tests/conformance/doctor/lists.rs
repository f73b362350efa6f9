//! The lists of tables and of owners, without which rows are only numbered.

use waxwing_store::Loss;

use super::*;

/// Both pages that say which tables and logs there are.
fn without_lists(database: &[u8]) -> Vec<u8> {
    let mut bytes = database.to_vec();
    bytes[2 * PAGE..4 * PAGE].fill(0);
    bytes
}

#[test]
fn what_the_tables_are_is_known_without_their_list() {
    let rig = Rig::new();
    let expect_all = |bytes: &[u8]| {
        let examination = rig.examined(bytes).unwrap();
        let findings = examination.findings();
        let guess = findings.damages.iter().find(|d| d.loss == Loss::Guessed);
        let text = &guess.expect("it is said").text;
        // Of the eight one is empty, and nothing speaks of it.
        assert!(text.starts_with("7 of them are listed nowhere"), "{text}");
        assert!(text.contains("by the order") && text.contains("messages (175)"));
        let backup = export(&examination);
        assert_eq!(rig.lost(&backup), (0, 0), "{findings:?}");
        restored(&backup);
    };
    let without = without_lists(&rig.database);
    expect_all(&without);
    // With what says whose database it is.
    let mut bytes = without.clone();
    bytes[..2 * PAGE].fill(0);
    expect_all(&bytes);
    // With the list of indexes.
    let mut bytes = without;
    bytes[4 * PAGE..5 * PAGE].fill(0xA5);
    expect_all(&bytes);
}

#[test]
fn what_is_like_another_is_left_behind_where_the_order_is_lost() {
    let directory = TestDirectory::new();
    populated(directory.path());
    let path = directory.path().join("waxwing.db");
    let whole = records(&export(&examine(directory.path()).unwrap()));
    // As later versions number what they add.
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "UPDATE table_row SET shape = shape + 20; UPDATE shape_index SET shape = shape + 20;
         UPDATE log_entry SET log = log + 20; UPDATE log_payload SET log = log + 20;
         UPDATE log_unique SET log = log + 20; UPDATE shape SET id = id + 20;",
    )
    .unwrap();
    drop(db);
    assert_eq!(records(&export(&examine(directory.path()).unwrap())), whole);
    let bytes = without_lists(&fs::read(&path).unwrap());
    fs::write(&path, bytes).unwrap();
    let examination = examine(directory.path()).unwrap();
    let findings = examination.findings();
    let guess = findings.damages.iter().find(|d| d.loss == Loss::Guessed);
    let text = &guess.expect("it is said").text;
    assert!(text.contains("by what their records hold"), "{text}");
    assert!(
        text.ends_with("cards (176), counters (175), pairs (175), sessions (175), tagged (175)")
    );
    // Nothing tells one log of cards from the other.
    let lost = Loss::Records(2 * 175, Vec::new());
    let said = findings.damages.iter().find(|d| d.loss == lost);
    assert!(said.is_some_and(|said| said.text.contains("whose name is lost")));
    let backup = export(&examination);
    // A shape's place in the list is part of a record: what is compared is how many there are.
    let saved = records(&backup).values().sum::<usize>();
    assert_eq!(saved, whole.values().sum::<usize>() - 2 * 175);
    restored(&backup);
}

#[test]
fn what_belongs_to_nobody_is_counted() {
    let rig = Rig::new();
    let mut bytes = rig.database.clone();
    // The owners and their index.
    bytes[5 * PAGE..7 * PAGE].fill(0);
    let examination = rig.examined(&bytes).unwrap();
    let findings = examination.findings();
    let mut lost: Vec<_> = (findings.damages.iter())
        .filter_map(|damage| match (&damage.part, &damage.loss) {
            (DamagedPart::Shape(name), Loss::Records(count, _)) => Some((name.as_str(), *count)),
            _ => None,
        })
        .collect();
    lost.sort_unstable();
    // Indexes know the owners of some, and with them of everything.
    assert_eq!(lost, []);
    assert_eq!(rig.lost(&export(&examination)).0, 0);
    // Without those nobody knows.
    let directory = TestDirectory::new();
    populated(directory.path());
    let db = Connection::open(directory.path().join("waxwing.db")).unwrap();
    db.execute_batch("DELETE FROM index_key; DELETE FROM owner")
        .unwrap();
    drop(db);
    let examination = examine(directory.path()).unwrap();
    let findings = examination.findings();
    for name in ["cards", "messages", "notes"] {
        let part = DamagedPart::Shape(name.to_owned());
        let said = findings.damages.iter().find(|damage| damage.part == part);
        let count = if name == "cards" { 176 } else { 175 };
        assert_eq!(
            said.map(|said| &said.loss),
            Some(&Loss::Records(count, Vec::new())),
            "{name}: {findings:?}"
        );
    }
    assert!(records(&export(&examination)).is_empty());
}
