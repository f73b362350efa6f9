//! Entries by their text and their address, however far an index has come.

use waxwing_store::limits::PAGE_STEP_TEXTS_MAX;
use waxwing_store::{Append, Batch, Direction, LogId, Marks, Owner, Page, Shape, Store};

use crate::place::{OnDisk, Place, wait};
use crate::shapes::{Card, SPOKEN, alice, bob, card, committed};

/// Words that texts are made of.
const WORDS: [&str; 10] = [
    "Häuser",
    "häuser",
    "Привет",
    "мир",
    "مرحبا",
    "東京",
    "京都タワー",
    "สวัสดี",
    "fox",
    "foxes",
];
/// What is looked for in them.
const SOUGHT: [&str; 12] = [
    "hauser ",
    "HÄUS",
    "привет мир",
    "МИР ",
    "مرحبا",
    "東京",
    "京",
    "タワ",
    "สวัส",
    "fox ",
    "fox",
    "fox мир",
];
const ADDRESSES: [Option<&str>; 3] = [None, Some("bob@example.org"), Some("carol@example.org")];

fn shapes() -> Vec<Shape> {
    vec![SPOKEN.shape()]
}

fn put(batch: &mut Batch, owner: &Owner, id: u64, address: Option<&str>, text: &str) {
    let payload = card(text);
    let entry = Append {
        id: LogId(id),
        marks: Marks::ARCHIVED,
        unique: None,
        address,
        payload: &payload,
    };
    batch.append(&SPOKEN, owner, entry);
}

fn say(store: &Store, owner: &Owner, id: u64, address: Option<&str>, text: &str) {
    committed(store, |batch| put(batch, owner, id, address, text));
}

/// All that a page and those behind it find.
fn found(store: &Store, owner: &Owner, page: Page, direction: Direction) -> Vec<u64> {
    let (mut page, mut all) = (page, Vec::new());
    loop {
        let found = wait(store.page(&SPOKEN, owner, page.clone())).unwrap();
        all.extend(found.entries.iter().map(|entry| entry.id.0));
        page = match (found.next, direction) {
            (Some(next), Direction::Forward) => page.after(next),
            (Some(next), Direction::Backward) => page.before(next),
            (None, _) => return all,
        };
    }
}

fn by_text(store: &Store, text: &str) -> Vec<u64> {
    found(
        store,
        &alice(),
        Page::forward(3).with_text(text),
        Direction::Forward,
    )
}

pub(crate) fn entries_are_found_by_their_words(place: &dyn Place) {
    let store = place.open(&shapes());
    for (id, text) in [
        (1, "Crème brûlée"),
        (2, "Привет, мир!"),
        (3, "مَرْحَبًا بالعالم"),
        (4, "今日は良い天気です"),
        (5, "สวัสดีครับ"),
        (6, ""),
        (7, "creme fraiche"),
    ] {
        say(&store, &alice(), id, None, text);
    }
    say(&store, &bob(), 8, None, "creme");
    for (text, wanted) in [
        ("creme", &[1, 7][..]),
        ("CRÈME ", &[1, 7]),
        ("brulee crème", &[1]),
        ("cre", &[1, 7]),
        ("cre ", &[]),
        ("мир", &[2]),
        ("مرحبا", &[3]),
        ("天気", &[4]),
        ("気天", &[]),
        ("ดีครับ", &[5]),
        ("?!", &[]),
        ("", &[]),
    ] {
        assert_eq!(by_text(&store, text), wanted, "{text}");
    }
    assert!(Page::forward(1).with_text("a").has_words());
    assert!(!Page::forward(1).with_text("?!").has_words());
    assert!(!Page::forward(1).has_words());
}

pub(crate) fn a_replaced_text_is_found_as_it_is_now(place: &dyn Place) {
    let store = place.open(&shapes());
    committed(&store, |batch| {
        (1..=1_500).for_each(|id| put(batch, &alice(), id, None, "before"));
    });
    for (id, text) in [(7, "after"), (1_400, "after"), (8, "")] {
        committed(&store, |batch| {
            batch.replace(&SPOKEN, &alice(), LogId(id), &card(text));
        });
        let found = by_text(&store, "after");
        assert_eq!(found.contains(&id), text == "after");
        assert!(!by_text(&store, "before").contains(&id));
    }
    drop(store);
    let store = place.open(&shapes());
    assert_eq!(by_text(&store, "after"), [7, 1_400]);
    assert_eq!(by_text(&store, "before").len(), 1_497);
}

pub(crate) fn a_page_by_text_ends_early_in_a_long_log(place: &dyn Place) {
    let store = place.open(&shapes());
    let last = PAGE_STEP_TEXTS_MAX as u64 + 10;
    committed(&store, |batch| {
        for id in 1..=last {
            let text = if id == last { "needle" } else { "hay" };
            put(batch, &alice(), id, None, text);
        }
    });
    assert_eq!(by_text(&store, "needle"), [last]);
    assert!(by_text(&store, "needles").is_empty());
}

/// The next of a row of numbers that look like chance.
fn next(dice: &mut u64) -> u64 {
    *dice = dice
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *dice >> 33
}

/// What somebody's log holds: id, address, text.
type Held = std::collections::BTreeMap<u64, (Option<&'static str>, String)>;

fn fits(text: &str, sought: &str) -> bool {
    // Said once more, and more simply, for these words.
    let fold = |text: &str| text.to_lowercase().replace('ä', "a");
    let (text, sought) = (fold(text), fold(sought));
    let is_spaceless = |word: &str| word.chars().any(|c| c >= '\u{E00}');
    let is_open = !sought.ends_with(' ');
    let wanted: Vec<&str> = sought.split_whitespace().collect();
    let all = wanted.iter().enumerate().all(|(place, word)| {
        text.split_whitespace().any(|there| {
            let is_last = is_open && place + 1 == wanted.len();
            there == *word
                || is_last && there.starts_with(word)
                || is_spaceless(word) && there.contains(word)
        })
    });
    all && !wanted.is_empty()
}

fn check(store: &Store, held: &Held) {
    for sought in SOUGHT {
        for address in ADDRESSES {
            let fit = held.iter().filter(|(_, (of, text))| {
                (address.is_none() || *of == address) && fits(text, sought)
            });
            let wanted: Vec<u64> = fit.map(|(id, _)| *id).collect();
            for direction in [Direction::Forward, Direction::Backward] {
                let mut page = match direction {
                    Direction::Forward => Page::forward(7),
                    Direction::Backward => Page::backward(7),
                };
                page = page.with_text(sought);
                if let Some(address) = address {
                    page = page.with_address(address);
                }
                let mut found = found(store, &alice(), page, direction);
                if direction == Direction::Backward {
                    found.reverse();
                }
                assert_eq!(found, wanted, "{sought} with {address:?}");
            }
        }
    }
}

/// Appends, in order and out of it, replacements, removals, and stores that are closed and opened again, at random: what
/// is found is what is there.
pub(crate) fn random_writes_are_found(place: &dyn Place) {
    let mut dice = 7;
    let mut held = Held::new();
    let mut last = 1_000;
    for _ in 0..4 {
        let store = place.open(&shapes());
        for _ in 0..350 {
            let text = (0..next(&mut dice) % 3).map(|_| WORDS[next(&mut dice) as usize % 10]);
            let text = text.collect::<Vec<_>>().join(" ");
            let some = held
                .keys()
                .nth(next(&mut dice) as usize % held.len().max(1));
            match (next(&mut dice) % 20, some.copied()) {
                (0, Some(id)) => {
                    let range = LogId(id)..=LogId(id);
                    committed(&store, |batch| {
                        batch.delete_entries(&SPOKEN, &alice(), range, 1);
                    });
                    held.remove(&id);
                }
                (1, Some(id)) => {
                    committed(&store, |batch| {
                        batch.replace(&SPOKEN, &alice(), LogId(id), &card(&text));
                    });
                    held.entry(id).and_modify(|entry| entry.1 = text);
                }
                _ => {
                    last += 1;
                    let address = ADDRESSES[next(&mut dice) as usize % 3];
                    committed(&store, |batch| {
                        put(batch, &alice(), last, address, &text);
                        put(batch, &bob(), last, address, &text);
                    });
                    held.insert(last, (address, text));
                }
            }
        }
        check(&store, &held);
    }
    let store = place.open(&shapes());
    // From here on entries do not come in the order of their ids.
    for id in 1..20 {
        say(&store, &alice(), id * 7 % 20, None, "fox мир");
        held.insert(id * 7 % 20, (None, "fox мир".to_owned()));
    }
    check(&store, &held);
}

fn words_of(place: &OnDisk) -> std::path::PathBuf {
    place.path().join("waxwing-words.db")
}

/// Without its index, with a damaged one and with that of another time, a store finds the same.
#[test]
fn an_index_is_made_anew() {
    let place = OnDisk::new();
    let store = place.open(&shapes());
    committed(&store, |batch| {
        for id in 1..=1_200 {
            let text = if id % 100 == 0 { "needle" } else { "hay" };
            put(batch, &alice(), id, None, text);
        }
    });
    let wanted: Vec<u64> = (1..=12).map(|n| n * 100).collect();
    drop(store);
    let old = std::fs::read(words_of(&place)).unwrap();
    for damage in [&old[..], &old[..old.len() / 2], b"no database at all", b""] {
        for ending in ["-wal", "-shm"] {
            let name = format!("waxwing-words.db{ending}");
            let _ = std::fs::remove_file(place.path().join(name));
        }
        std::fs::write(words_of(&place), damage).unwrap();
        let store = place.open(&shapes());
        assert_eq!(by_text(&store, "needle"), wanted);
    }
    std::fs::remove_file(words_of(&place)).unwrap();
    let store = place.open(&shapes());
    assert_eq!(by_text(&store, "needle"), wanted);
    let cards: Vec<Card> =
        wait(store.page(&SPOKEN, &alice(), Page::backward(1).with_text("needle")))
            .unwrap()
            .entries
            .into_iter()
            .map(|entry| entry.payload)
            .collect();
    assert_eq!(cards, [card("needle")]);
}
