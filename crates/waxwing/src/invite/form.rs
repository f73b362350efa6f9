//! What a browser sends of a form (URL Standard, `application/x-www-form-urlencoded`).

use waxwing_stanza::payload::Secret;

use crate::urlencoded;

/// Most fields of a form.
const FIELDS_MAX: usize = 20;

/// Why there is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormError {
    /// It is something else.
    NoForm,
    /// It is too long.
    TooLong,
    /// It took too long to come.
    TooSlow,
    /// It cannot be read.
    Broken,
}

/// What was filled in; what is not there is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filled {
    /// The name of the account.
    pub(super) name: String,
    /// Its password.
    pub(super) password: Secret,
    /// The same once more.
    pub(super) again: Secret,
}

impl Filled {
    /// Reads a form. What it does not ask for is left out.
    pub(super) fn read(bytes: &[u8]) -> Result<Filled, FormError> {
        let mut filled = Filled {
            name: String::new(),
            password: Secret(String::new()),
            again: Secret(String::new()),
        };
        for (number, field) in bytes.split(|byte| *byte == b'&').enumerate() {
            if number >= FIELDS_MAX {
                return Err(FormError::Broken);
            }
            let mut parts = field.splitn(2, |byte| *byte == b'=');
            let name = decoded(parts.next().unwrap_or_default())?;
            let value = decoded(parts.next().unwrap_or_default())?;
            match name.as_str() {
                "name" => filled.name = value,
                "password" => filled.password = Secret(value),
                "again" => filled.again = Secret(value),
                _ => {}
            }
        }
        Ok(filled)
    }
}

fn decoded(text: &[u8]) -> Result<String, FormError> {
    urlencoded::decoded(text).ok_or(FormError::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_send() {
        let filled = Filled::read(b"name=carol&password=a+b%26%3D%C3%BC&again=x&other=y").unwrap();
        assert_eq!(filled.name, "carol");
        assert_eq!(filled.password.0, "a b&=\u{fc}");
        assert_eq!(filled.again.0, "x");
        assert!(!format!("{filled:?}").contains("a b&"));
        let empty = Filled::read(b"").unwrap();
        assert!(empty.name.is_empty() && empty.password.0.is_empty());
    }

    #[test]
    fn what_no_browser_sends() {
        for wrong in [
            &b"name=%"[..],
            b"name=%4",
            b"name=%zz",
            b"name=%ff",
            b"name=\xff",
            &[b'&'; FIELDS_MAX],
        ] {
            assert_eq!(Filled::read(wrong), Err(FormError::Broken), "{wrong:?}");
        }
    }
}
