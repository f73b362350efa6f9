//! Passwords, prepared by SASLprep: [RFC 4013](https://www.rfc-editor.org/rfc/rfc4013).

use std::fmt;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Longest password in bytes, prepared or not. Far above what people type or programs generate; it
/// bounds the work of preparing one.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// A password after SASLprep: wiped when dropped, never printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a string is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing is left after preparation.
    #[error("the password is empty")]
    Empty,
    /// Longer than [`PASSWORD_BYTES_MAX`].
    #[error("the password is longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    /// Holds a character that RFC 4013 §2.3 prohibits, such as a control character.
    #[error("the password holds a prohibited character")]
    Prohibited,
    /// Mixes directions of writing in a way that RFC 3454 §6 prohibits.
    #[error("the password mixes directions of writing")]
    Bidirectional,
}

impl Password {
    /// Prepares `text`, so that different ways to type the same password agree.
    ///
    /// # Errors
    ///
    /// What SASLprep refuses, the empty password, and one longer than [`PASSWORD_BYTES_MAX`].
    pub fn prepare(text: &str) -> Result<Password, PasswordError> {
        if text.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let prepared = saslprep(text)?;
        match prepared.len() {
            0 => Err(PasswordError::Empty),
            length if length > PASSWORD_BYTES_MAX => Err(PasswordError::TooLong),
            _ => Ok(Password(prepared)),
        }
    }

    /// How many characters the prepared password has.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// The prepared password itself, for the mechanisms that need it.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password, hidden]")
    }
}

/// SASLprep for query strings: code points that Unicode 3.2 had not assigned are allowed (RFC 3454
/// §7), since otherwise no character of the last twenty years, emoji among them, could stand in a
/// password. That is why `stringprep::saslprep`, which refuses them, is not called here.
pub(crate) fn saslprep(text: &str) -> Result<Zeroizing<String>, PasswordError> {
    let mapped = text
        .chars()
        .map(|c| {
            if tables::non_ascii_space_character(c) {
                ' '
            } else {
                c
            }
        })
        .filter(|&c| !tables::commonly_mapped_to_nothing(c));
    // Room for the longest expansion of NFKC (18 code points) would be absurd; what matters is that
    // common passwords are not left behind in a buffer that grew.
    let mut prepared = Zeroizing::new(String::with_capacity(4 * text.len()));
    prepared.extend(mapped.nfkc());
    if prepared.chars().any(is_prohibited) {
        return Err(PasswordError::Prohibited);
    }
    if is_mixed(&prepared) {
        return Err(PasswordError::Bidirectional);
    }
    Ok(prepared)
}

/// RFC 4013 §2.3.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// RFC 3454 §6: with a right-to-left letter there is no left-to-right one, and the first and the
/// last character are right-to-left.
fn is_mixed(text: &str) -> bool {
    text.contains(tables::bidi_r_or_al)
        && (text.contains(tables::bidi_l)
            || !text.starts_with(tables::bidi_r_or_al)
            || !text.ends_with(tables::bidi_r_or_al))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4013 §3, and one emoji of Unicode 6.
    #[test]
    fn prepares_as_rfc_4013_says() {
        let table = [
            ("I\u{AD}X", Ok("IX")),
            ("user", Ok("user")),
            ("USER", Ok("USER")),
            ("\u{AA}", Ok("a")),
            ("\u{2168}", Ok("IX")),
            ("a\u{A0}b", Ok("a b")),
            ("\u{1F600}", Ok("\u{1F600}")),
            ("\u{7}", Err(PasswordError::Prohibited)),
            ("\u{627}\u{31}", Err(PasswordError::Bidirectional)),
            ("", Err(PasswordError::Empty)),
            ("\u{AD}", Err(PasswordError::Empty)),
        ];
        for (text, expected) in table {
            let prepared = Password::prepare(text);
            assert_eq!(
                prepared
                    .as_ref()
                    .map(Password::text)
                    .map_err(|error| *error),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn is_bounded_before_and_after_preparation() {
        assert!(Password::prepare(&"a".repeat(PASSWORD_BYTES_MAX)).is_ok());
        let long = Password::prepare(&"a".repeat(PASSWORD_BYTES_MAX + 1));
        assert_eq!(long.err(), Some(PasswordError::TooLong));
        // U+FDFA becomes 18 code points.
        let grows = Password::prepare(&"\u{FDFA}".repeat(PASSWORD_BYTES_MAX / 3));
        assert_eq!(grows.err(), Some(PasswordError::TooLong));
    }

    #[test]
    fn is_never_printed() {
        let password = Password::prepare("opensesame").unwrap();
        assert!(!format!("{password:?}").contains("opensesame"));
    }
}
