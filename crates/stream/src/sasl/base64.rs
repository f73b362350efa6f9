//! Base64 as SASL in XMPP wants it: [RFC 4648 §4](https://www.rfc-editor.org/rfc/rfc4648#section-4),
//! padded, no line breaks, no blanks, no stray bits (RFC 6120 §6.4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use zeroize::Zeroizing;

use super::failure::Failure;

pub(crate) fn encode(data: &[u8]) -> String {
    STANDARD.encode(data)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Content of `<auth/>`: `None` without initial response, an empty one is written as `=`.
pub(crate) fn initial_response(text: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    match text {
        "" => Ok(None),
        _ => response(text).map(Some),
    }
}

/// Content of `<response/>`, `<challenge/>` and `<success/>`, where nothing and `=` are both empty. It
/// may be a password, so it is wiped.
pub(crate) fn response(text: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match text {
        "" | "=" => Ok(Zeroizing::default()),
        _ => decode(text)
            .map(Zeroizing::new)
            .ok_or(Failure::IncorrectEncoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_strict() {
        assert_eq!(initial_response(""), Ok(None));
        assert_eq!(initial_response("="), Ok(Some(Zeroizing::default())));
        assert_eq!(response("="), Ok(Zeroizing::default()));
        assert_eq!(response(""), Ok(Zeroizing::default()));
        assert_eq!(response("biws"), Ok(Zeroizing::new(b"n,,".to_vec())));
        for wrong in [
            "bi ws", "\nbiws", "biws\n", "biw", "YQ", "YR==", "YQ=", "==", "===", "bi-s", "b=ws",
            "é",
        ] {
            assert_eq!(
                response(wrong),
                Err(Failure::IncorrectEncoding),
                "{wrong:?}"
            );
        }
    }
}
