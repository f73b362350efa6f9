//! The same chat over every transport.

use waxwing_tests::Built;

use crate::rig::{play, server};

const CHAT: &str = "--scenario chat --clients 4 --rate 20/s --duration 500ms --register";

fn servers(built: &Built) -> [(&'static str, String); 5] {
    [
        ("plain", built.plain.to_string()),
        ("starttls", built.c2s.to_string()),
        ("tls", built.c2s_tls.to_string()),
        ("websocket", built.https.to_string()),
        ("websocket-plain", built.http.to_string()),
    ]
}

/// Certificates are verified where an authority is given, for the domain.
#[test]
fn messages_come_over_each() {
    let built = server("load-transports");
    for (transport, server) in servers(&built) {
        let ca = built.authority.display();
        let words = format!("--transport {transport} --ca {ca} {CHAT}");
        let run = play(built.directory(), &server, &words);
        assert_eq!(run.clean(), 10, "{transport}");
        assert_eq!(run.json["transport"], transport);
    }
}

#[test]
fn sessions_are_resumed_over_each() {
    let built = server("load-resumed");
    for (transport, server) in servers(&built) {
        let words = format!(
            "--transport {transport} --scenario reconnect --clients 2 --duration 100ms --register"
        );
        let run = play(built.directory(), &server, &words);
        assert!(run.clean() >= 2, "{transport}");
    }
}

#[test]
fn what_cannot_be_opened_is_told() {
    let built = server("load-unopened");
    let other = server("load-other");
    let idle = "--scenario idle --clients 2 --duration 100ms";
    let other = format!("--ca {}", other.authority.display());
    let [plain, starttls, tls, websocket, web] = servers(&built).map(|(_, server)| server);
    for (server, words, error) in [
        (&plain, "--transport starttls", "the server offers no TLS"),
        (&starttls, "--transport plain", "the server insists on TLS"),
        (
            &starttls,
            &*format!("--transport starttls {other}"),
            "the server's certificate is refused: it is not from an authority that is trusted",
        ),
        (
            &tls,
            &format!("--transport tls {other}"),
            "the server's certificate is refused: it is not from an authority that is trusted",
        ),
        (&plain, "--transport tls", "the TLS handshake failed"),
        (
            &websocket,
            "--transport websocket --path /elsewhere",
            "no WebSocket for XMPP was opened: HTTP status 404",
        ),
        (&web, "--transport websocket", "the TLS handshake failed"),
        (
            &plain,
            "--transport websocket-plain",
            "no WebSocket for XMPP was opened",
        ),
        (&plain, "--transport plain", "log-in failed: not-authorized"),
        (
            &"127.0.0.1:1".to_owned(),
            "--transport tls",
            "no connection: the server refuses connections",
        ),
    ] {
        let run = play(built.directory(), server, &format!("{words} {idle}"));
        let line = format!("\nerror                  2 × log-in: {error}\n");
        assert!(run.failed().contains(&line), "{words}: {}", run.out);
        assert_eq!(run.count("/readings/sessions"), 0);
    }
}
