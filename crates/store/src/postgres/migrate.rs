//! Bringing what is stored to what is declared, in the transaction in which a database is opened.

use std::collections::BTreeMap;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::key::{form, long};
use super::open::Refusal;
use super::session::Session;
use super::stage::IndexPlace;
use crate::error::OpenError;
use crate::numbered::{Numbered, NumberedIndex, Shapes, Stored, check, kind_number, pack, same};
use crate::owner::Owner;
use crate::shape::{Migration, Row, Shape, ShapeKind, Verdict};

/// Rows that are read before they are written.
const ROWS_AT_A_TIME: i64 = 1_000;

const SHAPES: &str = "SELECT name, id, kind, version FROM waxwing.shape";
const INDEXES: &str = "SELECT shape, id, name, is_unique FROM waxwing.shape_index ORDER BY id";
/// Greater than any that has rows, be they those of an older version that are about to go.
const NEXT_SHAPE: &str = "SELECT 1 + greatest((SELECT max(id) FROM waxwing.shape),
    (SELECT max(shape) FROM waxwing.table_row), (SELECT max(log) FROM waxwing.log_entry), 0)";
pub(super) const NEW_SHAPE: &str =
    "INSERT INTO waxwing.shape (id, name, kind, version) VALUES ($1, $2, $3, $4)";
const NEW_INDEX: &str =
    "INSERT INTO waxwing.shape_index (shape, name, is_unique) VALUES ($1, $2, $3) RETURNING id";
const OLD_ROWS: &str =
    "SELECT r.owner, r.key, coalesce(r.long_key, r.key), r.value, r.expires, o.name
    FROM waxwing.table_row r LEFT JOIN waxwing.owner o ON o.id = r.owner
    WHERE r.shape = $1 AND (r.owner, r.key) > ($2, $3) ORDER BY r.owner, r.key LIMIT $4";
const PUT_ROWS: &str = "INSERT INTO waxwing.table_row (shape, owner, key, long_key, value, expires, index_keys)
    SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bytea[])";
const PUT_KEYS: &str = "INSERT INTO waxwing.index_key (idx, key, owner_name, row_key, owner, long_key, long_row)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[])
    ON CONFLICT DO NOTHING";
const TWICE: &str =
    "SELECT FROM waxwing.index_key WHERE idx = $1 GROUP BY key HAVING count(*) > 1 LIMIT 1";
const OLD_ENTRIES: &str =
    "SELECT e.owner, e.id, e.payload, o.name IS NOT NULL FROM waxwing.log_entry e
    LEFT JOIN waxwing.owner o ON o.id = e.owner
    WHERE e.log = $1 AND (e.owner, e.id) > ($2, $3) ORDER BY e.owner, e.id LIMIT $4";
const PUT_PAYLOADS: &str = "UPDATE waxwing.log_entry e SET payload = d.payload
    FROM unnest($2::bigint[], $3::bigint[], $4::bytea[]) AS d(owner, id, payload)
    WHERE e.log = $1 AND e.owner = d.owner AND e.id = d.id";
const DROP_ENTRIES: &str = "WITH gone AS (DELETE FROM waxwing.log_entry e
        USING unnest($2::bigint[], $3::bigint[]) AS d(owner, id)
        WHERE e.log = $1 AND e.owner = d.owner AND e.id = d.id RETURNING e.owner, e.id)
    DELETE FROM waxwing.log_undelivered u USING gone WHERE u.log = $1 AND u.owner = gone.owner AND u.id = gone.id";

/// The stored shapes, by name.
pub(super) async fn stored(session: &Session) -> Result<BTreeMap<String, Stored>, Error> {
    let mut all = BTreeMap::new();
    for row in session.query(SHAPES, &[]).await? {
        let stored = Stored {
            id: row.try_get(1)?,
            kind: row.try_get(2)?,
            // A number of ours, or of a newer program.
            version: u32::try_from(row.try_get::<_, i64>(3)?).unwrap_or(u32::MAX),
            indexes: Vec::new(),
        };
        all.insert(row.try_get(0)?, stored);
    }
    for row in session.query(INDEXES, &[]).await? {
        let shape: i64 = row.try_get(0)?;
        if let Some(stored) = all.values_mut().find(|stored| stored.id == shape) {
            let index = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            stored.indexes.push(index);
        }
    }
    Ok(all)
}

/// Brings everything to what is declared.
pub(super) async fn migrate(
    session: &Session,
    declared: &BTreeMap<&'static str, Shape>,
) -> Result<Shapes, Refusal> {
    let stored = stored(session).await?;
    check(&stored, declared)?;
    let mut shapes = Shapes::default();
    for shape in declared.values() {
        let numbered = migrate_shape(session, shape, stored.get(shape.name)).await?;
        shapes.0.insert(shape.name, numbered);
    }
    Ok(shapes)
}

async fn migrate_shape(
    session: &Session,
    shape: &Shape,
    stored: Option<&Stored>,
) -> Result<Numbered, Refusal> {
    let Some(stored) = stored else {
        return Ok(create(session, shape).await?);
    };
    let steps = shape.steps_from(stored.version)?;
    if steps.is_empty()
        && let Some(numbered) = same(shape, stored)
    {
        return Ok(numbered);
    }
    tracing::info!(
        shape = shape.name,
        from = stored.version,
        to = shape.version,
        "migrating"
    );
    if shape.kind == ShapeKind::Log {
        migrate_log(session, shape, stored.id, steps).await?;
        let version = i64::from(shape.version);
        session
            .execute(
                "UPDATE waxwing.shape SET version = $2 WHERE id = $1",
                &[&stored.id, &version],
            )
            .await?;
        return Ok(Numbered {
            id: stored.id,
            shape: shape.clone(),
            indexes: Vec::new(),
        });
    }
    let indexes: Vec<i64> = stored.indexes.iter().map(|(id, ..)| *id).collect();
    session
        .execute("DELETE FROM waxwing.shape WHERE id = $1", &[&stored.id])
        .await?;
    session
        .execute(
            "DELETE FROM waxwing.shape_index WHERE shape = $1",
            &[&stored.id],
        )
        .await?;
    session
        .execute(
            "DELETE FROM waxwing.index_key WHERE idx = ANY($1)",
            &[&indexes],
        )
        .await?;
    let numbered = create(session, shape).await?;
    migrate_table(session, &numbered, stored.id, steps).await?;
    session
        .execute(
            "DELETE FROM waxwing.table_row WHERE shape = $1",
            &[&stored.id],
        )
        .await?;
    Ok(numbered)
}

/// Stores a shape under new numbers.
async fn create(session: &Session, shape: &Shape) -> Result<Numbered, Error> {
    let id: i64 = session
        .client
        .query_one(NEXT_SHAPE, &[])
        .await?
        .try_get(0)?;
    let (kind, version) = (kind_number(shape.kind), i64::from(shape.version));
    session
        .execute(NEW_SHAPE, &[&id, &shape.name, &kind, &version])
        .await?;
    let mut indexes = Vec::new();
    for index in &shape.indexes {
        let row = session
            .client
            .query_one(NEW_INDEX, &[&id, &index.name, &index.unique])
            .await?;
        indexes.push(NumberedIndex {
            id: row.try_get(0)?,
            name: index.name,
            unique: index.unique,
        });
    }
    Ok(Numbered {
        id,
        shape: shape.clone(),
        indexes,
    })
}

/// Rows on their way to the new number, as columns.
#[derive(Default)]
struct NewRows {
    owners: Vec<i64>,
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
    expires: Vec<Option<i64>>,
    index_keys: Vec<Option<Vec<u8>>>,
    places: Vec<IndexPlace>,
}

/// Brings each row to the new number. Rows of deleted owners stay behind, and go with the old number.
async fn migrate_table(
    session: &Session,
    shape: &Numbered,
    from: i64,
    steps: &[Migration],
) -> Result<(), Refusal> {
    let (mut owner, mut key): (i64, Vec<u8>) = (0, Vec::new());
    loop {
        let rows = session
            .query(OLD_ROWS, &[&from, &owner, &key, &ROWS_AT_A_TIME])
            .await?;
        let Some(last) = rows.last() else { break };
        (owner, key) = (last.try_get(0)?, last.try_get(1)?);
        let mut new = NewRows::default();
        for row in &rows {
            let name: Option<&[u8]> = row.try_get(5)?;
            let Some(name) = name.and_then(Owner::from_bytes) else {
                continue;
            };
            let mut old = Row {
                key: row.try_get(2)?,
                value: row.try_get(3)?,
            };
            if shape.shape.step(&mut old, steps)? == Verdict::Keep {
                new.push(shape, row.try_get(0)?, &name, old, row.try_get(4)?)?;
            }
        }
        new.write(session, shape).await?;
    }
    for index in shape.indexes.iter().filter(|index| index.unique) {
        if !session.query(TWICE, &[&index.id]).await?.is_empty() {
            return Err(OpenError::MigrationTaken {
                shape: shape.shape.name,
                index: index.name,
            }
            .into());
        }
    }
    Ok(())
}

impl NewRows {
    fn push(
        &mut self,
        shape: &Numbered,
        owner: i64,
        name: &Owner,
        row: Row,
        expires: Option<i64>,
    ) -> Result<(), OpenError> {
        let mut keys = Vec::new();
        for (index, key) in shape.shape.migrated_index_keys(&row)? {
            let missing = OpenError::Declared {
                shape: shape.shape.name,
                reason: "an index is not declared",
            };
            let index = shape.index(index).map_err(|_| missing)?.id;
            self.places.push(IndexPlace {
                key: (index, key.clone()),
                owner_name: name.as_bytes().to_vec(),
                row_key: row.key.clone(),
                owner,
            });
            keys.push((index, key));
        }
        self.owners.push(owner);
        self.keys.push(row.key);
        self.values.push(row.value);
        self.expires.push(expires);
        self.index_keys.push(pack(&keys));
        Ok(())
    }

    async fn write(&self, session: &Session, shape: &Numbered) -> Result<(), Refusal> {
        let forms = |keys: &mut dyn Iterator<Item = &Vec<u8>>| -> Vec<Vec<u8>> {
            keys.map(|key| form(key).into_owned()).collect()
        };
        let keys = forms(&mut self.keys.iter());
        let long_keys: Vec<_> = self.keys.iter().map(|key| long(key)).collect();
        let put = session
            .execute(
                PUT_ROWS,
                &[
                    &shape.id,
                    &self.owners,
                    &keys,
                    &long_keys,
                    &self.values,
                    &self.expires,
                    &self.index_keys,
                ],
            )
            .await;
        match put {
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                return Err(OpenError::MigrationTaken {
                    shape: shape.shape.name,
                    index: "key",
                }
                .into());
            }
            put => put?,
        };
        let places = &self.places;
        let indexes: Vec<i64> = places.iter().map(|place| place.key.0).collect();
        let keys = forms(&mut places.iter().map(|place| &place.key.1));
        let names = forms(&mut places.iter().map(|place| &place.owner_name));
        let rows = forms(&mut places.iter().map(|place| &place.row_key));
        let owners: Vec<i64> = places.iter().map(|place| place.owner).collect();
        let long_keys: Vec<_> = places.iter().map(|place| long(&place.key.1)).collect();
        let long_rows: Vec<_> = places.iter().map(|place| long(&place.row_key)).collect();
        session
            .execute(
                PUT_KEYS,
                &[
                    &indexes, &keys, &names, &rows, &owners, &long_keys, &long_rows,
                ],
            )
            .await?;
        Ok(())
    }
}

/// Changes the payloads of a log where they are; those of deleted owners are on their way out.
async fn migrate_log(
    session: &Session,
    shape: &Shape,
    log: i64,
    steps: &[Migration],
) -> Result<(), Refusal> {
    let (mut owner, mut id) = (0_i64, -1_i64);
    loop {
        let rows = session
            .query(OLD_ENTRIES, &[&log, &owner, &id, &ROWS_AT_A_TIME])
            .await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        (owner, id) = (last.try_get(0)?, last.try_get(1)?);
        let mut kept: (Vec<i64>, Vec<i64>, Vec<Vec<u8>>) = Default::default();
        let mut dropped: (Vec<i64>, Vec<i64>) = Default::default();
        for row in &rows {
            if !row.try_get::<_, bool>(3)? {
                continue;
            }
            let mut old = Row {
                key: Vec::new(),
                value: row.try_get(2)?,
            };
            let (owner, id) = (row.try_get(0)?, row.try_get(1)?);
            if shape.step(&mut old, steps)? == Verdict::Keep {
                kept.0.push(owner);
                kept.1.push(id);
                kept.2.push(old.value);
            } else {
                dropped.0.push(owner);
                dropped.1.push(id);
            }
        }
        session
            .execute(PUT_PAYLOADS, &[&log, &kept.0, &kept.1, &kept.2])
            .await?;
        session
            .execute(DROP_ENTRIES, &[&log, &dropped.0, &dropped.1])
            .await?;
    }
}
