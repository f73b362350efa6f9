//! Records as they lie in a page: <https://sqlite.org/fileformat2.html#record_format>.

use std::cmp::Ordering;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

/// A column's value. The order is SQLite's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// What a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// The row's number, which is not in the record.
    RowId,
    Int,
    IntOrNull,
    Text,
    TextOrNull,
    Blob,
    BlobOrNull,
}

impl Column {
    fn takes(self, value: &Value) -> bool {
        match value {
            Value::Null => matches!(
                self,
                Column::RowId | Column::IntOrNull | Column::TextOrNull | Column::BlobOrNull
            ),
            Value::Int(_) => matches!(self, Column::Int | Column::IntOrNull),
            Value::Text(_) => matches!(self, Column::Text | Column::TextOrNull),
            Value::Blob(_) => matches!(self, Column::Blob | Column::BlobOrNull),
        }
    }
}

/// A number of 1 to 9 bytes, and what follows it.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate().take(9) {
        if place == 8 {
            return Some((number << 8 | u64::from(*byte), &bytes[9..]));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[place + 1..]));
        }
    }
    None
}

/// The columns of a record, if it has exactly these and nothing else.
pub(super) fn read(bytes: &[u8], columns: &[Column]) -> Option<Vec<Value>> {
    let (head_bytes, rest) = varint(bytes)?;
    let head_bytes = usize::try_from(head_bytes).ok()?;
    let taken = bytes.len() - rest.len();
    let mut head = rest.get(..head_bytes.checked_sub(taken)?)?;
    let mut body = bytes.get(head_bytes..)?;
    let mut values = Vec::with_capacity(columns.len());
    for column in columns {
        let kind;
        (kind, head) = varint(head)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 => 8,
            12.. => usize::try_from((kind - 12) / 2).ok()?,
            // Of floating point there is nothing, and the others are not used.
            _ => return None,
        };
        let (content, behind) = body.split_at_checked(length)?;
        body = behind;
        let value = match kind {
            0 => Value::Null,
            8 => Value::Int(0),
            9 => Value::Int(1),
            1..=6 => Value::Int(integer(content)),
            kind if kind % 2 == 0 => Value::Blob(content.to_vec()),
            _ => Value::Text(String::from_utf8(content.to_vec()).ok()?),
        };
        if !column.takes(&value) {
            return None;
        }
        values.push(value);
    }
    (head.is_empty() && body.is_empty()).then_some(values)
}

fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    bytes
        .iter()
        .fold(start, |number, byte| number << 8 | i64::from(*byte))
}

/// Compares by the first columns, which are the key.
pub(super) fn compare(one: &[Value], other: &[Value], key_columns: usize) -> Ordering {
    let key = |values: &[Value]| values.len().min(key_columns);
    one[..key(one)].cmp(&other[..key(other)])
}
