//! By what connections to the relay name their stream.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use waxwing_stanza::Jid;

/// Digits of the hash by which connections name their stream.
pub const HASH_DIGITS: usize = 40;

/// What connections name their stream by: SHA-1, in hexadecimal digits, of its id and the addresses of who asks and of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamHash([u8; HASH_DIGITS]);

impl StreamHash {
    /// As a connection names it, if it does.
    pub fn named(digits: &[u8]) -> Option<StreamHash> {
        let mut hash: [u8; HASH_DIGITS] = digits.try_into().ok()?;
        // Other people's software writes capitals, and means the same.
        hash.make_ascii_lowercase();
        hash.iter()
            .all(u8::is_ascii_hexdigit)
            .then_some(StreamHash(hash))
    }

    /// "Target Establishes SOCKS5 Connection with Proxy".
    pub(crate) fn of(sid: &str, asker: &Jid, other: &Jid) -> StreamHash {
        let text = format!("{sid}{asker}{other}");
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let bytes = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut digits = [0; HASH_DIGITS];
        for (digit, value) in digits.iter_mut().zip(bytes) {
            *digit = b"0123456789abcdef"[usize::from(value & 15)];
        }
        StreamHash(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by `printf 'vxf9n471bn46requester@example.com/footarget@example.org/bar' | sha1sum`.
    #[test]
    fn hashes_are_those_of_the_text() {
        let asker = "requester@example.com/foo".parse().unwrap();
        let other = "target@example.org/bar".parse().unwrap();
        let hash = StreamHash::of("vxf9n471bn46", &asker, &other);
        let digits = b"98b8d688d0f5d895fd41c5e7309a2e9e33ba32ff";
        assert_eq!(Some(hash), StreamHash::named(digits));
        let capitals = digits.to_ascii_uppercase();
        assert_eq!(Some(hash), StreamHash::named(&capitals));
        for wrong in [
            &digits[1..],
            b"",
            b"g12efabc0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(StreamHash::named(wrong), None);
        }
    }
}
