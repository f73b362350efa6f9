//! A PostgreSQL server of Debian's packages, started for tests and gone with them: in a temporary directory, on a port of
//! 127.0.0.1 that is free and a socket beside its data.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio_postgres::{Error, NoTls, SimpleQueryMessage};

/// How long a server may take to start or to stop: longer than any that is going to.
const SERVER_WAIT: Duration = Duration::from_secs(60);

/// The user whom everybody is let in as.
pub const USER: &str = "waxwing";
/// A password of that user, to be looked for where it must not stand. The server asks for none, unless it was
/// [made to](Server::require_password).
pub const PASSWORD: &str = "secret-of-the-database";

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
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
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
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
}

/// A port of 127.0.0.1 that nobody has.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// One server, with its data.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    directory: PathBuf,
    running: Mutex<Option<Running>>,
    /// More settings, `name=value`.
    settings: Mutex<Vec<String>>,
}

/// A shell that has the server for a child, and stops it when we close its input, however we end.
#[derive(Debug)]
struct Running {
    shell: Child,
    input: ChildStdin,
    port: u16,
}

impl Server {
    /// Creates and starts one; `None` where PostgreSQL is not installed.
    #[must_use]
    pub fn new() -> Option<Server> {
        let server = Server::place(programs()?);
        let data = server.data();
        let mut initdb = unprivileged(&server.programs.join("initdb"));
        run(initdb
            .current_dir(&server.directory)
            .args(["--auth=trust", "--no-sync", "--username", USER])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(data));
        // Somebody else may take the port in between.
        while !server.try_start(free_port()) {}
        Some(server)
    }

    /// A directory for one that has no data yet.
    fn place(programs: PathBuf) -> Server {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("waxwing-postgresql-{}-{number}", std::process::id());
        let server = Server {
            programs,
            directory: std::env::temp_dir().join(name),
            running: Mutex::default(),
            settings: Mutex::default(),
        };
        fs::create_dir_all(&server.directory).unwrap();
        // Whoever runs the server makes its data there, and its socket.
        fs::set_permissions(&server.directory, fs::Permissions::from_mode(0o777)).unwrap();
        server
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Where its socket is, and what else a test wants it to read: it goes with the server.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts it where it stopped, on this port.
    pub fn start(&self, port: u16) {
        assert!(self.try_start(port), "port {port} is taken");
    }

    /// Starts it, unless the port is taken.
    fn try_start(&self, port: u16) -> bool {
        let log = self.directory.join("log");
        let _none = fs::remove_file(&log);
        let mut postgres = unprivileged(&self.programs.join("postgres"));
        postgres.arg("-D").arg(self.data());
        postgres.args(["-p", &port.to_string(), "-k"]);
        postgres.arg(&self.directory);
        let settings = [
            "listen_addresses=127.0.0.1",
            "max_connections=200",
            // What is tested is not the disk.
            "fsync=off",
            "shared_buffers=32MB",
            "autovacuum=off",
        ];
        let more = locked(&self.settings).clone();
        for setting in settings.into_iter().map(str::to_owned).chain(more) {
            postgres.args(["-c", &setting]);
        }
        // Whatever ends this process closes the pipe, and the shell stops the server by its number and removes its data.
        let script = "directory=$1; shift; \"$@\" >>\"$directory/log\" 2>&1 </dev/null & server=$!; read -r signal
            kill -${signal:-INT} $server; wait $server; test -n \"$signal\" || rm -rf \"$directory\"";
        let mut shell = Command::new("sh")
            .current_dir(&self.directory)
            .args(["-c", script, "sh"])
            .arg(&self.directory)
            .arg(postgres.get_program())
            .args(postgres.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = shell.stdin.take().unwrap();
        *locked(&self.running) = Some(Running { shell, input, port });
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
    pub fn stop(&self, signal: &str) {
        let running = locked(&self.running).take();
        if let Some(mut running) = running {
            writeln!(running.input, "{signal}").unwrap();
            running.shell.wait().unwrap();
        }
    }

    /// Starts it again on the same port with one more setting, `name=value`.
    pub fn set(&self, setting: &str) {
        let port = self.port();
        locked(&self.settings).push(setting.to_owned());
        self.stop("INT");
        self.start(port);
    }

    /// Stops it, and starts another one with a copy of all its data on this port.
    #[must_use]
    pub fn fail_over(&self, port: u16) -> Server {
        self.stop("INT");
        let other = Server::place(self.programs.clone());
        let mut copy = unprivileged(Path::new("cp"));
        run(copy.arg("-a").arg(self.data()).arg(other.data()));
        other.start(port);
        other
    }

    /// From now on it lets nobody in over TCP without the [password](PASSWORD).
    pub fn require_password(&self) {
        self.sql(
            "postgres",
            &format!("ALTER ROLE {USER} PASSWORD '{PASSWORD}'"),
        );
        let rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        self.write("data/pg_hba.conf", rules);
        self.sql_by_socket("postgres", "SELECT pg_reload_conf()");
        let until = Instant::now() + SERVER_WAIT;
        while Connection::open(&self.url_without_password("postgres")).is_ok() {
            assert!(Instant::now() < until, "it lets everybody in");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Writes a file below its directory that belongs to whom the server runs as, and that nobody else may read.
    pub fn write(&self, name: &str, content: &str) {
        let mut shell = unprivileged(Path::new("/bin/sh"))
            .args(["-c", "umask 077; cat >\"$1\"", "sh"])
            .arg(self.directory.join(name))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(content.as_bytes()).unwrap();
        drop(input);
        assert!(shell.wait().unwrap().success(), "{name} is written");
    }

    /// Its port, while it runs.
    #[must_use]
    pub fn port(&self) -> u16 {
        locked(&self.running)
            .as_ref()
            .map(|running| running.port)
            .unwrap()
    }

    /// The URL of a database, at this server and at others after it.
    #[must_use]
    pub fn url(&self, database: &str, others: &[u16]) -> String {
        let mut hosts = format!("127.0.0.1:{}", self.port());
        for port in others {
            hosts += &format!(",127.0.0.1:{port}");
        }
        format!("postgresql://{USER}:{PASSWORD}@{hosts}/{database}")
    }

    /// The same, for whom a password comes from elsewhere.
    #[must_use]
    pub fn url_without_password(&self, database: &str) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{database}", self.port())
    }

    /// The URL of a database by the server's socket.
    #[must_use]
    pub fn url_by_socket(&self, database: &str) -> String {
        let directory = self.directory.display().to_string().replace('/', "%2F");
        format!("postgresql://{USER}@{directory}:{}/{database}", self.port())
    }

    /// A new database, whose name nobody else has.
    #[must_use]
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        // One at a time: the template may have no other user.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = locked(&ONE);
        self.sql_by_socket("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The first column of what a statement says, beside the store that has the database open.
    pub fn sql(&self, database: &str, sql: &str) -> Vec<String> {
        let connection = Connection::open(&self.url(database, &[])).unwrap();
        connection.sql(sql).unwrap()
    }

    /// Gives a database a table of somebody else's, `public.letters`.
    pub fn make_foreign(&self, database: &str) {
        self.sql(database, "CREATE TABLE letters (text text)");
    }

    /// Has an empty database look as if a later version of Waxwing had been there.
    pub fn make_newer(&self, database: &str) {
        let state = "CREATE SCHEMA waxwing; CREATE TABLE waxwing.state (product text, layout int);
            INSERT INTO waxwing.state VALUES ('waxwing', 99)";
        self.sql(database, state);
    }

    /// Makes the oldest entries of a store's logs something that nobody can read.
    pub fn spoil_an_entry(&self, database: &str) {
        let spoil = "UPDATE waxwing.log_entry SET payload = '\\xff'
            WHERE id = (SELECT min(id) FROM waxwing.log_entry)";
        self.sql(database, spoil);
    }

    fn sql_by_socket(&self, database: &str, sql: &str) {
        let connection = Connection::open(&self.url_by_socket(database)).unwrap();
        connection.sql(sql).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop("INT");
        // What is left of it in the temporary folder harms nobody.
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a connection is asked, and where the answer goes.
type Question = (String, Sender<Result<Vec<String>, Error>>);

/// A connection of the test's own, on a thread of its own: tests have runtimes, in which nobody may block.
#[derive(Debug)]
pub struct Connection {
    ask: Option<Sender<Question>>,
    thread: Option<JoinHandle<()>>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// In PostgreSQL's words.
    pub fn open(url: &str) -> Result<Connection, Error> {
        let (ask, asked) = channel();
        let (tell, told) = channel();
        let url = url.to_owned();
        let thread = thread::spawn(move || serve(&url, &tell, &asked));
        told.recv().unwrap()?;
        Ok(Connection {
            ask: Some(ask),
            thread: Some(thread),
        })
    }

    /// The first column of what statements say.
    ///
    /// # Errors
    /// In PostgreSQL's words.
    pub fn sql(&self, sql: &str) -> Result<Vec<String>, Error> {
        let (answer, answered) = channel();
        let ask = self.ask.as_ref().unwrap();
        ask.send((sql.to_owned(), answer)).unwrap();
        answered.recv().unwrap()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(self.ask.take());
        // Where it panicked, whoever asked it has.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Connects, and answers until nobody asks any more.
fn serve(url: &str, tell: &Sender<Result<(), Error>>, asked: &Receiver<Question>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = match runtime.block_on(tokio_postgres::connect(url, NoTls)) {
        Ok((client, connection)) => {
            runtime.spawn(connection);
            tell.send(Ok(())).unwrap();
            client
        }
        Err(error) => return tell.send(Err(error)).unwrap(),
    };
    for (sql, answer) in asked {
        let said = runtime.block_on(client.simple_query(&sql));
        let rows = said.map(|said| {
            let rows = said.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
                _ => None,
            });
            rows.collect()
        });
        answer.send(rows).unwrap();
    }
}
