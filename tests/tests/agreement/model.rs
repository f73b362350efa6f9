//! What RFC 6121 makes of rosters, subscriptions and presence, and XEP-0191 of blocking, as simply as it can be said: no
//! streams, no order, no time.

use std::collections::{BTreeMap, BTreeSet};

/// Accounts and clients are numbers.
pub(crate) type Account = usize;
pub(crate) type Client = usize;

pub(crate) const CLIENTS: usize = 10;
/// The first three have two clients each.
pub(crate) const ACCOUNTS: usize = 7;

pub(crate) fn account_of(client: Client) -> Account {
    if client < 6 { client / 2 } else { client - 3 }
}

pub(crate) fn clients_of(account: Account) -> impl Iterator<Item = Client> {
    (0..CLIENTS).filter(move |client| account_of(*client) == account)
}

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

/// What can be on a list of who is blocked (XEP-0191 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blocked {
    Account(Account),
    /// A full address.
    Client(Client),
    /// The domain: everybody but the account itself.
    Domain,
}

/// A full address with a client, a bare one without.
pub(crate) type Address = (Account, Option<Client>);

impl Blocked {
    fn names(self, (account, client): Address) -> bool {
        match self {
            Blocked::Account(blocked) => blocked == account,
            Blocked::Client(blocked) => client == Some(blocked),
            Blocked::Domain => true,
        }
    }
}

/// A time in the present round, in which nothing is blocked and free again: each item of a list changes once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// After all that was done.
    Now,
    /// At some time, maybe.
    Ever,
    /// All the time.
    Always,
}

/// What a client does, most of it to the account that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Set { name: String },
    Remove,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Block(Blocked),
    Unblock(Blocked),
    Show(String),
    Leave,
}

/// What two acts that are done at once must not have in common, so that there is one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Matter {
    /// The name that one gives the other.
    Name(Account, Account),
    /// The subscriptions between them, lesser first.
    Subscriptions(Account, Account),
    Blocked(Account, Blocked),
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    items: BTreeMap<(Account, Account), Item>,
    /// Who is asked, and by whom.
    asked: BTreeSet<(Account, Account)>,
    /// By whom, and what.
    blocked: BTreeSet<(Account, Blocked)>,
    /// The same when the round began.
    before: BTreeSet<(Account, Blocked)>,
    /// What each client shows, if it is available.
    shown: [Option<String>; CLIENTS],
}

impl Model {
    /// Everybody is available, and nobody knows anybody.
    pub(crate) fn new() -> Model {
        Model {
            items: BTreeMap::new(),
            asked: BTreeSet::new(),
            blocked: BTreeSet::new(),
            before: BTreeSet::new(),
            shown: [const { Some(String::new()) }; CLIENTS],
        }
    }

    pub(crate) fn begin_round(&mut self) {
        self.before = self.blocked.clone();
    }

    pub(crate) fn roster(&self, of: Account) -> BTreeMap<Account, Item> {
        let items = self.items.iter().filter(|((owner, _), _)| *owner == of);
        items
            .map(|((_, contact), item)| (*contact, item.clone()))
            .collect()
    }

    pub(crate) fn block_list(&self, of: Account) -> BTreeSet<Blocked> {
        let own = self.blocked.iter().filter(|(by, _)| *by == of);
        own.map(|(_, blocked)| *blocked).collect()
    }

    pub(crate) fn shown(&self, client: Client) -> Option<&str> {
        self.shown[client].as_deref()
    }

    /// Whose presence a client has before it, and which: that of its account's sessions and of contacts who let it, unless
    /// one has blocked the other.
    pub(crate) fn sees(&self, client: Client) -> BTreeMap<Client, String> {
        let own = account_of(client);
        let sees = |other: Client| {
            let account = account_of(other);
            let item = self.items.get(&(own, account));
            let may = account == own || item.is_some_and(|item| item.to);
            let kept = self.blocks(When::Now, own, (account, Some(other)))
                || self.blocks(When::Now, account, (own, Some(client)));
            let presence = self.shown[other].clone().filter(|_| may && !kept);
            presence.map(|presence| (other, presence))
        };
        match self.shown[client] {
            Some(_) => (0..CLIENTS).filter_map(sees).collect(),
            None => BTreeMap::new(),
        }
    }

    /// Whether an account has blocked an address. Nobody blocks oneself (XEP-0191 §4).
    pub(crate) fn blocks(&self, when: When, own: Account, address: Address) -> bool {
        let mut names = |(by, blocked): &(Account, Blocked)| *by == own && blocked.names(address);
        let named = match when {
            When::Now => self.blocked.iter().any(names),
            When::Ever => self.blocked.union(&self.before).any(names),
            When::Always => self.blocked.intersection(&self.before).any(&mut names),
        };
        named && own != address.0
    }

    fn has_blocked(&self, own: Account, other: Account) -> bool {
        self.blocks(When::Now, own, (other, None))
    }

    /// Whether the act means something now, and nothing that specifications leave open.
    pub(crate) fn makes_sense(&self, client: Client, whom: Account, act: &Act) -> bool {
        let who = account_of(client);
        let asked = self.asked.contains(&(who, whom));
        match act {
            // Without a request it is an approval in advance; to who blocks, it is approval that does not arrive.
            Act::Subscribed => asked && !self.has_blocked(whom, who),
            Act::Remove => self.items.contains_key(&(who, whom)) && !asked,
            Act::Block(blocked) => {
                let oneself = *blocked != Blocked::Domain && blocked.names((who, Some(client)));
                !oneself && !self.blocked.contains(&(who, *blocked))
            }
            Act::Unblock(blocked) => self.blocked.contains(&(who, *blocked)),
            Act::Leave => self.shown[client].is_some(),
            _ => true,
        }
    }

    /// What the act is about.
    pub(crate) fn matters(client: Client, whom: Account, act: &Act) -> Vec<Matter> {
        let who = account_of(client);
        let between = |whom: Account| Matter::Subscriptions(who.min(whom), who.max(whom));
        match act {
            Act::Set { .. } => vec![Matter::Name(who, whom)],
            Act::Remove => vec![Matter::Name(who, whom), between(whom)],
            Act::Block(blocked) | Act::Unblock(blocked) => {
                let mut matters = vec![Matter::Blocked(who, *blocked)];
                let named = (0..ACCOUNTS).filter(|other| blocked.names((*other, None)));
                matters.extend(named.map(between));
                matters
            }
            Act::Show(_) | Act::Leave => Vec::new(),
            _ => vec![between(whom)],
        }
    }

    /// Whether the server answers the act by an error: nobody sends presence to whom they have blocked (XEP-0191 §3.3).
    pub(crate) fn is_refused(&self, client: Client, whom: Account, act: &Act) -> bool {
        let is_request = matches!(
            act,
            Act::Subscribe | Act::Subscribed | Act::Unsubscribe | Act::Unsubscribed
        );
        is_request && self.has_blocked(account_of(client), whom)
    }

    pub(crate) fn act(&mut self, client: Client, whom: Account, act: &Act) {
        let who = account_of(client);
        if self.is_refused(client, whom, act) {
            return;
        }
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
            Act::Block(blocked) => drop(self.blocked.insert((who, *blocked))),
            Act::Unblock(blocked) => drop(self.blocked.remove(&(who, *blocked))),
            Act::Show(shown) => self.shown[client] = Some(shown.clone()),
            Act::Leave => self.shown[client] = None,
        }
    }

    fn subscribe(&mut self, who: Account, whom: Account) {
        if self.item(who, whom).to {
            return;
        }
        self.item(who, whom).ask = true;
        // Whoever has blocked the asker never hears of it, and does not answer.
        if self.has_blocked(whom, who) {
            return;
        }
        if self.items.get(&(whom, who)).is_some_and(|item| item.from) {
            let own = self.item(who, whom);
            (own.to, own.ask) = (true, false);
            return;
        }
        self.asked.insert((whom, who));
    }

    fn stop_seeing(&mut self, who: Account, whom: Account) {
        if let Some(item) = self.items.get_mut(&(who, whom)) {
            (item.to, item.ask) = (false, false);
        }
        if let Some(item) = self.items.get_mut(&(whom, who)) {
            item.from = false;
        }
        self.asked.remove(&(whom, who));
    }

    /// Only one who sees, or has asked in a way that was heard, is told.
    fn stop_showing(&mut self, who: Account, whom: Account) {
        let item = self.items.get_mut(&(who, whom));
        let saw = item.is_some_and(|item| std::mem::take(&mut item.from));
        let asked = self.asked.remove(&(who, whom));
        if let Some(item) = self.items.get_mut(&(whom, who))
            && (saw || asked)
        {
            (item.to, item.ask) = (false, false);
        }
    }

    fn item(&mut self, who: Account, whom: Account) -> &mut Item {
        self.items.entry((who, whom)).or_default()
    }
}
