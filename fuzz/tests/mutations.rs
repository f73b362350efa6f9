//! A million inputs that nobody thought of, the same in every run.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test and says its counts"
)]

use waxwing_fuzz::campaign::{self, Outcome};
use waxwing_fuzz::{
    Target, archive_queries, bosh, client_stream, component_stream, configuration, data_forms, jid,
    proxy_protocol, scram_client, scram_server, server_stream, stanza_types, stream_management,
    web_form, websocket, wire_splice, wire_stanza, wire_stream,
};

fn run(target: Target, seed: u64, inputs: usize) {
    run_accepting(target, seed, inputs, inputs / 10);
}

fn run_accepting(target: Target, seed: u64, inputs: usize, least: usize) {
    match campaign::run(target, seed, inputs).expect("a corpus") {
        Outcome::Kept(accepted) => {
            println!(
                "figures: {}: {accepted} of {inputs} inputs accepted",
                target.0
            );
            // Or else the test looks at nothing but the refusal of noise.
            assert!(
                (least..inputs * 19 / 20).contains(&accepted),
                "{accepted} of {inputs}"
            );
        }
        Outcome::Broken(number, input) => {
            panic!(
                "{}: input {number} of seed {seed}: {}",
                target.0,
                input.escape_ascii()
            );
        }
    }
}

#[test]
fn stanzas() {
    run(("wire_stanza", wire_stanza), 1, 600_000);
}

#[test]
fn streams() {
    run(("wire_stream", wire_stream), 2, 300_000);
}

#[test]
fn splices() {
    run(("wire_splice", wire_splice), 3, 100_000);
}

#[test]
fn addresses() {
    run(("jid", jid), 4, 50_000);
}

#[test]
fn payload_types() {
    run(("stanza_types", stanza_types), 5, 50_000);
}

#[test]
fn stream_management_counts() {
    run(("stream_management", stream_management), 6, 50_000);
}

#[test]
fn streams_of_hostile_clients() {
    run(("server_stream", server_stream), 7, 20_000);
    run(("scram_server", scram_server), 8, 20_000);
}

/// Most of what is done to a server's side of a log-in keeps the client from it.
#[test]
fn streams_of_hostile_servers() {
    run_accepting(("client_stream", client_stream), 9, 20_000, 200);
    run(("scram_client", scram_client), 10, 20_000);
}

/// Most of what is done to a handshake keeps the component out.
#[test]
fn streams_of_components() {
    run(("component_stream", component_stream), 16, 50_000);
}

#[test]
fn messages_of_websockets() {
    run(("websocket", websocket), 11, 50_000);
}

#[test]
fn sessions_of_bosh() {
    run(("bosh", bosh), 12, 50_000);
}

#[test]
fn headers_of_proxies() {
    run(("proxy_protocol", proxy_protocol), 13, 100_000);
}

#[test]
fn configuration_files() {
    run(("configuration", configuration), 14, 20_000);
}

#[test]
fn forms_of_nodes() {
    run(("data_forms", data_forms), 15, 50_000);
}

#[test]
fn forms_of_browsers() {
    run(("web_form", web_form), 17, 100_000);
}

#[test]
fn queries_of_archives() {
    run(("archive_queries", archive_queries), 16, 50_000);
}
