//! What runs came to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::numbers::Spread;
use super::peer::Peer;

/// One run of one server. What a work does not measure is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Run {
    /// Processor time for each that was delivered, in microseconds.
    pub(super) user_micros: Option<f64>,
    pub(super) system_micros: Option<f64>,
    /// Delivered in a second.
    pub(super) per_second: Option<f64>,
    /// Of what is timed in it, in microseconds.
    pub(super) p50_micros: Option<f64>,
    pub(super) p99_micros: Option<f64>,
    /// The generator's own share of a processor.
    pub(super) own_share: Option<f64>,
    /// Resident memory of a session above the empty server's, in bytes.
    pub(super) session_bytes: Option<f64>,
    /// Resident memory in all, in bytes.
    pub(super) resident_bytes: Option<f64>,
    /// From its start to its first open port, in seconds.
    pub(super) start_secs: Option<f64>,
    /// What was lost, doubled or out of order, and what failed.
    pub(super) complaints: Vec<String>,
}

impl Run {
    /// Reads what `waxwing-load run --json` wrote.
    pub(super) fn read(json: &str) -> Run {
        let report: Value = match serde_json::from_str(json) {
            Ok(report) => report,
            Err(error) => return Run::failed(format!("no figures: {error}")),
        };
        let (sum, readings) = (&report["sum"], &report["readings"]);
        let number = |value: &Value| value.as_f64();
        let between = |from: &str, to: &str, name: &str| {
            Some(number(&readings[to][name])? - number(&readings[from][name])?)
        };
        let delivered = number(&sum["delivered"]).filter(|count| *count > 0.0);
        let each = |name: &str| Some(between("begin", "end", name)? * 1e6 / delivered?);
        let sessions = number(&readings["sessions"]).filter(|count| *count > 0.0);
        let secs = number(&readings["secs"]).filter(|secs| *secs > 0.0);
        let times = ["delivery", "login"].map(|name| &sum["latency"][name]);
        let time = |name: &str| times.iter().find_map(|times| number(&times[name]));
        Run {
            user_micros: each("user_secs"),
            system_micros: each("system_secs"),
            per_second: delivered.zip(secs).map(|(count, secs)| count / secs),
            p50_micros: time("p50_micros"),
            p99_micros: time("p99_micros"),
            own_share: number(&readings["own"]["user_secs"])
                .zip(number(&readings["own"]["system_secs"]))
                .zip(secs)
                .map(|((user, system), secs)| (user + system) / secs),
            session_bytes: between("empty", "end", "rss_bytes")
                .zip(sessions)
                .map(|(bytes, sessions)| bytes / sessions),
            resident_bytes: number(&readings["end"]["rss_bytes"]),
            start_secs: None,
            complaints: complaints(sum),
        }
    }

    /// One that came to nothing.
    pub(super) fn failed(why: String) -> Run {
        Run {
            complaints: vec![why],
            ..Run::default()
        }
    }

    /// Processor time for each that was delivered, in microseconds.
    pub(super) fn micros(&self) -> Option<f64> {
        Some(self.user_micros? + self.system_micros?)
    }
}

fn complaints(sum: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for what in ["lost", "doubled", "reordered"] {
        match sum["messages"][what].as_u64() {
            Some(0) => {}
            Some(count) => found.push(format!("{count} messages {what}")),
            None => found.push(format!("not known how many messages are {what}")),
        }
    }
    let errors = sum["errors"].as_object().into_iter().flatten();
    found.extend(errors.map(|(kind, count)| format!("{count} times {kind}")));
    if sum["delivered"].as_u64() == Some(0)
        && sum["latency"].as_object().is_some_and(|it| !it.is_empty())
    {
        found.push("nothing was delivered".to_owned());
    }
    found
}

/// All runs, by work and server.
#[derive(Debug, Default)]
pub(super) struct Results {
    runs: BTreeMap<(&'static str, Peer), Vec<Run>>,
}

impl Results {
    pub(super) fn add(&mut self, work: &'static str, peer: Peer, run: Run) {
        self.runs.entry((work, peer)).or_default().push(run);
    }

    /// A figure over all runs of a work.
    pub(super) fn spread(
        &self,
        work: &'static str,
        peer: Peer,
        figure: impl Fn(&Run) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(self.runs.get(&(work, peer))?.iter().filter_map(figure))
    }

    /// The median of a figure.
    pub(super) fn median(
        &self,
        work: &'static str,
        peer: Peer,
        figure: impl Fn(&Run) -> Option<f64>,
    ) -> Option<f64> {
        Some(self.spread(work, peer, figure)?.median)
    }

    /// The lowest median among the peers.
    pub(super) fn better_cost(
        &self,
        work: &'static str,
        figure: impl Fn(&Run) -> Option<f64>,
    ) -> Option<f64> {
        let peers = Peer::OTHERS.into_iter();
        let medians = peers.filter_map(|peer| self.median(work, peer, &figure));
        medians.min_by(f64::total_cmp)
    }

    /// What the better peer carries of a work, in a second.
    pub(super) fn better_per_second(&self, work: &'static str) -> Option<f64> {
        let peers = Peer::OTHERS.into_iter();
        let medians = peers.filter_map(|peer| self.median(work, peer, |run| run.per_second));
        medians.max_by(f64::total_cmp)
    }

    /// What went wrong, each with its work and server.
    pub(super) fn complaints(&self) -> Vec<String> {
        let all = self.runs.iter().flat_map(|((work, peer), runs)| {
            let complaints = runs.iter().flat_map(|run| &run.complaints);
            complaints.map(move |complaint| format!("bench/{work}/{}: {complaint}", peer.folder()))
        });
        all.collect()
    }

    /// Runs of a work in which something went wrong.
    pub(super) fn unclean(&self, work: &'static str, peer: Peer) -> usize {
        let runs = self.runs.get(&(work, peer)).into_iter().flatten();
        runs.filter(|run| !run.complaints.is_empty()).count()
    }

    /// Runs in which nothing went wrong.
    pub(super) fn clean_count(&self) -> usize {
        let runs = self.runs.values().flatten();
        runs.filter(|run| run.complaints.is_empty()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"label": "x", "sum": {
        "messages": {"sent": 1000, "delivered": 1000, "lost": 0, "doubled": 0, "reordered": 0},
        "delivered": 1000, "errors": {},
        "latency": {"delivery": {"count": 1000, "p50_micros": 400, "p99_micros": 900}}},
      "readings": {"secs": 2.0, "sessions": 10,
        "empty": {"user_secs": 0.0, "system_secs": 0.0, "rss_bytes": 1000000, "pss_bytes": 0},
        "begin": {"user_secs": 1.0, "system_secs": 0.5, "rss_bytes": 1500000, "pss_bytes": 0},
        "end": {"user_secs": 1.25, "system_secs": 0.75, "rss_bytes": 1600000, "pss_bytes": 0}}}"#;

    #[test]
    fn figures_are_read_from_a_run() {
        let run = Run::read(JSON);
        assert_eq!(run.complaints, [""; 0]);
        assert_eq!(
            (run.user_micros, run.system_micros),
            (Some(250.0), Some(250.0))
        );
        assert_eq!(run.micros(), Some(500.0));
        assert_eq!(run.per_second, Some(500.0));
        assert_eq!((run.p50_micros, run.p99_micros), (Some(400.0), Some(900.0)));
        assert_eq!(run.session_bytes, Some(60_000.0));
        assert_eq!(run.resident_bytes, Some(1_600_000.0));
    }

    #[test]
    fn what_went_wrong_is_said() {
        let wrong = JSON
            .replace("\"lost\": 0", "\"lost\": 3")
            .replace("\"errors\": {}", "\"errors\": {\"stream: closed\": 2}");
        assert_eq!(
            Run::read(&wrong).complaints,
            ["3 messages lost", "2 times stream: closed"]
        );
        assert_eq!(Run::read("").complaints.len(), 1);
        assert_eq!(Run::read("{}").complaints.len(), 3);
    }

    #[test]
    fn the_better_peer_is_the_measure() {
        let mut results = Results::default();
        let run = |micros: f64, per_second: f64| Run {
            user_micros: Some(micros),
            system_micros: Some(0.0),
            per_second: Some(per_second),
            ..Run::default()
        };
        for (peer, micros, per_second) in [
            (Peer::Waxwing, 2.0, 100_000.0),
            (Peer::Prosody, 30.0, 4_000.0),
            (Peer::Prosody, 40.0, 5_000.0),
            (Peer::Prosody, 50.0, 6_000.0),
            (Peer::Ejabberd, 60.0, 9_000.0),
        ] {
            results.add("plain", peer, run(micros, per_second));
        }
        assert_eq!(results.better_cost("plain", Run::micros), Some(40.0));
        assert_eq!(results.better_per_second("plain"), Some(9_000.0));
        assert_eq!(results.better_cost("tls", Run::micros), None);
        assert_eq!(results.clean_count(), 5);
        results.add("tls", Peer::Prosody, Run::failed("it fell over".to_owned()));
        assert_eq!(results.complaints(), ["bench/tls/prosody: it fell over"]);
    }
}
