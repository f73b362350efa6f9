//! Reports about whom people block (XEP-0377): kept for the admins of the reporter's domain, for a time.
//!
//! A report says who made it and about whom, and what they wrote of it; never what the messages said. It is the domain's and
//! stays when the reporter's account is removed, until its time is over or an admin dismisses it.

pub(crate) mod commands;

use waxwing_stanza::xep::xep_0191_blocking::Item;
use waxwing_stanza::xep::xep_0377_reports::Report;
use waxwing_stanza::{BareJid, MessageType, StanzaError};
use waxwing_store::{Batch, Direction, Expiring, Index, KeyRange, Owner, StoreError, Table};
use waxwing_wire::{Element, ns};

use crate::cx::Cx;
use crate::delivery::{Delivery, UNDELIVERED};
use crate::effects::Effects;
use crate::keep::Fate;
use crate::metrics::Limit;
use crate::options::{OptionDefault, OptionSpec};
use crate::server::{Server, read_again, unavailable};
use crate::waiting;

/// Reports of one account.
pub(crate) const PER_ACCOUNT_MAX: OptionSpec = OptionSpec {
    name: "reports_per_account_max",
    default: OptionDefault::Number {
        value: 20,
        min: 0,
        max: 1_000,
    },
    unit: "reports",
    doc: "Most reports of one account that are kept; with one more, the address is blocked and nothing is kept of the report.",
};

/// Reports of a domain.
pub(crate) const MAX: OptionSpec = OptionSpec {
    name: "reports_max",
    default: OptionDefault::Number {
        value: 1_000,
        min: 0,
        max: 10_000,
    },
    unit: "reports",
    doc: "Most reports that are kept of all accounts of a domain.",
};

/// How long a report is kept.
pub(crate) const DAYS: OptionSpec = OptionSpec {
    name: "report_days",
    default: OptionDefault::Number {
        value: 90,
        min: 1,
        max: 3_650,
    },
    unit: "days",
    doc: "How long a report is kept, unless an admin dismisses it before.",
};

/// Who is told of each report at once.
pub(crate) const TOLD: OptionSpec = OptionSpec {
    name: "report_accounts",
    default: OptionDefault::Accounts,
    unit: "",
    doc: "Accounts of this server that get a message for each report; those without an account are passed over.",
};

/// Its options; each domain has its own.
pub(crate) const OPTIONS: &[OptionSpec] = &[PER_ACCOUNT_MAX, MAX, DAYS, TOLD];

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 255;
/// Longest text, in bytes; what is beyond it is cut off.
const TEXT_BYTES_MAX: usize = 2_048;
/// Longest name of a language, in bytes (RFC 5646 §4.4.1 wants 35 at least).
const LANG_BYTES_MAX: usize = 64;
/// Most messages that one report names; those beyond are left out.
const MESSAGES_MAX: usize = 20;
/// Longest id of a message, in bytes; a longer one is left out.
const ID_BYTES_MAX: usize = 128;

const DAY_MICROS: u64 = 86_400 * 1_000_000;

/// A message that a report is about.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredMessage {
    /// Whose archive gave it the id.
    #[prost(string, tag = "1")]
    pub(crate) by: String,
    /// The id.
    #[prost(string, tag = "2")]
    pub(crate) id: String,
}

/// A report as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredReport {
    /// The account that made it.
    #[prost(string, tag = "1")]
    pub(crate) reporter: String,
    /// The address that was blocked.
    #[prost(string, tag = "2")]
    pub(crate) reported: String,
    /// Why, as a URN.
    #[prost(string, tag = "3")]
    pub(crate) reason: String,
    /// What the reporter says of it.
    #[prost(string, tag = "4")]
    pub(crate) text: String,
    /// In which language.
    #[prost(string, tag = "5")]
    pub(crate) lang: String,
    /// The messages that it is about.
    #[prost(message, repeated, tag = "6")]
    pub(crate) messages: Vec<StoredMessage>,
    /// Whether it may be sent to the domain that the messages came from.
    #[prost(bool, tag = "7")]
    pub(crate) report_origin: bool,
    /// Whether it may be sent to others who deal with reports.
    #[prost(bool, tag = "8")]
    pub(crate) third_party: bool,
    /// When it was made, in microseconds since 1970.
    #[prost(uint64, tag = "9")]
    pub(crate) created_micros: u64,
}

/// Reports by who made them.
static BY_REPORTER: Index<String, StoredReport, String> =
    Index::ordered("by-reporter", |_, report| vec![report.reporter.clone()]);

/// Reports of all domains by their ids.
static BY_ID: Index<String, StoredReport, String> =
    Index::unique("by-id", |id, _| vec![id.clone()]);

/// The reports of each domain by ids, which begin with their time.
pub(crate) static REPORTS: Expiring<String, StoredReport> = Table::new("reports", 1)
    .index(&BY_REPORTER)
    .index(&BY_ID)
    .expiring();

/// The beginning of a text, which is no longer than this.
fn bounded(text: &str, bytes_max: usize) -> String {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

fn stored(reporter: &BareJid, item: &Item, report: &Report, now_micros: u64) -> StoredReport {
    // In one language; a reporter who says it in several says the same.
    let said = report.texts.first();
    let lang = said
        .and_then(|said| said.lang.as_deref())
        .unwrap_or_default();
    let fitting = report
        .messages
        .iter()
        .filter(|message| message.id.len() <= ID_BYTES_MAX);
    let messages = fitting.take(MESSAGES_MAX).map(|message| StoredMessage {
        by: message.by.to_string(),
        id: message.id.clone(),
    });
    StoredReport {
        reporter: reporter.to_string(),
        reported: item.jid.to_string(),
        reason: bounded(&report.reason, REASON_BYTES_MAX),
        text: said.map_or_else(String::new, |said| {
            bounded(said.text.trim(), TEXT_BYTES_MAX)
        }),
        lang: bounded(lang, LANG_BYTES_MAX),
        messages: messages.collect(),
        report_origin: report.report_origin,
        third_party: report.third_party,
        created_micros: now_micros,
    }
}

/// The reports that stand in a block, as far as there is room for them.
pub(crate) async fn taken(
    cx: &Cx,
    items: &[Item],
) -> Result<Vec<(String, StoredReport)>, StanzaError> {
    let account = &cx.session.account;
    let with_report = |item: &Item| item.report.is_some();
    if account.is_guest() || account.is_outside() || !items.iter().any(with_report) {
        return Ok(Vec::new());
    }
    let room = room(cx).await.map_err(|error| unavailable(&error))?;
    let now_micros = cx.server.now_micros();
    let outside = cx.server.outside();
    let all = items.iter().filter_map(|item| {
        // §4: there is a reason.
        let report = item
            .report
            .as_ref()
            .filter(|report| !report.reason.is_empty());
        let report = stored(&account.jid, item, report?, now_micros);
        let id = format!("{:x}-{}", now_micros / 1_000_000, outside.token::<4>());
        Some((id, report))
    });
    let all: Vec<_> = all.collect();
    if all.len() > room {
        cx.server.note_limit(Limit::Stored);
    }
    Ok(all.into_iter().take(room).collect())
}

/// How many reports more of this account are kept.
async fn room(cx: &Cx) -> Result<usize, StoreError> {
    let account = &cx.session.account;
    let domain = account.jid.domain();
    let options = cx.server.options_of(domain);
    let table = REPORTS.at(cx.server.now_micros());
    let most = usize::try_from(options.number(&PER_ACCOUNT_MAX)).unwrap_or(usize::MAX);
    if most == 0 {
        return Ok(0);
    }
    let own = KeyRange::exactly(account.jid.as_str());
    let own = cx.server.store().find(&table, &BY_REPORTER, &own, most);
    let own = most.saturating_sub(own.await?.len());
    if own == 0 {
        return Ok(0);
    }
    let all = cx
        .server
        .store()
        .count(&table, &Owner::domain(domain), &KeyRange::all());
    let all = options.number(&MAX).saturating_sub(all.await?);
    Ok(usize::try_from(all).unwrap_or(usize::MAX).min(own))
}

/// Keeps reports with what else a block does, and tells those who want to know.
pub(crate) async fn keep(cx: &Cx, reports: Vec<(String, StoredReport)>, effects: &mut Effects) {
    let domain = cx.session.account.jid.domain();
    let options = cx.server.options_of(domain);
    let age_micros = options.number(&DAYS).saturating_mul(DAY_MICROS);
    for (id, report) in reports {
        let until_micros = report.created_micros.saturating_add(age_micros);
        let owner = Owner::domain(domain);
        effects
            .batch
            .put_expiring(&REPORTS, &owner, &id, &report, until_micros);
        for account in options.texts(&TOLD) {
            if let Ok(account) = account.parse()
                && let Err(error) = tell(&cx.server, &account, &id, &report, domain, effects).await
            {
                // The report is kept all the same.
                tracing::warn!(condition = ?error.condition, "one of 'report_accounts' could not be told of a report");
            }
        }
    }
}

/// A message to somebody who wants to know.
async fn tell(
    server: &Server,
    to: &BareJid,
    id: &str,
    report: &StoredReport,
    domain: &str,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    if !server.serves(to.domain()) {
        return Ok(());
    }
    let Some(account) = server.account(to).await? else {
        return Ok(());
    };
    let mut body = format!(
        "{} has reported {} ({}). Report {id}.",
        report.reporter, report.reported, report.reason
    );
    if !report.text.is_empty() {
        body.push_str("\n\n");
        body.push_str(&report.text);
    }
    let message = Element::new(ns::CLIENT, "message")
        .with_attr("from", domain)
        .with_attr("to", to.to_string())
        .with_attr("id", format!("report-{id}"))
        .with_attr("type", "normal")
        .with_child(Element::new(ns::CLIENT, "body").with_text(&body));
    let stanza = message.to_bytes(ns::CLIENT);
    let from = BareJid::from_parts(None, domain)?;
    let stranger = waiting::admit(server, &account, &from, None, stanza.len()).await?;
    let stanza = read_again(stanza)
        .map_err(|_| StanzaError::from(waxwing_stanza::Condition::InternalServerError))?;
    effects.more.push(Delivery {
        account,
        full: None,
        kind: MessageType::Normal,
        fate: Fate {
            waits: true,
            ..Fate::default()
        },
        marks: UNDELIVERED,
        other: from,
        stranger,
        stanza,
        id: None,
        sender: None,
    });
    Ok(())
}

/// A report that was found.
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: String,
    /// The domain whose it is.
    pub(crate) domain: String,
    /// What it says.
    pub(crate) report: StoredReport,
}

/// Reports of a domain, the newest first: of those before one.
pub(crate) async fn newest(
    server: &Server,
    domain: &str,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<Found>, StoreError> {
    let table = REPORTS.at(server.now_micros());
    let owner = Owner::domain(domain);
    let range = match before {
        Some(before) => KeyRange::all().before(before),
        None => KeyRange::all(),
    };
    let rows = server
        .store()
        .scan(&table, &owner, &range, Direction::Backward, limit);
    let rows = rows.await?.into_iter();
    let found = rows.map(|(id, report)| Found {
        id,
        domain: domain.to_owned(),
        report,
    });
    Ok(found.collect())
}

/// The report of this id.
pub(crate) async fn by_id(server: &Server, id: &str) -> Result<Option<Found>, StoreError> {
    let table = REPORTS.at(server.now_micros());
    let range = KeyRange::exactly(id);
    let found = server.store().find(&table, &BY_ID, &range, 1).await?;
    Ok(found.into_iter().next().map(|found| Found {
        id: found.key,
        domain: found.owner.name().to_owned(),
        report: found.value,
    }))
}

/// Removes a report.
pub(crate) async fn dismiss(server: &Server, found: &Found) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    let owner = Owner::domain(&found.domain);
    batch.delete(&REPORTS.at(server.now_micros()), &owner, &found.id);
    server.store().commit(batch).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_stanza::Jid;
    use waxwing_stanza::xep::xep_0359_stanza_ids::StanzaId;
    use waxwing_stanza::xep::xep_0377_reports::{Comment, SPAM};

    /// Whatever somebody sends, what is kept of it has a size.
    #[test]
    fn what_is_kept_is_bounded() {
        let by: Jid = "romeo@example.net".parse().unwrap();
        let message = |id: String| StanzaId { id, by: by.clone() };
        let mut messages = vec![message("x".repeat(ID_BYTES_MAX + 1))];
        messages.extend((0..30).map(|at| message(at.to_string())));
        let comment = |text: String| Comment {
            lang: Some("l".repeat(100)),
            text,
        };
        let report = Report {
            reason: "r".repeat(1_000),
            messages,
            texts: vec![
                comment(format!(" a{}", "ä".repeat(5_000))),
                comment("second".to_owned()),
            ],
            report_origin: true,
            third_party: false,
        };
        let item = Item {
            jid: by.clone(),
            report: None,
        };
        let kept = stored(&"juliet@example.com".parse().unwrap(), &item, &report, 7);
        assert_eq!(kept.reason.len(), REASON_BYTES_MAX);
        // No character is cut in two.
        assert_eq!(kept.text.len(), TEXT_BYTES_MAX - 1);
        assert!(kept.text.starts_with("aä") && kept.text.ends_with('ä'));
        assert_eq!(kept.lang.len(), LANG_BYTES_MAX);
        let ids: Vec<_> = kept
            .messages
            .iter()
            .map(|message| message.id.as_str())
            .collect();
        assert_eq!((ids.len(), ids[0], ids[19]), (MESSAGES_MAX, "0", "19"));
        assert!(kept.report_origin && !kept.third_party);
        let plain = Report {
            reason: SPAM.to_owned(),
            messages: Vec::new(),
            texts: Vec::new(),
            report_origin: false,
            third_party: false,
        };
        let kept = stored(&"juliet@example.com".parse().unwrap(), &item, &plain, 7);
        assert_eq!((kept.reason.as_str(), kept.text.as_str()), (SPAM, ""));
    }
}
