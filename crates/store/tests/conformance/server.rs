//! A PostgreSQL of Debian's packages, started for the tests and gone with them.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio_postgres::{Error, NoTls, SimpleQueryMessage};
use waxwing_store::{OpenError, PostgresOptions, Shape, Store};

use crate::place::{Place, TestDirectory};

/// How long a server may take to start or to stop: longer than any that is going to.
const SERVER_WAIT: Duration = Duration::from_secs(60);

/// Where Debian's packages put the programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut all: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    all.retain(|path| version(path).is_some() && path.join("bin/initdb").exists());
    all.sort_by_key(version);
    Some(all.pop()?.join("bin"))
}

/// A program that root runs as somebody else: PostgreSQL refuses root.
fn unprivileged(program: &Path) -> Command {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| {
        use std::os::unix::fs::MetadataExt;
        process.uid() == 0
    });
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
        .arg(program);
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("a program of PostgreSQL starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
}

/// One server, with its data.
pub(crate) struct Server {
    programs: PathBuf,
    directory: TestDirectory,
    running: Mutex<Option<Running>>,
}

/// A shell that has the server for a child, and stops it when we close its input, however we end.
struct Running {
    shell: Child,
    input: ChildStdin,
    port: u16,
}

impl Server {
    /// Creates and starts one; `None` where PostgreSQL is not installed.
    pub(crate) fn new() -> Option<Self> {
        let server = Self {
            programs: programs()?,
            directory: TestDirectory::new(),
            running: Mutex::new(None),
        };
        let data = server.data();
        let parent = server.directory.path();
        fs::create_dir_all(parent).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(parent, mode).unwrap();
        let mut initdb = unprivileged(&server.programs.join("initdb"));
        run(initdb
            .current_dir(parent)
            .args(["--auth=trust", "--no-sync", "--username=waxwing"])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(data));
        // Somebody else may take the port in between.
        while !server.try_start(free_port()) {}
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts it where it stopped, on this port.
    pub(crate) fn start(&self, port: u16) {
        assert!(self.try_start(port), "port {port} is taken");
    }

    /// Starts it, unless the port is taken.
    fn try_start(&self, port: u16) -> bool {
        let log = self.directory.path().join("log");
        let _none = fs::remove_file(&log);
        let data = self.data();
        let mut postgres = unprivileged(&self.programs.join("postgres"));
        postgres
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            // What is tested is not the disk.
            "fsync=off",
            "shared_buffers=32MB",
            "autovacuum=off",
        ] {
            postgres.args(["-c", setting]);
        }
        // Whatever ends this process closes the pipe, and the shell stops the server by its number and removes its data.
        let script = "directory=$1; shift; \"$@\" >>\"$directory/log\" 2>&1 </dev/null & server=$!; read -r signal
            kill -${signal:-INT} $server; wait $server; test -n \"$signal\" || rm -rf \"$directory\"";
        let mut shell = Command::new("sh")
            .current_dir(self.directory.path())
            .args(["-c", script, "sh"])
            .arg(self.directory.path())
            .arg(postgres.get_program())
            .args(postgres.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = shell.stdin.take().unwrap();
        *self.lock() = Some(Running { shell, input, port });
        let until = Instant::now() + SERVER_WAIT;
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.contains("database system is ready to accept connections") {
                return true;
            }
            if said.contains("could not create any TCP/IP sockets") {
                self.stop("INT");
                return false;
            }
            assert!(Instant::now() < until, "no server starts: {said}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it by a signal: `INT` cuts connections off, `QUIT` is as if it were killed.
    pub(crate) fn stop(&self, signal: &str) {
        if let Some(mut running) = self.lock().take() {
            writeln!(running.input, "{signal}").unwrap();
            running.shell.wait().unwrap();
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.lock().as_ref().expect("the server runs").port
    }

    /// The URL of a database, at this server and at others after it.
    pub(crate) fn url(&self, database: &str, others: &[u16]) -> String {
        let mut hosts = format!("127.0.0.1:{}", self.port());
        for port in others {
            hosts += &format!(",127.0.0.1:{port}");
        }
        format!("postgresql://waxwing:secret@{hosts}/{database}")
    }

    /// A new database, whose name nobody else has.
    pub(crate) fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        // One at a time: the template may have no other user.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The first column of what a statement says, beside the store that has the database open.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> Vec<String> {
        let connection = Connection::open(&self.url(database, &[])).unwrap();
        connection.sql(sql).unwrap()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop("INT");
    }
}

/// A connection of the test's own.
pub(crate) struct Connection {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Connection {
    pub(crate) fn open(url: &str) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
        runtime.spawn(connection);
        Ok(Self { runtime, client })
    }

    pub(crate) fn sql(&self, sql: &str) -> Result<Vec<String>, Error> {
        let said = self.runtime.block_on(self.client.simple_query(sql))?;
        let rows = said.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        Ok(rows.collect())
    }
}

/// A port that nobody has.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A test that cannot be done here says so to the runner.
fn skip(name: &str) {
    if let Some(file) = std::env::var_os("WAXWING_SKIPS") {
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        writeln!(
            file,
            "store/postgresql/{name}: PostgreSQL is not installed (Debian's package postgresql)"
        )
        .unwrap();
    }
}

/// A server of the test's own, which it may stop.
pub(crate) fn own_server(name: &str) -> Option<Server> {
    let server = Server::new();
    if server.is_none() {
        skip(name);
    }
    server
}

/// The server that most tests share: it goes with the process.
pub(crate) fn shared_server(name: &str) -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server = SHARED.get_or_init(Server::new).as_ref();
    if server.is_none() {
        skip(name);
    }
    server
}

/// A database of the shared server.
pub(crate) struct InPostgres {
    pub(crate) server: &'static Server,
    pub(crate) database: String,
}

impl InPostgres {
    pub(crate) fn new(name: &str) -> Option<Self> {
        let server = shared_server(name)?;
        let database = server.database();
        Some(Self { server, database })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(&self.database, &[])
    }
}

impl Place for InPostgres {
    fn try_open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        Store::postgres(&self.url(), &PostgresOptions::default(), shapes)
    }
}
