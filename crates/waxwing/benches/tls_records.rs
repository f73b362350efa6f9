//! What TLS records cost in the daemon: `cargo bench -p waxwing --bench tls_records`.
//!
//! The server's own driver on rustls's unbuffered interface seals records, and opens those that a client has sealed
//! before, each in a read of its own, as small messages come. Every suite of TLS 1.3 of the daemon's provider
//! (aws-lc-rs), the sizes of what is in the records. Rounds are interleaved and the best of each counts, since noise
//! only ever adds. No socket: what the kernel does for a record costs ten times as much as a small one.
//!
//! The driver's source is taken in as it stands: it is no part of the library's surface, and should not be for this.

#[allow(
    dead_code,
    reason = "records need no channel binding, and close nothing"
)]
#[path = "../src/exporter.rs"]
mod exporter;
#[allow(
    dead_code,
    reason = "records need no channel binding, and close nothing"
)]
#[path = "../src/tls.rs"]
mod tls;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedCipherSuite, version,
};
use std::hint::black_box;

use tls::Tls;

/// Bytes in a record: a presence, a message, a message with keys, a roster, the most that there is.
const SIZES: [usize; 5] = [64, 256, 1_024, 4_096, 16_384];
/// Bytes sealed or opened in a round, about.
const ROUND_BYTES: usize = 512 * 1_024;
/// Most records of a round.
const ROUND_RECORDS_MAX: usize = 1_000;
/// Rounds of each row.
const ROUNDS: usize = 60;
/// Bytes before the sealed part of a record, the last two of which are its length (RFC 8446 §5.2).
const HEADER_BYTES: usize = 5;

/// One row of the table, with its own connection.
struct Row {
    suite: SupportedCipherSuite,
    bytes: usize,
    client: ClientConnection,
    server: Tls,
    /// The worker's buffers.
    plain: Vec<u8>,
    out: Vec<u8>,
    seal: Duration,
    open: Duration,
}

#[allow(clippy::print_stdout, reason = "the table is what the bench is for")]
fn main() {
    let suites = aws_lc_rs::default_provider().cipher_suites;
    let suites = suites.into_iter().filter(|suite| suite.tls13().is_some());
    let mut rows: Vec<Row> = suites
        .flat_map(|suite| SIZES.map(|bytes| Row::new(suite, bytes)))
        .collect();
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(Row::round);
    }
    println!("one record at a time, best of {ROUNDS} rounds, no socket");
    println!(
        "{:<30} {:>8} {:>9} {:>9} {:>11} {:>11}",
        "suite", "bytes", "seal ns", "open ns", "seal MB/s", "open MB/s"
    );
    for row in &rows {
        let name = format!("{:?}", row.suite.suite());
        let [seal, open] =
            [row.seal, row.open].map(|all| all.as_nanos() as f64 / row.records() as f64);
        println!(
            "{name:<30} {:>8} {seal:>9.0} {open:>9.0} {:>11.0} {:>11.0}",
            row.bytes,
            row.bytes as f64 * 1e3 / seal,
            row.bytes as f64 * 1e3 / open,
        );
    }
}

impl Row {
    fn new(suite: SupportedCipherSuite, bytes: usize) -> Row {
        let (client, server) = connected(suite);
        Row {
            suite,
            bytes,
            client,
            server,
            plain: Vec::new(),
            out: Vec::new(),
            seal: Duration::MAX,
            open: Duration::MAX,
        }
    }

    fn records(&self) -> usize {
        (ROUND_BYTES / self.bytes).min(ROUND_RECORDS_MAX)
    }

    fn round(&mut self) {
        let records = self.records();
        let content = vec![b'x'; self.bytes];
        let start = Instant::now();
        for _ in 0..records {
            self.out.clear();
            let sealed = self.server.send(black_box(&content), &mut self.out);
            sealed.expect("a record");
        }
        self.seal = self.seal.min(start.elapsed());

        let mut sealed = Vec::new();
        for _ in 0..records {
            self.client.writer().write_all(&content).expect("room");
        }
        while self.client.wants_write() {
            self.client.write_tls(&mut sealed).expect("room");
        }
        let mut sealed = split(&mut sealed);
        assert_eq!(sealed.len(), records, "one record for each write");
        let start = Instant::now();
        for record in &mut sealed {
            self.plain.clear();
            let opened = self.server.receive(record, &mut self.plain, &mut self.out);
            opened.expect("a record");
            assert_eq!(black_box(&self.plain).len(), self.bytes);
        }
        self.open = self.open.min(start.elapsed());
    }
}

/// The records in what a client has written.
fn split(mut bytes: &mut [u8]) -> Vec<&mut [u8]> {
    let mut records = Vec::new();
    while let [_, _, _, high, low, ..] = *bytes {
        let length = HEADER_BYTES + usize::from(u16::from_be_bytes([high, low]));
        let (record, rest) = bytes.split_at_mut(length);
        records.push(record);
        bytes = rest;
    }
    records
}

/// Both sides of a connection whose handshake is over, the server's settings those of the daemon.
fn connected(suite: SupportedCipherSuite) -> (ClientConnection, Tls) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate and its key");
    server.key_log = Arc::new(exporter::ExporterSecrets);
    server.send_tls13_tickets = 0;
    let one = CryptoProvider {
        cipher_suites: vec![suite],
        ..aws_lc_rs::default_provider()
    };
    let client = ClientConfig::builder_with_provider(Arc::new(one))
        .with_protocol_versions(&[&version::TLS13])
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    client.set_buffer_limit(None);
    let mut server = Tls::new(Arc::new(server)).expect("a server");
    handshake(&mut client, &mut server);
    (client, server)
}

fn handshake(client: &mut ClientConnection, server: &mut Tls) {
    let (mut plain, mut out) = (Vec::new(), Vec::new());
    while client.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("room");
        let received = server.receive(&mut bytes, &mut plain, &mut out);
        received.expect("a handshake");
        let mut answer = out.as_slice();
        while !answer.is_empty() {
            client.read_tls(&mut answer).expect("an answer");
            client.process_new_packets().expect("a handshake");
        }
        out.clear();
    }
    assert!(server.is_established() && !client.is_handshaking());
}
