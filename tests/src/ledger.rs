//! Who sent what, and who got it how often.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_wire::{Element, ns};

/// Namespace of XEP-0359.
const STANZA_IDS: &str = "urn:xmpp:sid:0";

/// Messages sent, acknowledged and received. Bodies are unique in a run.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By body: to whom, and the how manieth.
    sent: BTreeMap<String, (String, u64)>,
    /// Receiver and sender, with the latest that came first.
    latest: BTreeMap<(String, String), u64>,
    disordered: Vec<String>,
    acknowledged: BTreeSet<String>,
    /// Receiver and body, with the stanza-ids under which it came.
    received: BTreeMap<(String, String), BTreeSet<String>>,
    redelivered: u64,
    strange: Vec<String>,
}

/// What must not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged, and not received.
    pub lost: Vec<String>,
    /// Received under more than one stanza-id.
    pub twice: Vec<String>,
    /// Received before what the same sender had sent before it (RFC 6120 §10.1).
    pub disordered: Vec<String>,
    /// Never sent, sent to somebody else, or without a stanza-id.
    pub strange: Vec<String>,
}

impl Verdict {
    /// Whether all is well.
    #[must_use]
    pub fn is_good(&self) -> bool {
        *self == Verdict::default()
    }
}

impl Ledger {
    /// A message is about to be sent.
    pub fn send(&mut self, to: &str, body: &str) {
        let number = self.sent.len() as u64;
        self.sent.insert(body.to_owned(), (to.to_owned(), number));
    }

    /// The server acknowledged it.
    pub fn acknowledge(&mut self, body: &str) {
        self.acknowledged.insert(body.to_owned());
    }

    /// A stanza came to `account`. A redelivered message carries the stanza-id that it had, by which a client shows it
    /// once; the same body under another stanza-id would show twice.
    pub fn receive(&mut self, account: &str, stanza: &Element) {
        if stanza.name() == "message" && stanza.attr("type") == Some("error") {
            self.strange.push(format!("{account} was told {stanza:?}"));
            return;
        }
        let Some(body) = stanza.child(ns::CLIENT, "body").map(Element::text) else {
            return;
        };
        let ids: Vec<_> = stanza
            .children()
            .filter(|child| child.is(STANZA_IDS, "stanza-id"))
            .collect();
        match ids.as_slice() {
            [id] if id.attr("by") == Some(account) => {
                let id = id.attr("id").unwrap_or_default().to_owned();
                self.note_order(account, stanza, &body);
                let seen = self.received.entry((account.to_owned(), body)).or_default();
                self.redelivered += u64::from(!seen.insert(id));
            }
            _ => self.strange.push(format!(
                "{body} came to {account} with {} stanza-ids of its own",
                ids.len()
            )),
        }
    }

    fn note_order(&mut self, account: &str, stanza: &Element, body: &str) {
        let sender = stanza.attr("from").unwrap_or_default();
        let sender = sender.split('/').next().unwrap_or_default();
        let Some((_, number)) = self.sent.get(body).filter(|_| !self.has_come(body)) else {
            return;
        };
        let latest = (account.to_owned(), sender.to_owned());
        let latest = self.latest.entry(latest).or_default();
        if *number < *latest {
            let late = format!("{body} to {account}, after the one of number {latest}");
            self.disordered.push(late);
        }
        *latest = (*latest).max(*number);
    }

    /// Whether `body` came to the account that it was sent to.
    #[must_use]
    pub fn has_come(&self, body: &str) -> bool {
        let to = self.sent.get(body);
        to.is_some_and(|(to, _)| self.received.contains_key(&(to.clone(), body.to_owned())))
    }

    /// Messages sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.len()
    }

    /// Messages acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Messages received, each counted once.
    #[must_use]
    pub fn received(&self) -> usize {
        self.received.len()
    }

    /// Messages that came again with the same stanza-id.
    #[must_use]
    pub fn redelivered(&self) -> u64 {
        self.redelivered
    }

    /// Whether everything that was sent is acknowledged and has come.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.sent
            .keys()
            .all(|body| self.acknowledged.contains(body) && self.has_come(body))
    }

    /// Whether everything that was sent has come.
    #[must_use]
    pub fn has_all(&self) -> bool {
        self.sent.keys().all(|body| self.has_come(body))
    }

    /// Judges what has come until now.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let lost = self
            .acknowledged
            .iter()
            .filter(|body| !self.has_come(body))
            .cloned()
            .collect();
        let twice = self.received.iter().filter(|(_, ids)| ids.len() > 1);
        let twice = twice
            .map(|((account, body), ids)| format!("{body} to {account} as {ids:?}"))
            .collect();
        let misled = self
            .received
            .keys()
            .filter(|(account, body)| self.sent.get(body).is_none_or(|(to, _)| to != account));
        let misled = misled.map(|(account, body)| format!("{body} came to {account}"));
        Verdict {
            lost,
            twice,
            disordered: self.disordered.clone(),
            strange: self.strange.iter().cloned().chain(misled).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_each_sender() {
        let mut ledger = Ledger::default();
        for body in ["one", "two", "three", "four"] {
            ledger.send("bob@example.org", body);
        }
        for (body, id) in [("two", "2"), ("one", "1"), ("three", "3"), ("two", "2")] {
            ledger.receive("bob@example.org", &message(body, id));
        }
        let mut other = message("four", "4");
        other.set_attr("from", "carol@example.org");
        ledger.receive("bob@example.org", &other);
        let disordered = ledger.verdict().disordered;
        assert_eq!(
            disordered,
            ["one to bob@example.org, after the one of number 1"]
        );
    }

    fn message(body: &str, id: &str) -> Element {
        Element::parse(format!(
            "<message xmlns='jabber:client'><body>{body}</body><stanza-id xmlns='urn:xmpp:sid:0' by='bob@example.org' id='{id}'/></message>"
        ))
        .unwrap()
    }

    #[test]
    fn tells_lost_from_twice_from_redelivered() {
        let mut ledger = Ledger::default();
        for body in ["one", "two", "three"] {
            ledger.send("bob@example.org", body);
            ledger.acknowledge(body);
        }
        ledger.receive("bob@example.org", &message("one", "1"));
        ledger.receive("bob@example.org", &message("one", "1"));
        ledger.receive("bob@example.org", &message("two", "2"));
        ledger.receive("bob@example.org", &message("two", "3"));
        ledger.receive("bob@example.org", &message("four", "4"));
        let verdict = ledger.verdict();
        assert_eq!(verdict.lost, ["three"]);
        assert_eq!(verdict.twice.len(), 1);
        assert_eq!(verdict.strange, ["four came to bob@example.org"]);
        assert_eq!((ledger.redelivered(), ledger.is_settled()), (1, false));
    }
}
