//! Pages of lists.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Arguments;

/// Entries of a page where nobody says how many.
const ENTRIES: u64 = 100;
/// Most entries of a page.
pub(super) const ENTRIES_MAX: u64 = 1_000;

/// Which part of a list is wanted. Entries are ordered by keys, and the cursor is the last one's: what comes and goes
/// meanwhile neither repeats nor hides others.
pub(crate) struct Page {
    /// The key behind which it begins.
    pub(crate) after: Option<String>,
    /// Most entries.
    entries_max: usize,
}

impl Page {
    /// What was asked for.
    pub(crate) fn of(args: &Arguments) -> Page {
        let most = args.number("limit").unwrap_or(ENTRIES).min(ENTRIES_MAX);
        Page {
            after: args.optional("cursor").and_then(key),
            entries_max: usize::try_from(most).unwrap_or(1),
        }
    }

    /// How many entries are to be looked for: one more than stand in it.
    pub(crate) fn looks(&self) -> usize {
        self.entries_max + 1
    }

    /// Whether so many entries are more than one page, which is all that has to be found.
    pub(crate) fn is_over(&self, count: usize) -> bool {
        count > self.entries_max
    }

    /// Whether an entry may stand in it.
    pub(crate) fn is_after(&self, key: &str) -> bool {
        self.after.as_deref().is_none_or(|after| key > after)
    }

    /// The answer, of entries in their order, with more than a page of them where there are more.
    pub(crate) fn answer(&self, member: &str, mut entries: Vec<(String, Value)>) -> Value {
        let is_over = self.is_over(entries.len());
        entries.truncate(self.entries_max);
        let last = entries.last().filter(|_| is_over);
        let next = last.map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
        let entries: Vec<Value> = entries.into_iter().map(|(_, entry)| entry).collect();
        json!({ member: entries, "next": next })
    }
}

/// The key in a cursor. One that somebody made up begins elsewhere in the same list.
pub(super) fn key(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other() {
        let page = |after: Option<&str>| Page {
            after: after.map(str::to_owned),
            entries_max: 2,
        };
        let all = ["a", "b", "c"].map(|key| (key.to_owned(), json!(key)));
        let first = page(None).answer("all", all.to_vec());
        assert_eq!(first, json!({ "all": ["a", "b"], "next": "Yg" }));
        let after = key("Yg");
        assert_eq!(after.as_deref(), Some("b"));
        let second = page(after.as_deref());
        assert!(second.is_after("c") && !second.is_after("b"));
        let last = second.answer("all", all[2..].to_vec());
        assert_eq!(last, json!({ "all": ["c"], "next": null }));
        assert_eq!(key("Y"), None);
        assert_eq!(key("_w"), None);
    }
}
