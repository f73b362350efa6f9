//! Messages, and what may become of them: each comes, under one stanza-id and in order, or is refused; or it waits for who
//! is not there, or has blocked its sender since it was sent.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_wire::{Element, ns};

use crate::model::{Account, Client, Model, When, account_of, clients_of};

const STANZA_IDS: &str = "urn:xmpp:sid:0";

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Its sender has blocked the recipient.
    NotAcceptable,
    /// The recipient has blocked its sender.
    ServiceUnavailable,
}

#[derive(Clone, Debug)]
struct Letter {
    from: Client,
    to: Account,
    full: Option<Client>,
    ids: BTreeSet<String>,
    refused: Option<Refusal>,
    /// Nobody blocked anybody as long as it was on its way.
    is_plain: bool,
    /// It may have been lost to its recipient, or the answer that it was refused to its sender, in a crash of the server or of
    /// their client.
    is_doubtful: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Post {
    letters: Vec<Letter>,
    /// How many of them were sent before this round.
    old: usize,
    /// What came in this round for the first time, in order.
    came: Vec<(usize, Client)>,
    had: BTreeSet<(usize, Client)>,
    /// By receiver, sender, and whether it was to a full address.
    latest: BTreeMap<(Client, Client, bool), usize>,
    complaints: Vec<String>,
}

impl Letter {
    fn by_sender(&self, model: &Model, when: When) -> bool {
        model.blocks(when, account_of(self.from), (self.to, self.full))
    }

    fn by_recipient(&self, model: &Model, when: When) -> bool {
        let from = (account_of(self.from), Some(self.from));
        model.blocks(when, self.to, from)
    }

    fn may_be_blocked(&self, model: &Model, when: When) -> bool {
        self.by_sender(model, when) || self.by_recipient(model, when)
    }

    fn may_be_refused(&self, model: &Model) -> bool {
        match self.refused {
            None => true,
            Some(Refusal::NotAcceptable) => self.by_sender(model, When::Ever),
            Some(Refusal::ServiceUnavailable) => {
                self.by_recipient(model, When::Ever) && !self.by_sender(model, When::Always)
            }
        }
    }

    /// A session that is bound has no XEP-0198 yet for a moment: what is sent to its full address in that moment counts as
    /// delivered once it is written.
    fn may_be_written_off(&self, lossy: &BTreeSet<Client>) -> bool {
        self.full.is_some_and(|client| lossy.contains(&client))
    }

    /// Whether there is somebody now to get it.
    fn can_come(&self, model: &Model) -> bool {
        let mut takers =
            clients_of(self.to).filter(|client| self.full.is_none_or(|it| it == *client));
        takers.any(|client| model.shown(client).is_some()) && !self.by_recipient(model, When::Now)
    }
}

impl Post {
    pub(crate) fn send(&mut self, from: Client, to: Account, full: Option<Client>) -> String {
        self.letters.push(Letter {
            from,
            to,
            full,
            ids: BTreeSet::new(),
            refused: None,
            is_plain: true,
            is_doubtful: false,
        });
        format!("m{}", self.letters.len() - 1)
    }

    pub(crate) fn sent(&self) -> usize {
        self.letters.len()
    }

    pub(crate) fn refused(&self) -> usize {
        self.letters
            .iter()
            .filter(|one| one.refused.is_some())
            .count()
    }

    /// A message came to a client, or one that it sent came back with an error.
    pub(crate) fn receive(&mut self, client: Client, name: &str, stanza: &Element) {
        let is_error = stanza.attr("type") == Some("error");
        let body = stanza.child(ns::CLIENT, "body").map(Element::text);
        let number = if is_error {
            stanza.attr("id")
        } else {
            body.as_deref()
        };
        let number = number.and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
        let Some((number, letter)) = number.and_then(|at| Some((at, self.letters.get_mut(at)?)))
        else {
            return self.complaints.push(format!("{client} got {stanza:?}"));
        };
        if is_error {
            letter.refused = refusal(stanza);
            if letter.from != client || letter.refused.is_none() {
                self.complaints
                    .push(format!("{client} was told {stanza:?}"));
            }
            return;
        }
        let ids = stanza
            .children()
            .filter(|child| child.is(STANZA_IDS, "stanza-id"));
        let own = ids.filter(|id| id.attr("by") == Some(name));
        letter
            .ids
            .extend(own.filter_map(|id| id.attr("id").map(str::to_owned)));
        if letter.to != account_of(client) || letter.ids.len() != 1 {
            self.complaints
                .push(format!("{client} got {stanza:?} of {letter:?}"));
        }
        if self.had.insert((number, client)) {
            self.came.push((number, client));
        }
    }

    /// Whether something has yet to come, or to come back; `lossy` are those who may have lost an answer.
    pub(crate) fn is_owed(&self, model: &Model, lossy: &BTreeSet<Client>) -> bool {
        self.letters.iter().enumerate().any(|(number, letter)| {
            if !letter.ids.is_empty() || letter.refused.is_some() || letter.is_doubtful {
                return false;
            }
            let is_new = number >= self.old;
            if is_new && letter.may_be_written_off(lossy) {
                return false;
            }
            let may_be_lost = lossy.contains(&letter.from);
            if is_new && letter.may_be_blocked(model, When::Always) {
                return !may_be_lost;
            }
            let is_known = !is_new || !may_be_lost || !letter.may_be_blocked(model, When::Ever);
            is_known && letter.can_come(model)
        })
    }

    /// What was wrong in this round, when nothing is owed any more. Begins the next.
    pub(crate) fn judge(&mut self, model: &Model, lossy: &BTreeSet<Client>) -> Vec<String> {
        let mut wrong = std::mem::take(&mut self.complaints);
        let old = std::mem::replace(&mut self.old, self.letters.len());
        for letter in self.letters.iter_mut().skip(old) {
            let came = !letter.ids.is_empty();
            let refused = letter.refused.is_some();
            // Refused, it may be sent again after a crash: nothing kept the count of it.
            let once = !lossy.contains(&letter.from);
            if came && (refused && once || letter.may_be_blocked(model, When::Always)) {
                wrong.push(format!("{letter:?} should not have come"));
            }
            if !letter.may_be_refused(model) {
                wrong.push(format!("{letter:?} should not have been refused"));
            }
            letter.is_plain = !letter.may_be_blocked(model, When::Ever);
            let unanswered = !letter.is_plain && lossy.contains(&letter.from);
            let is_open = !came && !refused;
            letter.is_doubtful = is_open && (unanswered || letter.may_be_written_off(lossy));
        }
        for (number, client) in std::mem::take(&mut self.came) {
            let letter = &self.letters[number];
            if letter.by_recipient(model, When::Always) {
                wrong.push(format!(
                    "{letter:?} came to {client} from one whom it has blocked"
                ));
            }
            // Who is bound and not available yet gets what is sent to the full address before what waits: in this round, or
            // since an earlier one in which the client came again and did not show itself.
            let has_waited = letter.is_doubtful && letter.full.is_some();
            let overtakes = has_waited || letter.may_be_written_off(lossy);
            if !letter.is_plain || overtakes || letter.by_recipient(model, When::Ever) {
                continue;
            }
            let key = (client, letter.from, letter.full.is_some());
            let latest = self.latest.entry(key).or_default();
            if number < *latest {
                wrong.push(format!(
                    "m{number} came to {client} after m{latest}: {letter:?}"
                ));
            }
            *latest = number.max(*latest);
        }
        for letter in self.letters.iter_mut().filter(|one| one.ids.is_empty()) {
            letter.is_plain &= !letter.by_recipient(model, When::Ever);
        }
        wrong
    }
}

fn refusal(stanza: &Element) -> Option<Refusal> {
    let error = stanza.child(ns::CLIENT, "error")?;
    let is = |name| error.children().any(|child| child.name() == name);
    if is("not-acceptable") && is("blocked") {
        Some(Refusal::NotAcceptable)
    } else {
        is("service-unavailable").then_some(Refusal::ServiceUnavailable)
    }
}
