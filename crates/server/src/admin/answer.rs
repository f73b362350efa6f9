//! What commands answer.

use serde_json::Value;

/// A member of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// What it is.
    pub shape: Shape,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
    /// Texts.
    Texts,
    /// Objects with these members.
    List(&'static [Member]),
    /// This, or null.
    Maybe(&'static Shape),
}

/// A member.
pub const fn member(name: &'static str, shape: Shape, doc: &'static str) -> Member {
    Member { name, doc, shape }
}

/// What is said of the member that leads to the next page.
pub(crate) const NEXT: Member = member(
    "next",
    Shape::Maybe(&Shape::Text),
    "The cursor of the next page; null with the last one.",
);

impl Shape {
    /// Whether a value is such.
    pub fn admits(&self, value: &Value) -> bool {
        match self {
            Shape::Text => value.is_string(),
            Shape::Number => value.is_i64() || value.is_u64(),
            Shape::Flag => value.is_boolean(),
            Shape::Texts => value
                .as_array()
                .is_some_and(|all| all.iter().all(Value::is_string)),
            Shape::List(members) => value
                .as_array()
                .is_some_and(|all| all.iter().all(|one| admits(members, one))),
            Shape::Maybe(shape) => value.is_null() || shape.admits(value),
        }
    }
}

/// Whether an answer has these members and no others.
pub fn admits(members: &[Member], answer: &Value) -> bool {
    let Some(object) = answer.as_object() else {
        return false;
    };
    let all = members.iter().all(|member| {
        let value = object.get(member.name);
        value.is_some_and(|value| member.shape.admits(value))
    });
    all && object.len() == members.len()
}
