//! Removing what deleted owners had, in steps.

use super::fault::Fault;
use super::flush::{Turn, flush};
use super::stage::{FoundEntry, IndexPlace, Stage};
use super::word_index::{WordChanges, remove_some};
use super::writer::Writer;
use crate::blob::BlobHash;
use crate::log::Marks;
use crate::numbered::unpack;

/// Rows, entries and references of a deleted owner that are removed with one commit, each: some milliseconds' work,
/// which all wait for.
const GONE_ROWS_MAX: i64 = 500;

const OWNER: &str =
    "SELECT id, former_name FROM waxwing.owner WHERE name IS NULL ORDER BY id LIMIT 1";
const ROWS: &str = "SELECT shape, coalesce(long_key, key), index_keys FROM waxwing.table_row
    WHERE shape = ANY($1) AND owner = $2 LIMIT $3";
const ENTRIES: &str =
    "SELECT log, id FROM waxwing.log_entry WHERE log = ANY($1) AND owner = $2 LIMIT $3";
const REFERENCES: &str = "SELECT hash FROM waxwing.blob_ref WHERE owner = $1 LIMIT $2";
const FORGET: &str = "DELETE FROM waxwing.owner WHERE id = $1";

impl Writer {
    /// Removes a part of what a deleted owner had, with a commit; gives the blobs that lost a reference.
    pub(super) async fn gone_step(&mut self) -> Result<Vec<BlobHash>, Fault> {
        self.connection.prepare().await?;
        let session = self.connection.session()?;
        session.client.batch_execute("BEGIN").await?;
        let owners = session.query(OWNER, &[]).await?;
        let Some(owner) = owners.first() else {
            session.client.batch_execute("COMMIT").await?;
            self.state.owners_gone = false;
            return Ok(Vec::new());
        };
        let (owner, name): (i64, Vec<u8>) = (owner.try_get(0)?, owner.try_get(1)?);
        let mut stage = Stage::new(self.state.last_log_id, self.state.next_owner);
        let shapes: Vec<i64> = self.shapes.0.values().map(|shape| shape.id).collect();
        for row in session
            .query(ROWS, &[&shapes, &owner, &GONE_ROWS_MAX])
            .await?
        {
            let key: Vec<u8> = row.try_get(1)?;
            let index_keys: Option<&[u8]> = row.try_get(2)?;
            for index_key in index_keys.map(unpack).unwrap_or_default() {
                let place = IndexPlace {
                    key: index_key,
                    owner_name: name.clone(),
                    row_key: key.clone(),
                    owner,
                };
                stage.index.set(place, false);
            }
            stage.rows.set((row.try_get(0)?, owner, key), None);
        }
        for row in session
            .query(ENTRIES, &[&shapes, &owner, &GONE_ROWS_MAX])
            .await?
        {
            let at = (row.try_get(0)?, owner, row.try_get(1)?);
            // Whatever marks it has, they go with it.
            let found = FoundEntry {
                marks: Marks::ARCHIVED | Marks::UNDELIVERED,
                unique: None,
            };
            stage.found.entries.insert(at, Some(found));
            stage.entries.set(at, None);
        }
        let mut freed = Vec::new();
        for row in session.query(REFERENCES, &[&owner, &GONE_ROWS_MAX]).await? {
            if let Ok(hash) = row.try_get::<_, &[u8]>(0)?.try_into() {
                stage.references.set((owner, hash), 0);
                freed.push(BlobHash(hash));
            }
        }
        let has_no_words = remove_some(session, owner).await?;
        if !stage.is_changed() && has_no_words {
            session.execute(FORGET, &[&owner]).await?;
        }
        let turn = Turn {
            commits: self.state.commits + 1,
            starts: self.state.starts,
            last_log_id: self.state.last_log_id,
        };
        flush(session, &stage, WordChanges::default(), turn).await?;
        self.state.commits = turn.commits;
        Ok(freed)
    }
}
