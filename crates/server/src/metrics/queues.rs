//! What waits in sessions, counted when it is asked for: a stanza costs no more for it.

use std::fmt;
use std::sync::Weak;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::{Kind, MetricSpec};
use crate::server::{Inner, Server};

pub(super) const INPUT: MetricSpec = MetricSpec {
    name: "waxwing_queue_in_stanzas",
    kind: Kind::Gauge,
    labels: "",
    doc: "Stanzas of clients that wait for their commit, before they are answered or acknowledged",
};
pub(super) const OUTPUT: MetricSpec = MetricSpec {
    name: "waxwing_queue_out_bytes",
    kind: Kind::Gauge,
    labels: "",
    doc: "Bytes that wait for clients to take them",
};
pub(super) const UNACKNOWLEDGED: MetricSpec = MetricSpec {
    name: "waxwing_queue_unacknowledged_stanzas",
    kind: Kind::Gauge,
    labels: "",
    doc: "Stanzas that were written to clients, or wait for them to come back, and are not acknowledged (XEP-0198)",
};

/// The sum over all sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) input_stanzas: usize,
    pub(crate) output_bytes: usize,
    pub(crate) unacknowledged_stanzas: usize,
}

/// Looks at the sessions of a server, as long as there is one.
pub(crate) struct Queues(Weak<Inner>);

impl Queues {
    pub(crate) fn of(server: Weak<Inner>) -> Queues {
        Queues(server)
    }

    fn count(&self) -> Waits {
        let mut sum = Waits::default();
        let sessions = self.0.upgrade().map(|inner| Server(inner).all_sessions());
        for session in sessions.into_iter().flatten() {
            let waits = session.waits();
            sum.input_stanzas += waits.input_stanzas;
            sum.output_bytes += waits.output_bytes;
            sum.unacknowledged_stanzas += waits.unacknowledged_stanzas;
        }
        sum
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queues")
    }
}

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let waits = self.count();
        for (spec, value) in [
            (&INPUT, waits.input_stanzas),
            (&OUTPUT, waits.output_bytes),
            (&UNACKNOWLEDGED, waits.unacknowledged_stanzas),
        ] {
            spec.encode_gauge(value as u64, &mut encoder)?;
        }
        Ok(())
    }
}
