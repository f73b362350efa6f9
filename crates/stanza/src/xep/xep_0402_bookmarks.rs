//! [XEP-0402: PEP Native Bookmarks](https://xmpp.org/extensions/xep-0402.html), and the older form of
//! [XEP-0048](https://xmpp.org/extensions/xep-0048.html), in which one element holds them all.

use waxwing_wire::{Element, Node};

use crate::Jid;

/// Namespace of bookmarks, and the node where each is an item.
pub const NS: &str = "urn:xmpp:bookmarks:1";

/// Namespace of the older form, and the node where one item holds them all.
pub const NS_OLD: &str = "storage:bookmarks";

/// Element that holds all bookmarks of the older form.
pub const STORAGE: &str = "storage";

const CONFERENCE: &str = "conference";

/// A bookmark, as far as both forms can say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// The room.
    pub jid: Jid,
    /// What the user calls it.
    pub name: Option<String>,
    /// Whether to join it at log-in.
    pub autojoin: bool,
    /// The user's name there.
    pub nick: Option<String>,
    /// What opens the room.
    pub password: Option<String>,
    /// What others have added to it.
    pub extensions: Vec<Element>,
}

impl Bookmark {
    /// What an item of this name says; nothing where that is no bookmark.
    pub fn of_item(id: &str, conference: &Element) -> Option<Bookmark> {
        let jid = id.parse().ok()?;
        let extensions = conference.child(NS, "extensions");
        let extensions = extensions.map(|all| all.children().cloned().collect());
        Bookmark::read(NS, jid, conference, extensions.unwrap_or_default())
    }

    /// What an element of the older form says; nothing where that is no bookmark, or where the newer form cannot say it.
    pub fn of_old(conference: &Element) -> Option<Bookmark> {
        let jid = conference.attr("jid")?.parse().ok()?;
        let is_known = |child: &&Element| child.is(NS_OLD, "nick") || child.is(NS_OLD, "password");
        let extensions = conference.children().filter(|child| !is_known(child));
        let extensions = extensions.cloned().collect();
        let mut bookmark = Bookmark::read(NS_OLD, jid, conference, extensions)?;
        // What stands there for a bookmark without a name.
        if bookmark.name.as_deref() == Some(bookmark.jid.as_str()) {
            bookmark.name = None;
        }
        Some(bookmark)
    }

    fn read(
        ns: &'static str,
        jid: Jid,
        conference: &Element,
        extensions: Vec<Element>,
    ) -> Option<Bookmark> {
        let text = |name| conference.child(ns, name).map(Element::text);
        conference.is(ns, CONFERENCE).then(|| Bookmark {
            jid,
            name: conference.attr("name").map(str::to_owned),
            autojoin: matches!(conference.attr("autojoin"), Some("1" | "true")),
            nick: text("nick"),
            password: text("password"),
            extensions,
        })
    }

    /// The element of the older form.
    pub fn to_old(&self) -> Element {
        let conference = Element::new(NS_OLD, CONFERENCE).with_attr("jid", self.jid.to_string());
        // §5.4 of XEP-0048: a name is required there.
        let conference = match &self.name {
            Some(_) => conference,
            None => conference.with_attr("name", self.jid.to_string()),
        };
        let mut conference = self.write(NS_OLD, conference);
        for extension in &self.extensions {
            conference.push(extension.clone());
        }
        conference
    }

    /// The element of an item, with whatever stood beside in the one that it replaces. What was added to that one and is
    /// not said here stays: the older form loses it where a client does not keep what it does not know.
    pub fn to_item(&self, before: Option<&Element>) -> Element {
        let mut conference = match before {
            Some(before) => before.clone(),
            None => Element::new(NS, CONFERENCE),
        };
        for name in ["name", "autojoin"] {
            conference.remove_attr(name);
        }
        let mut extensions = Element::new(NS, "extensions");
        if let Some(before) = conference.child(NS, "extensions") {
            extensions = before.clone();
        }
        conference.retain(|node| match node {
            Node::Element(child) => !["nick", "password", "extensions"]
                .iter()
                .any(|name| child.is(NS, name)),
            Node::Text(_) => true,
        });
        let mut conference = self.write(NS, conference);
        for given in &self.extensions {
            extensions.retain(|node| match node {
                Node::Element(child) => !child.is(given.ns(), given.name()),
                Node::Text(_) => true,
            });
            extensions.push(given.clone());
        }
        if extensions.children().next().is_some() {
            conference.push(extensions);
        }
        conference
    }

    fn write(&self, ns: &'static str, mut conference: Element) -> Element {
        if let Some(name) = &self.name {
            conference.set_attr("name", name.as_str());
        }
        if self.autojoin {
            conference.set_attr("autojoin", "true");
        }
        for (name, text) in [("nick", &self.nick), ("password", &self.password)] {
            if let Some(text) = text {
                conference.push(Element::new(ns, name).with_text(text));
            }
        }
        conference
    }

    /// Whether what somebody wrote in the older form changes what was shown to them.
    pub fn differs_from(&self, shown: &Bookmark) -> bool {
        let said = |one: &Bookmark| Bookmark {
            extensions: Vec::new(),
            ..one.clone()
        };
        let is_new = |extension: &Element| !shown.extensions.contains(extension);
        said(self) != said(shown) || self.extensions.iter().any(is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        Element::parse(text).unwrap()
    }

    const ITEM: &str = "<conference xmlns='urn:xmpp:bookmarks:1' name='The Orchard' autojoin='1'>\
        <nick>JC</nick><extensions><state xmlns='http://myclient.example/bookmark/state' \
        minimized='true'/></extensions></conference>";

    #[test]
    fn both_forms_say_the_same() {
        let bookmark = Bookmark::of_item("orchard@conference.shakespeare.lit", &element(ITEM));
        let bookmark = bookmark.unwrap();
        assert!(bookmark.autojoin);
        assert_eq!(bookmark.nick.as_deref(), Some("JC"));
        let old = bookmark.to_old();
        assert_eq!(old.attr("jid"), Some("orchard@conference.shakespeare.lit"));
        assert_eq!(Bookmark::of_old(&old), Some(bookmark.clone()));
        let again = bookmark.to_item(None);
        let again = Bookmark::of_item("orchard@conference.shakespeare.lit", &again);
        assert_eq!(again, Some(bookmark));
    }

    #[test]
    fn what_the_older_form_leaves_out_stays() {
        let before = element(ITEM);
        let shown = Bookmark::of_item("a@b.example", &before).unwrap();
        let given = element(
            "<conference xmlns='storage:bookmarks' jid='a@b.example' name='Else' \
             autojoin='false'><password>x</password></conference>",
        );
        let given = Bookmark::of_old(&given).unwrap();
        assert!(given.differs_from(&shown));
        let after = given.to_item(Some(&before));
        assert_eq!(
            after,
            element(
                "<conference xmlns='urn:xmpp:bookmarks:1' name='Else'><password>x</password>\
                 <extensions><state xmlns='http://myclient.example/bookmark/state' \
                 minimized='true'/></extensions></conference>"
            )
        );
        let bare = Bookmark {
            extensions: Vec::new(),
            ..shown.clone()
        };
        assert!(!bare.differs_from(&shown));
        assert!(shown.differs_from(&bare));
    }

    #[test]
    fn what_is_no_bookmark() {
        assert_eq!(
            Bookmark::of_item("a@b.example", &element("<x xmlns='y'/>")),
            None
        );
        assert_eq!(Bookmark::of_item("@", &element(ITEM)), None);
        let no_jid = element("<conference xmlns='storage:bookmarks' name='x'/>");
        assert_eq!(Bookmark::of_old(&no_jid), None);
        let url = element("<url xmlns='storage:bookmarks' jid='a@b.example' url='x:y'/>");
        assert_eq!(Bookmark::of_old(&url), None);
    }
}
