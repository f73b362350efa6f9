//! Figures for operators.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The server's metrics; what each says stands in [`Metrics::register`].
pub(crate) struct Metrics {
    pub(crate) streams: Gauge,
    pub(crate) sessions: Gauge,
    pub(crate) messages_in: Counter,
    pub(crate) presences_in: Counter,
    pub(crate) iqs_in: Counter,
    pub(crate) stanzas_out: Counter,
    pub(crate) logins: Counter,
    pub(crate) logins_failed: Counter,
    pub(crate) logins_throttled: Counter,
    pub(crate) stream_errors: Counter,
    pub(crate) resumed: Counter,
    commits: Counter,
    commits_failed: Counter,
    commit_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            streams: Gauge::default(),
            sessions: Gauge::default(),
            messages_in: Counter::default(),
            presences_in: Counter::default(),
            iqs_in: Counter::default(),
            stanzas_out: Counter::default(),
            logins: Counter::default(),
            logins_failed: Counter::default(),
            logins_throttled: Counter::default(),
            stream_errors: Counter::default(),
            resumed: Counter::default(),
            commits: Counter::default(),
            commits_failed: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 16)),
        }
    }
}

impl Metrics {
    pub(crate) fn commit(&self, micros: u64, durable: bool) {
        self.commits.inc();
        if !durable {
            self.commits_failed.inc();
        }
        self.commit_seconds.observe(micros as f64 / 1e6);
    }

    pub(crate) fn commit_failed(&self) {
        self.commits_failed.inc();
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "waxwing_streams",
            "Client streams that are open",
            self.streams.clone(),
        );
        registry.register(
            "waxwing_sessions",
            "Bound sessions, those waiting for resumption too",
            self.sessions.clone(),
        );
        registry.register(
            "waxwing_messages_received",
            "Message stanzas from clients",
            self.messages_in.clone(),
        );
        registry.register(
            "waxwing_presences_received",
            "Presence stanzas from clients",
            self.presences_in.clone(),
        );
        registry.register(
            "waxwing_iqs_received",
            "IQ stanzas from clients",
            self.iqs_in.clone(),
        );
        registry.register(
            "waxwing_elements_sent",
            "Elements written to clients",
            self.stanzas_out.clone(),
        );
        registry.register("waxwing_logins", "Successful log-ins", self.logins.clone());
        registry.register(
            "waxwing_logins_throttled",
            "Log-ins refused unseen, after too many failures",
            self.logins_throttled.clone(),
        );
        registry.register(
            "waxwing_logins_failed",
            "Refused log-ins",
            self.logins_failed.clone(),
        );
        registry.register(
            "waxwing_stream_errors",
            "Streams ended with a stream error by us",
            self.stream_errors.clone(),
        );
        registry.register(
            "waxwing_resumptions",
            "Streams resumed (XEP-0198)",
            self.resumed.clone(),
        );
        registry.register(
            "waxwing_commits",
            "Batches handed to the store by streams",
            self.commits.clone(),
        );
        registry.register(
            "waxwing_commits_failed",
            "Batches that the store did not make durable",
            self.commits_failed.clone(),
        );
        registry.register_with_unit(
            "waxwing_commit",
            "Time from staging a batch until it is durable",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
    }
}
