//! Every flipped bit, every missing end, and what is newer.

use waxwing_store::{BackupError, Log, Shape, Store, Table, verify_backup};

use super::{about, backup_of};
use crate::place::{InMemory, Place};
use crate::shapes::{
    CARDS, Card, MESSAGES, NOTES, TAGGED, alice, all, append, bob, card, committed, tagged,
};

/// A small backup that has every kind of record.
fn small() -> Vec<u8> {
    let store = InMemory::new().open(&[CARDS.shape(), TAGGED.shape(), MESSAGES.shape()]);
    let blob = super::blob(&store, b"a small file".to_vec());
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "a", &card("a"));
        batch.put(&TAGGED, &bob(), "b", &tagged("unique", &["x"]));
        append(batch, &alice(), 100, waxwing_store::Marks::ARCHIVED);
        batch.blob_ref(&bob(), &blob);
    });
    backup_of(&store).1
}

fn verify(bytes: &[u8]) -> Result<(), BackupError> {
    verify_backup(bytes, &all()).map(|_| ())
}

#[test]
fn every_flipped_bit_is_found() {
    let whole = small();
    assert_eq!(verify(&whole), Ok(()));
    for at in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        let error = verify(&flipped).unwrap_err();
        let expected = match at / 8 {
            0..16 => error == BackupError::Foreign,
            16..20 => matches!(
                error,
                BackupError::NewerFormat { .. } | BackupError::Damaged { .. }
            ),
            _ => matches!(
                error,
                BackupError::Damaged { .. } | BackupError::CutShort { .. }
            ),
        };
        assert!(expected, "bit {at}: {error:?}");
    }
}

#[test]
fn every_missing_end_is_found() {
    let whole = small();
    for length in 0..whole.len() {
        let error = verify(&whole[..length]).unwrap_err();
        let BackupError::CutShort { bytes, .. } = error else {
            panic!("{length}: {error:?}");
        };
        assert_eq!(bytes, length as u64);
    }
    let mut longer = whole.clone();
    longer.push(b'\n');
    assert!(matches!(verify(&longer), Err(BackupError::Damaged { .. })));
    longer.pop();
    longer.extend_from_slice(&whole);
    assert!(matches!(verify(&longer), Err(BackupError::Damaged { .. })));
}

/// Each with its kind and where it stands in the file.
fn frames(whole: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut all) = (&whole[20..], Vec::new());
    while let [_, a, b, c, d, ..] = *rest {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let (frame, more) = rest.split_at(5 + length + 8);
        all.push(frame);
        rest = more;
    }
    all
}

#[test]
fn a_record_that_is_missing_doubled_or_moved_is_found() {
    let whole = small();
    let frames = frames(&whole);
    assert!(frames.len() > 8);
    for at in 0..frames.len() {
        let mut missing = frames.clone();
        missing.remove(at);
        let mut doubled = frames.clone();
        doubled.insert(at, frames[at]);
        let mut moved = frames.clone();
        moved.swap(at, (at + 1) % frames.len());
        for other in [missing, doubled, moved] {
            let mut bytes = whole[..20].to_vec();
            bytes.extend(other.concat());
            assert!(verify(&bytes).is_err(), "{at}");
        }
    }
}

#[test]
fn something_else_is_refused() {
    for other in [&b"x"[..], b"SQLite format 3\0 and more of it", &[0; 4_096]] {
        assert_eq!(verify(other), Err(BackupError::Foreign));
    }
    assert_eq!(
        verify(b""),
        Err(BackupError::CutShort {
            bytes: 0,
            record: 0
        })
    );
}

#[test]
fn a_newer_format_is_refused() {
    let mut newer = small();
    newer[19] = 2;
    assert_eq!(verify(&newer), Err(BackupError::NewerFormat { stored: 2 }));
}

static NEWER_CARDS: Table<String, Card> = Table::new("cards", 2);
static LOG_OF_CARDS: Log<Card> = Log::new("cards", 1);

#[test]
fn shapes_that_cannot_be_restored_are_refused() {
    let made_of = |shapes: &[Shape]| backup_of(&Store::memory(shapes).unwrap()).1;
    let cards = made_of(&[CARDS.shape()]);
    let refused = |bytes: &[u8], shapes: &[Shape]| verify_backup(bytes, shapes).unwrap_err();
    assert_eq!(
        refused(&made_of(&[NEWER_CARDS.shape()]), &[CARDS.shape()]),
        BackupError::NewerShape {
            shape: "cards".to_owned(),
            stored: 2,
            known: 1
        }
    );
    let unknown = BackupError::UnknownShape("cards".to_owned());
    assert_eq!(refused(&cards, &[NOTES.shape()]), unknown);
    assert_eq!(refused(&cards, &[LOG_OF_CARDS.shape()]), unknown);
    // Version 2 came without a way from version 1.
    assert_eq!(
        refused(&cards, &[NEWER_CARDS.shape()]),
        BackupError::TooOld {
            shape: "cards",
            stored: 1
        }
    );
    assert_eq!(
        verify_backup(cards.as_slice(), &all()).unwrap().about,
        about()
    );
}
