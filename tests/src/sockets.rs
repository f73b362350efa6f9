//! Conversations with the built server, over sockets.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use waxwing_server::{ExternalService, Grants, OptionValue, Registration, TlsBinding};
use waxwing_testkit::Seed;
use waxwing_testkit::conversation::{
    Cast, DOMAIN, Failure, Happened, Network, PASSWORD, Runner, Section, Transport, Wait,
};

use crate::{Built, BuiltOptions};

/// How long an answer may take, on a machine that is busy elsewhere.
const ANSWER_SECS_MAX: u64 = 120;
/// How long nothing must come where nothing says that nothing will.
const MOMENT_MILLIS: u64 = 200;
/// Rounds of key stretching: the fewest that the server allows.
const SCRAM_ITERATIONS: u64 = 4_096;
/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;

/// Plays a section against a built server of its own. Its sessions use STARTTLS and the plain
/// listener in turn.
///
/// # Errors
/// The first thing that goes otherwise.
pub fn play_over_sockets(path: &str, section: &Section) -> Result<(), Failure> {
    let sockets = Sockets::new(&section.cast).map_err(|what| Failure {
        path: path.to_owned(),
        line: section.line,
        what,
    })?;
    Runner::new(sockets, Seed(0)).play(path, section)
}

/// A built server, and connections to it.
#[derive(Debug)]
struct Sockets {
    server: Built,
    tls: Arc<ClientConfig>,
    links: Vec<Link>,
    arrived: Receiver<Arrival>,
    arrivals: Sender<Arrival>,
    /// Arrived while a TLS handshake waited for something else.
    backlog: VecDeque<Arrival>,
    began: Instant,
}

#[derive(Debug)]
struct Link {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    closed: bool,
}

/// Bytes as they came from a connection's socket; none at its end.
type Arrival = (usize, Vec<u8>);

impl Sockets {
    fn new(cast: &Cast) -> Result<Sockets, String> {
        let server = Built::start(options(cast)).map_err(|error| error.to_string())?;
        let mut trusted = RootCertStore::empty();
        let authority =
            CertificateDer::from_pem_file(&server.authority).map_err(|error| error.to_string())?;
        trusted.add(authority).map_err(|error| error.to_string())?;
        let tls = ClientConfig::builder()
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let (arrivals, arrived) = channel();
        Ok(Sockets {
            server,
            tls: Arc::new(tls),
            links: Vec::new(),
            arrived,
            arrivals,
            backlog: VecDeque::new(),
            began: Instant::now(),
        })
    }

    fn arrival(&mut self, until: Instant) -> Option<Arrival> {
        let left = until.saturating_duration_since(Instant::now());
        self.arrived.recv_timeout(left).ok()
    }

    fn handshake(&mut self, link: usize) -> Result<ClientConnection, String> {
        let name = ServerName::try_from(DOMAIN).map_err(|error| error.to_string())?;
        let mut tls = ClientConnection::new(Arc::clone(&self.tls), name)
            .map_err(|error| error.to_string())?;
        // A stanza may be larger than what TLS buffers by itself.
        tls.set_buffer_limit(None);
        let until = Instant::now() + Duration::from_secs(ANSWER_SECS_MAX);
        loop {
            if let Some(link) = self.links.get_mut(link) {
                flush(&mut tls, &mut link.socket).map_err(|error| error.to_string())?;
            }
            if !tls.is_handshaking() {
                return Ok(tls);
            }
            match self.arrival(until) {
                Some((at, bytes)) if at == link => {
                    feed(&mut tls, &bytes).map_err(|error| error.to_string())?;
                }
                Some(other) => self.backlog.push_back(other),
                None => return Err("the TLS handshake does not end".to_owned()),
            }
        }
    }

    /// What an arrival is to the conversation; `None` if it is nothing but TLS's own.
    fn read(&mut self, (at, bytes): Arrival) -> Option<Happened<usize>> {
        let link = self.links.get_mut(at)?;
        if link.closed {
            return None;
        }
        if bytes.is_empty() {
            link.closed = true;
            return Some(Happened::Disconnected(at));
        }
        let plain = match &mut link.tls {
            None => bytes,
            Some(tls) => match feed(tls, &bytes) {
                Ok(plain) => plain,
                Err(_) => {
                    link.closed = true;
                    return Some(Happened::Disconnected(at));
                }
            },
        };
        (!plain.is_empty()).then(|| Happened::Received(at, plain.into()))
    }
}

impl Network for Sockets {
    type Link = usize;

    fn connect(&mut self, transport: Transport) -> Result<usize, String> {
        let address = match transport {
            Transport::StartTls => self.server.c2s,
            Transport::Plain => self.server.plain,
            Transport::Component => self.server.components,
        };
        let connect = || -> io::Result<(TcpStream, TcpStream)> {
            let socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            Ok((socket.try_clone()?, socket))
        };
        let (mut reading, socket) = connect().map_err(|error| format!("{address}: {error}"))?;
        let at = self.links.len();
        self.links.push(Link {
            socket,
            tls: None,
            closed: false,
        });
        let arrivals = self.arrivals.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; READ_BYTES];
            loop {
                // An error ends a connection as its end does.
                let count = reading.read(&mut buffer).unwrap_or(0);
                let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                if arrivals.send((at, bytes)).is_err() || count == 0 {
                    return;
                }
            }
        });
        Ok(at)
    }

    fn write(&mut self, link: usize, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(link) else {
            return;
        };
        // Whether the server still reads is seen by what it says.
        let _gone = match &mut link.tls {
            None => link.socket.write_all(bytes),
            Some(tls) => tls
                .writer()
                .write_all(bytes)
                .and_then(|()| flush(tls, &mut link.socket)),
        };
    }

    fn start_tls(&mut self, link: usize) -> Result<TlsBinding, String> {
        let tls = self.handshake(link)?;
        let exporter = tls
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
            .map_err(|error| error.to_string())?;
        let version = tls.protocol_version().map(u16::from);
        if let Some(link) = self.links.get_mut(link) {
            link.tls = Some(Box::new(tls));
        }
        Ok(TlsBinding {
            tls_exporter: Some(exporter),
            server_end_point: None,
            sni: None,
            version,
        })
    }

    fn close(&mut self, link: usize) {
        if let Some(link) = self.links.get_mut(link) {
            link.closed = true;
            // It may be closed already.
            let _closed = link.socket.shutdown(std::net::Shutdown::Both);
        }
    }

    fn next(&mut self, wait: Wait) -> Happened<usize> {
        let until = match wait {
            Wait::Answer => Instant::now() + Duration::from_secs(ANSWER_SECS_MAX),
            Wait::Moment => Instant::now() + Duration::from_millis(MOMENT_MILLIS),
            Wait::Until(micros) => self.began + Duration::from_micros(micros),
        };
        loop {
            let arrival = match self.backlog.pop_front() {
                Some(arrival) => Some(arrival),
                None => self.arrival(until),
            };
            let Some(arrival) = arrival else {
                return Happened::Nothing;
            };
            if let Some(happened) = self.read(arrival) {
                return happened;
            }
        }
    }

    fn now_micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn restart(&mut self, in_order: bool) -> Result<(), String> {
        for link in &mut self.links {
            link.closed = true;
        }
        let ended = if in_order {
            self.server.stop().map(|_| ())
        } else {
            self.server.kill()
        };
        ended
            .and_then(|()| self.server.restart())
            .map_err(|error| error.to_string())
    }

    fn operate(&mut self, command: &str, account: &str) -> Result<(), String> {
        self.server
            .account(command, account)
            .map_err(|error| error.to_string())
    }

    fn is_exact(&self) -> bool {
        false
    }
}

/// Takes in what the other end of TLS sent, and gives what is inside.
fn feed(tls: &mut ClientConnection, mut bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes)?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        let mut piece = vec![0; state.plaintext_bytes_to_read()];
        tls.reader().read_exact(&mut piece)?;
        plain.append(&mut piece);
    }
    Ok(plain)
}

fn flush(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}

fn mode(registration: Registration) -> String {
    let mut names = Registration::NAMES.iter();
    let found = names.find(|(_, mode)| *mode == registration);
    found.map_or_else(String::new, |(name, _)| (*name).to_owned())
}

/// The listener for components.
const COMPONENTS_LISTEN: &str = "components_loopback = [\"{ip}:5347\"]\n";

/// The relay of byte streams.
const BYTESTREAMS_LISTEN: &str = "bytestreams = [\"{ip}:7777\"]\n";

/// A component's section of the configuration, and the name of the file with its secret.
fn component(name: &str, grants: &Grants) -> (String, String) {
    let file = format!("{name}.secret");
    let iq = grants.iq.iter();
    let iq: Vec<String> = iq
        .map(|(namespace, kind)| format!("{namespace} {}", kind.as_str()))
        .collect();
    let delegated = grants.delegated.iter();
    let delegated: Vec<String> = delegated
        .map(|grant| format!("{} {}", grant.namespace, grant.attributes.join(" ")))
        .collect();
    let section = format!(
        "\n[component.\"{name}.{DOMAIN}\"]\nsecret_file = {file:?}\nroster = {:?}\nroster_push = {}\n\
         message = {:?}\npresence = {:?}\niq = {iq:?}\ndelegate = {delegated:?}\n",
        grants.roster.as_str(),
        grants.roster_push,
        if grants.message { "outgoing" } else { "none" },
        grants.presence.as_str(),
    );
    (section, file)
}

/// The file with the secret of services beside the server.
const SERVICE_SECRET: &str = "services.secret";

/// A section of the configuration for a service beside the server.
fn external(name: &str, service: &ExternalService) -> String {
    let shared = service.shared.as_ref().map(|shared| {
        let lifetime_secs = shared.lifetime_secs;
        format!("secret_file = {SERVICE_SECRET:?}\nlifetime_secs = {lifetime_secs}\n")
    });
    format!(
        "\n[external.{name}]\ntype = {:?}\nhost = {:?}\nport = {}\ntransport = {:?}\nrestricted = {}\n{}",
        service.kind.as_str(),
        service.host,
        service.port,
        service.transport.as_str(),
        service.restricted,
        shared.unwrap_or_default(),
    )
}

fn options(cast: &Cast) -> BuiltOptions {
    let mut options = BuiltOptions::new("conversation");
    options.domain = DOMAIN.to_owned();
    options.certificate = DOMAIN.to_owned();
    options.registration = mode(cast.registration.unwrap_or_default());
    options.other_domains = cast.domains.keys().cloned().collect();
    let of_domains = cast.domains.iter().map(|(domain, own)| {
        let own = mode(*own);
        format!("\n[domain.{domain:?}]\nregistration = {own:?}\n")
    });
    let set = cast.options.iter().map(|(name, value)| match value {
        OptionValue::Flag(flag) => format!("{name} = {flag}\n"),
        OptionValue::Number(number) => format!("{name} = {number}\n"),
        OptionValue::Text(text) => format!("{name} = {text:?}\n"),
        OptionValue::Texts(texts) => format!("{name} = {texts:?}\n"),
    });
    options.config = format!(
        "\n[options]\nscram_iterations = {SCRAM_ITERATIONS}\n{}",
        set.collect::<String>() + &of_domains.collect::<String>()
    );
    for (name, grants) in &cast.components {
        let (section, file) = component(name, grants);
        options.config.push_str(&section);
        options.secrets.push((file, PASSWORD.to_owned()));
        options.listen = COMPONENTS_LISTEN.to_owned();
    }
    if cast.options.contains_key("bytestreams_host") {
        options.listen.push_str(BYTESTREAMS_LISTEN);
    }
    for (name, service) in &cast.external {
        options.config.push_str(&external(name, service));
        if service.shared.is_some() {
            let file = (SERVICE_SECRET.to_owned(), PASSWORD.to_owned());
            options.secrets.push(file);
        }
    }
    for account in cast.accounts() {
        options = options.account(&account, PASSWORD);
    }
    options
}
