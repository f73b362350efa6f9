//! Who is told what happened to a node, and how (XEP-0060 §12.2, §12.4, XEP-0163 §4).
//!
//! Length: who is told, whether, and how are one walk through the same receivers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::xep::xep_0060_pubsub::event::Event;
use waxwing_stanza::xep::xep_0060_pubsub::{Affiliation, SubscriptionState};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0131_shim::{Headers, SUBID};
use waxwing_stanza::xep::xep_0203_delay::Delay;
use waxwing_stanza::{BareJid, Condition, FullJid, Jid, MessageType, Payload, StanzaError};
use waxwing_store::Marks;
use waxwing_wire::{Element, Splice, Stanza, ns};

use crate::blocking;
use crate::delivery::{Delivery, UNDELIVERED};
use crate::directory::Account;
use crate::effects::Effects;
use crate::keep;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::{
    access_model, deliver_notifications, notification_type, presence_based_delivery,
    roster_groups_allowed,
};
use crate::pubsub::privilege::{Privilege, may};
use crate::pubsub::service::ServiceKind;
use crate::pubsub::subscribe_options::{deliver, show_values};
use crate::pubsub::subscriptions::{self, Subscription};
use crate::pubsub::{access, affiliations};
use crate::roster::{self, StoredItem};
use crate::server::Server;
use crate::session::{Out, Session};
use crate::waiting;

/// A message that says what happened, without an address.
#[derive(Clone)]
pub(crate) struct Notice {
    kind: MessageType,
    stanza: Stanza,
    /// Who caused it, where that is not the service's business: what waits counts as theirs.
    cause: Option<BareJid>,
}

impl Notice {
    /// What happened to a node, as its configuration says that it is told.
    pub(crate) fn of(server: &Server, node: &Node, event: &Event) -> Result<Notice, StanzaError> {
        Notice::new(server, node, &event.write(), None)
    }

    /// Something that happened before.
    pub(crate) fn late(
        server: &Server,
        node: &Node,
        event: &Event,
        at_micros: u64,
    ) -> Result<Notice, StanzaError> {
        let stamp = DateTime::from_unix_micros(at_micros);
        let delay = Delay::new(node.service.jid.clone(), stamp);
        Notice::new(server, node, &event.write(), Some(&delay))
    }

    /// What an owner is asked, which waits for who is not there.
    pub(crate) fn question(
        server: &Server,
        node: &Node,
        content: &Element,
    ) -> Result<Notice, StanzaError> {
        Notice::written(server, node, MessageType::Normal, content, None)
    }

    /// What nobody needs who is not there.
    pub(crate) fn passing(
        server: &Server,
        node: &Node,
        content: &Element,
    ) -> Result<Notice, StanzaError> {
        Notice::written(server, node, MessageType::Headline, content, None)
    }

    /// A message of whatever content.
    pub(crate) fn new(
        server: &Server,
        node: &Node,
        content: &Element,
        delay: Option<&Delay>,
    ) -> Result<Notice, StanzaError> {
        let kind = match node.text(&notification_type::FIELD) {
            "normal" => MessageType::Normal,
            _ => MessageType::Headline,
        };
        Notice::written(server, node, kind, content, delay)
    }

    fn written(
        server: &Server,
        node: &Node,
        kind: MessageType,
        content: &Element,
        delay: Option<&Delay>,
    ) -> Result<Notice, StanzaError> {
        let mut message = Element::new(ns::CLIENT, "message")
            .with_attr("from", node.service.jid.to_string())
            .with_attr("id", format!("pubsub-{}", server.outside().token::<8>()));
        if kind == MessageType::Headline {
            message.set_attr("type", "headline");
        }
        message.push(content.clone());
        if let Some(delay) = delay {
            message.push(delay.write());
        }
        let stanza = server.reparse(message.to_bytes(ns::CLIENT))?;
        Ok(Notice {
            kind,
            stanza,
            cause: None,
        })
    }

    /// The same, caused by somebody.
    pub(crate) fn caused_by(self, cause: BareJid) -> Notice {
        Notice {
            cause: Some(cause),
            ..self
        }
    }

    /// For one address.
    pub(crate) fn to(&self, to: &str, ids: &[String]) -> Bytes {
        self.addressed(to, ids).finish()
    }

    fn addressed<'a>(&'a self, to: &'a str, ids: &[String]) -> Splice<'a> {
        let splice = self.stanza.splice().to(Some(to));
        if ids.len() < 2 {
            return splice;
        }
        // §7.1.2.4: several subscriptions of one address get one notification.
        let headers = Headers::named(SUBID, ids.iter().map(String::as_str));
        splice.append(&headers.write().to_bytes(ns::CLIENT))
    }
}

/// Most messages of type *normal* that one commit gives to the logs of subscribers; the others come after it.
const STORED_AT_ONCE_MAX: usize = 5_000;
/// Most bytes of them.
const STORED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A subscriber who is told.
struct Receiver {
    jid: Jid,
    ids: Vec<String>,
    /// The values of `<show/>` for which it is told; none for all.
    shows: Vec<String>,
}

/// Who is told: those who subscribed, and those who said that they are interested.
#[derive(Default)]
pub(crate) struct Audience {
    explicit: Vec<Receiver>,
    /// Accounts whose interested sessions are told.
    implicit: Vec<BareJid>,
    /// Sessions that are told if they are interested.
    sharers: Vec<Arc<Session>>,
    /// Whose node it is: whom they have blocked is told nothing.
    whose: Whose,
}

impl Audience {
    /// Those who are told what happens to a node.
    pub(crate) async fn of(server: &Server, node: &Node) -> Result<Audience, StanzaError> {
        Audience::among(server, node, subscriptions::all(server, node).await?).await
    }

    /// The same, and those who are not subscribed yet: who waits for approval, or has not said how.
    pub(crate) async fn with_those_who_wait(
        server: &Server,
        node: &Node,
    ) -> Result<Audience, StanzaError> {
        let all = subscriptions::all(server, node).await?;
        let (subscribed, waiting): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|one| one.state == SubscriptionState::Subscribed);
        let mut audience = Audience::among(server, node, subscribed).await?;
        let known = audience.explicit.iter().map(|known| known.jid.clone());
        let mut known: BTreeSet<Jid> = known.collect();
        for receiver in Audience::these(&waiting).explicit {
            if !audience.whose.have_blocked(|| receiver.jid.clone())
                && known.insert(receiver.jid.clone())
            {
                audience.explicit.push(receiver);
            }
        }
        Ok(audience)
    }

    /// Those who are told of those whose subscriptions these are, and of those who are interested.
    async fn among(
        server: &Server,
        node: &Node,
        subscriptions: Vec<Subscription>,
    ) -> Result<Audience, StanzaError> {
        let whose = Whose::of(server, node).await?;
        if !node.is(&deliver_notifications::FIELD) {
            return Ok(Audience {
                whose,
                ..Audience::default()
            });
        }
        Ok(Audience {
            explicit: subscribers(server, node, subscriptions, &whose).await?,
            implicit: interested(server, node, &whose).await?,
            sharers: sharers(server, node, &whose).await?,
            whose,
        })
    }

    /// Those whose subscriptions these are, whatever their options.
    pub(crate) fn these(subscriptions: &[Subscription]) -> Audience {
        let receiver = |one: &Subscription| Receiver {
            jid: one.jid.clone(),
            ids: vec![one.id.clone()],
            shows: Vec::new(),
        };
        Audience {
            explicit: subscriptions.iter().map(receiver).collect(),
            ..Audience::default()
        }
    }

    /// Accounts, whether they have subscribed or not.
    pub(crate) fn accounts(jids: impl IntoIterator<Item = BareJid>) -> Audience {
        let receiver = |jid: BareJid| Receiver {
            jid: jid.into(),
            ids: Vec::new(),
            shows: Vec::new(),
        };
        Audience {
            explicit: jids.into_iter().map(receiver).collect(),
            ..Audience::default()
        }
    }
}

/// The account whose node it is, if one of ours: none at a host.
#[derive(Clone, Default)]
struct Whose(Option<Arc<Account>>);

impl Whose {
    async fn of(server: &Server, node: &Node) -> Result<Whose, StanzaError> {
        match node.service.kind {
            ServiceKind::Host => Ok(Whose::default()),
            ServiceKind::Account => server.account(&node.service.jid).await.map(Whose),
        }
    }

    /// Whether they have blocked somebody; whom, is looked at only if they have blocked anybody.
    fn have_blocked(&self, who: impl FnOnce() -> Jid) -> bool {
        let account = self.0.as_ref();
        let account = account.filter(|account| !account.blocked().0.is_empty());
        account.is_some_and(|account| blocking::is_kept_from(account, &who()))
    }

    fn have_blocked_session(&self, session: &Session) -> bool {
        self.have_blocked(|| session.jid.clone().into())
    }
}

/// Subscriptions that are in force, those of one address together.
async fn subscribers(
    server: &Server,
    node: &Node,
    subscriptions: Vec<Subscription>,
    whose: &Whose,
) -> Result<Vec<Receiver>, StanzaError> {
    let mut receivers: BTreeMap<Jid, Receiver> = BTreeMap::new();
    let kind = node.service.kind;
    for one in subscriptions {
        let is_told = one.settings.is(&deliver::FIELD, kind);
        if one.state != SubscriptionState::Subscribed || !is_told {
            continue;
        }
        let shows = one.settings.values(&show_values::FIELD, kind);
        let shows: Vec<String> = shows.map(str::to_owned).collect();
        match receivers.get_mut(&one.jid) {
            Some(receiver) => {
                receiver.ids.push(one.id);
                // Told for one of them is told.
                match shows.is_empty() || receiver.shows.is_empty() {
                    true => receiver.shows.clear(),
                    false => receiver.shows.extend(shows),
                }
            }
            None => {
                let receiver = Receiver {
                    jid: one.jid.clone(),
                    ids: vec![one.id],
                    shows,
                };
                receivers.insert(one.jid, receiver);
            }
        }
    }
    let mut receivers: Vec<Receiver> = receivers.into_values().collect();
    receivers.retain(|receiver| !whose.have_blocked(|| receiver.jid.clone()));
    // Who may read may have changed since they subscribed.
    match node.is_open() {
        true => Ok(receivers),
        false => still_let_in(server, node, receivers).await,
    }
}

/// From so many accounts on, what is asked for all of them is read once.
const MANY_ACCOUNTS: usize = 16;

/// Those of the receivers who may still read: each account is asked about once, however many of its addresses have
/// subscribed.
async fn still_let_in(
    server: &Server,
    node: &Node,
    receivers: Vec<Receiver>,
) -> Result<Vec<Receiver>, StanzaError> {
    let accounts: BTreeSet<BareJid> = receivers.iter().map(|one| one.jid.bare()).collect();
    let known = match accounts.len() >= MANY_ACCOUNTS {
        true => Some(access::Known::of(server, node).await?),
        false => None,
    };
    let mut admitted = BTreeSet::new();
    for who in accounts {
        let ask = access::Ask {
            server,
            node,
            who: &who,
            affiliation: match &known {
                Some(known) => known.affiliation(&who),
                None => affiliations::of(server, node, &who).await?,
            },
            known: known.as_ref(),
        };
        if access::to_read(&ask).await.is_ok() {
            admitted.insert(who);
        }
    }
    let is_admitted = |one: &Receiver| admitted.contains(&one.jid.bare());
    Ok(receivers.into_iter().filter(is_admitted).collect())
}

/// Accounts whose sessions are told of a node of an account if they are interested (§9.1): its own, and those of contacts
/// who see its presence and may read.
async fn interested(
    server: &Server,
    node: &Node,
    whose: &Whose,
) -> Result<Vec<BareJid>, StanzaError> {
    let Some(account) = &whose.0 else {
        return Ok(Vec::new());
    };
    let mut accounts = vec![node.service.jid.clone()];
    let affiliated: BTreeMap<BareJid, Affiliation> =
        affiliations::all(server, node).await?.into_iter().collect();
    for (jid, item) in roster::items(server, account).await? {
        let affiliation = affiliated.get(&jid).copied();
        let affiliation = affiliation.unwrap_or(Affiliation::None);
        let may_read = is_open(node, affiliation, &item);
        if may_read && !whose.have_blocked(|| jid.clone().into()) {
            accounts.push(jid);
        }
    }
    Ok(accounts)
}

/// Sessions that have shown themselves to an account, want to be told of a node of its that is open, and may (§9.1.3). Only
/// of those who want it anything is asked, once for each account.
async fn sharers(
    server: &Server,
    node: &Node,
    whose: &Whose,
) -> Result<Vec<Arc<Session>>, StanzaError> {
    if node.service.kind == ServiceKind::Host || !node.is_open() {
        return Ok(Vec::new());
    }
    let mut sharers = server.sharers().of(&node.service.jid);
    sharers.retain(|session| {
        session.is_interested(&node.name) && !whose.have_blocked_session(session)
    });
    let mut asked: BTreeMap<BareJid, bool> = BTreeMap::new();
    let mut admitted = Vec::new();
    for session in sharers {
        let account = &session.account.jid;
        let may_read = match asked.get(account) {
            Some(known) => *known,
            None => is_open_to_sharer(server, node, &session).await?,
        };
        asked.insert(account.clone(), may_read);
        if may_read {
            admitted.push(session);
        }
    }
    Ok(admitted)
}

/// Whether somebody who has shown itself is told of a node: of open ones, unless it was shut out by name.
pub(crate) async fn is_open_to_sharer(
    server: &Server,
    node: &Node,
    session: &Session,
) -> Result<bool, StanzaError> {
    let affiliation = affiliations::of(server, node, &session.account.jid).await?;
    Ok(node.is_open() && may(affiliation, Privilege::Subscribe))
}

/// Accounts that are told of a node by their interests since it is configured as it is, and were not before.
pub(crate) async fn gained(
    server: &Server,
    before: &Node,
    after: &Node,
) -> Result<Vec<BareJid>, StanzaError> {
    let open = |node: &Node| {
        let groups = node.values(&roster_groups_allowed::FIELD);
        let groups: Vec<String> = groups.map(str::to_owned).collect();
        (node.text(&access_model::FIELD).to_owned(), groups)
    };
    if open(before) == open(after) {
        return Ok(Vec::new());
    }
    let whose = Whose::of(server, after).await?;
    let known = interested(server, before, &whose).await?;
    let mut gained = interested(server, after, &whose).await?;
    gained.retain(|account| !known.contains(account));
    Ok(gained)
}

/// Whether a contact is told of a node of an account without a subscription: by its affiliation, and what the account's
/// roster says of it.
fn is_open(node: &Node, affiliation: Affiliation, item: &StoredItem) -> bool {
    let may_read = match affiliation {
        Affiliation::Outcast | Affiliation::PublishOnly => false,
        Affiliation::Owner | Affiliation::Publisher | Affiliation::Member => true,
        Affiliation::None => match node.text(&access_model::FIELD) {
            "open" | "presence" => true,
            "roster" => node
                .values(&roster_groups_allowed::FIELD)
                .any(|group| item.groups.iter().any(|own| own == group)),
            _ => false,
        },
    };
    item.from && may_read
}

/// The same, for one contact.
pub(crate) async fn is_open_to(
    server: &Server,
    node: &Node,
    who: &BareJid,
    item: &StoredItem,
) -> Result<bool, StanzaError> {
    let affiliation = affiliations::of(server, node, who).await?;
    Ok(is_open(node, affiliation, item))
}

/// Whether what happens to a node waits for subscribers who are not there.
pub(crate) fn waits(node: &Node) -> bool {
    node.text(&notification_type::FIELD) == "normal" && !node.is(&presence_based_delivery::FIELD)
}

/// Whether a subscriber is told of a node now, as far as that does not hang on how available it is.
pub(crate) async fn is_told(
    server: &Server,
    node: &Node,
    subscription: &Subscription,
) -> Result<bool, StanzaError> {
    let whose = Whose::of(server, node).await?;
    let told = subscribers(server, node, vec![subscription.clone()], &whose).await?;
    Ok(!told.is_empty())
}

/// Tells an audience once the writes are durable. A message of type *normal* waits in the log of an account that is not
/// there, and is written with the same commit.
pub(crate) async fn tell(
    server: &Server,
    node: &Node,
    notice: Notice,
    audience: Audience,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let Audience {
        mut explicit,
        implicit,
        sharers,
        whose,
    } = audience;
    let mut from_log = Vec::new();
    if notice.kind == MessageType::Normal {
        let (kept, others) = parted(server, node, explicit).await?;
        explicit = others;
        let jid =
            |(account, receiver): &(Arc<Account>, Receiver)| (account.clone(), receiver.jid.full());
        from_log = kept.iter().map(jid).collect();
        store(server, &node.service.jid, &notice, kept, effects).await?;
    }
    let only_present = node.is(&presence_based_delivery::FIELD);
    let (node, name) = (node.service.jid.clone(), node.name.clone());
    effects.call(move |server| {
        let from = Jid::from(node);
        let mut told = Told::default();
        for (account, full) in &from_log {
            told.note_from_log(account, full.as_ref());
        }
        for receiver in &explicit {
            let receivers = sessions_of(server, &from, &notice, receiver);
            for (session, bytes) in receivers {
                // XEP-0060 §12.4.
                let is_there = !only_present || session.priority().is_some();
                let is_told = is_there && !whose.have_blocked_session(&session);
                if is_told && told.note(&session) {
                    session.push(Out::passing(bytes));
                }
            }
        }
        let implicit = implicit
            .iter()
            .filter_map(|account| server.directory().known(account))
            .filter(|account| !blocking::is_kept_from(account, &from))
            .flat_map(|account| account.available());
        let implicit = implicit.map(|(_, session)| session);
        let sharers = sharers
            .into_iter()
            .filter(|session| !blocking::is_kept_from(&session.account, &from));
        for session in implicit.chain(sharers) {
            let is_told = session.is_interested(&name) && !whose.have_blocked_session(&session);
            if is_told && told.note(&session) {
                session.push(Out::passing(notice.to(session.jid.as_str(), &[])));
            }
        }
    });
    Ok(())
}

/// Sessions that were told.
#[derive(Default)]
struct Told(std::collections::HashSet<usize>);

impl Told {
    /// Whether it is the first time.
    fn note(&mut self, session: &Arc<Session>) -> bool {
        self.0.insert(Arc::as_ptr(session).addr())
    }

    /// What is stored for an account goes to these of its sessions.
    fn note_from_log(&mut self, account: &Arc<Account>, full: Option<&FullJid>) {
        let sessions = match full.map(|full| account.session(full.resource())) {
            Some(Some(session)) => vec![session],
            _ => account.most_available(),
        };
        for session in &sessions {
            self.note(session);
        }
    }
}

/// Parts receivers into those for whom messages are kept, and those who are told in another way.
async fn parted(
    server: &Server,
    node: &Node,
    receivers: Vec<Receiver>,
) -> Result<(Vec<(Arc<Account>, Receiver)>, Vec<Receiver>), StanzaError> {
    let only_present = node.is(&presence_based_delivery::FIELD);
    let from = Jid::from(node.service.jid.clone());
    let (mut kept, mut others) = (Vec::new(), Vec::new());
    for receiver in receivers {
        let account = server.receiver(&receiver.jid.bare()).await?;
        let is_choosy = only_present || !receiver.shows.is_empty();
        match account.filter(|account| !account.is_guest()) {
            Some(account) if !is_choosy && !blocking::is_kept_from(&account, &from) => {
                kept.push((account, receiver));
            }
            _ => others.push(receiver),
        }
    }
    Ok((kept, others))
}

/// Gives a message to the logs of accounts: with this commit as many as it holds, and the others after it.
async fn store(
    server: &Server,
    from: &BareJid,
    notice: &Notice,
    kept: Vec<(Arc<Account>, Receiver)>,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let bytes = notice.stanza.bytes().len().max(1);
    let most = STORED_AT_ONCE_MAX.min((STORED_BYTES_MAX / bytes).max(1));
    let mut kept = kept.into_iter();
    for (account, receiver) in kept.by_ref().take(most) {
        effects
            .more
            .extend(delivery(server, from, notice, account, &receiver).await?);
    }
    let rest: Vec<_> = kept.collect();
    if rest.is_empty() {
        return Ok(());
    }
    let (from, notice) = (from.clone(), notice.clone());
    effects.spawn(move |server| async move {
        let mut rest = rest.into_iter().peekable();
        while rest.peek().is_some() {
            let mut effects = Effects::none();
            for (account, receiver) in rest.by_ref().take(most) {
                let delivery = delivery(&server, &from, &notice, account, &receiver).await;
                effects.more.extend(delivery.ok().flatten());
            }
            if let Err(error) = server.carry_out(effects).await {
                tracing::warn!(%error, "notifications could not be stored");
            }
        }
    });
    Ok(())
}

/// A message on its way into the log of an account; nothing where there is no room: that does not keep the others from
/// being told.
async fn delivery(
    server: &Server,
    from: &BareJid,
    notice: &Notice,
    account: Arc<Account>,
    receiver: &Receiver,
) -> Result<Option<Delivery>, StanzaError> {
    let stanza = notice.addressed(receiver.jid.as_str(), &receiver.ids);
    let stanza = stanza
        .stanza()
        .map_err(|_| Condition::InternalServerError)?;
    let full = receiver.jid.full();
    let fate = keep::decide(notice.kind, &stanza);
    let bytes = stanza.bytes().len();
    let admitted = match fate.waits {
        true => {
            let cause = notice.cause.as_ref().unwrap_or(from);
            waiting::admit(server, &account, cause, full.as_ref(), bytes).await
        }
        false => Ok(false),
    };
    let stranger = match admitted {
        Err(error) if error.condition == Condition::ServiceUnavailable => return Ok(None),
        stranger => stranger?,
    };
    Ok(Some(Delivery {
        account,
        full,
        kind: notice.kind,
        fate,
        // Archived are the items, at their node.
        marks: match fate.waits {
            true => UNDELIVERED,
            false => Marks::NONE,
        },
        other: from.clone(),
        stranger,
        stanza,
        id: None,
        sender: None,
    }))
}

/// The sessions that a subscriber has for a notice, with what each is told.
fn sessions_of(
    server: &Server,
    from: &Jid,
    notice: &Notice,
    receiver: &Receiver,
) -> Vec<(Arc<Session>, Bytes)> {
    let bare = receiver.jid.bare();
    let known = server.directory().known(&bare);
    let component = || Some(server.component(bare.domain())?.account.clone());
    let Some(account) = known.or_else(component) else {
        return Vec::new();
    };
    if blocking::is_kept_from(&account, from) {
        return Vec::new();
    }
    let mut sessions = match receiver.jid.full() {
        Some(full) if !account.is_outside() => {
            account.session(full.resource()).into_iter().collect()
        }
        _ => reached(&account, notice.kind),
    };
    sessions.retain(|session| receiver.is_shown_to(session));
    if sessions.is_empty() {
        return Vec::new();
    }
    let bytes = notice.to(receiver.jid.as_str(), &receiver.ids);
    let each = sessions.into_iter();
    each.map(|session| (session, bytes.clone())).collect()
}

/// RFC 6121 §8.5.2.1: the sessions that a message to the account goes to.
fn reached(account: &Arc<Account>, kind: MessageType) -> Vec<Arc<Session>> {
    match kind {
        MessageType::Headline => {
            let all = account.not_negative().into_iter();
            all.map(|(_, session)| session).collect()
        }
        _ => account.most_available(),
    }
}

impl Receiver {
    /// Whether the session is as available as its subscription asks.
    fn is_shown_to(&self, session: &Session) -> bool {
        if self.shows.is_empty() {
            return true;
        }
        let show = crate::presence::shown(session);
        show.is_some_and(|show| self.shows.contains(&show))
    }
}
