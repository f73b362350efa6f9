//! Entries in the order of their ids.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitOr, RangeInclusive};
use std::sync::Arc;

use prost::Message;

use crate::limits::{PAGE_STEP_ENTRIES_MAX, PAGE_STEP_TEXTS_MAX};
use crate::shape::{Migration, Shape, ShapeKind, TextShape};
use crate::words::{Sought, fits, sought};

/// A log: entries with payloads of type `T` by owner and id.
///
/// An entry has [`Marks`], and goes when it has none left.
pub struct Log<T> {
    pub(crate) name: &'static str,
    version: u32,
    migrations: &'static [Migration],
    text: Option<fn(&T) -> Option<String>>,
    payload: PhantomData<fn() -> T>,
}

impl<T> Log<T> {
    /// Declares a log. The name is stored and says which log it is: lower-case ASCII letters, digits and `-`.
    /// The version is 1 at first, and one more for each step of [`migrations`](Self::migrations).
    #[must_use]
    pub const fn new(name: &'static str, version: u32) -> Self {
        Self {
            name,
            version,
            migrations: &[],
            text: None,
            payload: PhantomData,
        }
    }

    /// The steps from older versions; the last of them leads to the declared version.
    #[must_use]
    pub const fn migrations(mut self, migrations: &'static [Migration]) -> Self {
        self.migrations = migrations;
        self
    }

    /// How the text of a payload is got, for [`Page::with_text`]; of one that has none it is `None`. Without this, no
    /// entry of the log is found by its text.
    ///
    /// What was derived from it is kept beside the log, so a log whose text is another from now on wants a new version of
    /// the index: see `WORDS_VERSION` in `sqlite/word_index.rs`.
    #[must_use]
    pub const fn text(mut self, text: fn(&T) -> Option<String>) -> Self {
        self.text = Some(text);
        self
    }
}

impl<T: Message + Default + 'static> Log<T> {
    /// What the store is opened with.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape {
            name: self.name,
            version: self.version,
            kind: ShapeKind::Log,
            migrations: self.migrations,
            indexes: Vec::new(),
            reads: |_, payload| T::decode(payload).is_ok(),
            writes: |payload| T::decode(payload).is_ok_and(|read| read.encode_to_vec() == payload),
            text: self.text.map(|text| {
                TextShape(Arc::new(move |payload: &[u8]| {
                    text(&T::decode(payload).ok()?)
                }))
            }),
        }
    }
}

impl<T> fmt::Debug for Log<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish()
    }
}

/// The id of an entry: the time of its arrival in microseconds since 1970.
///
/// The caller gives it. One owner's log has an id once; a caller who numbers all that it appends upwards, going
/// on after [`Store::last_log_id`](crate::Store::last_log_id) when it starts, never gives one out again, even
/// where the clock went back. At most 2^63 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub u64);

impl LogId {
    /// Before every entry.
    pub const MIN: Self = Self(0);
    /// The greatest id that there can be.
    pub const MAX: Self = Self(i64::MAX as u64);
}

/// Why an entry is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Marks(u8);

impl Marks {
    /// No mark.
    pub const NONE: Self = Self(0);
    /// It belongs to the archive.
    pub const ARCHIVED: Self = Self(1);
    /// No session has taken it yet. Entries with this mark are found without a look at others.
    pub const UNDELIVERED: Self = Self(2);

    /// Whether all of `marks` are set.
    #[must_use]
    pub const fn contains(self, marks: Self) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// Without `marks`.
    #[must_use]
    pub const fn without(self, marks: Self) -> Self {
        Self(self.0 & !marks.0)
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits & 3)
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "none",
            1 => "archived",
            2 => "undelivered",
            _ => "archived|undelivered",
        })
    }
}

/// A new entry, for [`Batch::append`](crate::Batch::append).
#[derive(Debug)]
pub struct Append<'a, T> {
    /// Its id.
    pub id: LogId,
    /// Its marks; at least one.
    pub marks: Marks,
    /// Where the owner's log has an entry with this key, nothing is written and that entry's id is the outcome.
    pub unique: Option<&'a [u8]>,
    /// Whose conversation it belongs to, for [`Page::with_address`].
    pub address: Option<&'a str>,
    /// What it carries.
    pub payload: &'a T,
}

impl<T> Clone for Append<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Append<'_, T> {}

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// Its id.
    pub id: LogId,
    /// Its marks.
    pub marks: Marks,
    /// What it carries.
    pub payload: T,
}

/// A page of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries<T> {
    /// In the order that was asked for.
    pub entries: Vec<Entry<T>>,
    /// Where there is more: the id to go on after ([`Page::after`], or [`Page::before`] going backwards).
    ///
    /// A page whose filter fits little ends after
    /// [`PAGE_STEP_ENTRIES_MAX`](crate::limits::PAGE_STEP_ENTRIES_MAX) entries (by text, after
    /// [`PAGE_STEP_TEXTS_MAX`](crate::limits::PAGE_STEP_TEXTS_MAX)), so a page can have fewer
    /// entries than asked for, or none, and still have more behind it.
    pub next: Option<LogId>,
}

/// Which way a page or a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the least to the greatest.
    Forward,
    /// From the greatest to the least.
    Backward,
}

/// Which entries of an owner's log to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub(crate) first: LogId,
    pub(crate) last: LogId,
    pub(crate) direction: Direction,
    pub(crate) limit: usize,
    pub(crate) marks: Marks,
    pub(crate) address: Option<String>,
    pub(crate) text: Option<Vec<Sought>>,
}

impl Page {
    /// The oldest entries, oldest first; at most `limit`.
    #[must_use]
    pub const fn forward(limit: usize) -> Self {
        Self::new(Direction::Forward, limit)
    }

    /// The newest entries, newest first; at most `limit`.
    #[must_use]
    pub const fn backward(limit: usize) -> Self {
        Self::new(Direction::Backward, limit)
    }

    const fn new(direction: Direction, limit: usize) -> Self {
        Self {
            first: LogId::MIN,
            last: LogId::MAX,
            direction,
            limit,
            marks: Marks::NONE,
            address: None,
            text: None,
        }
    }

    /// Only entries after this one.
    #[must_use]
    pub fn after(mut self, id: LogId) -> Self {
        self.first = self.first.max(LogId(id.0.saturating_add(1)));
        self
    }

    /// Only entries before this one.
    #[must_use]
    pub fn before(mut self, id: LogId) -> Self {
        match id.0.checked_sub(1) {
            Some(last) => self.last = self.last.min(LogId(last)),
            None => self.first = LogId(u64::MAX),
        }
        self
    }

    /// Only entries from this time or id on.
    #[must_use]
    pub fn from(mut self, id: LogId) -> Self {
        self.first = self.first.max(id);
        self
    }

    /// Only entries up to this time or id, it included.
    #[must_use]
    pub fn to(mut self, id: LogId) -> Self {
        self.last = self.last.min(id);
        self
    }

    /// Only entries that have all of these marks.
    #[must_use]
    pub const fn with_marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// Only entries of the conversation with this address. Where the backend has an index of words, it is found by that, and
    /// what that has not reached yet by a look at each entry: an index of its own would be a second one in every delivery's
    /// commit.
    #[must_use]
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Only entries whose text ([`Log::text`]) has all words of `text`, in whatever order, case and accents. The last one may
    /// be the beginning of a word, unless something comes after it. In scripts that put no spaces between words, letters
    /// have to stand beside each other as they do in `text`, two by two. Where `text` has no words
    /// ([`has_words`](Self::has_words)), nothing fits.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = Some(sought(text));
        self
    }

    /// Whether [`with_text`](Self::with_text) gave it anything to look for.
    #[must_use]
    pub fn has_words(&self) -> bool {
        self.text.as_ref().is_some_and(|sought| !sought.is_empty())
    }

    /// Whether more has to be known of an entry than its id and its marks.
    pub(crate) fn is_searching(&self) -> bool {
        self.address.is_some() || self.text.is_some()
    }

    /// Entries that are looked at for one page.
    pub(crate) fn step_entries_max(&self) -> usize {
        match self.text {
            Some(_) => PAGE_STEP_TEXTS_MAX,
            None => PAGE_STEP_ENTRIES_MAX,
        }
    }

    /// Whether a text has the words that [`with_text`](Self::with_text) asks for.
    #[must_use]
    pub fn fits(&self, text: Option<&str>) -> bool {
        self.text
            .as_ref()
            .is_none_or(|sought| text.is_some_and(|text| fits(sought, text)))
    }

    /// Whether a payload of this log has the text that is sought.
    pub(crate) fn fits_text(&self, shape: &Shape, payload: &[u8]) -> bool {
        self.text.is_none() || self.fits(shape.text_of(payload).as_deref())
    }

    /// Whether an entry of this id lies within its bounds.
    #[must_use]
    pub fn contains(&self, id: LogId) -> bool {
        self.ids().is_some_and(|ids| ids.contains(&id))
    }

    /// The ids that it looks at; `None` where there are none.
    pub(crate) fn ids(&self) -> Option<RangeInclusive<LogId>> {
        let last = self.last.min(LogId::MAX);
        (self.first <= last).then_some(self.first..=last)
    }
}
