//! Questions that are asked between batches, and see what was submitted before them and nothing else.

use bytes::Bytes;

use super::apply::Apply;
use super::fault::Fault;
use super::read::{self, now};
use crate::backend::{Get, IdOf, Query};
use crate::error::StoreError;
use crate::log::LogId;
use crate::owner::Owner;

/// A question, and how many of the group's batches were submitted before it.
pub(super) struct Between {
    pub(super) after: usize,
    /// `None` once it is answered.
    pub(super) query: Option<Query>,
}

impl Between {
    /// Whose rows or entries have to be known, where it can be answered from the stage.
    pub(super) fn point_owner(&self) -> Option<&Owner> {
        match &self.query {
            Some(Query::Get(query, _)) => Some(&query.owner),
            Some(Query::IdOf(query, _)) => Some(&query.owner),
            _ => None,
        }
    }

    /// Whether what is staged has to be written before it can be answered.
    pub(super) fn looks_at_database(&self) -> bool {
        matches!(
            self.query,
            Some(Query::Scan(..) | Query::Page(..) | Query::Count(..))
        )
    }
}

impl Apply<'_> {
    /// Answers a question. One that looks at the database sees what is written there.
    pub(super) async fn answer(&mut self, between: &mut Between) -> Result<(), Fault> {
        let Some(query) = &between.query else {
            return Ok(());
        };
        match query {
            Query::Get(get, _) => {
                let answer = refused(self.value(get).await)?;
                if let Some(Query::Get(_, reply)) = between.query.take() {
                    reply.send(answer);
                }
            }
            Query::IdOf(id_of, _) => {
                let answer = refused(self.id_of(id_of).await)?;
                if let Some(Query::IdOf(_, reply)) = between.query.take() {
                    reply.send(answer);
                }
            }
            Query::LastLogId(_) => {
                if let Some(Query::LastLogId(reply)) = between.query.take() {
                    reply.send(Ok(self.stage.last_log_id));
                }
            }
            query => {
                let found = refused(read::answer(self.session, self.shapes, query).await)?;
                if let Some(query) = between.query.take() {
                    match found {
                        Ok(found) => found(query),
                        Err(error) => query.fail(error),
                    }
                }
            }
        }
        Ok(())
    }

    async fn value(&mut self, get: &Get) -> Result<Option<Bytes>, Fault> {
        let shape = self.shapes.table(get.shape)?.id;
        let Some(owner) = self.known_owner(&get.owner).await? else {
            return Ok(None);
        };
        let row = self.row(&(shape, owner, get.key.clone())).await?;
        let row = row.filter(|row| row.is_live(now(get.now_micros)));
        Ok(row.map(|row| Bytes::from(row.value)))
    }

    async fn id_of(&mut self, id_of: &IdOf) -> Result<Option<LogId>, Fault> {
        let log = self.shapes.log(id_of.shape)?;
        let Some(owner) = self.known_owner(&id_of.owner).await? else {
            return Ok(None);
        };
        self.unique_id((log, owner, id_of.unique.clone())).await
    }
}

/// What concerns only this question is its answer.
fn refused<T>(answer: Result<T, Fault>) -> Result<Result<T, StoreError>, Fault> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(Fault::Refused(error)) => Ok(Err(error)),
        Err(fault) => Err(fault),
    }
}
