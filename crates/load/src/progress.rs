//! What is said to who watches.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

use crate::figures::{Second, Timed};
use crate::ledger::Tally;
use crate::report::Report;
use crate::run::Run;

/// Says what went wrong.
pub(crate) fn complain(error: &dyn Display) {
    let _closed = writeln!(std::io::stderr(), "error: {error}");
}

/// Writes to standard output; what reads it may be gone.
///
/// # Errors
/// It cannot be written there.
pub(crate) fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Width of the bar, in characters.
const BAR: usize = 20;
/// Width of a terminal that does not tell.
const COLUMNS: usize = 80;

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
        let mut line = format!(
            "{} {secs} s, {}: {} sessions, {}/s",
            bar(run.progress()),
            run.stage(),
            second.sessions,
            second.delivered
        );
        if second.latency.count > 0 {
            line = format!("{line}, p99 {}", time(second.latency.p99_micros));
        }
        if errors > 0 {
            line = format!("{line}, {errors} errors");
        }
        // A line that is broken could not be written over.
        let columns = tcgetwinsize(std::io::stderr()).map_or(0, |size| size.ws_col);
        let room = if columns == 0 {
            COLUMNS
        } else {
            columns.into()
        };
        let line: String = line.chars().take(room.saturating_sub(1)).collect();
        let mut out = std::io::stderr().lock();
        let _closed = write!(out, "\r\x1b[K{line}").and_then(|()| out.flush());
    }

    /// The run is over: the line goes.
    pub(crate) fn end(&self) {
        if self.shown {
            let _closed = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

/// How much of a whole, from nothing to 1.
fn bar(part: f64) -> String {
    let full = (part.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    format!("[{}{}]", "#".repeat(full), " ".repeat(BAR - full))
}

/// A time in the unit in which it is read most easily, to three digits: more are not measured.
pub(crate) fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", digits(micros as f64 / 1e3)),
        _ => format!("{} s", digits(micros as f64 / 1e6)),
    }
}

/// A number to three digits.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        0.0..9.995 => format!("{value:.2}"),
        9.995..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
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
        line("messages", told(messages));
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
        let lost = match (what, messages.lost) {
            (Timed::Delivery, 1..) => {
                format!("; the {} that never came have no time", messages.lost)
            }
            _ => String::new(),
        };
        line(
            Timed::title(*what),
            format!(
                "p50 {}, p95 {}, p99 {}, p99.9 {}, max {} ({} times{lost})",
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

fn told(messages: &Tally) -> String {
    let refused = match messages.refused {
        0 => String::new(),
        count => format!("{count} came back as errors, "),
    };
    format!(
        "{} sent, {} came, {refused}{} lost, {} doubled, {} out of order",
        messages.sent, messages.delivered, messages.lost, messages.doubled, messages.reordered
    )
}

/// Whether all went well, and what did not.
pub(crate) fn verdict(report: &Report) -> String {
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
            "{} µs each ({} user, {} system)",
            digits(cost.user_micros + cost.system_micros),
            digits(cost.user_micros),
            digits(cost.system_micros)
        );
        ("server's processor", each)
    });
    let memory = report.memory().map(|memory| {
        let held = format!(
            "{} MiB; {} KiB RSS and {} KiB PSS a session above empty",
            digits(memory.rss_bytes as f64 / 1_048_576.0),
            digits(memory.session_rss_bytes / 1024.0),
            digits(memory.session_pss_bytes / 1024.0)
        );
        ("server's memory", held)
    });
    let own = report.own_share().zip(report.readings.own);
    let own = own.map(|(share, own)| {
        let busy = match report.is_own_limit() {
            true => "; it was busy all the time, so that times are its own as well",
            false => "",
        };
        let mib = digits(own.rss_bytes as f64 / 1_048_576.0);
        let text = format!("{:.0} % of a core, {mib} MiB{busy}", share * 100.0);
        ("this program", text)
    });
    cost.into_iter().chain(memory).chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_it_may_be() {
        assert_eq!(bar(0.0), "[                    ]");
        assert_eq!(bar(0.5), "[##########          ]");
        assert_eq!(bar(7.0), "[####################]");
        assert_eq!(bar(f64::NAN).len(), BAR + 2);
    }

    #[test]
    fn times_have_three_digits() {
        for (micros, shown) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (15_407, "15.4 ms"),
            (99_960, "100 ms"),
            (312_400, "312 ms"),
            (1_005_000, "1.00 s"),
            (61_000_000, "61.0 s"),
        ] {
            assert_eq!(time(micros), shown);
        }
    }
}
