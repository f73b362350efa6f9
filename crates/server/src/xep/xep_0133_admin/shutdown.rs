//! The end of the server (§4.31), by an operator: it is the end of every domain.

use futures_util::FutureExt;
use serde_json::json;
use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0004_forms::{Choice, Field, FieldKind};
use waxwing_stanza::xep::xep_0050_commands::Fault;
use waxwing_stanza::xep::xep_0133_admin::{SHUTDOWN, field};

use super::notices::lines_in;
use super::{checked, counted, done, form};
use crate::accounts::Role;
use crate::cx::{Cx, IqHead};
use crate::xep::xep_0050_commands::{AdHoc, Outcome, Step};

pub(super) const COMMAND: AdHoc = AdHoc {
    node: SHUTDOWN,
    name: "Shut the server down",
    faces: &["shutdown"],
    stages: 1,
    may: |cx, _| async move { Ok(cx.session.account.role() == Role::Operator) }.boxed(),
    run: |cx, head, step| shut_down(cx, head, step).boxed(),
};

/// The times that the form of XEP-0133 has, in seconds.
const DELAYS: [(&str, &str); 7] = [
    ("30", "30 seconds"),
    ("60", "60 seconds"),
    ("90", "90 seconds"),
    ("120", "2 minutes"),
    ("180", "3 minutes"),
    ("240", "4 minutes"),
    ("300", "5 minutes"),
];

async fn shut_down(cx: Cx, _: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let choices = DELAYS.map(|(value, label)| Choice {
            label: Some(label.to_owned()),
            value: value.to_owned(),
        });
        let delay = Field {
            options: choices.into(),
            ..Field::new(field::DELAY, ["60"])
        };
        let delay = delay.with_kind(FieldKind::ListSingle);
        let text = Field::new(field::ANNOUNCEMENT, []).with_kind(FieldKind::TextMulti);
        let form = form(
            "Shut the server down",
            "It ends for all its domains, and is started again on its machine alone.",
        );
        return Ok(Outcome::Ask(
            form.with_field(delay.with_label("Time until then"))
                .with_field(text.with_label("Announcement")),
        ));
    };
    checked(&filled)?;
    let secs: u64 = match filled.value(field::DELAY) {
        None => 0,
        Some(text) => text.trim().parse().map_err(|_| Fault::BadPayload)?,
    };
    let mut args = json!({ "delay": format!("{secs}s") });
    if let Some(text) = lines_in(&filled, field::ANNOUNCEMENT) {
        args["text"] = json!(text);
    }
    let answer = cx.server.admin("shutdown", args).await?;
    let told = answer["sessions"].as_u64().unwrap_or_default();
    let told = counted(usize::try_from(told).unwrap_or(usize::MAX), "session");
    done(format!(
        "The server ends in {}. Told: {told}.",
        match secs {
            1 => "1 second".to_owned(),
            secs => format!("{secs} seconds"),
        }
    ))
}
