//! The admin commands `report …`.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Found, by_id, dismiss, newest};
use crate::admin::{
    Access, AdminError, Argument, Arguments, CURSOR, Command, Kind, LIMIT, Member, NEXT, Page,
    Shape, member, optional, required,
};
use crate::server::Server;

const ID: Argument = required(
    "id",
    Kind::Text { bytes_max: 128 },
    "The report's id, as `report list` shows it.",
);
const DOMAIN: Argument = optional(
    "domain",
    Kind::Domain,
    "Only reports of this domain's accounts.",
);

/// Their kind.
const KIND: &str = "reports";

const ID_SHOWN: Member = member("id", Shape::Text, "The report's id.");
const CREATED: Member = member(
    "created_micros",
    Shape::Number,
    "When it came, in microseconds since 1970.",
);
const REPORTER: Member = member("reporter", Shape::Text, "Who reports.");
const REPORTED: Member = member("reported", Shape::Text, "Who was reported.");
const REASON: Member = member("reason", Shape::Text, "What for, as a URN.");

const LISTED: &[Member] = &[
    ID_SHOWN,
    CREATED,
    REPORTER,
    REPORTED,
    REASON,
    member("messages", Shape::Number, "How many messages it names."),
];

const MESSAGE: &[Member] = &[
    member("by", Shape::Text, "Whose archive has it."),
    member("id", Shape::Text, "Its id there."),
];

/// The commands.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "report list",
        doc: "Lists what people have reported of those whom they blocked, the newest first.",
        access: Access::Reads(KIND),
        arguments: &[DOMAIN, CURSOR, LIMIT],
        answer: &[
            member("reports", Shape::List(LISTED), "The reports of the page."),
            NEXT,
        ],
        run: |s, a| list(s, a).boxed(),
    },
    Command {
        name: "report show",
        doc: "Shows one report with all that it says.",
        access: Access::Reads(KIND),
        arguments: &[ID, DOMAIN],
        answer: &[
            ID_SHOWN,
            CREATED,
            REPORTER,
            REPORTED,
            REASON,
            member(
                "messages",
                Shape::List(MESSAGE),
                "The messages that it names.",
            ),
            member(
                "text",
                Shape::Maybe(&Shape::Text),
                "What the reporter says.",
            ),
            member("lang", Shape::Text, "The language of that."),
            member(
                "report_origin",
                Shape::Flag,
                "Whether those who run the sender's server may be told.",
            ),
            member(
                "third_party",
                Shape::Flag,
                "Whether others who fight abuse may be told.",
            ),
        ],
        run: |s, a| show(s, a).boxed(),
    },
    Command {
        name: "report dismiss",
        doc: "Removes a report.",
        access: Access::Changes(KIND),
        arguments: &[ID, DOMAIN],
        answer: &[ID_SHOWN],
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
            return Err(AdminError::argument("domain", text));
        }
    };
    let page = Page::of(&args);
    let mut reports = Vec::new();
    for domain in domains {
        let found = newest(&server, &domain, page.after.as_deref(), page.looks()).await?;
        reports.extend(
            found
                .iter()
                .map(|found| (found.id.clone(), in_short(found))),
        );
    }
    // Ids begin with when a report came.
    reports.sort_by(|(one, _), (other, _)| other.cmp(one));
    Ok(page.answer("reports", reports))
}

fn in_short(found: &Found) -> Value {
    json!({
        "id": found.id,
        "created_micros": found.report.created_micros,
        "reporter": found.report.reporter,
        "reported": found.report.reported,
        "reason": found.report.reason,
        "messages": found.report.messages.len(),
    })
}

async fn named(server: &Server, args: &Arguments) -> Result<Found, AdminError> {
    let id = args.text("id")?;
    let found = by_id(server, id).await?;
    // Of another domain is the same as not there, for whoever looks after one.
    let found = found.filter(|found| {
        let wanted = args.optional("domain");
        wanted.is_none_or(|domain| domain == found.domain)
    });
    found.ok_or_else(|| AdminError::Absent(format!("there is no report '{id}'")))
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
