//! Figures for operators.
//!
//! Each stands in [`METRICS`] once: it is registered from there, and `docs/operate/metrics.md` is made of it.
//!
//! Length: every figure is one constant, one field and one line of the list, and they are read side by side.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};
use waxwing_store::{Figures, Store, StoreError};
use waxwing_stream::sasl::Failure;
use waxwing_stream::{StreamCondition, StreamError};

use crate::link::Transport;

mod limit;
mod queues;

pub use limit::Limit;
pub(crate) use queues::{Queues, Waits};

/// What kind of figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Goes up; its name ends in `_total`.
    Counter,
    /// How often which size occurred; its names end in `_bucket`, `_sum` and `_count`.
    Histogram,
}

/// One figure, as it is documented.
pub(crate) struct MetricSpec {
    /// Its name, without what its kind appends.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Its labels with their values, in Markdown.
    pub(crate) labels: &'static str,
    /// What it says.
    pub(crate) doc: &'static str,
}

impl MetricSpec {
    /// Its name where it is read.
    pub(crate) fn full_name(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }

    fn register(&self, registry: &mut Registry, metric: impl Metric) {
        registry.register(self.name, self.doc, metric);
    }

    /// A gauge that is counted when it is read.
    fn encode_gauge(&self, count: u64, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor(self.name, self.doc, None, MetricType::Gauge)?)
    }
}

const STREAMS: MetricSpec = MetricSpec {
    name: "waxwing_streams",
    kind: Kind::Gauge,
    labels: "`transport`: starttls, tls, plain, websocket, bosh, component; `state`: negotiating, bound",
    doc: "Streams of clients and external components that are open",
};
const SESSIONS: MetricSpec = MetricSpec {
    name: "waxwing_sessions",
    kind: Kind::Gauge,
    labels: "",
    doc: "Bound sessions, those that wait to be resumed too",
};
const STANZAS: MetricSpec = MetricSpec {
    name: "waxwing_stanzas",
    kind: Kind::Counter,
    labels: "`kind`: message, presence, iq, other (stream management); `direction`: in, out",
    doc: "Elements of bound streams, from clients and to them",
};
const LOGINS: MetricSpec = MetricSpec {
    name: "waxwing_logins",
    kind: Kind::Counter,
    labels: "`result`: success, throttled, or the SASL condition, like not-authorized (RFC 6120 §6.5)",
    doc: "Log-ins by what came of them; a throttled one is counted as temporary-auth-failure too",
};
const STREAM_ERRORS: MetricSpec = MetricSpec {
    name: "waxwing_stream_errors",
    kind: Kind::Counter,
    labels: "`condition`: of RFC 6120 §4.9.3",
    doc: "Streams that the server ended with an error after log-in, or for want of time",
};
const RESUMPTIONS: MetricSpec = MetricSpec {
    name: "waxwing_resumptions",
    kind: Kind::Counter,
    labels: "",
    doc: "Streams resumed after a cut (XEP-0198)",
};
const LIMITS: MetricSpec = MetricSpec {
    name: "waxwing_limits_hit",
    kind: Kind::Counter,
    labels: "`limit`: see below",
    doc: "How often somebody went over a limit",
};
const COMMITS_FAILED: MetricSpec = MetricSpec {
    name: "waxwing_commits_failed",
    kind: Kind::Counter,
    labels: "",
    doc: "Batches of streams that the store did not make durable",
};
const COMMIT_SECONDS: MetricSpec = MetricSpec {
    name: "waxwing_commit_seconds",
    kind: Kind::Histogram,
    labels: "",
    doc: "Time from staging a batch of a stream until it is durable, in seconds",
};
const GROUP_BATCHES: MetricSpec = MetricSpec {
    name: "waxwing_store_group_batches",
    kind: Kind::Histogram,
    labels: "",
    doc: "Batches that one commit to the disk carried",
};
const PUSHES: MetricSpec = MetricSpec {
    name: "waxwing_pushes",
    kind: Kind::Counter,
    labels: "`result`: arrived, failed, dropped (and nothing more is pushed to that service)",
    doc: "Notifications to push services (XEP-0357), by what came of each attempt",
};
const STORE_WAITING: MetricSpec = MetricSpec {
    name: "waxwing_store_queue_batches",
    kind: Kind::Gauge,
    labels: "",
    doc: "Batches that wait to become durable; what depends on them waits too",
};
const STORE_SETTLED: MetricSpec = MetricSpec {
    name: "waxwing_store_batches",
    kind: Kind::Counter,
    labels: "",
    doc: "Batches that the store has settled, those of housekeeping too",
};

const UPLOADS: MetricSpec = MetricSpec {
    name: "waxwing_uploads",
    kind: Kind::Counter,
    labels: "`result`: kept, refused, broken (it did not come whole, or not in time)",
    doc: "Files that clients brought (XEP-0363), by what came of them",
};
const UPLOADED: MetricSpec = MetricSpec {
    name: "waxwing_upload_received_bytes",
    kind: Kind::Counter,
    labels: "",
    doc: "Bytes of files that came, of those that were not kept too",
};
const DOWNLOADED: MetricSpec = MetricSpec {
    name: "waxwing_upload_sent_bytes",
    kind: Kind::Counter,
    labels: "",
    doc: "Bytes of files that were fetched",
};
const BYTESTREAMS: MetricSpec = MetricSpec {
    name: "waxwing_bytestreams",
    kind: Kind::Gauge,
    labels: "",
    doc: "Byte streams between clients that are relayed, or wait to be (XEP-0065)",
};
const BYTESTREAM_BYTES: MetricSpec = MetricSpec {
    name: "waxwing_bytestream_bytes",
    kind: Kind::Counter,
    labels: "",
    doc: "Bytes of byte streams that were relayed, of both ways",
};
const UPLOADS_HERE: MetricSpec = MetricSpec {
    name: "waxwing_upload_bytes",
    kind: Kind::Gauge,
    labels: "",
    doc: "Bytes of files that are kept, what several people brought counted for each; counted once an hour, and followed meanwhile",
};

/// What came of a file that somebody brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It is here.
    Kept,
    /// It was not taken.
    Refused,
    /// It did not come whole, or not in time.
    Broken,
}

impl Brought {
    const ALL: [Brought; 3] = [Brought::Kept, Brought::Refused, Brought::Broken];

    fn name(self) -> &'static str {
        match self {
            Brought::Kept => "kept",
            Brought::Refused => "refused",
            Brought::Broken => "broken",
        }
    }
}

/// Every figure.
pub(crate) const METRICS: &[MetricSpec] = &[
    STREAMS,
    SESSIONS,
    STANZAS,
    LOGINS,
    STREAM_ERRORS,
    RESUMPTIONS,
    LIMITS,
    COMMITS_FAILED,
    COMMIT_SECONDS,
    PUSHES,
    GROUP_BATCHES,
    STORE_WAITING,
    STORE_SETTLED,
    UPLOADS,
    UPLOADED,
    DOWNLOADED,
    UPLOADS_HERE,
    BYTESTREAMS,
    BYTESTREAM_BYTES,
    queues::INPUT,
    queues::OUTPUT,
    queues::UNACKNOWLEDGED,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    transport: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StanzaLabels {
    kind: &'static str,
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabel {
    condition: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

/// What came of an attempt to notify a push service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The app server has taken it.
    Arrived,
    /// It is tried again.
    Failed,
    /// Nothing more is pushed to that service.
    Dropped,
}

impl Pushed {
    const ALL: [Pushed; 3] = [Pushed::Arrived, Pushed::Failed, Pushed::Dropped];

    fn label(self) -> ResultLabel {
        let result = match self {
            Pushed::Arrived => "arrived",
            Pushed::Failed => "failed",
            Pushed::Dropped => "dropped",
        };
        ResultLabel { result }
    }
}

/// Kinds of elements, in the order of [`Stanzas::all`].
const KINDS: [&str; 4] = ["message", "presence", "iq", "other"];

/// Counters of one direction, at hand: a stanza must not look them up.
struct Stanzas {
    all: [Counter; 4],
}

impl Stanzas {
    fn new(family: &Family<StanzaLabels, Counter>, direction: &'static str) -> Stanzas {
        let counter = |kind| family.get_or_create_owned(&StanzaLabels { kind, direction });
        Stanzas {
            all: KINDS.map(counter),
        }
    }

    /// Counts an element by its name.
    fn count(&self, name: &str) {
        let at = KINDS
            .iter()
            .position(|kind| *kind == name)
            .unwrap_or(KINDS.len() - 1);
        if let Some(counter) = self.all.get(at) {
            counter.inc();
        }
    }
}

/// The server's figures; what each says stands in [`METRICS`].
pub(crate) struct Metrics {
    streams: Family<StreamLabels, Gauge>,
    pub(crate) sessions: Gauge,
    stanzas: Family<StanzaLabels, Counter>,
    received: Stanzas,
    sent: Stanzas,
    logins: Family<ResultLabel, Counter>,
    stream_errors: Family<ConditionLabel, Counter>,
    pub(crate) resumed: Counter,
    limits: Family<LimitLabel, Counter>,
    pushes: Family<ResultLabel, Counter>,
    commits_failed: Counter,
    commit_seconds: Histogram,
    uploads: Family<ResultLabel, Counter>,
    uploaded: Counter,
    downloaded: Counter,
    uploads_here: Gauge,
    bytestreams: Gauge,
    bytestream_bytes: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let stanzas = Family::default();
        let metrics = Metrics {
            streams: Family::default(),
            sessions: Gauge::default(),
            received: Stanzas::new(&stanzas, "in"),
            sent: Stanzas::new(&stanzas, "out"),
            stanzas,
            logins: Family::default(),
            stream_errors: Family::default(),
            resumed: Counter::default(),
            limits: Family::default(),
            pushes: Family::default(),
            commits_failed: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 16)),
            uploads: Family::default(),
            uploaded: Counter::default(),
            downloaded: Counter::default(),
            uploads_here: Gauge::default(),
            bytestreams: Gauge::default(),
            bytestream_bytes: Counter::default(),
        };
        // A rate needs to have seen zero.
        for (limit, _) in Limit::ALL {
            drop(metrics.limits.get_or_create(&LimitLabel {
                limit: limit.name(),
            }));
        }
        for pushed in Pushed::ALL {
            drop(metrics.pushes.get_or_create(&pushed.label()));
        }
        for result in ["success", "throttled", Failure::NotAuthorized.name()] {
            drop(metrics.logins.get_or_create(&ResultLabel { result }));
        }
        for brought in Brought::ALL {
            let result = brought.name();
            drop(metrics.uploads.get_or_create(&ResultLabel { result }));
        }
        for condition in StreamCondition::all() {
            let condition = condition.name();
            drop(
                metrics
                    .stream_errors
                    .get_or_create(&ConditionLabel { condition }),
            );
        }
        for transport in Transport::ALL {
            for bound in [false, true] {
                drop(metrics.stream(transport, bound));
            }
        }
        metrics
    }
}

impl Metrics {
    /// The count of streams of a kind.
    pub(crate) fn stream(&self, transport: Transport, bound: bool) -> Gauge {
        let state = if bound { "bound" } else { "negotiating" };
        self.streams.get_or_create_owned(&StreamLabels {
            transport: transport.name(),
            state,
        })
    }

    /// An element from a client.
    pub(crate) fn received(&self, name: &str) {
        self.received.count(name);
    }

    /// An element to a client, as it is written.
    pub(crate) fn sent(&self, bytes: &[u8]) {
        let name = bytes.get(1..).unwrap_or_default();
        let end = name.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
        self.sent
            .count(std::str::from_utf8(name).unwrap_or_default());
    }

    pub(crate) fn logged_in(&self) {
        self.logins
            .get_or_create(&ResultLabel { result: "success" })
            .inc();
    }

    pub(crate) fn login_throttled(&self) {
        self.logins
            .get_or_create(&ResultLabel {
                result: "throttled",
            })
            .inc();
        self.limit(Limit::LoginFailures);
    }

    pub(crate) fn login_failed(&self, reason: Failure) {
        self.logins
            .get_or_create(&ResultLabel {
                result: reason.name(),
            })
            .inc();
    }

    /// A stream that we end.
    pub(crate) fn stream_error(&self, error: &StreamError) {
        let condition = error.condition.name();
        self.stream_errors
            .get_or_create(&ConditionLabel { condition })
            .inc();
    }

    /// What came of a notification.
    pub(crate) fn pushed(&self, pushed: Pushed) {
        self.pushes.get_or_create(&pushed.label()).inc();
    }

    /// Somebody went over a limit.
    pub(crate) fn limit(&self, limit: Limit) {
        self.limits
            .get_or_create(&LimitLabel {
                limit: limit.name(),
            })
            .inc();
    }

    /// The count of a limit, for who counts often.
    pub(crate) fn limit_count(&self, limit: Limit) -> Counter {
        self.limits.get_or_create_owned(&LimitLabel {
            limit: limit.name(),
        })
    }

    /// A batch that took so long, and why it is not durable.
    pub(crate) fn commit(&self, micros: u64, failed: Option<&StoreError>) {
        if let Some(error) = failed {
            self.commits_failed.inc();
            if *error == StoreError::DiskFull {
                self.limit(Limit::DiskFull);
            }
        }
        self.commit_seconds.observe(micros as f64 / 1e6);
    }

    /// Somebody brought a file.
    pub(crate) fn brought(&self, brought: Brought) {
        let result = brought.name();
        self.uploads.get_or_create(&ResultLabel { result }).inc();
    }

    /// Bytes of a file came.
    pub(crate) fn upload_received(&self, bytes: u64) {
        self.uploaded.inc_by(bytes);
    }

    /// Bytes of a file were fetched.
    pub(crate) fn upload_sent(&self, bytes: u64) {
        self.downloaded.inc_by(bytes);
    }

    /// So many bytes of files are here.
    pub(crate) fn upload_bytes_here(&self, bytes: u64) {
        self.uploads_here
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts byte streams.
    pub(crate) fn bytestreams(&self) -> &Gauge {
        &self.bytestreams
    }

    pub(crate) fn bytestream_relayed(&self, bytes: u64) {
        self.bytestream_bytes.inc_by(bytes);
    }

    pub(crate) fn commit_failed(&self) {
        self.commits_failed.inc();
    }

    pub(crate) fn register(&self, store: &Store, queues: Queues, registry: &mut Registry) {
        STREAMS.register(registry, self.streams.clone());
        SESSIONS.register(registry, self.sessions.clone());
        STANZAS.register(registry, self.stanzas.clone());
        LOGINS.register(registry, self.logins.clone());
        STREAM_ERRORS.register(registry, self.stream_errors.clone());
        RESUMPTIONS.register(registry, self.resumed.clone());
        LIMITS.register(registry, self.limits.clone());
        PUSHES.register(registry, self.pushes.clone());
        COMMITS_FAILED.register(registry, self.commits_failed.clone());
        COMMIT_SECONDS.register(registry, self.commit_seconds.clone());
        UPLOADS.register(registry, self.uploads.clone());
        UPLOADED.register(registry, self.uploaded.clone());
        DOWNLOADED.register(registry, self.downloaded.clone());
        UPLOADS_HERE.register(registry, self.uploads_here.clone());
        BYTESTREAMS.register(registry, self.bytestreams.clone());
        BYTESTREAM_BYTES.register(registry, self.bytestream_bytes.clone());
        registry.register_collector(Box::new(OfStore(store.clone())));
        registry.register_collector(Box::new(queues));
    }
}

/// What the store counts, asked for when it is read.
#[derive(Debug)]
struct OfStore(Store);

impl Collector for OfStore {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.0.figures();
        STORE_WAITING.encode_gauge(figures.waiting, &mut encoder)?;
        let settled = ConstCounter::new(figures.settled);
        settled.encode(encoder.encode_descriptor(
            STORE_SETTLED.name,
            STORE_SETTLED.doc,
            None,
            MetricType::Counter,
        )?)?;
        let bounds = Figures::bounds().map(|bound| bound.map_or(f64::MAX, |bound| bound as f64));
        let buckets: Vec<_> = bounds.zip(figures.sizes).collect();
        let mut histogram = encoder.encode_descriptor(
            GROUP_BATCHES.name,
            GROUP_BATCHES.doc,
            None,
            MetricType::Histogram,
        )?;
        let count = figures.sizes.iter().sum();
        histogram.encode_histogram::<NoLabelSet>(figures.settled as f64, count, &buckets, None)
    }
}

#[cfg(test)]
mod tests;
