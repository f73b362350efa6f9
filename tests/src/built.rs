//! The built server, started as its users start it: by its command line, on a directory and a
//! loopback address of its own.
//!
//! Length: what a test may want of its server, and each way to start and end it, is one list.

mod error;
mod place;
mod store;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::Scratch;
use error::system;
use place::Address;
use store::Database;

pub use error::BuiltError;
pub use store::real_store;

/// How long one wait for the server's message lasts before the process is looked at again.
const LOOK_MILLIS: u64 = 50;
/// Looks until a server counts as not starting: 60 seconds, for a machine that is busy elsewhere.
const LOOKS_MAX: u32 = 1_200;

const C2S_PORT: u16 = 5222;
const C2S_TLS_PORT: u16 = 5223;
const PLAIN_PORT: u16 = 5224;
const HTTP_PORT: u16 = 5280;
const HTTPS_PORT: u16 = 5281;
const COMPONENTS_PORT: u16 = 5347;
const BYTESTREAMS_PORT: u16 = 7777;

/// What a test wants of its server.
#[derive(Clone, Debug)]
pub struct BuiltOptions {
    /// Name of the test, in the name of its directory.
    pub name: String,
    /// The domain it serves.
    pub domain: String,
    /// More domains.
    pub other_domains: Vec<String>,
    /// The domain that its certificate names.
    pub certificate: String,
    /// Accounts to make: user name and password.
    pub accounts: Vec<(String, String)>,
    /// `[registration] mode`.
    pub registration: String,
    /// The log filter, as `WAXWING_LOG` takes it.
    pub log: String,
    /// Lines after the configuration's last section, `[registration]`.
    pub config: String,
    /// More lines of the section `[listen]`, each with its end; `{ip}` stands for the server's address.
    pub listen: String,
    /// Files with secrets beside the configuration: names and contents.
    pub secrets: Vec<(String, String)>,
    /// A directory whose files the data directory begins with.
    pub data: Option<PathBuf>,
    /// Environment variables for the server alone.
    pub environment: Vec<(String, OsString)>,
    /// Program and arguments that the server's command line is handed to. The process must become
    /// the server, as `strace -D` does, or signals do not reach it.
    pub wrapper: Vec<String>,
}

impl BuiltOptions {
    /// A server of `waxwing.example` without accounts, logging at INFO.
    #[must_use]
    pub fn new(name: &str) -> BuiltOptions {
        BuiltOptions {
            name: name.to_owned(),
            domain: "waxwing.example".to_owned(),
            other_domains: Vec::new(),
            certificate: "waxwing.example".to_owned(),
            accounts: Vec::new(),
            registration: "closed".to_owned(),
            log: "info".to_owned(),
            config: String::new(),
            listen: String::new(),
            secrets: Vec::new(),
            data: None,
            environment: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    /// With one account more.
    #[must_use]
    pub fn account(mut self, user: &str, password: &str) -> BuiltOptions {
        self.accounts.push((user.to_owned(), password.to_owned()));
        self
    }
}

/// A server that runs; it is killed when dropped.
#[derive(Debug)]
pub struct Built {
    /// Where clients begin by STARTTLS.
    pub c2s: SocketAddr,
    /// Where TLS begins with the first byte.
    pub c2s_tls: SocketAddr,
    /// Where there is no TLS.
    pub plain: SocketAddr,
    /// Where HTTP is without TLS, `/metrics` too.
    pub http: SocketAddr,
    /// Where HTTP is over TLS.
    pub https: SocketAddr,
    /// Where external components connect, if [`BuiltOptions::listen`] says so.
    pub components: SocketAddr,
    /// Where byte streams are relayed, if [`BuiltOptions::listen`] says so.
    pub bytestreams: SocketAddr,
    /// What the server stores.
    pub data_dir: PathBuf,
    /// The certificate of the authority that the server's certificate is from, PEM.
    pub authority: PathBuf,
    /// Process id, while it runs.
    pub pid: u32,
    options: BuiltOptions,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    /// Where the server says how it is, as long as it lives: without it, it would complain.
    notify: Option<UnixDatagram>,
    address: Address,
    /// `None` where the data directory holds everything.
    database: Option<Database>,
    scratch: Scratch,
}

impl Built {
    /// Writes a configuration, makes a certificate, starts the server, waits until it is ready, and
    /// makes the accounts.
    ///
    /// # Errors
    /// [`BuiltError`].
    pub fn start(options: BuiltOptions) -> Result<Built, BuiltError> {
        let binary = place::binary()?;
        let scratch = Scratch::new(&options.name).map_err(system("a directory for the test"))?;
        let address = Address::claim().map_err(system("a loopback address for the test"))?;
        let ip = address.ip();
        let at = |port| SocketAddr::from((ip, port));
        // What begins with the files of a directory stays with them.
        let database = match &options.data {
            Some(_) => None,
            None => Database::wanted()?,
        };
        let mut built = Built {
            c2s: at(C2S_PORT),
            c2s_tls: at(C2S_TLS_PORT),
            plain: at(PLAIN_PORT),
            http: at(HTTP_PORT),
            https: at(HTTPS_PORT),
            components: at(COMPONENTS_PORT),
            bytestreams: at(BYTESTREAMS_PORT),
            data_dir: scratch.path().join("data"),
            authority: scratch.path().join("tls/ca.pem"),
            pid: 0,
            binary,
            config: scratch.path().join("waxwing.toml"),
            log: scratch.path().join("log"),
            child: None,
            notify: None,
            options,
            address,
            database,
            scratch,
        };
        built.prepare()?;
        built.spawn()?;
        for (user, password) in built.options.accounts.clone() {
            built.add_account(&user, &password)?;
        }
        Ok(built)
    }

    fn prepare(&self) -> Result<(), BuiltError> {
        let tls = self.scratch.path().join("tls");
        let mut certificate = Command::new(&self.binary);
        certificate.args([
            "certificate",
            "local",
            "--domain",
            &self.options.certificate,
        ]);
        run(certificate.arg("--dir").arg(&tls), "")?;
        let text = format!(
            "domains = {domains:?}\ndata_dir = {data:?}\n\n\
             {store}[listen]\nc2s = [\"{}\"]\nc2s_tls = [\"{}\"]\nc2s_plain_loopback = [\"{}\"]\n\
             https = [\"{}\"]\nhttp_loopback = [\"{}\"]\n{listen}\n\
             [tls]\ncertificate = {certificate:?}\nkey = {key:?}\n\n\
             [registration]\nmode = {mode:?}\n{more}",
            self.c2s,
            self.c2s_tls,
            self.plain,
            self.https,
            self.http,
            domains = [
                std::slice::from_ref(&self.options.domain),
                &self.options.other_domains
            ]
            .concat(),
            data = self.data_dir,
            store = self
                .database
                .as_ref()
                .map_or(String::new(), Database::section),
            certificate = tls.join("cert.pem"),
            key = tls.join("key.pem"),
            mode = self.options.registration,
            listen = self.options.listen.replace("{ip}", &self.ip().to_string()),
            more = self.options.config,
        );
        for (name, secret) in &self.options.secrets {
            let path = self.scratch.path().join(name);
            std::fs::write(&path, secret).map_err(system("a file with a secret"))?;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, mode).map_err(system("a file with a secret"))?;
        }
        if let Some(data) = &self.options.data {
            copy(data, &self.data_dir).map_err(system("the data to begin with"))?;
        }
        std::fs::write(&self.config, text).map_err(system("the configuration"))
    }

    /// Whether what it stores is in its data directory, and blobs are files.
    #[must_use]
    pub fn stores_in_files(&self) -> bool {
        self.database.is_none()
    }

    /// Gives the server nothing to begin with from its next life on: a data directory that is not there yet, and where it
    /// stores in a database, an empty one. What it had stays where it was.
    ///
    /// # Errors
    /// What the system says.
    pub fn empty_store(&mut self) -> Result<(), BuiltError> {
        let mut before = self.data_dir.clone();
        while before.exists() {
            before.as_mut_os_string().push(".before");
        }
        std::fs::rename(&self.data_dir, before).map_err(system("moving the data away"))?;
        let Some(database) = &mut self.database else {
            return Ok(());
        };
        let old = database.url();
        database.renew();
        let text = std::fs::read_to_string(&self.config).map_err(system("the configuration"))?;
        let text = text.replace(&old, &database.url());
        std::fs::write(&self.config, text).map_err(system("the configuration"))
    }

    /// Starts the server again on the same data and addresses, after [`kill`](Built::kill) or
    /// [`stop`](Built::stop), or stops it first.
    ///
    /// # Errors
    /// [`BuiltError`].
    pub fn restart(&mut self) -> Result<(), BuiltError> {
        self.stop()?;
        self.spawn()
    }

    /// Starts the server again as [`restart`](Built::restart) does, and returns while it is still starting.
    ///
    /// # Errors
    /// [`BuiltError`].
    pub fn begin(&mut self) -> Result<(), BuiltError> {
        self.stop()?;
        self.launch()
    }

    /// Ends the server as a power cut would: SIGKILL. Without effect where it does not run.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&mut self) -> Result<(), BuiltError> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        child.kill().map_err(system("killing the server"))?;
        child.wait().map_err(system("waiting for the server"))?;
        Ok(())
    }

    /// Gives the server other environment variables from its next life on.
    pub fn set_environment<K: Into<String>, V: Into<OsString>>(
        &mut self,
        environment: impl IntoIterator<Item = (K, V)>,
    ) {
        let pairs = environment.into_iter();
        self.options.environment = pairs
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
    }

    /// Asks the server to stop (SIGTERM) and waits until it has, for as long as it takes; `None`
    /// where it does not run.
    ///
    /// # Errors
    /// What the system says.
    pub fn stop(&mut self) -> Result<Option<ExitStatus>, BuiltError> {
        self.terminate()?;
        let Some(mut child) = self.child.take() else {
            return Ok(None);
        };
        child
            .wait()
            .map(Some)
            .map_err(system("waiting for the server"))
    }

    /// Asks the server to stop, and returns at once; [`stop`](Built::stop) waits.
    ///
    /// # Errors
    /// What the system says.
    pub fn terminate(&self) -> Result<(), BuiltError> {
        match &self.child {
            Some(child) => run(
                Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]),
                "",
            ),
            None => Ok(()),
        }
    }

    /// Makes an account of the domain, while the server runs.
    ///
    /// # Errors
    /// [`BuiltError`].
    pub fn add_account(&self, user: &str, password: &str) -> Result<(), BuiltError> {
        let jid = format!("{user}@{}", self.options.domain);
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&self.config);
        command.args(["account", "add", &jid, "--password-stdin"]);
        run(&mut command, &format!("{password}\n"))
    }

    /// Runs an account command for a user of the domain, such as `disable` or `set-role restricted`, while the server
    /// runs.
    ///
    /// # Errors
    /// [`BuiltError`].
    pub fn account(&self, what: &str, user: &str) -> Result<(), BuiltError> {
        let jid = format!("{user}@{}", self.options.domain);
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&self.config);
        let mut words = what.split(' ');
        command.arg("account").args(words.next()).arg(&jid);
        run(command.args(words), "")
    }

    /// Runs a command of the program with the server's configuration, whatever comes of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn command<W: AsRef<OsStr>>(
        &self,
        words: impl IntoIterator<Item = W>,
    ) -> Result<Output, BuiltError> {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&self.config).args(words);
        command.stdin(Stdio::null());
        command.output().map_err(system(format!("{command:?}")))
    }

    /// The program.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The load generator, which was built as the server was.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn load() -> Result<PathBuf, BuiltError> {
        place::load()
    }

    /// The configuration file.
    #[must_use]
    pub fn configuration(&self) -> &Path {
        &self.config
    }

    /// What the server has logged, over all its lives.
    ///
    /// # Errors
    /// What the system says.
    pub fn log(&self) -> Result<String, BuiltError> {
        let bytes = std::fs::read(&self.log).map_err(system("the log"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The test's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// The address that everything listens at.
    #[must_use]
    pub fn ip(&self) -> Ipv4Addr {
        self.address.ip()
    }

    fn spawn(&mut self) -> Result<(), BuiltError> {
        self.launch()?;
        self.wait_until_ready()
    }

    fn launch(&mut self) -> Result<(), BuiltError> {
        let socket = self.scratch.path().join("notify");
        // Left by the server's former life.
        let _absent = std::fs::remove_file(&socket);
        let notify = UnixDatagram::bind(&socket).map_err(system("the socket for readiness"))?;
        notify
            .set_read_timeout(Some(Duration::from_millis(LOOK_MILLIS)))
            .map_err(system("the socket for readiness"))?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(system("the log"))?;
        let mut command = match self.options.wrapper.split_first() {
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        let child = command
            .arg("--config")
            .arg(&self.config)
            .arg("serve")
            .env("NOTIFY_SOCKET", &socket)
            .env("WAXWING_LOG", &self.options.log)
            .envs(self.options.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(system("starting the server"))?;
        self.pid = child.id();
        self.child = Some(child);
        self.notify = Some(notify);
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<(), BuiltError> {
        let mut message = [0; 64];
        for _ in 0..LOOKS_MAX {
            let received = self.notify.as_ref().map(|notify| notify.recv(&mut message));
            if received
                .and_then(Result::ok)
                .is_some_and(|length| message[..length].starts_with(b"READY=1"))
            {
                return Ok(());
            }
            let ended = match &mut self.child {
                Some(child) => child.try_wait().map_err(system("looking at the server"))?,
                None => None,
            };
            if let Some(status) = ended {
                self.child = None;
                let log = self.log()?;
                return Err(BuiltError::Ended { status, log });
            }
        }
        let log = self.log()?;
        Err(BuiltError::NotReady { log })
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        // The test is over; what the system says about it changes nothing.
        let _gone = self.kill();
    }
}

/// Copies the files of a directory, not what is below it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Runs a command to its end.
fn run(command: &mut Command, given: &str) -> Result<(), BuiltError> {
    let words = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(system(words.clone()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that wants nothing may be gone already.
        let _unread = stdin.write_all(given.as_bytes());
    }
    let output = child.wait_with_output().map_err(system(words.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BuiltError::Command {
        command: words,
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
