//! XEP-0377: Blocking Command Reports.
//!
//! <https://xmpp.org/extensions/xep-0377.html>
//!
//! Reports come with blocks (XEP-0191), and what is kept of them is in `reports.rs`; here is what admins see of them in a client.
//! Nothing is sent to anybody beyond the server, whatever the reporter allows: that is for the admin to do.

use futures_util::FutureExt;
use waxwing_stanza::xep::xep_0004_forms::{Choice, DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0050_commands::{Fault, NoteKind};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0377_reports::{ABUSE, DISMISS, LIST, NS, SHOW, SPAM};
use waxwing_stanza::{Condition, StanzaError};

use crate::addressee::Addressee;
use crate::cx::{Cx, IqHead};
use crate::effects::Effects;
use crate::registry::{Feature, Registrar, Source, Status};
use crate::reports::{self, Found, OPTIONS, REPORTS};
use crate::server::unavailable;
use crate::xep::xep_0050_commands::{AdHoc, Outcome, Step};
use crate::xep::xep_0133_admin;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(377),
    title: "Blocking Command Reports",
    version: "0.4.1",
    status: Status::Partial(
        "taken, kept, and shown to admins; not sent on to other domains or to third parties",
    ),
    domain_options: OPTIONS,
    shapes: || vec![REPORTS.shape()],
    register,
    ..Feature::NONE
};

/// Most reports that a form shows, the newest: with more it might not fit a stanza.
const LISTED_MAX: usize = 50;
/// Most characters of an address in a list.
const ADDRESS_CHARS_MAX: usize = 100;
/// The field that says which reports.
const REPORTS_FIELD: &str = "reports";

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(&[Addressee::OwnAccount, Addressee::Domain], NS);
    for command in reports::commands::COMMANDS {
        registrar.command(*command);
    }
    let all = [
        command(
            LIST,
            "List reports of abuse",
            &["report list"],
            0,
            |cx, head, _| list(cx, head).boxed(),
        ),
        command(
            SHOW,
            "Show a report of abuse",
            &["report show"],
            1,
            |cx, head, step| show(cx, head, step).boxed(),
        ),
        command(
            DISMISS,
            "Dismiss reports of abuse",
            &["report dismiss"],
            1,
            |cx, head, step| dismiss(cx, head, step).boxed(),
        ),
    ];
    for command in all {
        registrar.ad_hoc(&[Addressee::Domain], command);
    }
}

type Run =
    fn(Cx, IqHead, Step) -> futures_util::future::BoxFuture<'static, Result<Outcome, StanzaError>>;

const fn command(
    node: &'static str,
    name: &'static str,
    faces: &'static [&'static str],
    stages: u8,
    run: Run,
) -> AdHoc {
    AdHoc {
        node,
        name,
        faces,
        stages,
        may: |cx, head| async move { Ok(xep_0133_admin::may(&cx, &head)) }.boxed(),
        run,
    }
}

async fn newest(cx: &Cx, head: &IqHead) -> Result<Vec<Found>, StanzaError> {
    let found = reports::newest(&cx.server, head.to.domain(), None, LISTED_MAX).await;
    found.map_err(|error| unavailable(&error))
}

fn none() -> Outcome {
    let text = "There are no reports.";
    Outcome::done(NoteKind::Info, text, Effects::none())
}

/// The beginning of an address, where it is a long one.
fn short(address: &str) -> String {
    match address.char_indices().nth(ADDRESS_CHARS_MAX) {
        None => address.to_owned(),
        Some((end, _)) => format!("{}…", address.get(..end).unwrap_or_default()),
    }
}

/// The reason in a word, where it is one of those that XEP-0377 defines.
fn reason(found: &Found) -> String {
    match found.report.reason.as_str() {
        SPAM => "spam".to_owned(),
        ABUSE => "abuse".to_owned(),
        other => short(other),
    }
}

fn time(found: &Found) -> String {
    DateTime::from_unix_micros(found.report.created_micros / 1_000_000 * 1_000_000).to_string()
}

/// A report in a line.
fn line(found: &Found) -> String {
    format!(
        "{} {}: {}, reported by {}",
        time(found),
        reason(found),
        short(&found.report.reported),
        short(&found.report.reporter)
    )
}

async fn list(cx: Cx, head: IqHead) -> Result<Outcome, StanzaError> {
    let found = newest(&cx, &head).await?;
    if found.is_empty() {
        return Ok(none());
    }
    let lines: Vec<String> = found
        .iter()
        .map(|found| format!("{} {}", found.id, line(found)))
        .collect();
    let lines = Field {
        values: lines,
        ..Field::new(REPORTS_FIELD, [])
            .with_kind(FieldKind::TextMulti)
            .with_label("Reports, the newest first")
    };
    let form = DataForm {
        title: Some("Reports of abuse".to_owned()),
        ..DataForm::of_type(FormKind::Result, NS).with_field(lines)
    };
    Ok(Outcome::Shown { form, note: None })
}

/// A form in which reports are chosen; without any there is nothing to choose from.
async fn choose(
    cx: &Cx,
    head: &IqHead,
    title: &str,
    kind: FieldKind,
) -> Result<Outcome, StanzaError> {
    let found = newest(cx, head).await?;
    if found.is_empty() {
        return Ok(none());
    }
    let choices = found.iter().map(|found| Choice {
        label: Some(line(found)),
        value: found.id.clone(),
    });
    let field = Field {
        options: choices.collect(),
        ..Field::new(REPORTS_FIELD, [])
            .with_kind(kind)
            .with_label("Reports, the newest first")
            .required()
    };
    Ok(Outcome::Ask(DataForm {
        title: Some(title.to_owned()),
        ..DataForm::of_type(FormKind::Form, NS).with_field(field)
    }))
}

/// What was chosen, each of the domain that was asked.
async fn chosen(cx: &Cx, head: &IqHead, filled: &DataForm) -> Result<Vec<Found>, StanzaError> {
    let field = filled.field(REPORTS_FIELD).ok_or(Fault::BadPayload)?;
    if field.values.is_empty() || field.values.len() > LISTED_MAX {
        return Err(Fault::BadPayload.into());
    }
    let mut all = Vec::new();
    for id in &field.values {
        let found = reports::by_id(&cx.server, id).await;
        let found = found.map_err(|error| unavailable(&error))?;
        let own = found.filter(|found| found.domain == head.to.domain());
        all.push(own.ok_or_else(|| {
            StanzaError::from(Condition::ItemNotFound).with_text("there is no such report")
        })?);
    }
    Ok(all)
}

async fn show(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let kind = FieldKind::ListSingle;
        return choose(&cx, &head, "Show a report of abuse", kind).await;
    };
    let all = chosen(&cx, &head, &filled).await?;
    let [found] = all.as_slice() else {
        return Err(Fault::BadPayload.into());
    };
    let report = &found.report;
    let single = |var: &str, label: &str, value: &str| {
        Field::new(var, [value])
            .with_kind(FieldKind::TextSingle)
            .with_label(label)
    };
    let multi = |var: &str, label: &str, values: Vec<String>| Field {
        values,
        ..Field::new(var, [])
            .with_kind(FieldKind::TextMulti)
            .with_label(label)
    };
    let messages = report.messages.iter();
    let messages = messages.map(|message| format!("{} {}", message.by, message.id));
    let allowed = [
        (report.report_origin, "its domain"),
        (report.third_party, "third parties"),
    ];
    let allowed: Vec<&str> = allowed
        .into_iter()
        .filter_map(|(is_allowed, whom)| is_allowed.then_some(whom))
        .collect();
    let allowed = match allowed.is_empty() {
        true => "nobody".to_owned(),
        false => allowed.join(", "),
    };
    let text: Vec<String> = report.text.lines().map(str::to_owned).collect();
    let form = DataForm {
        title: Some("A report of abuse".to_owned()),
        ..DataForm::of_type(FormKind::Result, NS)
            .with_field(single("id", "Id", &found.id))
            .with_field(single("time", "Made at", &time(found)))
            .with_field(single("reporter", "Made by", &report.reporter))
            .with_field(single("reported", "About", &report.reported))
            .with_field(single("reason", "Reason", &report.reason))
            .with_field(multi("text", "What the reporter says", text))
            .with_field(multi(
                "messages",
                "Messages, by archive and id",
                messages.collect(),
            ))
            .with_field(single("allowed", "May be passed on to", &allowed))
    };
    Ok(Outcome::Shown { form, note: None })
}

async fn dismiss(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let kind = FieldKind::ListMulti;
        return choose(&cx, &head, "Dismiss reports of abuse", kind).await;
    };
    let all = chosen(&cx, &head, &filled).await?;
    for found in &all {
        let done = reports::dismiss(&cx.server, found).await;
        done.map_err(|error| unavailable(&error))?;
    }
    let text = match all.len() {
        1 => "1 report is dismissed.".to_owned(),
        count => format!("{count} reports are dismissed."),
    };
    Ok(Outcome::done(NoteKind::Info, text, Effects::none()))
}
