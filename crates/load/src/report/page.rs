//! The page: one file that needs no network, readable on a telephone.

use std::fmt::Write;

use super::Report;
use super::chart::{Line, Unit, chart};
use crate::figures::{Second, Timed};
use crate::progress::{clients, digits, time, verdict};

/// How many runs have a colour of their own.
pub(super) const COLOURS: usize = 8;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2330;--soft:#5d6677;--line:#dfe3ea;--paper:#fff;--card:#f6f7f9;\
--good:#146c3a;--bad:#b3261e;--c0:#2563c9;--c1:#d9600f;--c2:#178a4c;--c3:#b3267e;--c4:#7a4ed0;--c5:#0d8f9c;--c6:#8a6d12;--c7:#6b7280}\
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf1;--soft:#a3acbc;--line:#333b4a;--paper:#12161e;--card:#1b212c;\
--good:#6fd69c;--bad:#ff8a80;--c0:#7aa8f7;--c1:#f59a55;--c2:#5fce93;--c3:#f08ac6;--c4:#b79bf5;--c5:#5fd0db;--c6:#d8b64c;--c7:#a3acbc}}\
body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 3rem;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif}h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}\
p{margin:.25rem 0;color:var(--soft)}.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}\
th,td{padding:.4rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;\
font-variant-numeric:tabular-nums}th:first-child,td:first-child{text-align:left;padding-left:0}th:last-child,td:last-child{padding-right:0}thead th{color:var(--soft);font-weight:600}\
.charts{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}\
figure{margin:0;padding:.75rem;background:var(--card);border-radius:.6rem}figcaption{font-weight:600;margin-bottom:.4rem}\
svg{width:100%;height:auto;display:block}svg text{font-size:12.5px;fill:var(--soft)}.grid{stroke:var(--line)}\
polyline{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.bad{color:var(--bad);font-weight:600}.verdict{margin-left:.25rem;padding:.05rem .6rem;border-radius:1rem;font-size:.85rem;white-space:nowrap;\
font-weight:600;color:var(--good);border:1px solid}.verdict.bad{color:var(--bad)}.legend span{margin-right:1.25rem}\
.key::before{content:'';display:inline-block;width:.7rem;height:.7rem;border-radius:50%;margin-right:.5rem;background:var(--c)}\
.run0{stroke:var(--c0)}.run1{stroke:var(--c1)}.run2{stroke:var(--c2)}.run3{stroke:var(--c3)}\
.run4{stroke:var(--c4)}.run5{stroke:var(--c5)}.run6{stroke:var(--c6)}.run7{stroke:var(--c7)}\
@media(max-width:34rem){body{padding:1rem .75rem 2rem}h1{font-size:1.3rem}table{font-size:.74rem}\
th{white-space:normal;vertical-align:bottom}th,td{padding:.35rem .15rem}.wide .key::before{margin-right:.25rem}}";

/// The page of these runs.
#[must_use]
pub fn page(reports: &[Report]) -> String {
    let reports = &told_apart(reports);
    let title = match reports.as_slice() {
        [one] => one.label.clone(),
        several => format!("{} runs compared", several.len()),
    };
    let title = escape(&title);
    let mut html = format!(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>\
         <meta name='viewport' content='width=device-width,initial-scale=1'><style>{STYLE}</style></head><body><h1>{title}</h1>"
    );
    html.push_str(&head(reports));
    html.push_str(&came(reports));
    html.push_str(&times(reports));
    html.push_str(&costs(reports));
    html.push_str(&charts(reports));
    html.push_str(&errors(reports));
    html.push_str("</body></html>\n");
    html
}

/// The runs, those of one label numbered: colours alone tell nobody apart who does not see them.
fn told_apart(reports: &[Report]) -> Vec<Report> {
    let mut told = reports.to_vec();
    for (at, report) in told.iter_mut().enumerate() {
        let same = |other: &&Report| other.label == report.label;
        let before = reports.iter().take(at).filter(same).count();
        if reports.iter().filter(same).count() > 1 {
            report.label = format!("{} ({})", report.label, before + 1);
        }
    }
    told
}

/// Each run in a line, with its result.
fn head(reports: &[Report]) -> String {
    let mut html = String::new();
    for report in reports {
        let (class, verdict) = match report.is_clean() {
            true => ("verdict", "good".to_owned()),
            false => ("verdict bad", verdict(report)),
        };
        let name = match reports {
            [_] => String::new(),
            _ => format!("<b>{}</b>: ", escape(&report.label)),
        };
        let about = escape(&about(report));
        let verdict = escape(&verdict);
        let _fits = write!(
            html,
            "<p>{name}{about} <span class='{class}'>{verdict}</span></p>"
        );
    }
    html
}

fn came(reports: &[Report]) -> String {
    let table = table(
        &[
            "",
            "each second",
            "sent",
            "lost",
            "doubled",
            "out of order",
            "errors",
        ],
        reports,
        |report| {
            let messages = &report.sum.messages;
            let errors: u64 = report.sum.errors.values().sum();
            vec![
                format!("{:.0}", report.throughput()),
                messages.sent.to_string(),
                wrong(messages.lost),
                wrong(messages.doubled),
                wrong(messages.reordered),
                wrong(errors),
            ]
        },
    );
    format!("<h2>What came</h2>{table}")
}

fn times(reports: &[Report]) -> String {
    let mut html = String::new();
    for what in [
        Timed::Delivery,
        Timed::Login,
        Timed::Resumption,
        Timed::Presence,
    ] {
        let of = |report: &Report| report.sum.latency.get(&what).copied();
        if reports.iter().all(|report| of(report).is_none()) {
            continue;
        }
        let _fits = write!(html, "<h2>How long it took: {}</h2>", what.title());
        html.push_str(&table(
            &["", "p50", "p95", "p99", "p99.9", "max"],
            reports,
            |report| {
                let Some(latency) = of(report) else {
                    return vec!["–".to_owned(); 5];
                };
                [
                    latency.p50_micros,
                    latency.p95_micros,
                    latency.p99_micros,
                    latency.p999_micros,
                    latency.max_micros,
                ]
                .map(time)
                .to_vec()
            },
        ));
        let lost = |report: &Report| what == Timed::Delivery && report.sum.messages.lost > 0;
        for report in reports.iter().filter(|report| lost(report)) {
            let (label, lost) = (escape(&report.label), report.sum.messages.lost);
            let _fits = write!(
                html,
                "<p>{label}: of those that came; the {lost} that never came have no time</p>"
            );
        }
    }
    html
}

fn about(report: &Report) -> String {
    let rate = report.rate_per_second;
    let rate = rate.map_or_else(
        || "as fast as it goes".to_owned(),
        |rate| format!("{rate}/s"),
    );
    let carrier = match report.transport.as_str() {
        "plain" => "TCP without TLS",
        "starttls" => "STARTTLS",
        "tls" => "direct TLS",
        "websocket" => "WebSocket inside TLS",
        "websocket-plain" => "WebSocket without TLS",
        other => other,
    };
    format!(
        "{} with {} at {}, {carrier}, {rate}, for {:.0} s",
        report.scenario,
        clients(report.clients),
        report.server,
        report.readings.secs
    )
}

fn costs(reports: &[Report]) -> String {
    if reports.iter().all(|report| report.readings.end.is_none()) {
        return String::new();
    }
    let none = || "–".to_owned();
    let shown = |value: Option<f64>| value.map_or_else(none, digits);
    let processor = table(&["", "each, µs", "user", "system"], reports, |report| {
        let cost = report.cost();
        vec![
            shown(cost.map(|cost| cost.user_micros + cost.system_micros)),
            shown(cost.map(|cost| cost.user_micros)),
            shown(cost.map(|cost| cost.system_micros)),
        ]
    });
    let head = [
        "",
        "in all, MiB",
        "RSS a session, KiB",
        "PSS a session, KiB",
    ];
    let memory = table(&head, reports, |report| {
        let memory = report.memory();
        vec![
            shown(memory.map(|memory| memory.rss_bytes as f64 / 1_048_576.0)),
            shown(memory.map(|memory| memory.session_rss_bytes / 1024.0)),
            shown(memory.map(|memory| memory.session_pss_bytes / 1024.0)),
        ]
    });
    let busy: Vec<String> = reports
        .iter()
        .filter(|report| report.is_own_limit())
        .map(|report| {
            let label = escape(&report.label);
            format!("<p class='bad'>{label}: the load generator was busy all the time, so that times are its own as well</p>")
        })
        .collect();
    format!(
        "<h2>Server's processor time</h2>{processor}{}<h2>Server's memory</h2>{memory}",
        busy.concat()
    )
}

fn charts(reports: &[Report]) -> String {
    let draw = |title: &str, unit: Unit, of: fn(&Report, &Second) -> Option<f64>| {
        let lines: Vec<Line<'_>> = reports
            .iter()
            .map(|report| Line {
                label: &report.label,
                values: report
                    .sum
                    .seconds
                    .iter()
                    .map(|second| of(report, second))
                    .collect(),
            })
            .collect();
        let mut values = lines.iter().flat_map(|line| line.values.iter().flatten());
        if values.all(|value| *value <= 0.0) {
            return String::new();
        }
        let chart = chart(title, &lines, unit);
        format!("<figure><figcaption>{title}</figcaption>{chart}</figure>")
    };
    let drawn = [
        draw("Delivered each second", Unit::Count, |_, second| {
            Some(second.delivered as f64)
        }),
        draw(
            "Time it took, 99th percentile",
            Unit::Micros,
            |_, second| {
                let latency = second.latency;
                (latency.count > 0).then_some(latency.p99_micros as f64)
            },
        ),
        draw("Sessions", Unit::Count, |_, second| {
            Some(second.sessions as f64)
        }),
        draw(
            "Server's processor, of one core",
            Unit::Percent,
            |report, second| {
                report
                    .is_watched()
                    .then_some((second.cpu.0 + second.cpu.1) * 100.0)
            },
        ),
        draw("Server's resident memory", Unit::Mib, |report, second| {
            report
                .is_watched()
                .then_some(second.rss_bytes as f64 / 1_048_576.0)
        }),
    ];
    let drawn = drawn.concat();
    if drawn.is_empty() {
        return drawn;
    }
    let legend = match reports {
        [_] => String::new(),
        several => {
            let keys = several.iter().enumerate().map(|(at, report)| {
                let (colour, label) = (at % COLOURS, escape(&report.label));
                format!("<span class='key' style='--c:var(--c{colour})'>{label}</span>")
            });
            format!("<p class='legend'>{}</p>", keys.collect::<String>())
        }
    };
    format!(
        "<h2>Second by second</h2><p>From the first log-in to the last farewell.</p>{legend}<div class='charts'>{drawn}</div>"
    )
}

fn errors(reports: &[Report]) -> String {
    let mut html = String::new();
    for report in reports {
        for (error, count) in &report.sum.errors {
            let _fits = write!(
                html,
                "<p>{}: {count} × {}</p>",
                escape(&report.label),
                escape(error)
            );
        }
    }
    if html.is_empty() {
        return html;
    }
    format!("<h2>Errors</h2>{html}")
}

fn table(head: &[&str], reports: &[Report], row: impl Fn(&Report) -> Vec<String>) -> String {
    let mut html = "<div class='wide'><table><thead><tr>".to_owned();
    for name in head {
        let _fits = write!(html, "<th>{name}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    for (at, report) in reports.iter().enumerate() {
        let _fits = write!(
            html,
            "<tr><td class='key' style='--c:var(--c{})'>{}</td>",
            at % COLOURS,
            escape(&report.label)
        );
        for cell in row(report) {
            let _fits = write!(html, "<td>{cell}</td>");
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

/// A number that should be zero.
fn wrong(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        count => format!("<span class='bad'>{count}</span>"),
    }
}

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
