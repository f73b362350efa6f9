//! A real object store for tests, and one that misbehaves.
//!
//! The real one is [Versity's gateway](https://github.com/versity/versitygw), which keeps objects as files: a program of its
//! own, built from the Go module proxy's source by `cargo xtask test`, in a temporary directory and on a port of 127.0.0.1.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod front;

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use front::{Fault, Front};

/// The version that is built: `cargo xtask test` reads it here.
pub const VERSION: &str = "v1.8.0";
/// The bucket that is there.
pub const BUCKET: &str = "chat-files";
/// The key that is let in.
pub const KEY_ID: &str = "waxwing-test";
/// Its secret, to be looked for where it must not stand.
pub const SECRET: &str = "secret-of-the-object-store";
/// How long a server may take to start: longer than any that is going to.
const SERVER_WAIT: Duration = Duration::from_secs(60);

/// The program: named by the environment, or where `cargo xtask test` puts it.
#[must_use]
pub fn program() -> Option<PathBuf> {
    let cache = || {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let base = base.filter(|path| path.is_absolute());
        base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
    };
    let built = || {
        Some(
            cache()?
                .join("waxwing/versitygw")
                .join(VERSION)
                .join("versitygw"),
        )
    };
    let named = std::env::var_os("WAXWING_VERSITYGW").map(PathBuf::from);
    named.or_else(built).filter(|path| path.exists())
}

/// One server, with its objects, until it is dropped.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    running: Mutex<Option<Child>>,
}

impl Server {
    /// Starts one with an empty bucket; `None` where the program is not there.
    #[must_use]
    pub fn new() -> Option<Server> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("waxwing-objects-{}-{number}", std::process::id());
        let mut server = Server {
            program: program()?,
            directory: std::env::temp_dir().join(name),
            port: 0,
            running: Mutex::default(),
        };
        for folder in ["buckets", "beside"] {
            fs::create_dir_all(server.directory.join(folder)).unwrap();
        }
        server.bucket(BUCKET);
        // Somebody else may take the port in between.
        loop {
            server.port = free_port();
            if server.try_start() {
                return Some(server);
            }
        }
    }

    /// Makes another bucket.
    pub fn bucket(&self, name: &str) {
        fs::create_dir_all(self.directory.join("buckets").join(name)).unwrap();
    }

    /// What the server keeps for a bucket: files by the keys of objects.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> PathBuf {
        self.directory.join("buckets").join(bucket)
    }

    /// Its port of 127.0.0.1, the same as long as it is there.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is reached.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it where it stopped.
    pub fn start(&self) {
        assert!(self.try_start(), "port {} is taken", self.port);
    }

    fn try_start(&self) -> bool {
        let log = fs::File::create(self.directory.join("log")).unwrap();
        // Whatever ends this process closes the pipe, and the shell ends the server by its number and removes its files.
        let script = "directory=$1; shift; exec 3<&0; \"$@\" </dev/null & server=$!
            { read -r word <&3; kill -KILL $server; test -n \"$word\" || rm -rf \"$directory\"; } & wait $server";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(&self.directory)
            .arg(&self.program)
            .args([
                "--access",
                KEY_ID,
                "--secret",
                SECRET,
                "--quiet",
                "--keep-alive",
            ])
            .args(["--port", &format!("127.0.0.1:{}", self.port)])
            .args(["posix", "--sidecar"])
            .arg(self.directory.join("beside"))
            .arg(self.directory.join("buckets"))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + SERVER_WAIT;
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                break;
            }
            assert!(Instant::now() < until, "the object store does not start");
            thread::sleep(Duration::from_millis(20));
        }
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        true
    }

    /// Stops it, as a machine that is gone: nothing is finished.
    pub fn stop(&self) {
        let running = self.running.lock();
        let running = running.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = running {
            // One that ended by itself hears nothing.
            let _told = child.stdin.take().map(|mut input| writeln!(input, "stop"));
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

/// A port of 127.0.0.1 that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// All files below a folder, by their paths from there, but for what the server keeps for itself.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if name.starts_with(".sgwtmp") {
                continue;
            }
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(name),
            }
        }
    }
    found.sort();
    found
}
