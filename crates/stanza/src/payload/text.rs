//! Values that are written as text: in attributes, or as the text of an element.

use std::borrow::Cow;

use crate::{BareJid, FullJid, Jid, JidError};

/// A value that is written as text.
pub trait Text: Sized {
    /// Reads the value.
    ///
    /// # Errors
    ///
    /// [`TextFault`] when the text is no such value.
    fn from_text(text: &str) -> Result<Self, TextFault>;

    /// Writes the value.
    fn to_text(&self) -> Cow<'_, str>;
}

/// Why a text is not a value of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// An address was wanted.
    #[error("no address: {0}")]
    Jid(#[from] JidError),
    /// A number within the type's bounds was wanted.
    #[error("no number, or one out of bounds")]
    Number,
    /// `true`, `false`, `1` or `0` was wanted.
    #[error("no boolean")]
    Boolean,
    /// One of a few words was wanted.
    #[error("none of the words that are allowed")]
    Keyword,
    /// A date and time of XEP-0082 was wanted.
    #[error("no date and time")]
    DateTime,
}

impl Text for String {
    fn from_text(text: &str) -> Result<String, TextFault> {
        Ok(text.to_owned())
    }

    fn to_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

/// A text that does not show in logs: its `Debug` form says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Text for Secret {
    fn from_text(text: &str) -> Result<Secret, TextFault> {
        Ok(Secret(text.to_owned()))
    }

    fn to_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

/// XML Schema part 2 §3.2.2: four ways to say two things.
impl Text for bool {
    fn from_text(text: &str) -> Result<bool, TextFault> {
        match text.trim_ascii() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(TextFault::Boolean),
        }
    }

    fn to_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(if *self { "true" } else { "false" })
    }
}

macro_rules! numbers {
    ($($name:ident)+) => {$(
        impl Text for $name {
            fn from_text(text: &str) -> Result<$name, TextFault> {
                text.trim_ascii().parse().map_err(|_| TextFault::Number)
            }

            fn to_text(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }
    )+};
}

numbers!(i8 u8 u16 u32 u64);

macro_rules! addresses {
    ($($name:ident)+) => {$(
        impl Text for $name {
            fn from_text(text: &str) -> Result<$name, TextFault> {
                Ok($name::new(text)?)
            }

            fn to_text(&self) -> Cow<'_, str> {
                Cow::Borrowed(self.as_str())
            }
        }
    )+};
}

addresses!(Jid BareJid FullJid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_and_numbers() {
        for (text, value) in [
            ("true", true),
            ("1", true),
            ("false", false),
            (" 0\n", false),
        ] {
            assert_eq!(bool::from_text(text), Ok(value));
        }
        for wrong in ["", "yes", "TRUE", "2"] {
            assert_eq!(bool::from_text(wrong), Err(TextFault::Boolean));
        }
        assert_eq!(u8::from_text(" 255 "), Ok(255));
        assert_eq!(i8::from_text("-128"), Ok(-128));
        assert_eq!(i8::from_text("+5"), Ok(5));
        for wrong in ["", "256", "-1", "1.0", "0x1", "1 2"] {
            assert_eq!(u8::from_text(wrong), Err(TextFault::Number));
        }
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "Secret(…)");
    }

    #[test]
    fn addresses() {
        assert_eq!(
            Jid::from_text("A@B/c").map(|jid| jid.to_string()),
            Ok("a@b/c".into())
        );
        assert_eq!(
            BareJid::from_text("a@b/c"),
            Err(TextFault::Jid(JidError::ResourcePresent))
        );
    }
}
