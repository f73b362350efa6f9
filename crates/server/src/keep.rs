//! What becomes of a message, decided once, when it comes: whether it waits for who is not there, whether the archives
//! of both sides take it, who gets copies, and whether it is worth waking a device. The table that says it is
//! `docs/develop/messages.md`; the tests go through its rows.
//!
//! Sources: XEP-0160 §3, XEP-0280 §6.1, XEP-0313 §6.1.1, XEP-0334 §4, XEP-0357 §7, RFC 6121 §8.5.2.2.1.

use waxwing_stanza::xep::xep_0045_rooms::RoomUser;
use waxwing_stanza::xep::xep_0060_pubsub::event::Event;
use waxwing_stanza::xep::xep_0249_invitations::Invitation;
use waxwing_stanza::xep::xep_0424_retraction::Retract;
use waxwing_stanza::xep::xep_0466_ephemeral::Ephemeral;
use waxwing_stanza::xep::{
    xep_0085_chat_states as chat_states, xep_0184_receipts as receipts,
    xep_0280_carbons as carbons, xep_0333_markers as markers, xep_0334_hints as hints,
    xep_0359_stanza_ids as stanza_ids,
};
use waxwing_stanza::{MessageType, Payload};
use waxwing_wire::{ChildView, Stanza, ns};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Whether it waits for the recipient until a client has it (XEP-0160).
    pub waits: bool,
    /// Whether the archives of both sides take it, as far as their owners want that (XEP-0313, XEP-0441).
    pub archived: bool,
    /// Who gets copies, as far as they want any (XEP-0280).
    pub copies: Copies,
    /// Whether devices that are not looked at are told that there is something to see (XEP-0357).
    pub pushed: bool,
    /// Whether it is more than a sign of typing: its sender wants to know if nobody gets it (RFC 6121 §8.5.2.2.1).
    pub says_something: bool,
    /// Whether it takes another one back, which goes from the archives (XEP-0424).
    pub retracts: bool,
    /// After how many seconds it is to disappear (XEP-0466).
    pub timer_secs: Option<u32>,
}

/// Whose other sessions get copies of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copies {
    /// Nobody's.
    #[default]
    Nobody,
    /// The sender's: the recipient's have it from whoever sent it.
    Sender,
    /// The sender's and the recipient's.
    Both,
}

/// What was found in a message.
#[derive(Clone, Copy, Default)]
struct Found(u16);

impl Found {
    /// More than chat states, thread and hints.
    const CONTENT: u16 = 1;
    /// What belongs to a conversation whatever the type (XEP-0280 §6.1).
    const CONVERSATION: u16 = 1 << 1;
    const STORE: u16 = 1 << 2;
    const NO_STORE: u16 = 1 << 3;
    const NO_PERMANENT_STORE: u16 = 1 << 4;
    const NO_COPY: u16 = 1 << 5;
    const FROM_ROOM: u16 = 1 << 6;
    const INVITATION: u16 = 1 << 7;
    const RETRACTION: u16 = 1 << 8;
    const TIMER: u16 = 1 << 9;
    /// What somebody would look at: what cannot wait for a client that nobody looks at (`session/lull.rs`).
    const FOR_PEOPLE: u16 = 1 << 10;
    /// Content that a person is to see.
    const TO_SEE: u16 = Found::CONTENT | Found::FOR_PEOPLE;

    fn in_message(kind: MessageType, stanza: &Stanza) -> Found {
        let children = stanza.children();
        Found(children.fold(0, |found, child| found | says(kind, &child)))
    }

    fn has(self, one: u16) -> bool {
        self.0 & one != 0
    }
}

/// What a child of a message says.
fn says(kind: MessageType, child: &ChildView<'_>) -> u16 {
    match (child.ns(), child.name()) {
        (hints::NS, "store") => Found::STORE,
        (hints::NS, "no-store") => Found::NO_STORE,
        (hints::NS, "no-permanent-store") => Found::NO_PERMANENT_STORE,
        // In an error, hints are those of what it answers (XEP-0334 §5).
        (hints::NS, "no-copy") if kind != MessageType::Error => Found::NO_COPY,
        (hints::NS | stanza_ids::NS, _) | (ns::CLIENT, "thread") => 0,
        (carbons::NS, "private") => Found::NO_COPY,
        (chat_states::NS, _) => Found::CONVERSATION,
        (receipts::NS | markers::NS, _) => Found::CONTENT | Found::CONVERSATION,
        // Notifications of nodes: what is new there is read there.
        (Event::NS, Event::NAME) => Found::CONTENT,
        (Invitation::NS, Invitation::NAME) => Found::TO_SEE | Found::INVITATION,
        (RoomUser::NS, RoomUser::NAME) => of_room(child),
        (Retract::NS, Retract::NAME) => Found::TO_SEE | Found::RETRACTION,
        (Ephemeral::NS, Ephemeral::NAME) => Found::CONTENT | Found::TIMER,
        (ns::CLIENT, "body") if kind == MessageType::Normal => Found::TO_SEE | Found::CONVERSATION,
        _ => Found::TO_SEE,
    }
}

/// A room's private message, or an invitation by it.
fn of_room(child: &ChildView<'_>) -> u16 {
    let user = RoomUser::read(&child.element());
    match user.is_ok_and(|user| !user.invites.is_empty()) {
        true => Found::TO_SEE | Found::FROM_ROOM | Found::INVITATION,
        false => Found::CONTENT | Found::FROM_ROOM,
    }
}

/// What becomes of a message of this type.
pub fn decide(kind: MessageType, stanza: &Stanza) -> Fate {
    let found = Found::in_message(kind, stanza);
    let is_between_people = matches!(kind, MessageType::Chat | MessageType::Normal);
    let says_something = is_between_people && found.has(Found::CONTENT);
    let is_asked_for = is_between_people && found.has(Found::STORE);
    let waits = is_asked_for || says_something && !found.has(Found::NO_STORE);
    Fate {
        waits,
        archived: is_asked_for
            || says_something && !found.has(Found::NO_STORE | Found::NO_PERMANENT_STORE),
        copies: copies(kind, found),
        pushed: waits && found.has(Found::FOR_PEOPLE),
        says_something,
        retracts: is_between_people && found.has(Found::RETRACTION),
        timer_secs: timer(found, stanza),
    }
}

/// The time that a message is to be kept; one that cannot be read is none.
fn timer(found: Found, stanza: &Stanza) -> Option<u32> {
    if !found.has(Found::TIMER) {
        return None;
    }
    let ephemeral = Ephemeral::find_in(stanza).ok()??;
    Some(ephemeral.timer)
}

/// XEP-0280 §6.1. A room's private message is not copied to the recipient's other sessions, since the room sends it to
/// each.
fn copies(kind: MessageType, found: Found) -> Copies {
    match kind {
        MessageType::Groupchat | MessageType::Headline => Copies::Nobody,
        _ if found.has(Found::NO_COPY) => Copies::Nobody,
        _ if found.has(Found::INVITATION) => Copies::Both,
        _ if kind != MessageType::Chat && !found.has(Found::CONVERSATION) => Copies::Nobody,
        _ if found.has(Found::FROM_ROOM) => Copies::Sender,
        _ => Copies::Both,
    }
}

#[cfg(test)]
mod tests {
    use waxwing_wire::Limits;

    use super::*;

    const TABLE: &str = include_str!("../../../docs/develop/messages.md");

    fn decide_on(kind: MessageType, children: &str) -> Fate {
        let xml = format!("<message>{children}</message>");
        let stanza = Stanza::parse(xml.into_bytes().into(), ns::CLIENT, &Limits::CLIENT).unwrap();
        decide(kind, &stanza)
    }

    fn kinds(text: &str) -> Vec<MessageType> {
        let kind = |name: &str| match name {
            "chat" => MessageType::Chat,
            "normal" => MessageType::Normal,
            "headline" => MessageType::Headline,
            "groupchat" => MessageType::Groupchat,
            "error" => MessageType::Error,
            other => panic!("{other} is no type of messages"),
        };
        text.split(", ").map(kind).collect()
    }

    /// A cell's children as XML: those of one row stand side by side.
    fn children(cell: &str) -> String {
        cell.replace('`', "")
            .replace("/>", "/> ")
            .split_whitespace()
            .map(|word| match word.trim_matches(['<', '>', '/']) {
                "body" => "<body>x</body>".to_owned(),
                "thread" => "<thread>1</thread>".to_owned(),
                "composing" => format!("<composing xmlns='{}'/>", chat_states::NS),
                "received" => format!("<received xmlns='{}' id='1'/>", receipts::NS),
                "displayed" => format!("<displayed xmlns='{}' id='1'/>", markers::NS),
                "private" => format!("<private xmlns='{}'/>", carbons::NS),
                "encrypted" => "<encrypted xmlns='urn:xmpp:omemo:2'/>".to_owned(),
                "x" => format!("<x xmlns='{}'/>", RoomUser::NS),
                "x+invite" => {
                    format!("<x xmlns='{}'><invite from='a@b'/></x>", RoomUser::NS)
                }
                "conference" => format!("<x xmlns='{}' jid='r@s'/>", Invitation::NS),
                "origin-id" => format!("<origin-id xmlns='{}' id='1'/>", stanza_ids::NS),
                "event" => format!("<event xmlns='{}'/>", Event::NS),
                "retract" => format!("<retract xmlns='{}' id='1'/>", Retract::NS),
                "foreign:thread" => "<thread xmlns='urn:example'/>".to_owned(),
                "nothing" => String::new(),
                hint => format!("<{hint} xmlns='{}'/>", hints::NS),
            })
            .collect()
    }

    #[test]
    fn every_row_of_the_table() {
        let rows = TABLE.lines().filter(|line| line.starts_with('|')).skip(2);
        let mut seen = 0;
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [types, inside, waits, archived, copied, pushed] = cells[..] else {
                panic!("{row}");
            };
            for kind in kinds(types) {
                let fate = decide_on(kind, &children(inside));
                assert_eq!(fate.waits, waits == "yes", "{kind:?} {row}");
                assert_eq!(fate.archived, archived == "yes", "{kind:?} {row}");
                let copies = match copied {
                    "both" => Copies::Both,
                    "sender" => Copies::Sender,
                    _ => Copies::Nobody,
                };
                assert_eq!(fate.copies, copies, "{kind:?} {row}");
                assert_eq!(fate.pushed, pushed == "yes", "{kind:?} {row}");
                seen += 1;
            }
        }
        assert!(seen > 30, "{seen} rows");
    }

    #[test]
    fn who_wants_to_know_that_nobody_got_it() {
        for kind in [MessageType::Chat, MessageType::Normal] {
            assert!(decide_on(kind, &children("body")).says_something);
            assert!(decide_on(kind, &children("body no-store")).says_something);
            assert!(!decide_on(kind, &children("composing thread store")).says_something);
        }
        assert!(!decide_on(MessageType::Headline, &children("body")).says_something);
    }
}
