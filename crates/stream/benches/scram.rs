//! What passwords cost a server: `cargo bench -p waxwing-stream --bench scram`.
//!
//! First the keys that are made of a new password, with the rounds of stretching that are the default: what a
//! registration costs, as a whole and by hash. Then log-ins of a client and a server in memory, inside TLS that is
//! taken for granted, from the stream's header to the outcome: only the server's part is timed, reading and writing of
//! the stream included. SCRAM leaves the stretching to the client; with PLAIN the server does it.
//!
//! A name without an account has to cost the same, or who measures knows which accounts there are. Both are done in
//! turn, and the best of each counts, since noise only ever adds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waxwing_stanza::BareJid;
use waxwing_stream::sasl::{
    Account, Credentials, FakeSalts, Hash, ITERATIONS, Mechanism, Password, SALT_BYTES, ScramKeys,
    TlsBinding,
};
use waxwing_stream::{Seed, client, server};
use waxwing_wire::{Limits, Reader};

/// Rounds of the first table, and of log-ins by PLAIN, which stretch too.
const SLOW_ROUNDS: usize = 40;
/// Log-ins by SCRAM for each row.
const LOG_INS: usize = 3_000;
/// Rounds of stretching where the client does it, outside what is timed.
const CLIENT_ITERATIONS: u32 = 1;
const PASSWORD: &str = "correct horse battery staple";
const MECHANISMS: [Mechanism; 5] = [
    Mechanism::ScramSha1,
    Mechanism::ScramSha256,
    Mechanism::ScramSha512,
    Mechanism::ScramSha256Plus,
    Mechanism::Plain,
];

#[allow(clippy::print_stdout, reason = "the table is what the bench is for")]
fn main() {
    println!("keys of a new password, {ITERATIONS} rounds of stretching, best of {SLOW_ROUNDS}");
    println!("{:<22} {:>12}", "", "CPU µs");
    let derive = |hash| {
        best(SLOW_ROUNDS, || {
            ScramKeys::derive(hash, &password(), &[7; SALT_BYTES], ITERATIONS)
        })
    };
    for (name, hash) in [
        ("SHA-1", Hash::Sha1),
        ("SHA-256", Hash::Sha256),
        ("SHA-512", Hash::Sha512),
    ] {
        println!("{name:<22} {:>12.1}", micros(derive(hash)));
    }
    let all = best(SLOW_ROUNDS, || {
        Credentials::derive(&password(), &mut Seed::new([7; 32]), ITERATIONS)
    });
    println!("{:<22} {:>12.1}", "a registration", micros(all));

    println!("\nthe server's part of a log-in, best of {LOG_INS}; of {SLOW_ROUNDS} with PLAIN");
    println!(
        "{:<22} {:>12} {:>12} {:>14} {:>10}",
        "", "account µs", "none µs", "wrong pass. µs", "none/wrong"
    );
    for mechanism in MECHANISMS {
        let [right, none, wrong] = log_ins(mechanism).map(micros);
        println!(
            "{:<22} {right:>12.2} {none:>12.2} {wrong:>14.2} {:>10.3}",
            mechanism.name(),
            none / wrong,
        );
    }
}

/// The shortest time that the work takes.
fn best<T>(rounds: usize, work: impl Fn() -> T) -> Duration {
    let times = (0..rounds).map(|_| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

/// The server's shortest time for a log-in that succeeds, one to an account that is not there, and one with a wrong
/// password.
fn log_ins(mechanism: Mechanism) -> [Duration; 3] {
    let (rounds, iterations) = match mechanism {
        Mechanism::Plain => (SLOW_ROUNDS, ITERATIONS),
        _ => (LOG_INS, CLIENT_ITERATIONS),
    };
    let credentials = Credentials::derive(&password(), &mut Seed::new([7; 32]), iterations);
    let fake_salts = FakeSalts::new([1; 32], iterations);
    let mut settings = server::Settings::new(server::Domains::new("example.org"), fake_salts);
    settings.mechanisms = vec![mechanism];
    let settings = Arc::new(settings);
    let ways = [
        (Account::Active(credentials.clone()), PASSWORD, true),
        (Account::Missing, PASSWORD, false),
        (Account::Active(credentials), "another", false),
    ];
    let mut best = [Duration::MAX; 3];
    for _ in 0..rounds {
        for ((account, password, succeeds), best) in ways.iter().zip(&mut best) {
            let mut meeting = Meeting::new(mechanism, settings.clone(), password, iterations);
            assert_eq!(meeting.run(account.clone()), *succeeds);
            *best = (*best).min(meeting.spent);
        }
    }
    best
}

/// A client and a server in memory.
struct Meeting {
    client: client::Negotiation,
    client_reader: Reader,
    server: server::Negotiation,
    server_reader: Reader,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    /// What the store will say.
    account: Option<Account>,
    /// Whether the log-in has succeeded.
    outcome: Option<bool>,
    /// What the server has used.
    spent: Duration,
}

impl Meeting {
    fn new(
        mechanism: Mechanism,
        settings: Arc<server::Settings>,
        password: &str,
        iterations: u32,
    ) -> Meeting {
        let binding = TlsBinding {
            tls_exporter: Some([7; 32]),
            server_end_point: Some(vec![8; 32]),
            sni: None,
            version: Some(0x0304),
        };
        let account: BareJid = "alice@example.org".parse().expect("an address");
        let password = Password::prepare(password).expect("a password");
        let wanted = client::Settings {
            mechanisms: vec![mechanism],
            iterations: iterations..=iterations,
            ..client::Settings::new(account, password)
        };
        let tls = client::Tls::Started(binding);
        Meeting {
            client: client::Negotiation::new(wanted, tls.clone(), Seed::new([5; 32])),
            client_reader: Reader::new(Limits::BEFORE_LOGIN),
            server: server::Negotiation::new(settings, tls, Seed::new([6; 32])),
            server_reader: Reader::new(Limits::BEFORE_LOGIN),
            to_client: Vec::new(),
            to_server: Vec::new(),
            account: None,
            outcome: None,
            spent: Duration::ZERO,
        }
    }

    /// Until the log-in has an outcome: whether it succeeded.
    fn run(&mut self, account: Account) -> bool {
        self.account = Some(account);
        loop {
            self.client_turn();
            let start = Instant::now();
            self.server_turn();
            self.spent += start.elapsed();
            if let Some(outcome) = self.outcome {
                return outcome;
            }
        }
    }

    fn server_turn(&mut self) {
        self.server_reader.push(&self.to_server);
        self.to_server.clear();
        loop {
            while let Some(output) = self.server.poll() {
                self.server_output(output);
            }
            match self.server_reader.next().expect("well-formed") {
                Some(event) => self.server.handle_event(event),
                None => return,
            }
        }
    }

    fn server_output(&mut self, output: server::Output) {
        match output {
            server::Output::Send(bytes) => self.to_client.extend_from_slice(&bytes),
            server::Output::RestartReader => {
                let dropped = self.server_reader.restart();
                self.server.handle_restart(dropped);
            }
            server::Output::NeedCredentials { .. } => {
                let account = self.account.take().expect("it is asked for once");
                self.server.provide_credentials(account);
            }
            server::Output::Stretch(work) => self.server.handle_stretched(work.run()),
            server::Output::Authenticated { .. } => self.outcome = Some(true),
            server::Output::LoginFailed { .. } => self.outcome = Some(false),
            _ => unreachable!("a log-in has come so far"),
        }
    }

    fn client_turn(&mut self) {
        self.client_reader.push(&self.to_client);
        self.to_client.clear();
        loop {
            while let Some(output) = self.client.poll() {
                match output {
                    client::Output::Send(bytes) => self.to_server.extend_from_slice(&bytes),
                    client::Output::Stretch(work) => self.client.handle_stretched(work.run()),
                    _ => unreachable!("a log-in has come so far"),
                }
            }
            match self.client_reader.next().expect("well-formed") {
                Some(event) => self.client.handle_event(event),
                None => return,
            }
        }
    }
}

fn password() -> Password {
    Password::prepare(PASSWORD).expect("a password")
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
