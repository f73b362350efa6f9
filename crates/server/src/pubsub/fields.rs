//! Fields of the forms of nodes and subscriptions: what they may hold, and how they are stored.

use std::borrow::Cow;

use waxwing_stanza::Jid;
use waxwing_stanza::xep::xep_0004_forms::{
    Choice, DataForm, Field as FormField, FieldKind, FormKind,
};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::pubsub::service::ServiceKind;

/// Most values of one field.
pub const VALUES_MAX: usize = 100;

/// Most bytes of one value.
pub const VALUE_BYTES_MAX: usize = 1_024;

/// What stands before each name.
const PREFIX: &str = "pubsub#";

/// The word for as much as the service allows.
pub(crate) const MAX: &str = "max";

/// The word for as long as the subscriber is there (XEP-0060 §12.3).
pub(crate) const PRESENCE: &str = "presence";

/// A field of a form.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name without `pubsub#`.
    pub(crate) name: &'static str,
    /// What it is for people.
    pub(crate) label: &'static str,
    /// What it may hold.
    pub(crate) kind: Kind,
    /// What it holds where nobody has said anything.
    pub(crate) default: fn(ServiceKind) -> &'static [&'static str],
}

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Yes or no.
    Boolean,
    /// One of these, each with what it says to people.
    Choice(&'static [(&'static str, &'static str)]),
    /// Some of these.
    Choices(&'static [(&'static str, &'static str)]),
    /// Addresses.
    Jids,
    /// A time, or [`PRESENCE`].
    Lease,
    /// A whole number.
    Number,
    /// A whole number, or [`MAX`].
    NumberOrMax,
    /// A line.
    Text,
    /// Several texts.
    Texts,
}

/// What is wrong with a field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is there twice.
    #[error("pubsub#{0} is there twice")]
    Twice(&'static str),
    /// It holds what it cannot hold.
    #[error("pubsub#{0} cannot be that")]
    Value(&'static str),
    /// It is no field of this form.
    #[error("there is a field that nobody knows")]
    Unknown,
    /// It is another form.
    #[error("the form has another FORM_TYPE")]
    OtherForm,
}

/// What becomes of fields that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// They are passed over (XEP-0004 §3.1).
    Ignored,
    /// The form is refused (XEP-0060 §7.1.5).
    Refused,
}

/// What was set, as stored; fields that nobody has set are not there.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Settings {
    /// One a field.
    #[prost(message, repeated, tag = "1")]
    pub(crate) all: Vec<Setting>,
}

/// One field.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Setting {
    /// Its name without `pubsub#`.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// What it holds.
    #[prost(string, repeated, tag = "2")]
    pub(crate) values: Vec<String>,
}

impl Settings {
    /// What a field holds.
    pub(crate) fn values<'a>(
        &'a self,
        field: &Field,
        kind: ServiceKind,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let set = self.all.iter().find(|set| set.name == field.name);
        let (own, default) = match set {
            Some(set) => (set.values.as_slice(), &[][..]),
            None => (&[][..], (field.default)(kind)),
        };
        own.iter()
            .map(String::as_str)
            .chain(default.iter().copied())
    }

    /// The first thing that it holds; nothing is an empty text.
    pub(crate) fn text(&self, field: &Field, kind: ServiceKind) -> &str {
        self.values(field, kind).next().unwrap_or_default()
    }

    /// Whether it is a yes.
    pub(crate) fn is(&self, field: &Field, kind: ServiceKind) -> bool {
        self.text(field, kind) == "1"
    }

    /// The number that it holds; nothing where it is as much as possible, or nothing at all.
    pub(crate) fn number(&self, field: &Field, kind: ServiceKind) -> Option<u64> {
        self.text(field, kind).parse().ok()
    }

    /// Puts these over what was set before.
    pub(crate) fn merge(&mut self, given: Settings) {
        for setting in given.all {
            match self.all.iter_mut().find(|set| set.name == setting.name) {
                Some(set) => *set = setting,
                None => self.all.push(setting),
            }
        }
    }

    /// Sets one field.
    pub(crate) fn set(&mut self, field: &Field, values: &[&str]) {
        self.merge(Settings {
            all: vec![Setting {
                name: field.name.to_owned(),
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            }],
        });
    }
}

impl Field {
    fn form_kind(&self) -> FieldKind {
        match self.kind {
            Kind::Boolean => FieldKind::Boolean,
            Kind::Choice(_) => FieldKind::ListSingle,
            Kind::Choices(_) => FieldKind::ListMulti,
            Kind::Jids => FieldKind::JidMulti,
            Kind::Lease | Kind::Number | Kind::NumberOrMax | Kind::Text => FieldKind::TextSingle,
            Kind::Texts => FieldKind::TextMulti,
        }
    }

    /// Whether it holds several values.
    fn holds_many(&self) -> bool {
        matches!(self.kind, Kind::Choices(_) | Kind::Jids | Kind::Texts)
    }

    /// What was given, as it is stored.
    fn accept(&self, given: &[String]) -> Result<Vec<String>, Wrong> {
        let wrong = Wrong::Value(self.name);
        let most = if self.holds_many() { VALUES_MAX } else { 1 };
        if given.len() > most || given.iter().any(|value| value.len() > VALUE_BYTES_MAX) {
            return Err(wrong);
        }
        let mut accepted = Vec::new();
        for value in given {
            let value = self.accept_one(value).ok_or(wrong)?;
            // An address may be longer than it was written.
            if value.len() > VALUE_BYTES_MAX {
                return Err(wrong);
            }
            // XEP-0004 §3.3: the same twice means no more than once.
            if !value.is_empty() && !accepted.iter().any(|other| *other == value) {
                accepted.push(value.into_owned());
            }
        }
        // Nothing is no choice, no number and neither yes nor no.
        let may_be_empty = self.holds_many() || matches!(self.kind, Kind::Text | Kind::Lease);
        if accepted.is_empty() && !may_be_empty && !(self.default)(ServiceKind::Host).is_empty() {
            return Err(wrong);
        }
        Ok(accepted)
    }

    fn accept_one<'a>(&self, value: &'a str) -> Option<Cow<'a, str>> {
        let one_of = |choices: &[(&str, &str)]| choices.iter().any(|(name, _)| *name == value);
        match self.kind {
            Kind::Boolean => match value {
                "1" | "true" => Some(Cow::Borrowed("1")),
                "0" | "false" => Some(Cow::Borrowed("0")),
                _ => None,
            },
            Kind::Choice(choices) | Kind::Choices(choices) => {
                one_of(choices).then_some(Cow::Borrowed(value))
            }
            Kind::Jids => value
                .parse::<Jid>()
                .ok()
                .map(|jid| Cow::Owned(jid.to_string())),
            Kind::Lease if value == PRESENCE || value.is_empty() => Some(Cow::Borrowed(value)),
            Kind::Lease => {
                let time = value.parse::<DateTime>().ok()?;
                Some(Cow::Owned(time.to_string()))
            }
            Kind::NumberOrMax if value == MAX => Some(Cow::Borrowed(value)),
            Kind::Number if value.is_empty() => Some(Cow::Borrowed(value)),
            Kind::Number | Kind::NumberOrMax => {
                let number = value.parse::<u64>().ok()?;
                Some(Cow::Owned(number.to_string()))
            }
            Kind::Text | Kind::Texts => Some(Cow::Borrowed(value)),
        }
    }

    fn shown(&self, settings: &Settings, service: ServiceKind, form: FormKind) -> FormField {
        let var = var(self.name);
        let mut field = FormField::new(&var, settings.values(self, service));
        field.kind = Some(self.form_kind());
        if form == FormKind::Form {
            field.label = Some(self.label.to_owned());
            if let Kind::Choice(choices) | Kind::Choices(choices) = self.kind {
                let choice = |&(value, label): &(&str, &str)| Choice {
                    label: Some(label.to_owned()),
                    value: value.to_owned(),
                };
                field.options = choices.iter().map(choice).collect();
            }
        }
        field
    }
}

/// The name of a field as forms have it.
pub(crate) fn var(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// The form with these fields as they are set.
pub(crate) fn form(
    kind: FormKind,
    form_type: &str,
    fields: &[&Field],
    settings: &Settings,
    service: ServiceKind,
) -> DataForm {
    fields
        .iter()
        .fold(DataForm::of_type(kind, form_type), |form, field| {
            form.with_field(field.shown(settings, service, kind))
        })
}

/// What somebody has filled in.
pub(crate) fn accept(
    form: &DataForm,
    form_type: &str,
    fields: &[&'static Field],
    unknown: Unknown,
) -> Result<Settings, Wrong> {
    // Some leave out which form it is: it stands where only this one can (XEP-0060 §12.3 does too).
    if form.form_type().is_some_and(|given| given != form_type) {
        return Err(Wrong::OtherForm);
    }
    let mut settings = Settings::default();
    for given in &form.fields {
        let Some(var) = given.var.as_deref() else {
            continue;
        };
        let name = var.strip_prefix(PREFIX);
        let field = name.and_then(|name| fields.iter().find(|field| field.name == name));
        let Some(field) = field else {
            let is_type = var == waxwing_stanza::xep::xep_0004_forms::FORM_TYPE;
            if unknown == Unknown::Refused && !is_type {
                return Err(Wrong::Unknown);
            }
            continue;
        };
        if settings.all.iter().any(|set| set.name == field.name) {
            return Err(Wrong::Twice(field.name));
        }
        settings.all.push(Setting {
            name: field.name.to_owned(),
            values: field.accept(&given.values)?,
        });
    }
    Ok(settings)
}

/// The one value of a field of a form that is no setting, without `pubsub#`; nothing where it is left out, or empty.
pub(crate) fn single<'a>(form: &'a DataForm, name: &'static str) -> Result<Option<&'a str>, Wrong> {
    let is_it = |field: &&FormField| {
        let var = field.var.as_deref();
        var.and_then(|var| var.strip_prefix(PREFIX)) == Some(name)
    };
    let mut all = form.fields.iter().filter(is_it);
    let field = all.next();
    if all.next().is_some() {
        return Err(Wrong::Twice(name));
    }
    match field.map_or(&[][..], |field| &field.values) {
        [] => Ok(None),
        [value] if value.len() > VALUE_BYTES_MAX => Err(Wrong::Value(name)),
        [value] => Ok(Some(value.as_str()).filter(|value| !value.is_empty())),
        _ => Err(Wrong::Value(name)),
    }
}
