use std::collections::BTreeMap;

use waxwing_store::Memory;

use super::*;

fn text(metrics: &Metrics) -> String {
    let store = Memory::new().open(&[]).unwrap();
    let mut registry = Registry::default();
    metrics.register(&store, Queues::of(std::sync::Weak::new()), &mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[test]
fn what_is_documented_is_what_there_is() {
    let text = text(&Metrics::default());
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let found: BTreeMap<_, _> = lines.map(|line| line.split_once(' ').unwrap()).collect();
    let documented: BTreeMap<_, _> = METRICS
        .iter()
        .map(|spec| {
            let kind = match spec.kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
                Kind::Histogram => "histogram",
            };
            (spec.name, kind)
        })
        .collect();
    assert_eq!(found, documented);
    for (limit, _) in Limit::ALL {
        let line = format!("waxwing_limits_hit_total{{limit=\"{}\"}} 0", limit.name());
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn elements_are_counted_by_kind_and_direction() {
    let metrics = Metrics::default();
    metrics.received("iq");
    for bytes in [
        &b"<message to='x'/>"[..],
        b"<message>",
        b"<iq/>",
        b"<r xmlns='urn:xmpp:sm:3'/>",
        b"",
    ] {
        metrics.sent(bytes);
    }
    metrics.stream_error(&StreamCondition::ResourceConstraint.into());
    metrics.login_failed(Failure::NotAuthorized);
    let text = text(&metrics);
    for line in [
        "waxwing_stanzas_total{kind=\"iq\",direction=\"in\"} 1",
        "waxwing_stanzas_total{kind=\"message\",direction=\"out\"} 2",
        "waxwing_stanzas_total{kind=\"iq\",direction=\"out\"} 1",
        "waxwing_stanzas_total{kind=\"other\",direction=\"out\"} 2",
        "waxwing_stream_errors_total{condition=\"resource-constraint\"} 1",
        "waxwing_logins_total{result=\"not-authorized\"} 1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
