//! The database as its file and its write-ahead log make it, page by page. Nothing is opened for writing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::ahead::{WriteAhead, be};
use super::super::ahead_index::AheadIndex;
use super::super::open::{APPLICATION_ID, LAYOUT};

/// What SQLite takes by default, and every database of ours has.
pub(in super::super) const PAGE_BYTES: usize = 4_096;
/// The page that SQLite locks bytes of, and that is never used: it holds this place of the file.
const LOCKED_AT: u64 = 0x4000_0000;

/// What never changes in the first hundred bytes of a database of ours: where, what, and its name.
const CONSTANT: &[(usize, &[u8], &str)] = &[
    (0, b"SQLite format 3\0", "what kind of file it is"),
    (16, &[0x10, 0], "the size of its pages"),
    (18, &[2, 2], "that it has a write-ahead log"),
    (20, &[0, 64, 32, 32], "how its pages are filled"),
    (44, &[0, 0, 0, 4], "the format of its tables"),
    (52, &[0, 0, 0, 0], "that its pages stay in place"),
    (56, &[0, 0, 0, 1], "that its text is UTF-8"),
    (60, &LAYOUT.to_be_bytes(), LAYOUT_NAME),
    (64, &[0, 0, 0, 0], "that its pages stay in place"),
    (68, &APPLICATION_ID.to_be_bytes(), "whose file it is"),
    (72, &[0; 20], "what is left empty"),
];

const LAYOUT_NAME: &str = "its layout";

/// A page, or why there is none.
pub(super) enum Read {
    Whole(Vec<u8>),
    /// The file ends before it, or inside it.
    Missing,
    /// The disk does not give it.
    Unreadable,
}

pub(in super::super) struct Image {
    file: File,
    pub(in super::super) ahead: Option<WriteAhead>,
    pub(in super::super) index: Option<AheadIndex>,
    /// Pages that there should be.
    pub(super) pages: u32,
    /// Pages that the database's file has.
    pub(super) in_file: u32,
    /// Fields of the first hundred bytes that are not what they always are.
    wrong_fields: Vec<&'static str>,
    pub(in super::super) layout: u32,
    pub(super) is_marked: bool,
    pub(super) free_first: u32,
    pub(super) free_count: u32,
}

impl Image {
    pub(in super::super) fn open(database: &Path) -> io::Result<Self> {
        let file = File::open(database)?;
        let length = file.metadata()?.len();
        let in_file = u32::try_from(length.div_ceil(PAGE_BYTES as u64)).unwrap_or(u32::MAX);
        let index = AheadIndex::read(database, PAGE_BYTES);
        let ahead = WriteAhead::read(database, PAGE_BYTES, index.as_ref())?;
        let mut image = Self {
            file,
            ahead,
            index,
            pages: in_file,
            in_file,
            wrong_fields: Vec::new(),
            layout: LAYOUT,
            is_marked: false,
            free_first: 0,
            free_count: 0,
        };
        if let Read::Whole(first) = image.page(1) {
            image.layout = be(&first, 60);
            let differs = |field: &&(usize, &[u8], _)| {
                first.get(field.0..field.0 + field.1.len()) != Some(field.1)
            };
            image.wrong_fields = CONSTANT
                .iter()
                .filter(differs)
                // A greater one is no damage, but of a newer program.
                .filter(|field| field.2 != LAYOUT_NAME || image.layout < LAYOUT)
                .map(|field| field.2)
                .collect();
            image.is_marked = be(&first, 68) == APPLICATION_ID;
            image.free_first = be(&first, 32);
            image.free_count = be(&first, 36);
            image.pages = be(&first, 28);
            // Where both do not agree, more is looked at rather than less; absurd numbers are not believed.
            let believed = in_file.saturating_add(1 << 20);
            if image.pages < in_file || image.pages > believed {
                image.pages = in_file;
            }
        }
        if let Some(ahead) = &image.ahead
            && let Some(pages) = ahead.pages
        {
            // Every page that a commit adds is in the log.
            let most = u64::from(in_file).saturating_add(ahead.frames);
            image.pages = u32::try_from(most).map_or(pages, |most| pages.min(most));
        }
        Ok(image)
    }

    /// How large it is with its log.
    pub(in super::super) fn bytes(&self) -> u64 {
        u64::from(self.pages) * PAGE_BYTES as u64
    }

    /// What the first hundred bytes do not say as they should, in words.
    pub(in super::super) fn wrong_header(&self) -> Option<String> {
        let wrong = &self.wrong_fields;
        (!wrong.is_empty()).then(|| format!("its first bytes do not say {}", wrong.join(", ")))
    }

    /// How many pages there are, and how many the header counts, where that is not the same and no log says more.
    pub(in super::super) fn wrong_length(&self) -> Option<(u32, u32)> {
        let both = (self.in_file, self.counted());
        (self.ahead.is_none() && both.0 != both.1).then_some(both)
    }

    /// How many pages the header counts.
    fn counted(&self) -> u32 {
        match self.page(1) {
            Read::Whole(first) => be(&first, 28),
            _ => self.pages,
        }
    }

    pub(super) fn page(&self, number: u32) -> Read {
        let logged = self.ahead.as_ref().map(|ahead| ahead.page(number));
        match logged {
            Some(Ok(Some(bytes))) => return Read::Whole(bytes),
            Some(Err(_)) => return Read::Unreadable,
            _ => {}
        }
        let mut bytes = vec![0; PAGE_BYTES];
        let offset = (u64::from(number) - 1) * PAGE_BYTES as u64;
        match self.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Read::Whole(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Read::Missing,
            Err(_) => Read::Unreadable,
        }
    }

    /// Whether it is a page that can belong to something.
    pub(super) fn is_page(&self, number: u32) -> bool {
        (2..=self.pages).contains(&number) && u64::from(number) != LOCKED_AT / PAGE_BYTES as u64 + 1
    }
}
