//! What is asked of an archive (XEP-0313 §4.1, §4.3).

use std::collections::{BTreeMap, BTreeSet};

use waxwing_stanza::xep::xep_0004_forms::{DataForm, FORM_TYPE, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0059_rsm::ResultSet;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0122_validation::Validate;
use waxwing_stanza::xep::xep_0313_archive::{NS, Query};
use waxwing_stanza::xep::xep_0431_fulltext::FIELD;
use waxwing_stanza::{Condition, Jid, StanzaError};
use waxwing_store::{LogId, Page};

use crate::archive::ARCHIVED;
use crate::stanza_id::StanzaIds;

/// Messages in a page, where nobody says how many.
const PAGE_MESSAGES: usize = 100;

/// Most messages in a page, however many somebody wants.
pub const PAGE_MESSAGES_MAX: usize = 250;

/// Most bytes of what a query is called, which comes back with each message.
const QUERY_ID_BYTES_MAX: usize = 1_023;

/// Most bytes of what somebody looks for: a long sentence.
const SOUGHT_BYTES_MAX: usize = 1_024;

/// The fields, each with what it may hold.
const FIELDS: &[(&str, FieldKind)] = &[
    ("with", FieldKind::JidSingle),
    ("start", FieldKind::TextSingle),
    ("end", FieldKind::TextSingle),
    ("before-id", FieldKind::TextSingle),
    ("after-id", FieldKind::TextSingle),
    ("ids", FieldKind::ListMulti),
    ("include-groupchat", FieldKind::Boolean),
    (FIELD, FieldKind::TextSingle),
];

/// What somebody wants to have of an archive.
#[derive(Debug)]
pub(crate) struct Question {
    /// Within which bounds, with whom, and from which end.
    pub(crate) page: Page,
    /// At most so many.
    pub(crate) messages_max: usize,
    /// Only how many there are.
    pub(crate) is_count: bool,
    /// Only what was exchanged with this address.
    pub(crate) with: Option<Jid>,
    /// Only these.
    pub(crate) ids: Option<BTreeSet<LogId>>,
    /// What has to be there, so that the bounds mean anything.
    pub(crate) known: Vec<LogId>,
    /// Whether it is from the newest on backwards.
    pub(crate) is_backward: bool,
    /// Whether anything narrows it down.
    pub(crate) is_filtered: bool,
}

/// The form that can be filled in (§4.1.5).
pub(crate) fn form() -> DataForm {
    let fields = FIELDS.iter().map(|&(name, kind)| {
        let field = Field::new(name, []).with_kind(kind);
        match kind {
            // Not the list of all ids, but any of them (XEP-0122 §3.2).
            FieldKind::ListMulti => Field {
                validate: Some(Validate::open("xs:string")),
                ..field
            },
            _ => field,
        }
    });
    fields.fold(DataForm::of_type(FormKind::Form, NS), DataForm::with_field)
}

impl Question {
    /// Reads what is asked of an archive.
    ///
    /// # Errors
    /// `bad-request` for what cannot be read, `feature-not-implemented` for what nobody knows (§4.1.5), `item-not-found`
    /// for ids that no archive here gave to anything (§4.1.3, §4.3.2), `resource-constraint` for too many of them.
    pub(crate) fn read(ids: &StanzaIds, query: &Query) -> Result<Question, StanzaError> {
        if query.node.is_some() {
            let text = "the archives of nodes cannot be asked (XEP-0442)";
            return Err(StanzaError::from(Condition::FeatureNotImplemented).with_text(text));
        }
        let query_id = query.query_id.as_deref().unwrap_or_default();
        if query_id.len() > QUERY_ID_BYTES_MAX {
            return Err(wrong("the queryid is too long"));
        }
        let fields = fields(query.form.as_ref())?;
        let set = query.set.as_ref();
        let wanted = set.and_then(|set| set.max);
        let messages_max = wanted.map_or(PAGE_MESSAGES, |max| {
            usize::try_from(max).map_or(PAGE_MESSAGES_MAX, |max| max.min(PAGE_MESSAGES_MAX))
        });
        let is_backward = set.is_some_and(|set| set.before.is_some());
        // One more says whether that is all. What is rare is not looked for one by one.
        let at_once = messages_max.max(PAGE_MESSAGES) + 1;
        let page = match is_backward {
            true => Page::backward(at_once),
            false => Page::forward(at_once),
        };
        let mut question = Question {
            page: page.with_marks(ARCHIVED),
            messages_max,
            is_count: wanted == Some(0),
            with: None,
            ids: None,
            known: Vec::new(),
            is_backward,
            is_filtered: false,
        };
        for (name, values) in &fields {
            question.narrow(ids, name, values)?;
        }
        question.is_filtered = fields.keys().any(|name| *name != "include-groupchat");
        question.turn_to(ids, set)?;
        Ok(question)
    }

    fn narrow(&mut self, ids: &StanzaIds, name: &str, values: &[&str]) -> Result<(), StanzaError> {
        if name == "ids" {
            if values.len() > PAGE_MESSAGES_MAX {
                let text =
                    format!("at most {PAGE_MESSAGES_MAX} messages can be asked for by their ids");
                return Err(StanzaError::from(Condition::ResourceConstraint).with_text(text));
            }
            let entries = values.iter().map(|id| named(ids, id));
            self.ids = Some(entries.collect::<Result<_, _>>()?);
            return Ok(());
        }
        let &[value] = values else {
            return Err(wrong(&format!("there can be only one value of '{name}'")));
        };
        let page = self.page.clone();
        self.page = match name {
            "with" => {
                let with: Jid = value.parse().map_err(|_| Condition::JidMalformed)?;
                // With their own address somebody has what they write to themselves, and nothing else (§4.1.1).
                let page = page.with_address(with.bare().as_str());
                self.with = Some(with);
                page
            }
            FIELD => words(page, value)?,
            "start" => page.from(time(value)?),
            "end" => page.to(time(value)?),
            "after-id" => page.after(self.know(ids, value)?),
            "before-id" => page.before(self.know(ids, value)?),
            // There are no messages of rooms in an account's archive, so that nothing changes.
            _ if matches!(value, "true" | "1" | "false" | "0") => page,
            _ => return Err(wrong(&format!("'{name}' is true or false"))),
        };
        Ok(())
    }

    /// Which page it is (§4.3.2, §4.3.3).
    fn turn_to(&mut self, ids: &StanzaIds, set: Option<&ResultSet>) -> Result<(), StanzaError> {
        let Some(set) = set else {
            return Ok(());
        };
        if set.index.is_some() {
            let text = "pages have no numbers here (XEP-0059 §2.6)";
            return Err(StanzaError::from(Condition::FeatureNotImplemented).with_text(text));
        }
        if let Some(after) = set.after.as_deref().filter(|id| !id.is_empty()) {
            let after = self.know(ids, after)?;
            self.page = self.page.clone().after(after);
        }
        if let Some(before) = set.before.as_deref().filter(|id| !id.is_empty()) {
            let before = self.know(ids, before)?;
            self.page = self.page.clone().before(before);
        }
        Ok(())
    }

    /// The entry of this name, which has to be there.
    fn know(&mut self, ids: &StanzaIds, id: &str) -> Result<LogId, StanzaError> {
        let entry = named(ids, id)?;
        self.known.push(entry);
        Ok(entry)
    }
}

/// What a form says, by field.
fn fields(form: Option<&DataForm>) -> Result<BTreeMap<&str, Vec<&str>>, StanzaError> {
    let mut fields = BTreeMap::new();
    let Some(form) = form else {
        return Ok(fields);
    };
    if form.kind != FormKind::Submit || form.form_type() != Some(NS) {
        return Err(wrong("that is no query of an archive that was filled in"));
    }
    for field in &form.fields {
        let name = field.var.as_deref().unwrap_or_default();
        if name == FORM_TYPE {
            continue;
        }
        let Some((name, _)) = FIELDS.iter().find(|(known, _)| *known == name) else {
            let text = "there is a field that nobody knows";
            return Err(StanzaError::from(Condition::FeatureNotImplemented).with_text(text));
        };
        let values: Vec<&str> = field.values.iter().map(|value| value.trim()).collect();
        // What is left empty is not filled in.
        if values.iter().all(|value| value.is_empty()) {
            continue;
        }
        if fields.insert(*name, values).is_some() {
            return Err(wrong(&format!("'{name}' is there twice")));
        }
    }
    Ok(fields)
}

/// Narrows a page down to messages that have all of these words (XEP-0431 §2.2), as whole words: those that begin so, too,
/// are many where it is short, and take as much longer.
fn words(page: Page, text: &str) -> Result<Page, StanzaError> {
    if text.len() > SOUGHT_BYTES_MAX {
        let text = format!("at most {SOUGHT_BYTES_MAX} bytes can be looked for");
        return Err(StanzaError::from(Condition::ResourceConstraint).with_text(text));
    }
    let page = page.with_text(&format!("{text} "));
    if !page.has_words() {
        return Err(wrong(
            "there is no letter and no digit in what is looked for",
        ));
    }
    Ok(page)
}

fn wrong(text: &str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).with_text(text)
}

/// The entry that a client names; whether it is there, and whose it is, shows when it is looked for.
fn named(ids: &StanzaIds, id: &str) -> Result<LogId, StanzaError> {
    ids.entry(id).ok_or(Condition::ItemNotFound.into())
}

fn time(text: &str) -> Result<LogId, StanzaError> {
    let time: DateTime = text
        .parse()
        .map_err(|_| wrong("a time is written as in 2002-09-10T23:41:07Z (XEP-0082)"))?;
    Ok(LogId(time.unix_micros()))
}
