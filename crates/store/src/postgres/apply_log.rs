//! Batches on the stage: logs.

use super::apply::Apply;
use super::fault::Fault;
use super::fetch;
use super::read::sql_id;
use super::stage::{Body, EntryAt, StagedEntry, UniqueAt};
use crate::batch::Appended;
use crate::error::StoreError;
use crate::log::{LogId, Marks};
use crate::op::NewEntry;
use crate::owner::Owner;

impl Apply<'_> {
    pub(super) async fn append(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        entry: &NewEntry,
    ) -> Result<Appended, Fault> {
        let log = self.shapes.log(shape)?;
        if let Some(unique) = &entry.unique
            && let Some(owner) = self.known_owner(owner).await?
            && let Some(known) = self.unique_id((log, owner, unique.clone())).await?
        {
            return Ok(Appended::Known(known));
        }
        let new = Appended::New(entry.id);
        if entry.marks == Marks::NONE {
            return Ok(new);
        }
        let owner = self.owner(owner).await?;
        let at = (log, owner, sql_id(entry.id));
        // Beyond the greatest id there is none that could have been taken.
        if entry.id <= self.stage.last_log_id && self.entry(&at).await?.is_some() {
            return Err(StoreError::IdTaken { shape }.into());
        }
        if let Some(unique) = &entry.unique {
            let unique_at = (log, owner, unique.clone());
            self.stage.uniques.set(unique_at, Some(at.2));
        }
        let staged = StagedEntry {
            marks: entry.marks,
            unique: entry.unique.clone(),
            body: Body::New {
                address: entry.address.clone(),
                payload: entry.payload.clone(),
            },
        };
        self.stage.entries.set(at, Some(staged));
        self.stage.last_log_id = self.stage.last_log_id.max(entry.id);
        Ok(new)
    }

    /// The entry that has a unique key.
    pub(super) async fn unique_id(&mut self, at: UniqueAt) -> Result<Option<LogId>, Fault> {
        let id = |id: i64| LogId(id.unsigned_abs());
        if let Some(staged) = self.stage.uniques.get(&at) {
            return Ok(staged.map(id));
        }
        if self.stage.is_born(at.1) {
            return Ok(None);
        }
        if !self.stage.found.uniques.contains_key(&at) {
            let wanted = fetch::Wanted {
                uniques: [at.clone()].into(),
                ..fetch::Wanted::default()
            };
            fetch::all(self.session, wanted, &mut self.stage.found).await?;
        }
        let found = self.stage.found.uniques.get(&at).copied().flatten();
        Ok(found.map(id))
    }

    /// An entry as the batches before left it.
    async fn entry(&mut self, at: &EntryAt) -> Result<Option<StagedEntry>, Fault> {
        if let Some(staged) = self.stage.entries.get(at) {
            return Ok(staged.clone());
        }
        if self.stage.is_born(at.1) {
            return Ok(None);
        }
        if !self.stage.found.entries.contains_key(at) {
            let wanted = fetch::Wanted {
                entries: [*at].into(),
                ..fetch::Wanted::default()
            };
            fetch::all(self.session, wanted, &mut self.stage.found).await?;
        }
        let found = self.stage.found.entries.get(at).cloned().flatten();
        Ok(found.map(|found| StagedEntry {
            marks: found.marks,
            unique: found.unique,
            body: Body::Stored,
        }))
    }

    pub(super) async fn clear_marks(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        ids: &[LogId],
        marks: Marks,
    ) -> Result<u64, Fault> {
        let log = self.shapes.log(shape)?;
        let Some(owner) = self.known_owner(owner).await? else {
            return Ok(0);
        };
        let mut changed = 0;
        for id in ids {
            let cleared = self.clear((log, owner, sql_id(*id)), marks).await?;
            changed += u64::from(cleared);
        }
        Ok(changed)
    }

    /// Clears marks of one entry; whether it had any of them.
    pub(super) async fn clear(&mut self, at: EntryAt, marks: Marks) -> Result<bool, Fault> {
        let Some(entry) = self.entry(&at).await? else {
            return Ok(false);
        };
        let left = entry.marks.without(marks);
        if left == entry.marks {
            return Ok(false);
        }
        if left == Marks::NONE {
            self.remove_entry(at).await?;
        } else {
            let entry = StagedEntry {
                marks: left,
                ..entry
            };
            self.stage.entries.set(at, Some(entry));
        }
        Ok(true)
    }

    pub(super) async fn replace(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        id: LogId,
        payload: &[u8],
    ) -> Result<u64, Fault> {
        let log = self.shapes.log(shape)?;
        let Some(owner) = self.known_owner(owner).await? else {
            return Ok(0);
        };
        let at = (log, owner, sql_id(id));
        let Some(entry) = self.entry(&at).await? else {
            return Ok(0);
        };
        let payload = payload.to_vec();
        let body = match entry.body {
            Body::Stored | Body::Replaced(_) => Body::Replaced(payload),
            Body::New { address, .. } => Body::New { address, payload },
        };
        let entry = StagedEntry { body, ..entry };
        self.stage.entries.set(at, Some(entry));
        Ok(1)
    }

    /// Removes an entry with its unique key.
    pub(super) async fn remove_entry(&mut self, at: EntryAt) -> Result<(), Fault> {
        if let Some(entry) = self.entry(&at).await? {
            if let Some(unique) = entry.unique {
                self.stage.uniques.set((at.0, at.1, unique), None);
            }
            self.stage.entries.set(at, None);
        }
        Ok(())
    }
}
