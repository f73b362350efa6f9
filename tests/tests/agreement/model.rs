//! What RFC 6121 makes of rosters and subscriptions, as simply as it can be said: no streams, no sessions, no order.

use std::collections::{BTreeMap, BTreeSet};

/// One account's item for another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) name: String,
    /// The account sees the contact's presence.
    pub(crate) to: bool,
    /// The contact sees the account's presence.
    pub(crate) from: bool,
    /// The account has asked to see it.
    pub(crate) ask: bool,
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Set { name: String },
    Remove,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
}

/// Accounts are numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    items: BTreeMap<(usize, usize), Item>,
    /// Who is asked, and by whom.
    asked: BTreeSet<(usize, usize)>,
}

impl Model {
    pub(crate) fn roster(&self, of: usize) -> BTreeMap<usize, Item> {
        let items = self.items.iter().filter(|((owner, _), _)| *owner == of);
        items
            .map(|((_, contact), item)| (*contact, item.clone()))
            .collect()
    }

    /// Whose presence an account sees.
    pub(crate) fn sees(&self, of: usize) -> BTreeSet<usize> {
        let roster = self.roster(of).into_iter();
        roster
            .filter(|(_, item)| item.to)
            .map(|(contact, _)| contact)
            .collect()
    }

    /// Whether the act means something now, and nothing that specifications leave open.
    pub(crate) fn makes_sense(&self, who: usize, whom: usize, act: &Act) -> bool {
        let asked = self.asked.contains(&(who, whom));
        match act {
            Act::Set { .. } | Act::Subscribe | Act::Unsubscribe | Act::Unsubscribed => true,
            // Without a request it is an approval in advance.
            Act::Subscribed => asked,
            Act::Remove => self.items.contains_key(&(who, whom)) && !asked,
        }
    }

    pub(crate) fn act(&mut self, who: usize, whom: usize, act: &Act) {
        match act {
            Act::Set { name } => self.item(who, whom).name.clone_from(name),
            Act::Remove => {
                self.stop_seeing(who, whom);
                self.stop_showing(who, whom);
                self.items.remove(&(who, whom));
            }
            Act::Subscribe => self.subscribe(who, whom),
            Act::Subscribed => {
                self.asked.remove(&(who, whom));
                self.item(who, whom).from = true;
                let theirs = self.item(whom, who);
                (theirs.to, theirs.ask) = (true, false);
            }
            Act::Unsubscribe => self.stop_seeing(who, whom),
            Act::Unsubscribed => self.stop_showing(who, whom),
        }
    }

    fn subscribe(&mut self, who: usize, whom: usize) {
        if self.item(who, whom).to {
            return;
        }
        if self.items.get(&(whom, who)).is_some_and(|item| item.from) {
            self.item(who, whom).to = true;
            return;
        }
        self.item(who, whom).ask = true;
        self.asked.insert((whom, who));
    }

    fn stop_seeing(&mut self, who: usize, whom: usize) {
        if let Some(item) = self.items.get_mut(&(who, whom)) {
            (item.to, item.ask) = (false, false);
        }
        if let Some(item) = self.items.get_mut(&(whom, who)) {
            item.from = false;
        }
        self.asked.remove(&(whom, who));
    }

    fn stop_showing(&mut self, who: usize, whom: usize) {
        if let Some(item) = self.items.get_mut(&(who, whom)) {
            item.from = false;
        }
        if let Some(item) = self.items.get_mut(&(whom, who)) {
            (item.to, item.ask) = (false, false);
        }
        self.asked.remove(&(who, whom));
    }

    fn item(&mut self, who: usize, whom: usize) -> &mut Item {
        self.items.entry((who, whom)).or_default()
    }
}
