//! Backups of the double: the same bytes as any backend writes for the same content.

use std::collections::{BTreeMap, BTreeSet};

use super::Inner;
use crate::backend::{BackupOut, BackupOutcome, BlobFiles};
use crate::backup::{BackupAbout, BackupError, Dump, EntryRecord, Header, HeaderShape, RowRecord};
use crate::blob::BlobHash;
use crate::owner::Owner;
use crate::shape::ShapeKind;

impl Inner {
    /// Writes what is durable.
    pub(super) fn backup(&self, out: &mut BackupOut, about: BackupAbout) -> BackupOutcome {
        let header = self.header(about);
        let mut dump = Dump::begin(out, &header)?;
        let written = self.dump(&mut dump);
        match written {
            Ok(()) => dump.end(&header),
            Err(error) => {
                let _told = dump.give_up(&error);
                Err(error)
            }
        }
    }

    fn seen(&self) -> &super::State {
        self.durable.as_ref().unwrap_or(&self.staged)
    }

    fn hashes(&self) -> BTreeSet<BlobHash> {
        let held = self.seen().references.values();
        held.flat_map(|held| held.keys().copied()).collect()
    }

    fn header(&self, about: BackupAbout) -> Header {
        let state = self.seen();
        let shapes = state.stored.iter().map(|(name, shape)| {
            let rows = state.tables.get(name).into_iter().flatten();
            let rows: usize = rows.map(|(_, rows)| rows.len()).sum();
            let logs = state.logs.get(name).into_iter().flatten();
            let entries: usize = logs.map(|(_, log)| log.entries.len()).sum();
            HeaderShape {
                name: (*name).to_owned(),
                is_log: shape.kind == ShapeKind::Log,
                version: shape.version,
                records: (rows + entries) as u64,
            }
        });
        let references: usize = state.references.values().map(BTreeMap::len).sum();
        Header {
            product: about.product,
            at_micros: about.at_micros,
            last_log_id: state.last_log_id.0,
            shapes: shapes.collect(),
            references: references as u64,
            blobs: self.hashes().len() as u64,
        }
    }

    fn dump(&self, dump: &mut Dump<'_>) -> Result<(), BackupError> {
        let state = self.seen();
        let mut owners: BTreeSet<&Owner> = state.references.keys().collect();
        owners.extend(state.tables.values().flat_map(|rows| rows.keys()));
        owners.extend(state.logs.values().flat_map(|logs| logs.keys()));
        for owner in owners {
            for (name, place) in state.stored.keys().zip(0_u32..) {
                let rows = state.tables.get(name).and_then(|rows| rows.get(owner));
                for (key, row) in rows.into_iter().flatten() {
                    let record = RowRecord {
                        shape: place,
                        key: key.clone(),
                        value: row.value.to_vec(),
                        expires_micros: row.expires_micros,
                    };
                    dump.row(owner, &record)?;
                }
                let log = state.log(name, owner);
                for (id, entry) in log.into_iter().flat_map(|log| &log.entries) {
                    let record = EntryRecord {
                        shape: place,
                        id: id.0,
                        marks: u32::from(entry.marks.bits()),
                        address: entry.address.clone(),
                        unique: entry.unique.clone(),
                        payload: entry.payload.to_vec(),
                    };
                    dump.entry(owner, &record)?;
                }
            }
            for (hash, count) in state.references.get(owner).into_iter().flatten() {
                dump.reference(owner, hash, *count)?;
            }
        }
        for hash in self.hashes() {
            let length = self.blobs.length(&hash)?.ok_or(BackupError::Blob(hash))?;
            dump.blob(&hash, length, |offset, bytes_max| {
                self.blobs.read(&hash, offset, bytes_max)
            })?;
        }
        Ok(())
    }
}
