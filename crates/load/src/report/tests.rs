use super::*;
use crate::figures::Second;
use crate::process::Usage;
use crate::progress::summary;

fn report() -> Report {
    let empty = Usage {
        rss_bytes: 10 << 20,
        pss_bytes: 9 << 20,
        ..Usage::default()
    };
    let end = Usage {
        user_secs: 3.0,
        system_secs: 1.0,
        rss_bytes: 20 << 20,
        pss_bytes: 14 << 20,
    };
    let begin = Usage {
        user_secs: 1.0,
        ..empty
    };
    Report {
        label: "one <server>".to_owned(),
        scenario: "chat".to_owned(),
        server: "127.0.0.1:5222".to_owned(),
        transport: "tls".to_owned(),
        clients: 1_024,
        rate_per_second: Some(500.0),
        sum: Sum {
            delivered: 10_000,
            seconds: vec![Second::default(); 3],
            ..Sum::default()
        },
        readings: Readings {
            empty: Some(empty),
            begin: Some(begin),
            end: Some(end),
            own: Some(Usage {
                user_secs: 0.5,
                ..Usage::default()
            }),
            secs: 20.0,
            sessions: 1_024,
        },
    }
}

#[test]
fn what_each_cost() {
    let report = report();
    let cost = report.cost().unwrap();
    assert_eq!((cost.user_micros, cost.system_micros), (200.0, 100.0));
    let memory = report.memory().unwrap();
    assert_eq!(
        (memory.session_rss_bytes, memory.session_pss_bytes),
        (10_240.0, 5_120.0)
    );
    assert_eq!(report.throughput(), 500.0);
    let nobody = Report {
        sum: Sum::default(),
        readings: Readings::default(),
        ..report
    };
    assert_eq!(
        (nobody.cost(), nobody.memory(), nobody.throughput()),
        (None, None, 0.0)
    );
}

#[test]
fn a_run_is_read_as_it_was_written() {
    let report = report();
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn what_is_lost_or_failed_is_not_clean() {
    let mut report = report();
    assert!(report.is_clean());
    report.sum.messages.lost = 1;
    assert!(!report.is_clean());
    report.sum.messages.lost = 0;
    report.sum.errors.insert("log-in: refused".to_owned(), 1);
    assert!(!report.is_clean());
}

#[test]
fn the_page_needs_nothing_else_and_shows_texts_as_texts() {
    let page = page(&[report(), report()]);
    assert!(page.contains("one &lt;server&gt;") && !page.contains("<server>"));
    for link in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(link), "{link}");
    }
}

/// What a run did not time is no time at all.
#[test]
fn what_was_not_timed_is_no_figure() {
    let mut timed = report();
    let latency = crate::figures::Latency {
        count: 1,
        p50_micros: 1_500,
        ..Default::default()
    };
    timed
        .sum
        .latency
        .insert(crate::figures::Timed::Login, latency);
    let page = page(&[timed, report()]);
    let table = page.split("How long it took: log-in").nth(1).unwrap();
    let table = table.split("</table>").next().unwrap();
    assert!(table.contains("1.50 ms"), "{table}");
    assert_eq!(table.matches("<td>–</td>").count(), 5, "{table}");
}

/// What is lost is slower than all that came.
#[test]
fn times_say_of_how_many_they_are() {
    let mut report = report();
    let times = crate::figures::Latency::default();
    let delivery = crate::figures::Timed::Delivery;
    report.sum.latency.insert(delivery, times);
    let note = "; the 7 that never came have no time";
    assert!(!page(std::slice::from_ref(&report)).contains(note));
    assert!(!summary(&report).contains(note));
    report.sum.messages.lost = 7;
    assert!(page(std::slice::from_ref(&report)).contains(note));
    assert!(summary(&report).contains(note));
}

/// A server that nobody looked at used something as well.
#[test]
fn what_was_not_looked_at_is_not_drawn() {
    let mut watched = report();
    for second in &mut watched.sum.seconds {
        second.cpu = (0.5, 0.5);
        second.rss_bytes = 1 << 20;
    }
    let mut unwatched = report();
    unwatched.readings = Readings::default();
    for (reports, lines) in [(vec![watched.clone(); 2], 2), (vec![watched, unwatched], 1)] {
        let page = page(&reports);
        for chart in [
            "Server's processor, of one core",
            "Server's resident memory",
        ] {
            let drawn = page.split(&format!("<figcaption>{chart}")).nth(1).unwrap();
            let drawn = drawn.split("</figure>").next().unwrap();
            assert_eq!(drawn.matches("<polyline").count(), lines, "{drawn}");
        }
    }
}

/// Nobody has to tell colours apart.
#[test]
fn runs_of_one_label_are_numbered() {
    let mut other = report();
    other.label = "two".to_owned();
    let several = page(&[report(), other, report()]);
    for label in [
        "<b>one &lt;server&gt; (1)</b>",
        "<b>two</b>",
        "<b>one &lt;server&gt; (2)</b>",
    ] {
        assert_eq!(several.matches(label).count(), 1, "{label}");
    }
    assert!(!page(&[report()]).contains("(1)"));
}
