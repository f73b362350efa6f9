//! What the tests store.

use waxwing_store::{
    Append, Batch, Committed, Expiring, Index, Log, LogId, Marks, Owner, Shape, Store, StoreError,
    Table,
};

use crate::place::wait;

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Card {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) tags: Vec<String>,
}

pub(crate) static CARDS: Table<String, Card> = Table::new("cards", 1);
pub(crate) static PAIRS: Table<(String, u64), Card> = Table::new("pairs", 1);
pub(crate) static SESSIONS: Expiring<String, Card> =
    Table::new("sessions", 1).index(&BY_SESSION_TAG).expiring();
pub(crate) static BY_SESSION_TAG: Index<String, Card, String> =
    Index::ordered("by-tag", |_, card| card.tags.clone());
pub(crate) static COUNTERS: Table<String, i64> = Table::new("counters", 1).index(&BY_COUNT);
pub(crate) static BY_COUNT: Index<String, i64, i64> =
    Index::ordered("by-count", |_, count| vec![*count]);
pub(crate) static EXPIRING_COUNTERS: Expiring<String, i64> =
    Table::new("expiring-counters", 1).expiring();

/// Indexed twice: in order by tag, and uniquely by text.
pub(crate) static TAGGED: Table<String, Card> =
    Table::new("tagged", 1).index(&BY_TAG).index(&BY_TEXT);
pub(crate) static BY_TAG: Index<String, Card, String> =
    Index::ordered("by-tag", |_, card| card.tags.clone());
pub(crate) static BY_TEXT: Index<String, Card, String> = Index::unique("by-text", |_, card| {
    if card.text.is_empty() {
        Vec::new()
    } else {
        vec![card.text.clone()]
    }
});
/// Declared, and of no table.
pub(crate) static BY_NOTHING: Index<String, Card, String> =
    Index::ordered("by-nothing", |_, _| Vec::new());

pub(crate) static MESSAGES: Log<Card> = Log::new("messages", 1);
pub(crate) static NOTES: Log<Card> = Log::new("notes", 1);
/// A log whose entries are found by their text.
pub(crate) static SPOKEN: Log<Card> = Log::new("spoken", 1).text(|card| Some(card.text.clone()));
pub(crate) static UNDECLARED: Table<String, Card> = Table::new("undeclared", 1);

pub(crate) fn all() -> Vec<Shape> {
    vec![
        CARDS.shape(),
        PAIRS.shape(),
        SESSIONS.shape(),
        COUNTERS.shape(),
        EXPIRING_COUNTERS.shape(),
        TAGGED.shape(),
        MESSAGES.shape(),
        NOTES.shape(),
    ]
}

pub(crate) fn card(text: &str) -> Card {
    Card {
        text: text.to_owned(),
        tags: Vec::new(),
    }
}

pub(crate) fn tagged(text: &str, tags: &[&str]) -> Card {
    Card {
        text: text.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

pub(crate) fn alice() -> Owner {
    Owner::account("alice@example.org")
}

pub(crate) fn bob() -> Owner {
    Owner::account("bob@example.org")
}

/// Commits what the function puts into a batch.
pub(crate) fn commit(
    store: &Store,
    build: impl FnOnce(&mut Batch),
) -> Result<Committed, StoreError> {
    let mut batch = Batch::new();
    build(&mut batch);
    wait(store.commit(batch))
}

/// Commits, which has to go well.
pub(crate) fn committed(store: &Store, build: impl FnOnce(&mut Batch)) -> Committed {
    commit(store, build).expect("the batch is committed")
}

pub(crate) const BOTH: fn() -> Marks = || Marks::ARCHIVED | Marks::UNDELIVERED;

/// An entry whose text is its id.
pub(crate) fn append(batch: &mut Batch, owner: &Owner, id: u64, marks: Marks) {
    append_to(batch, owner, id, marks, None);
}

/// The same, in the conversation with an address.
pub(crate) fn append_to(
    batch: &mut Batch,
    owner: &Owner,
    id: u64,
    marks: Marks,
    address: Option<&str>,
) {
    let payload = card(&id.to_string());
    batch.append(
        &MESSAGES,
        owner,
        Append {
            id: LogId(id),
            marks,
            unique: None,
            address,
            payload: &payload,
        },
    );
}
