//! The page: one file that needs no network, readable on a telephone.

use std::fmt::Write;

use super::Report;
use super::chart::{Line, chart};
use crate::figures::{Second, Timed};
use crate::progress::{clients, time};

/// How many runs have a colour of their own.
pub(super) const COLOURS: usize = 8;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2330;--soft:#5d6677;--line:#dfe3ea;--paper:#fff;--card:#f6f7f9;\
--c0:#2563c9;--c1:#d9600f;--c2:#178a4c;--c3:#b3267e;--c4:#7a4ed0;--c5:#0d8f9c;--c6:#8a6d12;--c7:#6b7280}\
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf1;--soft:#a3acbc;--line:#333b4a;--paper:#12161e;--card:#1b212c;\
--c0:#7aa8f7;--c1:#f59a55;--c2:#5fce93;--c3:#f08ac6;--c4:#b79bf5;--c5:#5fd0db;--c6:#d8b64c;--c7:#a3acbc}}\
body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 3rem;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif}h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}\
p{margin:.25rem 0;color:var(--soft)}.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}\
th,td{padding:.4rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;\
font-variant-numeric:tabular-nums}th:first-child,td:first-child{text-align:left}thead th{color:var(--soft);font-weight:600}\
.charts{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}\
figure{margin:0;padding:.75rem;background:var(--card);border-radius:.6rem}figcaption{font-weight:600;margin-bottom:.4rem}\
svg{width:100%;height:auto;display:block}svg text{font-size:13px;fill:var(--soft)}.grid{stroke:var(--line)}\
polyline{fill:none;stroke-width:2;stroke-linejoin:round}.bad{color:#c8281e;font-weight:600}\
.key::before{content:'';display:inline-block;width:.7rem;height:.7rem;border-radius:50%;margin-right:.5rem;background:var(--c)}\
.run0{stroke:var(--c0)}.run1{stroke:var(--c1)}.run2{stroke:var(--c2)}.run3{stroke:var(--c3)}\
.run4{stroke:var(--c4)}.run5{stroke:var(--c5)}.run6{stroke:var(--c6)}.run7{stroke:var(--c7)}";

/// The page of these runs.
#[must_use]
pub fn page(reports: &[Report]) -> String {
    let title = match reports {
        [one] => format!("{}: {}", one.label, one.scenario),
        several => format!("{} runs compared", several.len()),
    };
    let title = escape(&title);
    let mut html = format!(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>\
         <meta name='viewport' content='width=device-width,initial-scale=1'><style>{STYLE}</style></head><body><h1>{title}</h1>"
    );
    for report in reports {
        let _fits = write!(html, "<p>{}</p>", escape(&about(report)));
    }
    html.push_str("<h2>What came</h2>");
    html.push_str(&table(
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
    ));
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
                let latency = of(report).unwrap_or_default();
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
    }
    html.push_str(&costs(reports));
    html.push_str(&charts(reports));
    html.push_str(&errors(reports));
    html.push_str("</body></html>\n");
    html
}

fn about(report: &Report) -> String {
    let rate = report.rate_per_second;
    let rate = rate.map_or_else(
        || "as fast as it goes".to_owned(),
        |rate| format!("{rate}/s"),
    );
    format!(
        "{}: {} with {} over {}, {rate}, for {:.0} s",
        report.label,
        report.scenario,
        clients(report.clients),
        report.transport,
        report.readings.secs
    )
}

fn costs(reports: &[Report]) -> String {
    if reports.iter().all(|report| report.readings.end.is_none()) {
        return String::new();
    }
    let head = [
        "",
        "µs each",
        "user",
        "system",
        "memory",
        "RSS a session",
        "PSS a session",
    ];
    let none = || "–".to_owned();
    let kib = |bytes: f64| format!("{:.1} KiB", bytes / 1024.0);
    let table = table(&head, reports, |report| {
        let cost = report.cost();
        let memory = report.memory();
        let micros = |value: Option<f64>| value.map_or_else(none, |value| format!("{value:.1}"));
        vec![
            micros(cost.map(|cost| cost.user_micros + cost.system_micros)),
            micros(cost.map(|cost| cost.user_micros)),
            micros(cost.map(|cost| cost.system_micros)),
            memory.map_or_else(none, |memory| {
                format!("{:.1} MiB", memory.rss_bytes as f64 / 1_048_576.0)
            }),
            memory.map_or_else(none, |memory| kib(memory.session_rss_bytes)),
            memory.map_or_else(none, |memory| kib(memory.session_pss_bytes)),
        ]
    });
    format!("<h2>What it cost the server</h2>{table}")
}

fn charts(reports: &[Report]) -> String {
    let draw = |title: &str, of: fn(&Second) -> f64, shown: fn(f64) -> String| {
        let lines: Vec<Line<'_>> = reports
            .iter()
            .map(|report| Line {
                label: &report.label,
                values: report.sum.seconds.iter().map(of).collect(),
            })
            .collect();
        if lines
            .iter()
            .all(|line| line.values.iter().all(|value| *value <= 0.0))
        {
            return String::new();
        }
        let chart = chart(&lines, shown);
        format!("<figure><figcaption>{title}</figcaption>{chart}</figure>")
    };
    let micros = |value: f64| time(value.round() as u64);
    let whole = |value: f64| format!("{value:.0}");
    let drawn = [
        draw(
            "Delivered each second",
            |second| second.delivered as f64,
            whole,
        ),
        draw(
            "99th percentile",
            |second| second.latency.p99_micros as f64,
            micros,
        ),
        draw("Sessions", |second| second.sessions as f64, whole),
        draw(
            "Server's processor, of one core",
            |second| (second.cpu.0 + second.cpu.1) * 100.0,
            |value| format!("{value:.0} %"),
        ),
        draw(
            "Server's resident memory",
            |second| second.rss_bytes as f64 / 1_048_576.0,
            |value| format!("{value:.0} MiB"),
        ),
    ];
    format!(
        "<h2>Second by second</h2><div class='charts'>{}</div>",
        drawn.concat()
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
