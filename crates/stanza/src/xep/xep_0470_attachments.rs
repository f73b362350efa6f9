//! [XEP-0470: Pubsub Attachments](https://xmpp.org/extensions/xep-0470.html)

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::BareJid;
use crate::payload::payload;
use crate::xep::xep_0082_datetime::DateTime;

/// Namespace of attachments, name of the feature, and what the name of a node of attachments begins with.
pub const NS: &str = "urn:xmpp:pubsub-attachments:1";
/// Namespace of summaries, and what the name of a node of summaries begins with.
pub const NS_SUMMARY: &str = "urn:xmpp:pubsub-attachments:summary:1";

/// Most reactions of one publisher to one item that are counted.
pub const REACTIONS_COUNTED_MAX: usize = 32;

/// Most bytes of a reaction that is counted: an emoji of several parts has about 40.
pub const REACTION_BYTES_MAX: usize = 64;

payload! {
    /// What one publisher has attached to an item (§4.1), as far as this specification defines it.
    pub struct Attachments(NS, "attachments") {
        /// That it was noticed (§4.7).
        noticed: Vec<Noticed> = child(),
        /// Reactions to it (§4.8).
        reactions: Vec<Reactions> = child(),
    }
}

payload! {
    /// That an item was noticed (§4.7).
    pub struct Noticed(NS, "noticed") {
        /// When.
        timestamp: Option<DateTime> = known_attr("timestamp"),
    }
}

payload! {
    /// Reactions to an item (§4.8).
    pub struct Reactions(NS, "reactions") {
        /// When.
        timestamp: Option<DateTime> = known_attr("timestamp"),
        /// Each an emoji.
        reactions: Vec<String> = text_child("reaction"),
    }
}

payload! {
    /// What was attached to an item by all (§4.6).
    pub struct Summary(NS_SUMMARY, "summary") {
        /// How many have noticed it.
        noticed: Option<NoticedCount> = child(),
        /// How many have reacted, and how.
        reactions: Option<ReactionCounts> = child(),
    }
}

payload! {
    /// How many have noticed an item (§4.7.3).
    pub struct NoticedCount(NS_SUMMARY, "noticed") {
        /// How many.
        count: u64 = attr("count"),
    }
}

payload! {
    /// How many have reacted to an item, and how (§4.8.2).
    pub struct ReactionCounts(NS_SUMMARY, "reactions") {
        /// Each that there is.
        reactions: Vec<ReactionCount> = child(),
    }
}

payload! {
    /// How many have reacted so (§4.8.2).
    pub struct ReactionCount(NS_SUMMARY, "reaction") {
        /// How many.
        count: u64 = attr("count", 1),
        /// An emoji.
        reaction: String = text(),
    }
}

impl Attachments {
    /// The reactions that count: each once, the first so many, and none that is no emoji by its length alone.
    fn counted(&self) -> BTreeSet<&str> {
        let all = self.reactions.iter().flat_map(|one| &one.reactions);
        let mut counted = BTreeSet::new();
        for reaction in all.map(|reaction| reaction.trim()) {
            let is_none = reaction.is_empty() || reaction.len() > REACTION_BYTES_MAX;
            if !is_none && counted.len() < REACTIONS_COUNTED_MAX {
                counted.insert(reaction);
            }
        }
        counted
    }
}

impl Summary {
    /// Of nothing.
    pub const EMPTY: Summary = Summary {
        noticed: None,
        reactions: None,
    };

    /// The summary with what a publisher has attached now, in the place of what it had attached before. Whoever has noticed
    /// something several times counts once, as with reactions.
    #[must_use]
    pub fn with(&self, before: Option<&Attachments>, after: Option<&Attachments>) -> Summary {
        let mut noticed = self.noticed.as_ref().map_or(0, |noticed| noticed.count);
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for one in self.reactions.iter().flat_map(|all| &all.reactions) {
            counts.insert(one.reaction.as_str(), one.count);
        }
        if let Some(before) = before {
            noticed = noticed.saturating_sub(u64::from(!before.noticed.is_empty()));
            for reaction in before.counted() {
                if let Some(count) = counts.get_mut(reaction) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        if let Some(after) = after {
            noticed = noticed.saturating_add(u64::from(!after.noticed.is_empty()));
            for reaction in after.counted() {
                let count = counts.entry(reaction).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let count = |(reaction, count): (&str, u64)| ReactionCount {
            count,
            reaction: reaction.to_owned(),
        };
        let counts: Vec<_> = counts.into_iter().map(count).collect();
        Summary {
            noticed: (noticed > 0).then_some(NoticedCount { count: noticed }),
            reactions: (!counts.is_empty()).then_some(ReactionCounts { reactions: counts }),
        }
    }

    /// How many different reactions there are.
    pub fn different(&self) -> usize {
        let reactions = self.reactions.as_ref();
        reactions.map_or(0, |all| all.reactions.len())
    }
}

/// What a node that belongs to another one is for, by its name (§4.1.1, §4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// What is attached to an item.
    Attachments {
        /// The node where the item is.
        node: String,
        /// The item.
        item: String,
    },
    /// Summaries of what is attached to items.
    Summary {
        /// The node where the items are.
        node: String,
    },
}

impl Place {
    /// What a node of this name is for at this service; nothing for nodes that belong to no other, and where the name says
    /// nothing that can be understood. There is none for nodes that themselves belong to others.
    pub fn of(service: &BareJid, name: &str) -> Option<Place> {
        if !is_reserved(name) {
            return None;
        }
        let place = match name.strip_prefix(NS_SUMMARY) {
            Some(rest) => Place::Summary {
                node: rest.strip_prefix('/')?.to_owned(),
            },
            None => attached(service, name.strip_prefix(NS)?.strip_prefix('/')?)?,
        };
        let is_right = !place.node().is_empty() && !is_reserved(place.node());
        is_right.then_some(place)
    }

    /// The node that it belongs to.
    pub fn node(&self) -> &str {
        match self {
            Place::Attachments { node, .. } | Place::Summary { node } => node,
        }
    }

    /// The node's name. Of the ways to write an item's URI this is the one in which everything is escaped that may be.
    pub fn name(&self, service: &BareJid) -> String {
        match self {
            Place::Attachments { node, item } => {
                let (service, node) = (escaped(service.as_str(), "@:[]"), escaped(node, ""));
                format!(
                    "{NS}/xmpp:{service}?;node={node};item={}",
                    escaped(item, "")
                )
            }
            Place::Summary { node } => format!("{NS_SUMMARY}/{node}"),
        }
    }
}

/// Whether only the service makes nodes of this name (§4.4).
pub fn is_reserved(name: &str) -> bool {
    let begins = |prefix: &str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    begins(NS) || begins(NS_SUMMARY)
}

/// The item that a URI names, if it is one of this service (XEP-0060 §12.21).
fn attached(service: &BareJid, uri: &str) -> Option<Place> {
    let (address, query) = uri.strip_prefix("xmpp:")?.split_once("?;")?;
    if BareJid::new(&unescaped(address)?).ok()? != *service {
        return None;
    }
    let (mut node, mut item) = (None, None);
    for pair in query.split(';') {
        let (key, value) = pair.split_once('=')?;
        let place = match key {
            "node" => &mut node,
            "item" => &mut item,
            _ => return None,
        };
        if place.replace(unescaped(value)?.into_owned()).is_some() {
            return None;
        }
    }
    let item = item.filter(|item| !item.is_empty())?;
    Some(Place::Attachments { node: node?, item })
}

/// A text with `%` and two digits for each byte but letters, digits, `-._~` and these (RFC 3986 §2).
fn escaped(text: &str, allowed: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_plain || allowed.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The text that was escaped so; nothing where it was not.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    fn juliet() -> BareJid {
        BareJid::new("juliet@capulet.lit").unwrap()
    }

    const ITEM: &str = "urn:xmpp:pubsub-attachments:1/xmpp:juliet@capulet.lit?;\
        node=urn%3Axmpp%3Amicroblog%3A0;item=balcony-restoration-afd1";

    /// §4.1.1 and §4.6.
    #[test]
    fn names_of_nodes() {
        let place = Place::of(&juliet(), ITEM).unwrap();
        let item = Place::Attachments {
            node: "urn:xmpp:microblog:0".to_owned(),
            item: "balcony-restoration-afd1".to_owned(),
        };
        assert_eq!(place, item);
        assert_eq!(place.name(&juliet()), ITEM);
        let name = "urn:xmpp:pubsub-attachments:summary:1/urn:xmpp:microblog:0";
        let place = Place::of(&juliet(), name).unwrap();
        assert_eq!(place.node(), "urn:xmpp:microblog:0");
        assert_eq!(place.name(&juliet()), name);
    }

    /// Everybody escapes other characters.
    #[test]
    fn a_uri_can_be_written_in_several_ways() {
        let uri = |rest: &str| Place::of(&juliet(), &format!("{NS}/{rest}"));
        let right = uri("xmpp:juliet@capulet.lit?;node=a%20b;item=%C3%A9%3B").unwrap();
        assert_eq!(
            right.name(&juliet()),
            format!("{NS}/xmpp:juliet@capulet.lit?;node=a%20b;item=%C3%A9%3B")
        );
        for other in [
            "xmpp:juliet@capulet.lit?;item=%C3%A9%3B;node=a%20b",
            "xmpp:juliet%40Capulet.lit?;node=a b;item=\u{E9}%3b",
        ] {
            assert_eq!(uri(other).as_ref(), Some(&right), "{other}");
        }
    }

    #[test]
    fn what_names_nothing() {
        for rest in [
            "",
            "xmpp:juliet@capulet.lit",
            "xmpp:romeo@montague.lit?;node=a;item=b",
            "xmpp:juliet@capulet.lit?;node=a",
            "xmpp:juliet@capulet.lit?;node=a;item=",
            "xmpp:juliet@capulet.lit?;node=;item=b",
            "xmpp:juliet@capulet.lit?;node=a;item=b;item=c",
            "xmpp:juliet@capulet.lit?;node=a;item=b;x=c",
            "xmpp:juliet@capulet.lit?;node=a%2;item=b",
            "xmpp:juliet@capulet.lit?;node=a%FF;item=b",
            "xmpp:juliet@capulet.lit?;node=urn%3Axmpp%3Apubsub-attachments%3Asummary%3A1%2Fa;item=b",
        ] {
            let name = format!("{NS}/{rest}");
            assert_eq!(Place::of(&juliet(), &name), None, "{rest}");
            assert!(is_reserved(&name));
        }
        for name in [NS, NS_SUMMARY, "urn:xmpp:pubsub-attachments:10/a", "a"] {
            assert_eq!(Place::of(&juliet(), name), None);
            assert!(!is_reserved(name), "{name}");
        }
    }

    /// §4.8.2, in the order of the counts.
    #[test]
    fn a_summary() {
        let summary = written::<Summary>(
            "<summary xmlns='urn:xmpp:pubsub-attachments:summary:1'><noticed count='5'/>\
             <reactions><reaction count='2'>\u{1F477}</reaction><reaction>\u{1F528}</reaction>\
             </reactions></summary>",
        );
        assert_eq!(summary.different(), 2);
        let mine = read::<Attachments>(
            "<attachments xmlns='urn:xmpp:pubsub-attachments:1'>\
             <noticed timestamp='2022-07-11T12:07:24Z'/><noticed timestamp='yesterday'/>\
             <reactions><reaction>\u{1F528}</reaction><reaction>\u{1F528}</reaction>\
             <reaction> </reaction></reactions><own xmlns='urn:example'/></attachments>",
        );
        let mine = mine.unwrap();
        let more = summary.with(None, Some(&mine));
        assert_eq!(more.noticed, Some(NoticedCount { count: 6 }));
        let reactions = &more.reactions.as_ref().unwrap().reactions;
        let counts: Vec<u64> = reactions.iter().map(|one| one.count).collect();
        assert_eq!(counts, [2, 2]);
        assert_eq!(more.with(Some(&mine), Some(&mine)), more);
        assert_eq!(more.with(Some(&mine), None), summary);
        let only = Summary::EMPTY.with(None, Some(&mine));
        assert_eq!(only.with(Some(&mine), None), Summary::EMPTY);
    }

    #[test]
    fn what_does_not_count() {
        let mut reactions: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        reactions.insert(0, "a".repeat(REACTION_BYTES_MAX + 1));
        let mine = Attachments {
            noticed: Vec::new(),
            reactions: vec![Reactions {
                timestamp: None,
                reactions,
            }],
        };
        let summary = Summary::EMPTY.with(None, Some(&mine));
        assert_eq!(summary.different(), REACTIONS_COUNTED_MAX);
        assert_eq!(summary.with(Some(&mine), None), Summary::EMPTY);
    }
}
