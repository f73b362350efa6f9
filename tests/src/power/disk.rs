//! What a disk may hold after the power went.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use waxwing_testkit::Dice;

use super::{Journal, JournalError, Kind, Record, State};

/// What a disk writes at once or not at all.
const SECTOR_BYTES: u64 = 512;

/// The content of a directory before the recording, all of it durable.
#[derive(Debug)]
pub struct Base {
    root: PathBuf,
    nodes: Vec<Node<'static>>,
    inodes: HashMap<u64, usize>,
}

/// Whether a sync makes anything durable. `Ignored` is a machine whose syncs do nothing: a program that needs them must
/// be caught losing what it acknowledged, or the test proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// A sync that has returned made everything before it durable.
    Honoured,
    /// Nothing after the base is certain to be durable.
    Ignored,
}

/// A disk at one place of the journal.
#[derive(Debug)]
pub struct Disk<'a> {
    syncs: Syncs,
    root: PathBuf,
    records: std::vec::IntoIter<Record<'a>>,
    next: Option<Record<'a>>,
    nodes: Vec<Node<'a>>,
    inodes: HashMap<u64, usize>,
    /// Changes of directory entries in order, over all directories.
    entries: Vec<EntryChange>,
    begun: HashMap<u64, Begun>,
}

/// What a sync that has begun will make durable.
#[derive(Debug)]
struct Begun {
    node: usize,
    changes_before: usize,
}

/// A file or a directory.
#[derive(Clone, Debug)]
enum Node<'a> {
    File {
        durable: Vec<u8>,
        taken: usize,
        pending: Vec<Change<'a>>,
    },
    Directory {
        base: BTreeMap<String, usize>,
        now: BTreeMap<String, usize>,
    },
}

#[derive(Clone, Copy, Debug)]
enum Change<'a> {
    Write { offset: u64, bytes: &'a [u8] },
    Resize { length: u64 },
}

/// Entries that change together; a rename is one change.
#[derive(Debug)]
struct EntryChange {
    parts: Vec<(usize, String, Option<usize>)>,
    durable: bool,
}

/// How much of what was not synced reached the disk.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Nothing,
    Everything,
    /// Each sector by itself, this many of a thousand.
    Sectors(u64),
}

/// Why the disk cannot follow the journal.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The journal speaks of a file that neither the base nor the journal made.
    #[error("the journal at byte {at} speaks of an unknown file")]
    Unknown {
        /// Where the record ends.
        at: u64,
    },
}

impl Base {
    /// Reads a directory that nothing changes meanwhile. Sockets and links are left out.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn read(root: &Path) -> Result<Base, DiskError> {
        let root = root.canonicalize().map_err(|source| DiskError::Io {
            path: root.to_owned(),
            source,
        })?;
        let mut base = Base {
            root: root.clone(),
            nodes: Vec::new(),
            inodes: HashMap::new(),
        };
        base.add(&root)?;
        Ok(base)
    }

    fn add(&mut self, path: &Path) -> Result<Option<usize>, DiskError> {
        let io = |source| DiskError::Io {
            path: path.to_owned(),
            source,
        };
        let meta = fs::symlink_metadata(path).map_err(io)?;
        let node = if meta.is_dir() {
            let place = self.push(
                meta.ino(),
                Node::Directory {
                    base: BTreeMap::new(),
                    now: BTreeMap::new(),
                },
            );
            let mut entries = BTreeMap::new();
            for entry in fs::read_dir(path).map_err(io)? {
                let entry = entry.map_err(io)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.ends_with("-shm") {
                    continue;
                }
                if let Some(child) = self.add(&entry.path())? {
                    entries.insert(name, child);
                }
            }
            self.nodes[place] = Node::Directory {
                base: entries.clone(),
                now: entries,
            };
            return Ok(Some(place));
        } else if meta.is_file() {
            Node::File {
                durable: fs::read(path).map_err(io)?,
                taken: 0,
                pending: Vec::new(),
            }
        } else {
            return Ok(None);
        };
        Ok(Some(self.push(meta.ino(), node)))
    }

    fn push(&mut self, inode: u64, node: Node<'static>) -> usize {
        self.nodes.push(node);
        self.inodes.insert(inode, self.nodes.len() - 1);
        self.nodes.len() - 1
    }
}

impl<'a> Disk<'a> {
    /// The disk before the first record.
    ///
    /// # Errors
    /// [`DiskError::Journal`] if the journal cannot be used.
    pub fn new(base: &Base, journal: &'a Journal, syncs: Syncs) -> Result<Disk<'a>, DiskError> {
        let mut records = journal.records()?.into_iter();
        let next = records.next();
        Ok(Disk {
            syncs,
            root: base.root.clone(),
            records,
            next,
            nodes: base.nodes.clone(),
            inodes: base.inodes.clone(),
            entries: Vec::new(),
            begun: HashMap::new(),
        })
    }

    /// Goes on to the last record that ends at or before `position`.
    ///
    /// # Errors
    /// [`DiskError::Unknown`].
    pub fn advance(&mut self, position: u64) -> Result<(), DiskError> {
        while let Some(record) = self.next.filter(|record| record.end <= position) {
            self.next = self.records.next();
            self.apply(record.kind)
                .ok_or(DiskError::Unknown { at: record.end })?;
        }
        Ok(())
    }

    /// What is on the disk if the power goes here. Each call throws the dice anew.
    pub fn cut(&self, dice: &mut Dice) -> State {
        let rest = match dice.below(6) {
            0 => Rest::Nothing,
            1 => Rest::Everything,
            _ => Rest::Sectors(dice.below(1001)),
        };
        self.state(rest, dice)
    }

    /// What the process itself sees here: everything that it has written.
    #[must_use]
    pub fn written(&self) -> State {
        self.state(Rest::Everything, &mut Dice::new(waxwing_testkit::Seed(0)))
    }

    fn apply(&mut self, kind: Kind<'a>) -> Option<()> {
        match kind {
            Kind::Create { inode, path } => {
                let node = Node::File {
                    durable: Vec::new(),
                    taken: 0,
                    pending: Vec::new(),
                };
                self.make(inode, path, node)?;
            }
            Kind::MakeDirectory { inode, path } => {
                self.make(
                    inode,
                    path,
                    Node::Directory {
                        base: BTreeMap::new(),
                        now: BTreeMap::new(),
                    },
                )?;
            }
            Kind::Write {
                inode,
                offset,
                bytes,
            } => self.change(inode, Change::Write { offset, bytes })?,
            Kind::Resize { inode, length } => self.change(inode, Change::Resize { length })?,
            Kind::Rename { from, to } => {
                let (from_dir, from) = self.entry(from)?;
                let (to_dir, to) = self.entry(to)?;
                let node = self.lookup(from_dir, &from)?;
                self.change_entries(vec![(from_dir, from, None), (to_dir, to, Some(node))])?;
            }
            Kind::Unlink { path } | Kind::RemoveDirectory { path } => {
                let (dir, name) = self.entry(path)?;
                self.lookup(dir, &name)?;
                self.change_entries(vec![(dir, name, None)])?;
            }
            Kind::Link { from, to } => {
                let (from_dir, from) = self.entry(from)?;
                let (to_dir, to) = self.entry(to)?;
                let node = self.lookup(from_dir, &from)?;
                self.change_entries(vec![(to_dir, to, Some(node))])?;
            }
            Kind::SyncBegin { inode, number } => {
                let node = *self.inodes.get(&inode)?;
                let changes_before = match self.nodes.get(node)? {
                    Node::File { taken, pending, .. } => taken + pending.len(),
                    Node::Directory { .. } => self.entries.len(),
                };
                self.begun.insert(
                    number,
                    Begun {
                        node,
                        changes_before,
                    },
                );
            }
            Kind::SyncEnd { number, .. } => {
                let begun = self.begun.remove(&number)?;
                if self.syncs == Syncs::Honoured {
                    self.harden(&begun)?;
                }
            }
        }
        Some(())
    }

    fn harden(&mut self, begun: &Begun) -> Option<()> {
        match self.nodes.get_mut(begun.node)? {
            Node::File {
                durable,
                taken,
                pending,
            } => {
                let count = begun.changes_before.saturating_sub(*taken);
                for change in pending.drain(..count) {
                    match change {
                        Change::Write { offset, bytes } => put(durable, offset, bytes),
                        Change::Resize { length } => durable.resize(size(length), 0),
                    }
                }
                *taken += count;
            }
            Node::Directory { .. } => {
                for change in self.entries.iter_mut().take(begun.changes_before) {
                    change.durable |= change.parts.iter().any(|(dir, ..)| *dir == begun.node);
                }
            }
        }
        Some(())
    }

    fn make(&mut self, inode: u64, path: &str, node: Node<'a>) -> Option<()> {
        let (dir, name) = self.entry(path)?;
        self.nodes.push(node);
        let place = self.nodes.len() - 1;
        self.inodes.insert(inode, place);
        self.change_entries(vec![(dir, name, Some(place))])
    }

    fn change(&mut self, inode: u64, change: Change<'a>) -> Option<()> {
        match self.nodes.get_mut(*self.inodes.get(&inode)?)? {
            Node::File { pending, .. } => pending.push(change),
            Node::Directory { .. } => return None,
        }
        Some(())
    }

    fn change_entries(&mut self, parts: Vec<(usize, String, Option<usize>)>) -> Option<()> {
        for (dir, name, node) in &parts {
            match self.nodes.get_mut(*dir)? {
                Node::Directory { now, .. } => set_entry(now, name, *node),
                Node::File { .. } => return None,
            }
        }
        self.entries.push(EntryChange {
            parts,
            durable: false,
        });
        Some(())
    }

    /// The directory and name that a path means now.
    fn entry(&self, path: &str) -> Option<(usize, String)> {
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        let name = below.file_name()?.to_str()?.to_owned();
        let mut dir = 0;
        for part in below.parent()?.components() {
            dir = self.lookup(dir, part.as_os_str().to_str()?)?;
        }
        Some((dir, name))
    }

    fn lookup(&self, dir: usize, name: &str) -> Option<usize> {
        match self.nodes.get(dir)? {
            Node::Directory { now, .. } => now.get(name).copied(),
            Node::File { .. } => None,
        }
    }

    fn state(&self, rest: Rest, dice: &mut Dice) -> State {
        let mut trees: HashMap<usize, BTreeMap<String, usize>> = HashMap::new();
        // A journalling file system keeps the order of such changes; POSIX does not promise it. Half of the cuts each.
        let kept_in_order = dice
            .chance(500)
            .then(|| dice.within(0..self.entries.len() as u64 + 1));
        for (at, change) in self.entries.iter().enumerate() {
            let happened = change.durable
                || match (rest, kept_in_order) {
                    (Rest::Nothing, _) => false,
                    (Rest::Everything, _) => true,
                    (Rest::Sectors(_), Some(kept)) => (at as u64) < kept,
                    (Rest::Sectors(share), None) => dice.chance(share),
                };
            for (dir, name, node) in change.parts.iter().filter(|_| happened) {
                let tree = trees.entry(*dir).or_insert_with(|| self.base_entries(*dir));
                set_entry(tree, name, *node);
            }
        }
        let mut state = BTreeMap::new();
        let mut open = vec![(PathBuf::new(), 0)];
        while let Some((path, place)) = open.pop() {
            match self.nodes.get(place) {
                Some(Node::Directory { base, .. }) => {
                    let tree = trees.get(&place).unwrap_or(base);
                    open.extend(tree.iter().map(|(name, node)| (path.join(name), *node)));
                    state.insert(path, None);
                }
                Some(Node::File {
                    durable, pending, ..
                }) => {
                    state.insert(path, Some(content(durable, pending, rest, dice)));
                }
                None => {}
            }
        }
        State(state)
    }

    fn base_entries(&self, dir: usize) -> BTreeMap<String, usize> {
        match self.nodes.get(dir) {
            Some(Node::Directory { base, .. }) => base.clone(),
            _ => BTreeMap::new(),
        }
    }
}

fn content(durable: &[u8], pending: &[Change<'_>], rest: Rest, dice: &mut Dice) -> Vec<u8> {
    let mut content = durable.to_vec();
    for change in pending {
        match (*change, rest) {
            (_, Rest::Nothing) => {}
            (Change::Write { offset, bytes }, Rest::Everything) => put(&mut content, offset, bytes),
            (Change::Resize { length }, Rest::Everything) => content.resize(size(length), 0),
            (Change::Resize { length }, Rest::Sectors(share)) => {
                if dice.chance(share) {
                    content.resize(size(length), 0);
                }
            }
            (Change::Write { offset, bytes }, Rest::Sectors(share)) => {
                put_sectors(&mut content, offset, bytes, share, dice);
            }
        }
    }
    content
}

/// Writes some of the sectors. The length, being kept elsewhere, may reach the disk without the bytes.
fn put_sectors(content: &mut Vec<u8>, offset: u64, bytes: &[u8], share: u64, dice: &mut Dice) {
    let (mut at, mut left) = (offset, bytes);
    while !left.is_empty() {
        let to_border = size(SECTOR_BYTES - at % SECTOR_BYTES).min(left.len());
        let (sector, after) = left.split_at(to_border);
        if dice.chance(share) {
            put(content, at, sector);
        }
        at += sector.len() as u64;
        left = after;
    }
    if content.len() < size(at) && dice.chance(250) {
        content.resize(size(at), 0);
    }
}

fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = size(offset);
    if content.len() < start + bytes.len() {
        content.resize(start + bytes.len(), 0);
    }
    content[start..start + bytes.len()].copy_from_slice(bytes);
}

fn set_entry(tree: &mut BTreeMap<String, usize>, name: &str, node: Option<usize>) {
    match node {
        Some(node) => tree.insert(name.to_owned(), node),
        None => tree.remove(name),
    };
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
