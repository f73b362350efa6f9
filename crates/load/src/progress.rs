//! What is said to who watches.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use crate::figures::{Second, Timed};
use crate::report::Report;
use crate::run::Run;

/// Says what went wrong.
pub(crate) fn complain(error: &dyn Display) {
    let _closed = writeln!(std::io::stderr(), "error: {error}");
}

/// Writes to standard output; what reads it may be gone.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One line that follows the run, where there is a terminal to show it.
pub(crate) struct Progress {
    shown: bool,
    begun: std::time::Instant,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Progress {
        Progress {
            shown: !quiet && std::io::stderr().is_terminal(),
            begun: std::time::Instant::now(),
        }
    }

    /// A second is over.
    pub(crate) fn tell(&self, run: &Run, second: Second) {
        if !self.shown {
            return;
        }
        let errors = run.figures(|figures| figures.errors_count());
        let secs = self.begun.elapsed().as_secs();
        let line = format!(
            "\r\x1b[K{secs:>4} s  {:<24} {:>6} sessions  {:>8}/s  p99 {:>9}  {errors} errors",
            run.stage(),
            second.sessions,
            second.delivered,
            time(second.latency.p99_micros),
        );
        let mut out = std::io::stderr().lock();
        let _closed = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }

    /// The run is over: the line goes.
    pub(crate) fn end(&self) {
        if self.shown {
            let _closed = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

/// A time in the unit in which it is read most easily.
pub(crate) fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{:.2} ms", micros as f64 / 1e3),
        100_000..1_000_000 => format!("{:.0} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

/// The run in a few lines.
pub(crate) fn summary(report: &Report) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let sum = &report.sum;
    let mut line = |name: &str, value: String| {
        let _fits = writeln!(text, "{name:<22} {value}");
    };
    line(
        "scenario",
        format!(
            "{}, {}, {}",
            report.scenario,
            clients(report.clients),
            report.transport
        ),
    );
    line("measured", format!("{:.1} s", report.readings.secs));
    let messages = &sum.messages;
    if messages.sent > 0 {
        line(
            "messages",
            format!(
                "{} sent, {} came, {} lost, {} doubled, {} out of order",
                messages.sent,
                messages.delivered,
                messages.lost,
                messages.doubled,
                messages.reordered
            ),
        );
    }
    if sum.delivered > 0 {
        line(
            "throughput",
            format!("{:.0}/s ({} in all)", report.throughput(), sum.delivered),
        );
    }
    if report.readings.sessions > 0 {
        line("sessions", report.readings.sessions.to_string());
    }
    for (what, latency) in &sum.latency {
        line(
            Timed::title(*what),
            format!(
                "p50 {}, p95 {}, p99 {}, p99.9 {}, max {} ({} times)",
                time(latency.p50_micros),
                time(latency.p95_micros),
                time(latency.p99_micros),
                time(latency.p999_micros),
                time(latency.max_micros),
                latency.count
            ),
        );
    }
    for (name, value) in used(report) {
        line(name, value);
    }
    for (error, count) in &sum.errors {
        line("error", format!("{count} × {error}"));
    }
    line("result", verdict(report));
    text
}

/// How many clients, as people say it.
pub(crate) fn clients(count: usize) -> String {
    match count {
        1 => "1 client".to_owned(),
        count => format!("{count} clients"),
    }
}

/// Whether all went well, and what did not.
fn verdict(report: &Report) -> String {
    if report.is_clean() {
        return "good".to_owned();
    }
    let messages = &report.sum.messages;
    let wrong = [
        (messages.lost, "lost"),
        (messages.doubled, "doubled"),
        (messages.reordered, "out of order"),
        (report.sum.errors.values().sum(), "errors"),
    ];
    let wrong = wrong.iter().filter(|(count, _)| *count > 0);
    let wrong: Vec<String> = wrong
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("FAILED: {}", wrong.join(", "))
}

/// What the server used, where it was looked at, and this program.
fn used(report: &Report) -> Vec<(&'static str, String)> {
    let cost = report.cost().map(|cost| {
        let each = format!(
            "{:.1} µs each ({:.1} user, {:.1} system)",
            cost.user_micros + cost.system_micros,
            cost.user_micros,
            cost.system_micros
        );
        ("server's processor", each)
    });
    let memory = report.memory().map(|memory| {
        let held = format!(
            "{:.1} MiB; {:.1} KiB RSS and {:.1} KiB PSS a session above empty",
            memory.rss_bytes as f64 / 1_048_576.0,
            memory.session_rss_bytes / 1024.0,
            memory.session_pss_bytes / 1024.0
        );
        ("server's memory", held)
    });
    let own = report.own_share().zip(report.readings.own);
    let own = own.map(|(share, own)| {
        let busy = match report.is_own_limit() {
            true => "; it was busy all the time, so that times are its own as well",
            false => "",
        };
        let mib = own.rss_bytes as f64 / 1_048_576.0;
        let text = format!("{:.0} % of a core, {mib:.1} MiB{busy}", share * 100.0);
        ("this program", text)
    });
    cost.into_iter().chain(memory).chain(own).collect()
}
