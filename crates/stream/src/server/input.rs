//! What comes in, and the header among it.

use waxwing_stanza::{BareJid, Jid};
use waxwing_wire::{Header, Stanza, WireError, ns};

use super::settings::Domain;
use super::{HELD_EVENTS_MAX, Negotiation, Phase, Stage, features, stanzas};
use crate::error::{StreamCondition, StreamError};
use crate::header::{OwnHeader, is_version_1_or_later};

/// Longest language tag that is taken from a stream header.
const LANGUAGE_BYTES_MAX: usize = 35;

pub(super) enum Input {
    Header(Header),
    Stanza(Stanza),
    Whitespace,
    Close,
    Error(WireError),
}

impl Negotiation {
    /// Works on what came in, or holds it while a question is open.
    pub(super) fn take(&mut self, input: Input) {
        match self.phase {
            Phase::Closed => {}
            Phase::Handshake => {
                let text = "nothing may be sent in the clear after <starttls/>";
                self.close(StreamError::new(StreamCondition::PolicyViolation, text));
            }
            Phase::Open if self.question.is_none() => self.work(input),
            Phase::Open if self.held.len() < HELD_EVENTS_MAX => self.held.push_back(input),
            Phase::Open => {
                let text = "too much was sent without waiting for an answer";
                self.close(StreamError::new(StreamCondition::PolicyViolation, text));
            }
        }
    }

    /// Goes on with what was held, until the next question.
    pub(super) fn take_held(&mut self) {
        while self.question.is_none() && self.phase != Phase::Closed {
            match self.held.pop_front() {
                Some(input) => self.take(input),
                None => return,
            }
        }
    }

    fn work(&mut self, input: Input) {
        match input {
            Input::Header(header) => self.work_header(&header),
            Input::Stanza(_) if !self.opened => {
                let text = "a new stream header is due";
                self.close(StreamError::new(StreamCondition::BadFormat, text));
            }
            Input::Stanza(stanza) => stanzas::work(self, stanza),
            Input::Whitespace => features::work_whitespace(self),
            Input::Close => self.finish(),
            Input::Error(error) => self.close(error.into()),
        }
    }

    fn work_header(&mut self, header: &Header) {
        if self.opened {
            let text = "the stream is open already";
            return self.close(StreamError::new(StreamCondition::BadFormat, text));
        }
        let judged = self.judge(header);
        if let Ok(domain) = &judged {
            self.domain.clone_from(domain);
        }
        let lang = header.lang.as_deref().filter(|lang| is_language(lang));
        self.lang = lang.map(Box::from);
        let from = header.from.as_deref().and_then(|from| Jid::new(from).ok());
        let is_account = |from: &Jid| from.node().is_some();
        self.sasl2
            .set_from(from.filter(is_account).map(|from| from.bare()));
        self.open(Some(header));
        match judged {
            Ok(_) => features::offer(self),
            Err(error) => self.close(error),
        }
    }

    /// The domain that the header asks for, if everything is right with it.
    fn judge(&self, header: &Header) -> Result<String, StreamError> {
        judge_form(header)?;
        let Some(to) = header.to.as_deref().map(Jid::new) else {
            let text = "the stream header needs an attribute 'to'";
            return Err(StreamError::new(StreamCondition::ImproperAddressing, text));
        };
        let is_domain = |to: &Jid| to.node().is_none() && to.resource().is_none();
        let Some(domain) = to.ok().filter(is_domain) else {
            let text = "'to' is not a domain";
            return Err(StreamError::new(StreamCondition::ImproperAddressing, text));
        };
        let Ok(from) = header.from.as_deref().map(Jid::new).transpose() else {
            let text = "'from' is not an address";
            return Err(StreamError::new(StreamCondition::ImproperAddressing, text));
        };
        self.judge_domain(domain.domain())?;
        self.judge_from(domain.domain(), from.as_ref())?;
        self.judge_account(domain.domain(), from.as_ref())?;
        Ok(domain.domain().to_owned())
    }

    fn judge_domain(&self, domain: &str) -> Result<(), StreamError> {
        let (condition, text) = match self.settings.domains.find(domain) {
            Some(Domain::Served) => return Ok(()),
            Some(Domain::Elsewhere(address)) => {
                return Err(StreamCondition::SeeOtherHost(address.clone()).into());
            }
            Some(Domain::Gone) => (
                StreamCondition::HostGone,
                "that domain is no longer served here",
            ),
            None => (
                StreamCondition::HostUnknown,
                "that domain is not served here",
            ),
        };
        Err(StreamError::new(condition, text))
    }

    /// XEP-0388 §2.1: who says who it is belongs to the domain that it asks for.
    fn judge_from(&self, domain: &str, from: Option<&Jid>) -> Result<(), StreamError> {
        let is_elsewhere = from.is_some_and(|from| from.domain() != domain);
        if is_elsewhere && self.settings.sasl2.is_some() && self.account().is_none() {
            let text = "'from' is of another domain";
            return Err(StreamError::new(StreamCondition::InvalidFrom, text));
        }
        Ok(())
    }

    /// After log-in, the stream belongs to one account.
    fn judge_account(&self, domain: &str, from: Option<&Jid>) -> Result<(), StreamError> {
        let Some(account) = self.account() else {
            return Ok(());
        };
        if account.domain() != domain {
            let text = "the log-in was for another domain";
            return Err(StreamError::new(StreamCondition::NotAuthorized, text));
        }
        if from.is_some_and(|from| from.bare() != *account) {
            let text = "'from' is not who logged in";
            return Err(StreamError::new(StreamCondition::InvalidFrom, text));
        }
        Ok(())
    }

    /// Sends our header if it is not out yet: as an answer to the client's, or to say an error to
    /// one that has not sent its own (RFC 6120 §4.9.1.2).
    pub(super) fn open(&mut self, header: Option<&Header>) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        // RFC 6120 §4.7.2: `to` is the bare form of the client's `from`.
        let from = header.and_then(|header| header.from.as_deref());
        let to = from
            .and_then(|from| Jid::new(from).ok())
            .map(|from: Jid| from.bare());
        let bytes = self.framing.header(&OwnHeader {
            to: to.as_ref().map(BareJid::as_str),
            from: Some(&self.domain),
            id: Some(&self.seed.token()),
            lang: Some(answered_lang(self.lang.as_deref(), &self.settings.lang)),
        });
        self.send(bytes);
    }

    /// Whether nobody but the server itself and the client's own account is addressed.
    pub(super) fn is_for_us(&self, to: Option<&str>) -> bool {
        let Some(to) = to else { return true };
        let own = |to: &BareJid| match self.account() {
            Some(account) => to == account || *to == account.to_domain(),
            None => false,
        };
        self.stage() >= Stage::Bind && BareJid::new(to).is_ok_and(|to| own(&to))
    }
}

/// Whether it is the header of a stream that clients of XMPP 1.0 open.
fn judge_form(header: &Header) -> Result<(), StreamError> {
    let has_prefix = header
        .prefixes
        .iter()
        .any(|(_, bound)| **bound == *ns::STREAMS);
    let (condition, text) = if !has_prefix {
        (
            StreamCondition::BadNamespacePrefix,
            "the stream needs a namespace prefix",
        )
    } else if *header.default_ns != *ns::CLIENT {
        (
            StreamCondition::InvalidNamespace,
            "clients talk in jabber:client",
        )
    } else if !is_version_1_or_later(header) {
        (
            StreamCondition::UnsupportedVersion,
            "this server speaks XMPP 1.0",
        )
    } else {
        return Ok(());
    };
    Err(StreamError::new(condition, text))
}

/// Whether a text has the form of a language tag (RFC 5646 §2.1), no longer than the buffers that it advises (§4.4.1).
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let primary = parts.next().unwrap_or_default();
    let is_part = |part: &str| {
        let is_word = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (1..=8).contains(&part.len()) && is_word
    };
    let begins = primary.bytes().all(|byte| byte.is_ascii_alphabetic());
    text.len() <= LANGUAGE_BYTES_MAX && begins && is_part(primary) && parts.all(is_part)
}

/// RFC 6120 §4.7.4: the language that was asked for where it is a kind of ours, else ours.
fn answered_lang<'a>(asked: Option<&'a str>, ours: &'a str) -> &'a str {
    let primary = |lang: &'a str| lang.split('-').next().unwrap_or_default();
    asked
        .filter(|asked| primary(asked).eq_ignore_ascii_case(primary(ours)))
        .unwrap_or(ours)
}
