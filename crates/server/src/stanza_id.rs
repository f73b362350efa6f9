//! How a log entry is named to the outside (XEP-0359).

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use waxwing_store::LogId;

/// Turns the id of a log entry, which is a time and a place in an order, into a name that says nothing to whoever sees it
/// (XEP-0359 §5): one block of AES under a key of the server's own. No table is needed to find the entry again, and half
/// of the block is known, so that one of 2⁶⁴ names that somebody may think up is one.
pub(crate) struct StanzaIds(Aes256);

impl StanzaIds {
    /// Names under a secret key.
    pub(crate) fn new(key: [u8; 32]) -> StanzaIds {
        StanzaIds(Aes256::new(&Array::from(key)))
    }

    /// The stanza-id of an entry: 22 characters of base64.
    pub(crate) fn text(&self, id: LogId) -> String {
        let mut block = Array::from(u128::from(id.0).to_be_bytes());
        self.0.encrypt_block(&mut block);
        URL_SAFE_NO_PAD.encode(block)
    }

    /// The entry that a stanza-id names; `None` for what this server has given to none.
    pub(crate) fn entry(&self, text: &str) -> Option<LogId> {
        let block: [u8; 16] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let mut block = Array::from(block);
        self.0.decrypt_block(&mut block);
        let id = u64::try_from(u128::from_be_bytes(block.into())).ok()?;
        (id <= LogId::MAX.0).then_some(LogId(id))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unlike_each_other() {
        let ids = StanzaIds::new([7; 32]);
        let names: Vec<String> = (1_000_000..1_001_000)
            .map(|id| ids.text(LogId(id)))
            .collect();
        assert!(names.iter().all(|name| name.len() == 22));
        let beginnings: BTreeSet<&str> = names.iter().map(|name| &name[..11]).collect();
        let ends: BTreeSet<&str> = names.iter().map(|name| &name[11..]).collect();
        assert_eq!((beginnings.len(), ends.len()), (1_000, 1_000));
        assert!(!names.is_sorted());
        let entries: Vec<_> = names.iter().filter_map(|name| ids.entry(name)).collect();
        assert!(entries.iter().map(|id| id.0).eq(1_000_000..1_001_000));
        // The same after a restart, another on another server.
        assert_eq!(StanzaIds::new([7; 32]).text(LogId(1_000_000)), names[0]);
        assert_ne!(StanzaIds::new([8; 32]).text(LogId(1_000_000)), names[0]);
    }

    #[test]
    fn who_thinks_up_a_name_finds_nothing() {
        let ids = StanzaIds::new([7; 32]);
        let name = ids.text(LogId(1_000_000));
        assert_eq!(ids.entry(&name), Some(LogId(1_000_000)));
        assert_eq!(StanzaIds::new([8; 32]).entry(&name), None);
        for wrong in [
            "",
            "1",
            "1000000",
            &name[1..],
            &format!("{name}A"),
            &"A".repeat(22),
            &"B".repeat(22),
        ] {
            assert_eq!(ids.entry(wrong), None, "{wrong}");
        }
        // One bit, and nothing of the block is as it was.
        let mut other = name.into_bytes();
        other[5] = if other[5] == b'A' { b'B' } else { b'A' };
        assert_eq!(ids.entry(std::str::from_utf8(&other).unwrap()), None);
    }

    /// Names are kept by clients and in archives: they never change.
    #[test]
    fn a_name_stays() {
        let ids = StanzaIds::new(std::array::from_fn(|n| n as u8));
        assert_eq!(
            ids.text(LogId(1_700_000_000_000_000)),
            "OWgiZAa4m_qebSpeOtUBsA"
        );
    }
}
