//! What expat says, asked as XMPP software asks it.

use waxwing_oracle::{Expat, Record, Refusal, Token};

/// What users of expat put between namespace and name: lua-expat, Python's `xml.etree`, and what
/// expat's own documentation and examples show. A namespace that holds it is refused.
const SEPARATORS: &[u8] = b"\x01}\xFF |\n^";

/// Parses `before`, `bytes` and `after` as one document; without `after` the document stays open.
/// The separator follows from the bytes, so that all of them get their turn.
pub(crate) fn parse(
    before: &str,
    bytes: &[u8],
    after: Option<&str>,
) -> Result<Vec<Token>, Refusal> {
    let sum: usize = bytes.iter().map(|b| usize::from(*b)).sum();
    let mut expat = Expat::new(SEPARATORS[sum % SEPARATORS.len()], Record::Tokens);
    expat.feed(before.as_bytes(), false)?;
    expat.feed(bytes, false)?;
    if let Some(after) = after {
        expat.feed(after.as_bytes(), true)?;
    }
    Ok(expat.take_tokens())
}
