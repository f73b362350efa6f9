//! What a client asks for together with its log-in, within limits.

use std::collections::VecDeque;

use waxwing_stanza::xep::xep_0386_bind2 as bind2;
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_stanza::xep::xep_0480_upgrade::Upgrade;
use waxwing_stanza::xep::xep_0484_fast::{Fast, RequestToken};
use waxwing_stanza::{Condition, Payload};
use waxwing_wire::Element;

use super::super::xep_0386_bind2::BindWish;
use super::super::xep_0480_upgrade::{Task, hash_of};
use super::{End, NS, once};
use crate::sasl::{Failure, Hash, Initiator, Mechanism};
use crate::server::Sasl2;
use crate::sm::{Failed, Resume, SM};

/// Longest name of a client's software or device that is kept; the rest is cut off.
const USER_AGENT_BYTES_MAX: usize = 256;
/// What stands once in `<authenticate/>`, or not at all.
const SINGLE: [(&str, &str); 6] = [
    (NS, "initial-response"),
    (NS, "user-agent"),
    (bind2::NS, "bind"),
    (SM, "resume"),
    (Fast::NS, Fast::NAME),
    (RequestToken::NS, RequestToken::NAME),
];

/// What came in `<authenticate/>`, and what has come of it until now.
#[derive(Default)]
pub(in super::super) struct Request {
    /// Tasks that are still to be done (XEP-0480).
    pub(in super::super) upgrades: VecDeque<Hash>,
    /// The task that goes on.
    pub(in super::super) task: Option<Task>,
    /// The proof of a token that is looked up.
    pub(in super::super) initiator: Option<(Mechanism, Initiator)>,
    pub(in super::super) fast: Option<Fast>,
    /// What a token is wanted for.
    pub(in super::super) token_for: Option<Mechanism>,
    pub(in super::super) resume: Option<Resume>,
    pub(in super::super) bind: Option<BindWish>,
    /// How the client has proved who it is, until that is told.
    pub(in super::super) proven_by: Option<Mechanism>,
    /// What the mechanism said last, if that is not sent yet.
    pub(in super::super) data: Option<Vec<u8>>,
    /// What the client is told with its success.
    pub(in super::super) results: Vec<Element>,
    /// A token that is told as soon as it is stored.
    pub(in super::super) token: Option<Element>,
    pub(in super::super) end: End,
}

impl Request {
    /// Reads what is asked for, as far as it is offered: what is not is passed over.
    pub(super) fn read(
        element: &Element,
        settings: &Sasl2,
    ) -> Result<(Request, Option<UserAgent>), Failure> {
        for (namespace, name) in SINGLE {
            single(element, namespace, name)?;
        }
        let mut request = Request {
            upgrades: upgrades(element, settings),
            fast: once(element)?,
            bind: BindWish::read(element, settings)?,
            ..Request::default()
        };
        let token: Option<RequestToken> = once(element)?;
        let token = token.filter(|_| settings.tokens.is_some());
        request.token_for = token.and_then(|token| Mechanism::from_name(&token.mechanism));
        if settings.resume
            && let Some(resume) = element.child(SM, Resume::NAME)
        {
            match Resume::read(resume) {
                Ok(resume) => request.resume = Some(resume),
                // XEP-0198 has words for it; the log-in is not what is wrong.
                Err(_) => request.results.push(failed(Condition::BadRequest)),
            }
        }
        Ok((request, user_agent(element)?))
    }
}

fn failed(condition: Condition) -> Element {
    let failed = Failed {
        h: None,
        condition: Some(condition),
    };
    failed.write()
}

/// The tasks that are offered, each once.
fn upgrades(element: &Element, settings: &Sasl2) -> VecDeque<Hash> {
    let mut upgrades = VecDeque::new();
    let asked = element.children().filter(|child| Upgrade::is(child));
    for hash in asked.filter_map(|child| hash_of(&child.text())) {
        if settings.upgrades.contains(&hash) && !upgrades.contains(&hash) {
            upgrades.push_back(hash);
        }
    }
    upgrades
}

fn user_agent(element: &Element) -> Result<Option<UserAgent>, Failure> {
    let Some(mut agent) = once::<UserAgent>(element)? else {
        return Ok(None);
    };
    if let Some(id) = &mut agent.id {
        // §2.3; it becomes part of a key in the store.
        if !is_uuid(id) {
            return Err(Failure::MalformedRequest);
        }
        id.make_ascii_lowercase();
    }
    for text in [&mut agent.software, &mut agent.device] {
        *text = text.take().map(|text| cut(text, USER_AGENT_BYTES_MAX));
    }
    Ok(Some(agent))
}

/// Whether it has the form of a UUID (RFC 4122 §3): which version is the client's to keep to.
fn is_uuid(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = text.split('-').take(6).collect();
    let lengths = parts.iter().map(|part| part.len());
    lengths.eq([8, 4, 4, 4, 12]) && parts.into_iter().all(is_hex)
}

fn cut(mut text: String, bytes_max: usize) -> String {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= bytes_max).last();
    text.truncate(end.unwrap_or_default());
    text
}

/// The child of that name, which must not stand twice.
pub(super) fn single<'a>(
    parent: &'a Element,
    namespace: &str,
    name: &str,
) -> Result<Option<&'a Element>, Failure> {
    let mut found = parent.children().filter(|child| child.is(namespace, name));
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        _ => Err(Failure::MalformedRequest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_a_form() {
        assert!(is_uuid("d4565fa7-4d72-4749-b3d3-740edbf87770"));
        assert!(is_uuid("D4565FA7-4D72-4749-B3D3-740EDBF87770"));
        for wrong in [
            "",
            "d4565fa7",
            "d4565fa7-4d72-4749-b3d3-740edbf8777",
            "d4565fa7-4d72-4749-b3d3-740edbf87770-",
            "d4565fa7-4d72-4749-b3d3-740edbf8777g",
            "d4565fa74-d72-4749-b3d3-740edbf87770",
            "{4565fa7-4d72-4749-b3d3-740edbf8777}",
        ] {
            assert!(!is_uuid(wrong), "{wrong}");
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(cut("abc".into(), 3), "abc");
        assert_eq!(cut("abcd".into(), 3), "abc");
        assert_eq!(cut("ab\u{E9}".into(), 3), "ab");
        assert_eq!(cut("\u{1F98A}".into(), 3), "");
    }
}
