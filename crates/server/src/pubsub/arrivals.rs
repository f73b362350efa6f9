//! The newest item by presence (XEP-0060 §12.2, XEP-0163 §4.3.4): who comes, or becomes interested, is told how things
//! are.
//!
//! It is as much as contacts publish and the client is interested in, so that it is looked up in the background, one
//! account after another, and comes at the pace at which the client takes it.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures_util::FutureExt;
use waxwing_stanza::xep::xep_0060_pubsub::SubscriptionState;
use waxwing_stanza::{BareJid, Jid, StanzaError};

use crate::addressee::Place;
use crate::blocking;
use crate::effects::Effects;
use crate::interests::Interests;
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::{access_model, roster_groups_allowed, send_last_published_item};
use crate::pubsub::notify;
use crate::pubsub::service::{Service, ServiceKind};
use crate::pubsub::subscriptions::Subscription;
use crate::pubsub::{last, subscriptions};
use crate::roster;
use crate::server::Server;
use crate::session::{Out, Session};

/// Nodes of an account that are read at once to find those of interest; where there are more, each is looked for.
const NODES_AT_ONCE: usize = 64;

/// What a session is still to be told.
#[derive(Debug)]
pub(crate) enum Word {
    /// The newest items of these nodes, of its account and of all contacts; and of those accounts to which it had shown
    /// itself when this was said.
    Everybody(Arc<Interests>, BTreeSet<BareJid>),
    /// The same of one account.
    Of(BareJid, Arc<Interests>),
    /// The same of those nodes of an account that certain groups of its roster may read, where none of these may.
    Regrouped(BareJid, Arc<Interests>, Arc<Vec<String>>),
    /// The same of the open nodes of an account to which it has shown itself.
    Shared(BareJid, Arc<Interests>),
    /// The newest items of what it has subscribed to, or its account if it is the first of its sessions.
    Subscriptions { is_first: bool },
}

/// A session has become available: it is told of what it is interested in, as far as that is known, and of what it has
/// subscribed to; the first one of an account, of what that has subscribed to.
pub(crate) fn arrived(server: &Server, session: &Arc<Session>, is_first: bool) {
    say(server, session, Word::Subscriptions { is_first });
    interested(server, session);
}

/// More may be known of what a session is interested in: if it is available, it is told of what it was not told of yet.
pub(crate) fn interested(server: &Server, session: &Arc<Session>) {
    let words = {
        let mut state = session.state();
        if state.available.is_none() {
            return;
        }
        let Some(following) = &mut state.following else {
            return;
        };
        let untold = following.untold();
        untold.map(|untold| (untold, state.directed.iter().map(Jid::bare).collect()))
    };
    if let Some((untold, shown)) = words {
        say(server, session, Word::Everybody(untold, shown));
    }
}

/// Somebody may see an account: its interested sessions are told how things are there.
pub(crate) fn gained(server: &Server, account: &BareJid, who: &BareJid) {
    each_interested(server, who, |interests| {
        Some(Word::Of(account.clone(), interests))
    });
}

/// A session has shown itself to an account: it is told how things are at its open nodes, as elsewhere.
pub(crate) fn shared(
    server: &Server,
    session: &Arc<Session>,
    account: BareJid,
    told: Arc<Interests>,
) {
    say(server, session, Word::Shared(account, told));
}

/// An account has put somebody into other groups of its roster (point 6).
pub(crate) fn regrouped(server: &Server, account: &BareJid, who: &BareJid, before: &[String]) {
    let before = Arc::new(before.to_vec());
    each_interested(server, who, |interests| {
        Some(Word::Regrouped(account.clone(), interests, before.clone()))
    });
}

/// A node is configured otherwise: who gains access to it is told how things are there (point 5).
pub(crate) async fn reconfigured(
    server: &Server,
    before: &Node,
    after: &Node,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let gained = notify::gained(server, before, after).await?;
    let is_opened = after.is_open() && !before.is_open();
    if gained.is_empty() && !is_opened {
        return Ok(());
    }
    let (account, name) = (after.service.jid.clone(), after.name.clone());
    let only = Arc::new(Interests::named([name.clone()]));
    effects.call(move |server| {
        for who in gained {
            each_interested(server, &who, |interests| {
                let is_meant = interests.has(&name);
                is_meant.then(|| Word::Of(account.clone(), only.clone()))
            });
        }
        if !is_opened {
            return;
        }
        for session in server.sharers().of(&account) {
            if session.is_interested(&name) {
                say(
                    server,
                    &session,
                    Word::Shared(account.clone(), only.clone()),
                );
            }
        }
    });
    Ok(())
}

fn each_interested(server: &Server, who: &BareJid, word: impl Fn(Arc<Interests>) -> Option<Word>) {
    let known = server.directory().known(who);
    for (_, session) in known.iter().flat_map(|known| known.available()) {
        let interests = {
            let state = session.state();
            let following = state.following.as_ref();
            following.and_then(|following| following.interests.clone())
        };
        if let Some(word) = interests.and_then(&word) {
            say(server, &session, word);
        }
    }
}

/// Adds to what a session is to be told; one task says it all.
fn say(server: &Server, session: &Arc<Session>, word: Word) {
    {
        let mut state = session.state();
        if state.ended {
            return;
        }
        let following = state.following.get_or_insert_default();
        if following.words.len() >= WORDS_MAX {
            return server.metrics().limit(crate::Limit::Capabilities);
        }
        following.words.push_back(word);
        if std::mem::replace(&mut following.telling, true) {
            return;
        }
    }
    let (server, session) = (server.clone(), session.clone());
    let tasks = server.outside().tasks.clone();
    let work = async move {
        while let Some(word) = next(&session) {
            if let Err(error) = tell(&server, &session, word).await {
                tracing::warn!(condition = ?error.condition, "a session could not be told the newest items");
            }
        }
    };
    tasks.spawn(work.boxed());
}

/// Most that a session waits to be told: beyond what somebody does in a while who is granted access by many.
const WORDS_MAX: usize = 1_000;

fn next(session: &Session) -> Option<Word> {
    let mut state = session.state();
    let ended = state.ended;
    let following = state.following.as_mut()?;
    if ended {
        following.words = VecDeque::new();
    }
    let word = following.words.pop_front();
    following.telling = word.is_some();
    if word.is_none() {
        following.told_now = HashSet::new();
        following.words = VecDeque::new();
        if following.is_idle() {
            state.following = None;
        }
    }
    word
}

async fn tell(server: &Server, session: &Arc<Session>, word: Word) -> Result<(), StanzaError> {
    let account = &session.account;
    match word {
        Word::Subscriptions { is_first } => subscribed(server, session, is_first).await,
        Word::Of(contact, interests) => {
            of_account(server, session, &contact, &interests, |_| true).await
        }
        Word::Regrouped(contact, interests, before) => {
            let is_new = |node: &Node| {
                let mut groups = node.values(&roster_groups_allowed::FIELD);
                let model = node.text(&access_model::FIELD);
                model == "roster" && !groups.any(|group| before.iter().any(|own| own == group))
            };
            of_account(server, session, &contact, &interests, is_new).await
        }
        Word::Shared(contact, interests) => of_shared(server, session, &contact, &interests).await,
        Word::Everybody(interests, shown) => {
            of_account(server, session, &account.jid, &interests, |_| true).await?;
            let contacts = roster::items(server, account).await?;
            let seen = contacts.into_iter().filter(|(_, item)| item.to);
            for (contact, _) in seen {
                if !is_told(session) {
                    return Ok(());
                }
                of_account(server, session, &contact, &interests, |_| true).await?;
            }
            for contact in shown {
                of_shared(server, session, &contact, &interests).await?;
            }
            Ok(())
        }
    }
}

/// The newest items of the open nodes of an account to which the session has shown itself.
async fn of_shared(
    server: &Server,
    session: &Arc<Session>,
    whose: &BareJid,
    interests: &Interests,
) -> Result<(), StanzaError> {
    // Who sees it by a subscription is told for that.
    let own = &session.account.jid;
    if !is_ours(server, whose) || roster::sees_presence(server, own, whose).await? {
        return Ok(());
    }
    of_interest_at(server, session, whose, interests, Because::Shared, |_| true).await
}

/// Whether a session is there to be told anything.
fn is_told(session: &Session) -> bool {
    let state = session.state();
    !state.ended && state.available.is_some()
}

/// Tells the newest items of an account's nodes, of those that are of interest.
async fn of_account(
    server: &Server,
    session: &Arc<Session>,
    whose: &BareJid,
    interests: &Interests,
    is_meant: impl Fn(&Node) -> bool,
) -> Result<(), StanzaError> {
    let own = &session.account.jid;
    if !is_ours(server, whose) || !roster::sees_presence(server, own, whose).await? {
        return Ok(());
    }
    let because = Because::Interested;
    of_interest_at(server, session, whose, interests, because, is_meant).await
}

/// Whether this is the address of an account here, if of any.
fn is_ours(server: &Server, jid: &BareJid) -> bool {
    server.place(jid.domain()) == Some(Place::Domain) && jid.node().is_some()
}

/// Tells the newest items of those of an account's nodes that are of interest.
async fn of_interest_at(
    server: &Server,
    session: &Arc<Session>,
    whose: &BareJid,
    interests: &Interests,
    because: Because<'_>,
    is_meant: impl Fn(&Node) -> bool,
) -> Result<(), StanzaError> {
    let service = Service::of_account(whose);
    let nodes = of_interest(server, &service, interests).await?;
    let mut open = Vec::new();
    for node in nodes.into_iter().filter(is_meant) {
        // Who gains access meanwhile is told for that.
        if because.holds(server, session, &node).await? {
            open.push(node.name);
        }
    }
    for name in open {
        newest(server, session, &service, &name, because).await?;
    }
    Ok(())
}

/// Why a session is told the newest item of a node.
#[derive(Clone, Copy)]
enum Because<'a> {
    /// It is interested in nodes of this name.
    Interested,
    /// The same, and it has shown itself to the account whose they are.
    Shared,
    /// This is a subscription of its account's.
    Subscribed(&'a Subscription),
}

impl Because<'_> {
    /// The address that is told.
    fn to(self, session: &Session) -> String {
        match self {
            Because::Interested | Because::Shared => session.jid.to_string(),
            Because::Subscribed(one) => one.jid.to_string(),
        }
    }

    /// Whether that is so, as things are.
    async fn holds(
        self,
        server: &Server,
        session: &Session,
        node: &Node,
    ) -> Result<bool, StanzaError> {
        let own = &session.account.jid;
        match self {
            // What was told who has subscribed waits in the log.
            Because::Interested | Because::Shared
                if notify::waits(node)
                    && subscriptions::is_subscribed(server, node, own).await? =>
            {
                Ok(false)
            }
            Because::Interested if node.service.jid == *own => Ok(true),
            Because::Interested => match roster::item_of(server, &node.service.jid, own).await? {
                Some(item) if item.from => notify::is_open_to(server, node, own, &item).await,
                _ => Ok(false),
            },
            Because::Shared if session.shows_itself_to(&node.service.jid) => {
                notify::is_open_to_sharer(server, node, session).await
            }
            Because::Shared => Ok(false),
            // What waits for a subscriber who is not there comes from its log.
            Because::Subscribed(_) if notify::waits(node) => Ok(false),
            Because::Subscribed(one) => {
                let all = subscriptions::of_jid(server, node, &one.jid).await?;
                match all.iter().find(|now| now.id == one.id) {
                    Some(now) => notify::is_told(server, node, now).await,
                    None => Ok(false),
                }
            }
        }
    }
}

/// Whether a session is told of an account's nodes for being interested in them.
async fn is_counted(
    server: &Server,
    session: &Session,
    whose: &BareJid,
) -> Result<bool, StanzaError> {
    let sees = roster::sees_presence(server, &session.account.jid, whose).await?;
    Ok(sees || session.shows_itself_to(whose))
}

/// Whether neither account has blocked the other.
async fn is_free(
    server: &Server,
    session: &Session,
    service: &Service,
) -> Result<bool, StanzaError> {
    if blocking::is_kept_from(&session.account, &Jid::from(service.jid.clone())) {
        return Ok(false);
    }
    if service.kind == ServiceKind::Host {
        return Ok(true);
    }
    // An account that is disabled is not there.
    let other = server.account(&service.jid).await?;
    let own = Jid::from(session.jid.clone());
    Ok(other.is_some_and(|other| !blocking::is_kept_from(&other, &own)))
}

/// The nodes of these names that tell their newest item by presence.
async fn of_interest(
    server: &Server,
    service: &Service,
    interests: &Interests,
) -> Result<Vec<Node>, StanzaError> {
    let first = node::some(server, service, NODES_AT_ONCE).await?;
    let mut nodes = first;
    if nodes.len() == NODES_AT_ONCE {
        nodes = Vec::new();
        for name in interests.names() {
            nodes.extend(node::find(server, service, name).await?);
        }
    }
    nodes.retain(|node| interests.has(&node.name) && is_by_presence(node));
    Ok(nodes)
}

fn is_by_presence(node: &Node) -> bool {
    node.text(&send_last_published_item::FIELD) == "on_sub_and_presence"
}

/// Tells the newest item of a node once the client takes it, while nobody changes the node: what is published later comes
/// later. Who may see what is asked then, too.
async fn newest(
    server: &Server,
    session: &Arc<Session>,
    service: &Service,
    name: &str,
    because: Because<'_>,
) -> Result<(), StanzaError> {
    session.room(|state| state.has_room()).await;
    let own = &session.account.jid;
    let _turn = server.node_turn_with_roster(&service.jid, name, own).await;
    let Some(node) = node::find(server, service, name).await? else {
        return Ok(());
    };
    let is_told = is_by_presence(&node) && is_told(session);
    let may_be_told = is_told
        && is_free(server, session, service).await?
        && because.holds(server, session, &node).await?;
    if !may_be_told {
        return Ok(());
    }
    if let Some((at_micros, notice)) = last::notice(server, &node).await?
        && is_news(session, &node, at_micros, because)
    {
        session.push(Out::passing(notice.to(&because.to(session), &[])));
    }
    Ok(())
}

/// Whether an item is told for the first time in one go: what somebody gains access to while they are told of all is told
/// with that, and once.
fn is_news(session: &Session, node: &Node, at_micros: u64, because: Because<'_>) -> bool {
    if matches!(because, Because::Subscribed(_)) {
        return true;
    }
    let mut hasher = DefaultHasher::new();
    (&node.service.jid, &node.name, at_micros).hash(&mut hasher);
    let mut state = session.state();
    let following = state.following.as_mut();
    following.is_none_or(|following| following.told_now.insert(hasher.finish()))
}

/// Tells the newest items of what the account has subscribed to, once for each node.
async fn subscribed(
    server: &Server,
    session: &Arc<Session>,
    is_first: bool,
) -> Result<(), StanzaError> {
    let account = &session.account;
    let all = subscriptions::everywhere(server, &account.jid).await?;
    for (service, one) in all {
        let is_meant = match one.jid.full() {
            Some(full) => full == session.jid,
            None => is_first,
        };
        if one.state != SubscriptionState::Subscribed || !is_meant {
            continue;
        }
        // It is told as one who is interested.
        if service.kind == ServiceKind::Account
            && session.is_interested(&one.node)
            && is_counted(server, session, &service.jid).await?
        {
            continue;
        }
        newest(
            server,
            session,
            &service,
            &one.node,
            Because::Subscribed(&one),
        )
        .await?;
    }
    Ok(())
}
