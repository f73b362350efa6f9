//! The admin commands `report …`.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Found, by_id, dismiss, newest};
use crate::admin::{AdminError, Argument, Arguments, Command};
use crate::server::Server;

const ID: Argument = Argument {
    name: "id",
    doc: "The report's id, as `report list` shows it.",
    required: true,
    secret: false,
};
const DOMAIN: Argument = Argument {
    name: "domain",
    doc: "Only reports of this domain's accounts.",
    required: false,
    secret: false,
};

/// Reports listed at most by one command, of one domain.
const LIST_MAX: usize = 1_000;

/// The commands.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "report list",
        doc: "Lists what people have reported of those whom they blocked, the newest first.",
        arguments: &[DOMAIN],
        run: |s, a| list(s, a).boxed(),
    },
    Command {
        name: "report show",
        doc: "Shows one report with all that it says.",
        arguments: &[ID],
        run: |s, a| show(s, a).boxed(),
    },
    Command {
        name: "report dismiss",
        doc: "Removes a report.",
        arguments: &[ID],
        run: |s, a| remove(s, a).boxed(),
    },
];

async fn list(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let domains = match args.optional("domain") {
        None => server.domains().to_vec(),
        Some(domain) if server.serves(domain) => vec![domain.to_owned()],
        Some(domain) => {
            let served = server.domains().join(", ");
            let text = format!("this server does not serve '{domain}'; it serves: {served}");
            return Err(AdminError::Refused(text));
        }
    };
    let mut reports = Vec::new();
    for domain in domains {
        let found = newest(&server, &domain, LIST_MAX).await?;
        reports.extend(found.iter().map(in_short));
    }
    Ok(json!({ "reports": reports }))
}

fn in_short(found: &Found) -> Value {
    json!({
        "id": found.id,
        "created_secs": found.report.created_micros / 1_000_000,
        "reporter": found.report.reporter,
        "reported": found.report.reported,
        "reason": found.report.reason,
        "messages": found.report.messages.len(),
    })
}

async fn named(server: &Server, args: &Arguments) -> Result<Found, AdminError> {
    let id = args.text("id")?;
    let found = by_id(server, id).await?;
    found.ok_or_else(|| AdminError::Refused(format!("there is no report '{id}'")))
}

async fn show(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let found = named(&server, &args).await?;
    let report = &found.report;
    let messages = report.messages.iter();
    let messages: Vec<_> = messages
        .map(|message| json!({ "by": message.by, "id": message.id }))
        .collect();
    let mut shown = in_short(&found);
    shown["messages"] = json!(messages);
    shown["text"] = json!(report.text);
    shown["lang"] = json!(report.lang);
    shown["report_origin"] = json!(report.report_origin);
    shown["third_party"] = json!(report.third_party);
    Ok(shown)
}

async fn remove(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let found = named(&server, &args).await?;
    dismiss(&server, &found).await?;
    Ok(json!({ "id": found.id }))
}
