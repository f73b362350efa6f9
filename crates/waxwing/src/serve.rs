//! `waxwing serve`: opens everything, says what listens, and closes in order.

mod error;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use waxwing_server::{Server, StartError};

use crate::accepting::Accepting;
use crate::certificates::{CertificateError, Certificates, server_config};
use crate::cli::LogFormat;
use crate::client::{Protection, TlsSettings};
use crate::config::{At, Config};
use crate::domain::Domain;
use crate::listen::{self, ListenError, Serving};
use crate::notify::{notify, watchdog_interval};
use crate::one_port::{HTTP, XMPP};
use crate::outside::outside;
use crate::reload::{self, Keys, Reloader};
use crate::site::Site;
use crate::web::{self, Access};
use crate::{Outcome, admin_socket, bytestreams, check, http, logging, storage};

pub(crate) use error::{OpenTlsError, ReloadError, ServeError, SettingsError};

/// Longest time for streams to close once the server was told to stop.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// Runs the server until it is told to stop.
pub(crate) fn run(config: Config, path: PathBuf, format: LogFormat) -> Outcome {
    logging::start(format);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::Failed(format!("threads could not be started: {error}")),
    };
    match runtime.block_on(serve(config, path)) {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// What is said where TLS is listened for, and no certificate named.
pub(crate) fn no_certificate(config: &Config) -> OpenTlsError {
    let keys = [
        "tls",
        "listen.c2s",
        "listen.c2s_tls",
        "listen.components_tls",
        "listen.https",
        "listen.tls",
    ];
    let at = config.places.at(&keys.map(str::to_owned));
    OpenTlsError::NoCertificate { at }
}

/// What is said of the files that two keys name.
pub(crate) fn blame(config: &Config, section: &str, error: CertificateError) -> OpenTlsError {
    let key = match error {
        CertificateError::Chain { .. } => "certificate",
        CertificateError::Key { .. } | CertificateError::Mismatch { .. } => "key",
    };
    let at = config.places.at(&[format!("{section}.{key}")]);
    OpenTlsError::Certificate { at, error }
}

/// TLS as the configuration has it; `None` where nothing needs it.
pub(crate) fn open_tls(config: &Config) -> Result<Option<Arc<TlsSettings>>, OpenTlsError> {
    if !config.needs_certificate() {
        return Ok(None);
    }
    let (Some(chain), Some(key)) = (&config.certificate, &config.key) else {
        return Err(no_certificate(config));
    };
    let mut certificates =
        Certificates::load(chain, key).map_err(|error| blame(config, "tls", error))?;
    let hosts = config.settings().hosts();
    let hosts = hosts.map_err(|error| SettingsError::new(config, error))?;
    for (name, files) in &config.domain_certificates {
        let section = format!("domain.{name}");
        let domain = Domain::new(name).map_err(|error| OpenTlsError::Domain {
            at: config.places.at(std::slice::from_ref(&section)),
            error,
        })?;
        let names = std::iter::once(domain.ascii.clone()).chain(domain.hosts(&hosts));
        certificates
            .add(names, &files.certificate, &files.key)
            .map_err(|error| blame(config, &section, error))?;
    }
    let certificates = Arc::new(certificates);
    let settings = || -> Result<TlsSettings, rustls::Error> {
        Ok(TlsSettings {
            start: server_config(&certificates, &[])?,
            direct: server_config(&certificates, &[XMPP])?,
            https: server_config(&certificates, &[HTTP])?,
            any: server_config(&certificates, &[XMPP, HTTP])?,
            certificates: certificates.clone(),
        })
    };
    Ok(Some(Arc::new(settings()?)))
}

/// Sockets that were opened before anything is served.
struct Sockets {
    clients: Vec<(TcpListener, Protection)>,
    https: Vec<TcpListener>,
    http: Vec<TcpListener>,
    proxied: Vec<TcpListener>,
    any: Vec<TcpListener>,
    bytestreams: Vec<TcpListener>,
}

impl Sockets {
    fn addresses(&self) -> Vec<SocketAddr> {
        let clients = self.clients.iter().map(|(listener, _)| listener);
        let all = clients.chain(&self.https).chain(&self.bytestreams);
        let all = all.chain(&self.http).chain(&self.proxied).chain(&self.any);
        all.filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

fn open_sockets(config: &Config) -> Result<Sockets, ServeError> {
    let listen = &config.listen;
    let open = |addresses: &[SocketAddr]| -> Result<Vec<TcpListener>, ServeError> {
        let opened = addresses.iter().copied().map(listen::open);
        let opened: Result<_, ListenError> = opened.collect();
        opened.map_err(|error| {
            let key = listen.key_of(error.address);
            let at = key.map(|key| config.places.at(&[key.to_owned()]));
            let at = at.unwrap_or_else(At::nowhere);
            ServeError::Listen { at, error }
        })
    };
    let mut clients = Vec::new();
    for (addresses, protection) in [
        (&listen.c2s, Protection::StartTls),
        (&listen.c2s_tls, Protection::Tls),
        (&listen.c2s_plain_loopback, Protection::PlainLoopback),
        (&listen.components_loopback, Protection::ComponentLoopback),
        (&listen.components_tls, Protection::ComponentTls),
    ] {
        clients.extend(
            open(addresses)?
                .into_iter()
                .map(|listener| (listener, protection.clone())),
        );
    }
    Ok(Sockets {
        clients,
        https: open(&listen.https)?,
        http: open(&listen.http_loopback)?,
        proxied: open(&listen.http_proxied)?,
        any: open(&listen.tls)?,
        bytestreams: open(&listen.bytestreams)?,
    })
}

async fn serve(config: Config, path: PathBuf) -> Result<(), ServeError> {
    // A signal that comes while we start is answered as soon as we can stop in order.
    let mut signals = Signals::new()?;
    let mut hangup = Signals::hangup()?;
    let tls = open_tls(&config)?;
    // Held until the server has stopped.
    let storage::Opened { store, lock: _lock } = storage::open(&config)?;
    check::log_warnings(&check::of_certificates(&config));
    let keys = Keys::open(&config.data_dir)?;
    let server = Server::start(keys.with(config.settings()), outside(store)).await;
    let server = server.map_err(|error| match error {
        StartError::Store(error) => ServeError::Store(storage::unusable(&config, error)),
        error => ServeError::Start(SettingsError::new(&config, error)),
    })?;
    // Before the clients' sockets: who sees those can use this.
    let admin = admin_socket::open(&config.admin_socket()).map_err(|error| {
        let path = config.admin_socket();
        ServeError::AdminSocket { path, error }
    })?;
    let (ask, mut asked) = mpsc::channel(1);
    let accepting = Arc::<Accepting>::default();
    let listening = admin_socket::Listening::default();
    tokio::spawn(admin_socket::serve(
        admin,
        server.clone(),
        ask,
        accepting.clone(),
        listening.clone(),
    ));
    let sockets = open_sockets(&config)?;
    // Set here and nowhere else.
    let _first = listening.set(sockets.addresses());
    let (stop, stopped) = watch::channel(false);
    let (alive, all_gone) = mpsc::channel(1);
    let (publish_tls, tls) = watch::channel(tls);
    let (publish_web, web) = watch::channel(Arc::new(config.web.clone()));
    let serving = Serving {
        server: server.clone(),
        tls,
        web,
        bosh: Arc::default(),
        proxies: Arc::new(config.listen.proxies.clone()),
        accepting,
        stop: stopped,
        alive,
    };
    start(sockets, &serving);
    // Held by connections and listeners alone from here on.
    drop(serving);
    tracing::info!(domains = %config.domains.join(", "), data = %storage::shown(&config), "ready");
    notify("READY=1");
    let admin_socket = config.admin_socket();
    let mut reloader = Reloader::new(path, config, keys, server.clone(), publish_tls, publish_web);
    tokio::select! {
        () = attend(&mut signals, &mut hangup, &mut asked, &mut reloader) => {}
        () = server.ended() => {}
    }
    tracing::info!("stopping; another signal stops at once");
    notify("STOPPING=1");
    server.stop();
    // The receivers are gone only where everything has stopped already.
    let _all_stopped = stop.send(true);
    close(all_gone, &mut signals).await;
    // A socket that stays behind is taken away by the next start.
    let _gone = std::fs::remove_file(admin_socket);
    tracing::info!("stopped");
    Ok(())
}

/// Reloads whenever that is asked for, until a signal stops the server.
async fn attend(
    signals: &mut Signals,
    hangup: &mut Signal,
    asked: &mut mpsc::Receiver<reload::Request>,
    reloader: &mut Reloader,
) {
    let mut look = Instant::now() + reloader.watch_interval();
    loop {
        tokio::select! {
            () = signals.wait() => return,
            // What came of it is in the log.
            _ = hangup.recv() => drop(reloader.reload()),
            // Who asked may be gone by now.
            Some(answer) = asked.recv() => drop(answer.send(reloader.reload())),
            () = tokio::time::sleep_until(look) => {
                reloader.look_at_certificates();
                look = Instant::now() + reloader.watch_interval();
            }
        }
        // A reload may have made it shorter.
        look = look.min(Instant::now() + reloader.watch_interval());
    }
}

fn start(sockets: Sockets, serving: &Serving) {
    let address = |listener: &TcpListener| {
        listener
            .local_addr()
            .unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
    };
    for (listener, protection) in sockets.clients {
        let whom = match protection {
            Protection::ComponentLoopback | Protection::ComponentTls => "components",
            _ => "clients",
        };
        tracing::info!(address = %address(&listener), protection = protection.name(), "{whom}");
        tokio::spawn(serving.clone().accept(listener, protection));
    }
    for listener in sockets.bytestreams {
        let address = address(&listener);
        tracing::info!(%address, "byte streams");
        serving.server.bytestreams().listens_at(address.port());
        tokio::spawn(bytestreams::serve(listener, serving.clone()));
    }
    let site = |listener: &TcpListener, tls| Site {
        serving: serving.clone(),
        address: address(listener),
        tls,
        is_local: false,
    };
    let mut registry = Registry::default();
    serving.server.register_metrics(&mut registry);
    let registry = Arc::new(registry);
    for listener in sockets.http {
        tracing::info!(address = %address(&listener), "HTTP for this machine");
        let site = Site {
            is_local: true,
            ..site(&listener, false)
        };
        let router = http::local(site, registry.clone());
        tokio::spawn(web::serve(
            listener,
            router,
            serving.clone(),
            Access::Loopback,
        ));
    }
    for listener in sockets.https {
        tracing::info!(address = %address(&listener), "HTTPS");
        let router = http::public(site(&listener, true));
        tokio::spawn(web::serve(listener, router, serving.clone(), Access::Tls));
    }
    for listener in sockets.any {
        tracing::info!(address = %address(&listener), "clients and HTTPS");
        let router = http::public(site(&listener, true));
        tokio::spawn(web::serve(
            listener,
            router,
            serving.clone(),
            Access::OnePort,
        ));
    }
    for listener in sockets.proxied {
        tracing::info!(address = %address(&listener), "HTTP for trusted proxies");
        let router = http::public(site(&listener, false));
        tokio::spawn(web::serve(
            listener,
            router,
            serving.clone(),
            Access::Proxies,
        ));
    }
}

/// Signals that stop the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    watchdog: tokio::time::Interval,
}

impl Signals {
    fn new() -> Result<Signals, ServeError> {
        let interval = watchdog_interval().unwrap_or(Duration::from_secs(3_600));
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).map_err(ServeError::Signals)?,
            interrupt: signal(SignalKind::interrupt()).map_err(ServeError::Signals)?,
            watchdog: tokio::time::interval(interval),
        })
    }

    /// The signal to reload.
    fn hangup() -> Result<Signal, ServeError> {
        signal(SignalKind::hangup()).map_err(ServeError::Signals)
    }

    /// Waits for one of them; meanwhile systemd's watchdog is told that we live.
    async fn wait(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.watchdog.tick() => notify("WATCHDOG=1"),
            }
        }
    }
}

/// Waits until every connection is gone, or a second signal or the time-out says not to.
async fn close(mut all_gone: mpsc::Receiver<()>, signals: &mut Signals) {
    tokio::select! {
        _ = all_gone.recv() => {}
        () = signals.wait() => tracing::warn!("connections were cut"),
        () = tokio::time::sleep(STOP_TIME_MAX) => tracing::warn!("some connections did not close in time and were cut"),
    }
}
