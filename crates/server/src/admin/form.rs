//! Forms of admin commands that are made of their registration, for clients (XEP-0050, XEP-0004).

use serde_json::{Map, Value};
use waxwing_stanza::xep::xep_0004_forms::{
    Choice, DataForm, Field, FieldKind, FormKind, Item, Reported,
};
use waxwing_stanza::xep::xep_0050_commands::{Fault, Note, NoteKind};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0133_admin::NS_OWN;
use waxwing_stanza::{Condition, Jid, Payload, StanzaError};

use super::{Access, Argument, Command, Kind, Member, Shape, argument, checked_within};
use crate::accounts::Role;
use crate::cx::{Cx, IqHead};
use crate::effects::Effects;
use crate::xep::xep_0050_commands::{Outcome, Step};
use crate::xep::xep_0133_admin;

/// Most entries of a list in one answer.
const ENTRIES_MAX: u64 = 200;
/// Most bytes of an answer, as it is written: what is longer may not fit a stanza.
const ANSWER_BYTES_MAX: usize = 192 * 1024;
/// How members end that are times, in microseconds since the Unix epoch.
const MICROS: &str = "_micros";

/// A form that is made of a command.
#[derive(Clone, Copy)]
pub(crate) struct MadeForm(Command);

impl MadeForm {
    pub(crate) fn of(command: Command) -> MadeForm {
        MadeForm(command)
    }

    /// What names it.
    pub(crate) fn node(&self) -> String {
        format!("{NS_OWN}#{}", self.0.name.replace(' ', "-"))
    }

    /// What people call it: the beginning of what is said of it, as an order.
    pub(crate) fn name(&self) -> String {
        let doc = self.0.doc;
        let end = doc.find([';', '.', ':', ',']);
        let said = end.and_then(|end| doc.get(..end)).unwrap_or(doc);
        match said.split_once(' ') {
            Some((verb, rest)) => format!("{} {rest}", verb.trim_end_matches('s')),
            None => said.to_owned(),
        }
    }

    /// Whether anything is asked for.
    pub(crate) fn stages(&self) -> u8 {
        u8::from(self.asked().next().is_some())
    }

    /// Admins of the domain, where it can be run for one domain; operators.
    pub(crate) fn may(&self, cx: &Cx, head: &IqHead) -> bool {
        xep_0133_admin::may(cx, head)
            && (self.0.is_of_domains() || cx.session.account.role() == Role::Operator)
    }

    /// What is to be filled in: the domain is the one that is asked, and a page is as long as an answer can be.
    fn asked(&self) -> impl Iterator<Item = &'static Argument> {
        let all = self.0.arguments.iter();
        all.filter(|argument| {
            argument.kind != Kind::Domain && argument.name != argument::LIMIT.name
        })
    }

    fn question(&self) -> DataForm {
        let form = DataForm {
            title: Some(self.name()),
            instructions: vec![self.0.doc.to_owned()],
            ..DataForm::of_type(FormKind::Form, NS_OWN)
        };
        self.asked()
            .fold(form, |form, argument| form.with_field(field(argument)))
    }

    /// Shows the form, or runs the command for the domain that is asked.
    pub(crate) async fn run(
        &self,
        cx: &Cx,
        head: &IqHead,
        step: Step,
    ) -> Result<Outcome, StanzaError> {
        let Step::CarryOut(filled) = step else {
            return Ok(Outcome::Ask(self.question()));
        };
        if filled.form_type().is_some_and(|known| known != NS_OWN) {
            return Err(Fault::BadPayload.into());
        }
        let mut args = Map::new();
        for argument in self.asked() {
            if let Some(value) = filled
                .field(argument.name)
                .and_then(|field| given(argument, field))
            {
                args.insert(argument.name.to_owned(), value);
            }
        }
        self.is_not_of_oneself(cx, &args)?;
        let by = (head.to.domain(), cx.session.account.role());
        let is_list = self.0.argument(argument::LIMIT.name).is_some();
        let mut most = ENTRIES_MAX;
        loop {
            let mut args = args.clone();
            if is_list {
                args.insert(argument::LIMIT.name.to_owned(), Value::from(most));
            }
            let args = checked_within(&cx.server, by, self.0.name, args).await?;
            let answer = (self.0.run)(cx.server.clone(), args).await?;
            let outcome = self.answered(&answer);
            // A list only reads, so that it can be asked for a shorter page.
            if !is_list || most <= 1 || fits(&outcome) {
                return Ok(outcome);
            }
            most /= 2;
        }
    }

    /// Nobody shuts themselves out, or makes themselves less by mistake.
    fn is_not_of_oneself(&self, cx: &Cx, args: &Map<String, Value>) -> Result<(), StanzaError> {
        let addresses = self.asked().filter(|argument| {
            matches!(argument.kind, Kind::Account | Kind::Address) && argument.required
        });
        let given = addresses.filter_map(|argument| args.get(argument.name)?.as_str());
        let mut given = given.filter_map(|text| text.parse::<Jid>().ok());
        let is_own = given.any(|jid| jid.bare() == cx.session.account.jid);
        if is_own && matches!(self.0.access, Access::Changes(_)) {
            let text = "nobody does that to their own account";
            return Err(StanzaError::from(Condition::NotAllowed).with_text(text));
        }
        Ok(())
    }

    fn answered(&self, answer: &Value) -> Outcome {
        let mut form = DataForm {
            title: Some(self.name()),
            ..DataForm::of_type(FormKind::Result, NS_OWN)
        };
        let mut is_empty = false;
        for member in self.0.answer {
            let value = answer.get(member.name).unwrap_or(&Value::Null);
            match member.shape {
                Shape::List(columns) => {
                    let entries = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    is_empty = entries.is_empty();
                    form.reported = Some(Reported {
                        fields: columns.iter().map(column).collect(),
                    });
                    form.items = entries.iter().map(|entry| row(columns, entry)).collect();
                }
                _ if value.is_null() => {}
                _ => form = form.with_field(shown(member, value)),
            }
        }
        if is_empty {
            return Outcome::done(NoteKind::Info, "There are none.", Effects::none());
        }
        let is_over = answer.get(super::NEXT.name).is_some_and(Value::is_string);
        Outcome::Shown {
            form,
            note: is_over.then(|| Note {
                kind: NoteKind::Warn,
                text: "There are more: run it again with the cursor.".to_owned(),
            }),
        }
    }
}

fn fits(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Shown { form, .. } => form.write().to_bytes("").len() <= ANSWER_BYTES_MAX,
        _ => true,
    }
}

/// What an argument is to be filled in with.
fn field(argument: &Argument) -> Field {
    let kind = match argument.kind {
        _ if argument.secret => FieldKind::TextPrivate,
        Kind::Account | Kind::Address => FieldKind::JidSingle,
        Kind::Role => FieldKind::ListSingle,
        Kind::Flag => FieldKind::Boolean,
        Kind::Texts { .. } => FieldKind::TextMulti,
        Kind::Text { .. }
        | Kind::Name
        | Kind::Domain
        | Kind::Time
        | Kind::Number { .. }
        | Kind::Cursor => FieldKind::TextSingle,
    };
    let roles = Role::NAMES.iter().filter(|_| argument.kind == Kind::Role);
    let options = roles.map(|(name, _)| Choice {
        label: None,
        value: (*name).to_owned(),
    });
    let field = Field {
        options: options.collect(),
        required: argument.required,
        ..Field::new(argument.name, [])
    };
    field.with_kind(kind).with_label(argument.doc)
}

/// What was filled in, as the command takes it; what cannot be is for the command's check to refuse.
fn given(argument: &Argument, field: &Field) -> Option<Value> {
    if let Kind::Texts { .. } = argument.kind {
        let lines = field.values.iter().filter(|line| !line.trim().is_empty());
        let lines: Vec<Value> = lines.map(|line| Value::from(line.trim())).collect();
        return (!lines.is_empty()).then(|| Value::from(lines));
    }
    // A text of several lines is one where a client takes the field for such.
    let text = field.values.join("\n");
    let text = if argument.secret {
        text.as_str()
    } else {
        text.trim()
    };
    if text.is_empty() {
        return None;
    }
    Some(match (argument.kind, text) {
        (Kind::Number { .. }, text) => match text.parse::<u64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(text),
        },
        // XEP-0004 §3.3: both ways to write it.
        (Kind::Flag, "1" | "true") => Value::from(true),
        (Kind::Flag, "0" | "false") => Value::from(false),
        (_, text) => Value::from(text),
    })
}

fn column(member: &Member) -> Field {
    Field::new(member.name, []).with_label(label(member))
}

/// What people call a member.
fn label(member: &Member) -> String {
    if member.name == "jid" {
        return "Address".to_owned();
    }
    let name = member.name.strip_suffix(MICROS).unwrap_or(member.name);
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn row(columns: &[Member], entry: &Value) -> Item {
    let cells = columns.iter().map(|member| {
        let value = entry.get(member.name).unwrap_or(&Value::Null);
        let texts = texts(member, value).join("\n");
        Field::new(member.name, [texts.as_str()])
    });
    Item {
        fields: cells.collect(),
    }
}

fn shown(member: &Member, value: &Value) -> Field {
    let kind = match member.shape {
        Shape::Texts => FieldKind::TextMulti,
        Shape::Flag => FieldKind::Boolean,
        _ => FieldKind::TextSingle,
    };
    let field = Field {
        values: texts(member, value),
        desc: Some(member.doc.to_owned()),
        ..Field::new(member.name, [])
    };
    field.with_kind(kind).with_label(label(member))
}

/// A value in lines.
fn texts(member: &Member, value: &Value) -> Vec<String> {
    let is_time = member.name.ends_with(MICROS);
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all.iter().flat_map(|one| texts(member, one)).collect(),
        Value::Number(number) => vec![match number.as_u64().filter(|_| is_time) {
            Some(micros) => DateTime::from_unix_micros(micros / 1_000_000 * 1_000_000).to_string(),
            None => number.to_string(),
        }],
        Value::Bool(_) | Value::Object(_) => vec![value.to_string()],
    }
}
