//! What clients can, by the hashes in their presence (XEP-0115, XEP-0390): of which nodes they want to be told.
//!
//! A hash that is known answers at once. One that is not is asked for, once for all clients that show it, as long as the
//! answer has that hash; what does not counts for the session that said it, and for nobody else.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0030_disco::DiscoInfo;
use waxwing_stanza::xep::xep_0115_caps::{self as caps, Caps};
use waxwing_stanza::xep::xep_0390_caps::{self as caps2, Algorithm};
use waxwing_store::{Batch, Expiring, Index, KeyRange, Owner, StoreError, Table};
use waxwing_wire::Stanza;

use crate::asks::{self, Unanswered};
use crate::interests::Interests;
use crate::server::Server;
use crate::session::Session;

/// Most bytes of an answer.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Most features of an answer.
pub(crate) const FEATURES_MAX: usize = 1_000;

/// Most bytes of the node that is asked for.
const NODE_BYTES_MAX: usize = 1_023;

/// Most bytes of what a hash is known by: more than any has.
const KEY_BYTES_MAX: usize = 128;

/// Hashes that are kept in memory, beside those that sessions have.
pub(crate) const KNOWN_MAX: usize = 2_000;

/// Most bytes of names that are kept in memory with them.
pub(crate) const KNOWN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Hashes that are kept on disk. The oldest make room where there are more.
pub(crate) const STORED_MAX: u64 = 10_000;

/// How many make room.
const STORED_STEP: usize = 100;

/// How long a hash is kept on disk; then a client is asked again.
const STORED_MICROS: u64 = 90 * 24 * 3_600 * 1_000_000;

/// Questions to one session that are asked at once.
pub(crate) const QUESTIONS_AT_ONCE_MAX: u32 = 4;

/// The pause before each of the others: a client that shows another hash with each presence is asked for few of them.
pub(crate) const PAUSE_SECS: u64 = 30;

/// What is stored of a hash.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredInterests {
    /// Names of nodes.
    #[prost(string, repeated, tag = "1")]
    pub(crate) nodes: Vec<String>,
    /// When it was found out, in microseconds since the Unix epoch.
    #[prost(uint64, tag = "2")]
    pub(crate) noted_micros: u64,
}

/// The oldest first.
static BY_AGE: Index<String, StoredInterests, u64> =
    Index::ordered("by-age", |_, stored| vec![stored.noted_micros]);

/// What clients want to be told of, by hash.
pub(crate) static CAPABILITIES: Expiring<String, StoredInterests> =
    Table::new("capabilities", 1).index(&BY_AGE).expiring();

/// What a client shows of its capabilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The node to ask for the whole.
    node: String,
    /// How the answer is checked.
    proof: Proof,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    /// By XEP-0115: SHA-1.
    Ver(String),
    /// By XEP-0390.
    Hash(Algorithm, String),
    /// Not at all.
    None,
}

impl Claim {
    /// What presence says. Of both kinds, the one that is harder to forge counts.
    fn of(stanza: &Stanza) -> Option<Claim> {
        let newer = caps2::Caps::find_in(stanza).ok().flatten();
        let claim = newer
            .and_then(|caps| Claim::newer(&caps))
            .or_else(|| Claim::older(&Caps::find_in(stanza).ok()??))?;
        (claim.node.len() <= NODE_BYTES_MAX).then_some(claim)
    }

    fn newer(caps: &caps2::Caps) -> Option<Claim> {
        let known = Algorithm::ALL.into_iter().find_map(|algorithm| {
            let mut hashes = caps.hashes.iter();
            let hash = hashes.find(|hash| hash.algo == algorithm.name())?;
            Some((hash, Proof::Hash(algorithm, hash.value.clone())))
        });
        let first = caps.hashes.first().map(|hash| (hash, Proof::None));
        let (hash, proof) = known.or(first)?;
        Some(Claim {
            node: hash.disco_node(),
            proof,
        })
    }

    fn older(caps: &Caps) -> Option<Claim> {
        let proof = match caps.hash.as_deref() {
            Some(caps::HASH) => Proof::Ver(caps.ver.clone()),
            _ => Proof::None,
        };
        Some(Claim {
            node: caps.disco_node(),
            proof,
        })
    }

    /// By what it is known, if it can be known at all.
    fn key(&self) -> Option<String> {
        let key = match &self.proof {
            Proof::Ver(ver) => format!("{}.{ver}", caps::HASH),
            Proof::Hash(..) => self.node.clone(),
            Proof::None => return None,
        };
        (key.len() <= KEY_BYTES_MAX).then_some(key)
    }

    /// Whether an answer is what the hash stands for.
    fn is_proved_by(&self, answer: &Stanza, info: &DiscoInfo, lang: &str) -> bool {
        match &self.proof {
            Proof::None => false,
            Proof::Ver(claimed) => {
                let ver = caps::ver(info);
                ver.is_ok_and(|ver| ver == *claimed) && !is_ambiguous(info)
            }
            Proof::Hash(algorithm, claimed) => {
                let Some(query) = answer.child(DiscoInfo::NS, DiscoInfo::NAME) else {
                    return false;
                };
                let query = query.element();
                let of_answer = answer.lang();
                let of_answer = of_answer.as_deref().unwrap_or(lang);
                let inherited = query.attr("xml:lang").unwrap_or(of_answer);
                // Many do not know of what is inherited.
                ["", inherited].into_iter().any(|lang| {
                    let input = caps2::hash_input(&query, lang);
                    input.is_ok_and(|input| algorithm.hash(&input) == *claimed)
                })
            }
        }
    }
}

/// Whether an answer may be another one of the same string, with features said as something else (XEP-0115 §5.1 writes all of
/// them one after the other): what it says of interests is believed of nobody else.
fn is_ambiguous(info: &DiscoInfo) -> bool {
    let is_interest = |text: &str| text.contains("+notify");
    let identities = info.identities.iter().flat_map(|it| {
        let optional = [&it.lang, &it.name].into_iter().flatten();
        [&it.category, &it.kind].into_iter().chain(optional)
    });
    let fields = info.forms.iter().flat_map(|form| &form.fields);
    let forms = fields.flat_map(|field| field.var.iter().chain(&field.values));
    identities.chain(forms).any(|text| is_interest(text))
}

/// Hashes that are known.
#[derive(Default)]
pub(crate) struct Capabilities(Mutex<Known>);

#[derive(Default)]
struct Known {
    all: HashMap<String, Arc<Interests>>,
    /// Of all names.
    bytes: usize,
}

impl Known {
    fn has_room(&self, bytes: usize) -> bool {
        self.all.len() < KNOWN_MAX && self.bytes + bytes <= KNOWN_BYTES_MAX
    }
}

impl Capabilities {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &str) -> Option<Arc<Interests>> {
        self.known().all.get(key).cloned()
    }

    /// Remembers what a hash stands for; of several who find it out at a time, all share what the first one found.
    fn note(&self, key: String, interests: Interests) -> Arc<Interests> {
        let mut known = self.known();
        if let Some(first) = known.all.get(&key) {
            return first.clone();
        }
        let (bytes, interests) = (key.len() + interests.bytes(), Arc::new(interests));
        if !known.has_room(bytes) {
            known
                .all
                .retain(|_, interests| Arc::strong_count(interests) > 1);
            let left = known.all.iter();
            known.bytes = left
                .map(|(key, interests)| key.len() + interests.bytes())
                .sum();
        }
        if known.has_room(bytes) {
            known.bytes += bytes;
            known.all.insert(key, interests.clone());
        }
        interests
    }
}

/// A number for what presence says of capabilities; 0 for nothing.
fn fingerprint(stanza: &Stanza) -> u64 {
    let is_caps = |ns: &str, name: &str| name == "c" && (ns == caps::NS || ns == caps2::NS);
    let mut hasher = None;
    for child in stanza.children() {
        if is_caps(child.ns(), child.name()) {
            let hasher = hasher.get_or_insert_with(DefaultHasher::new);
            hasher.write(child.bytes());
        }
    }
    hasher.map_or(0, |hasher| hasher.finish().max(1))
}

/// A session has sent available presence to everybody.
pub(crate) fn broadcast(server: &Server, session: &Arc<Session>, stanza: &Stanza) {
    let shown = fingerprint(stanza);
    let mut state = session.state();
    let before = state
        .following
        .as_ref()
        .map_or(0, |following| following.shown);
    if shown == before {
        return;
    }
    let following = state.following.get_or_insert_default();
    following.clear();
    let Some(claim) = Claim::of(stanza) else {
        following.shown = shown;
        return;
    };
    following.shown = shown;
    following.turn = server.next_number();
    let known = claim.key().and_then(|key| server.capabilities().get(&key));
    if let Some(interests) = known {
        following.interests = Some(interests);
        return;
    }
    following.wanted = Some(claim);
    if std::mem::replace(&mut following.asking, true) {
        return;
    }
    drop(state);
    let (server, session) = (server.clone(), session.clone());
    let tasks = server.outside().tasks.clone();
    tasks.spawn(async move { find_out(&server, &session).await }.boxed());
}

/// A session is not available any more.
pub(crate) fn left(session: &Session) {
    if let Some(following) = &mut session.state().following {
        following.leave();
    }
}

/// Finds out what the session shows, until that is known.
async fn find_out(server: &Server, session: &Arc<Session>) {
    while let Some((claim, turn)) = next(session) {
        let interests = match stored(server, &claim).await {
            Ok(Some(interests)) => Some(interests),
            Ok(None) => asked(server, session, &claim, turn).await,
            Err(error) => {
                tracing::warn!(%error, "capabilities of clients could not be read");
                asked(server, session, &claim, turn).await
            }
        };
        let mut state = session.state();
        if let Some(following) = state.following.as_mut().filter(|now| now.turn == turn) {
            following.interests = interests;
        }
        drop(state);
        crate::pubsub::interested(server, session);
    }
}

/// What is to be found out next; nobody finds anything out from then on where there is nothing.
fn next(session: &Session) -> Option<(Claim, u64)> {
    let mut state = session.state();
    let ended = state.ended;
    let following = state.following.as_mut()?;
    let claim = following.wanted.take().filter(|_| !ended);
    following.asking = claim.is_some();
    claim.map(|claim| (claim, following.turn))
}

/// What is known of the hash, in memory or on disk.
async fn stored(server: &Server, claim: &Claim) -> Result<Option<Arc<Interests>>, StoreError> {
    let Some(key) = claim.key() else {
        return Ok(None);
    };
    if let Some(known) = server.capabilities().get(&key) {
        return Ok(Some(known));
    }
    let table = CAPABILITIES.at(server.now_micros());
    let stored = server.store().get(&table, &Owner::server(), &key).await?;
    let interests = stored.map(|stored| Interests::named(stored.nodes));
    Ok(interests.map(|interests| server.capabilities().note(key, interests)))
}

/// What the client says, if the question is still of interest.
async fn asked(
    server: &Server,
    session: &Arc<Session>,
    claim: &Claim,
    turn: u64,
) -> Option<Arc<Interests>> {
    if !is_to_be_asked(server, session, turn).await {
        return None;
    }
    let question = DiscoInfo::question(Some(&claim.node)).write();
    let answer = match asks::ask(server, session, &question).await {
        Ok(answer) => answer,
        Err(Unanswered::Busy | Unanswered::Late) => {
            server.metrics().limit(crate::Limit::Capabilities);
            return None;
        }
        Err(Unanswered::Gone | Unanswered::Refused) => return None,
    };
    let Some((info, interests)) = read(&answer) else {
        server.metrics().limit(crate::Limit::Capabilities);
        return None;
    };
    let lang = session.state().lang.clone().unwrap_or_default();
    let key = claim
        .key()
        .filter(|_| claim.is_proved_by(&answer, &info, &lang));
    let Some(key) = key else {
        tracing::debug!(
            node = claim.node,
            "capabilities that are not what their hash says"
        );
        return Some(Arc::new(interests));
    };
    if let Err(error) = store(server, &key, &interests).await {
        tracing::warn!(%error, "stored capabilities of clients could not be counted");
    }
    Some(server.capabilities().note(key, interests))
}

/// Waits until the session may be asked once more; says whether it still shows the same.
async fn is_to_be_asked(server: &Server, session: &Session, turn: u64) -> bool {
    let asked = match &mut session.state().following {
        Some(following) => {
            following.questions = following.questions.saturating_add(1);
            following.questions
        }
        None => return false,
    };
    if asked > QUESTIONS_AT_ONCE_MAX {
        server.metrics().limit(crate::Limit::Capabilities);
        let until = server.steady_micros() + PAUSE_SECS * 1_000_000;
        server.outside().clock.sleep_until(until).await;
    }
    let state = session.state();
    let following = state.following.as_ref();
    !state.ended && following.is_some_and(|following| following.turn == turn)
}

/// What an answer says; nothing where it says too much, or cannot be read.
fn read(answer: &Stanza) -> Option<(DiscoInfo, Interests)> {
    if answer.bytes().len() > ANSWER_BYTES_MAX {
        return None;
    }
    let info = DiscoInfo::find_in(answer).ok()??;
    let interests = Interests::of(&info)?;
    (info.features.len() <= FEATURES_MAX).then_some((info, interests))
}

async fn store(server: &Server, key: &str, interests: &Interests) -> Result<(), StoreError> {
    let (owner, table) = (Owner::server(), CAPABILITIES.at(0));
    let mut batch = Batch::new();
    batch.unhurried();
    let count = server.store().count(&table, &owner, &KeyRange::all());
    if count.await? >= STORED_MAX {
        let all = KeyRange::all();
        let oldest = server.store().find(&table, &BY_AGE, &all, STORED_STEP);
        for old in oldest.await? {
            batch.delete(&table, &owner, &old.key);
        }
    }
    let now = server.now_micros();
    let stored = StoredInterests {
        nodes: interests.names().cloned().collect(),
        noted_micros: now,
    };
    let until = now.saturating_add(STORED_MICROS);
    batch.put_expiring(&CAPABILITIES, &owner, key, &stored, until);
    server.store().submit(batch, |result| {
        if let Err(error) = result {
            tracing::warn!(%error, "capabilities of clients could not be stored");
        }
    });
    Ok(())
}
