//! Admin commands over a Unix socket in the data directory: one line of JSON each way.
//!
//! Request `{"command":"account add","args":{…}}`; answer `{"ok":…}` or
//! `{"error":{"blame":"caller"|"environment","text":"…"}}`. Who may open the socket (mode 0600) may
//! do everything. The answer to `backup` is followed by the backup itself.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use waxwing_server::{AdminError, Server};
use waxwing_store::BackupAbout;

use crate::accepting::Accepting;
use crate::backups::SILENCE_MAX;
use crate::reload::Requests;

/// Most bytes of a request.
const REQUEST_BYTES_MAX: u64 = 64 * 1024;
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest time for a request to arrive.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a backup that are gathered for one write.
const BACKUP_BUFFER_BYTES: usize = 256 * 1024;
/// Longest time that the command line waits for an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// Why a command got no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    /// Nobody listens.
    #[error("the server is not running on {}; start it with `waxwing --config FILE serve`", .0.display())]
    NotRunning(PathBuf),
    /// The socket belongs to somebody else.
    #[error("{} may only be used by the user that runs the server", .0.display())]
    Forbidden(PathBuf),
    /// The server refused: what was asked for cannot be.
    #[error("{0}")]
    Refused(String),
    /// The server could not do it.
    #[error("{0}")]
    Failed(String),
}

/// Listens at `path`.
pub(crate) fn open(path: &Path) -> std::io::Result<UnixListener> {
    // The data directory is locked by the store, so a socket there is a dead server's.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Where the server listens, once it does.
pub(crate) type Listening = Arc<OnceLock<Vec<SocketAddr>>>;

/// Answers commands for ever.
pub(crate) async fn serve(
    listener: UnixListener,
    server: Server,
    reload: Requests,
    accepting: Arc<Accepting>,
    listening: Listening,
) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                accepting.worked();
                let (server, reload) = (server.clone(), reload.clone());
                let (listening, accepting) = (listening.clone(), accepting.clone());
                tokio::spawn(async move {
                    // Who asked may have gone; there is nobody else to tell.
                    let _gone = answer(socket, &server, &reload, &listening).await;
                    accepting.keep_spare();
                });
            }
            Err(error) if accepting.lend_spare(&error) => {}
            Err(error) => accepting.failed(error).await,
        }
    }
}

async fn answer(
    mut socket: UnixStream,
    server: &Server,
    requests: &Requests,
    listening: &Listening,
) -> std::io::Result<()> {
    let mut line = String::new();
    let mut read = BufReader::new((&mut socket).take(REQUEST_BYTES_MAX));
    tokio::time::timeout(REQUEST_TIME_MAX, read.read_line(&mut line))
        .await
        .map_err(|_| ErrorKind::TimedOut)??;
    let reply = match serde_json::from_str::<Value>(&line) {
        Ok(request) => {
            let command = request
                .get("command")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if command == "backup" {
                return backup(socket, server).await;
            }
            let args = request.get("args").cloned().unwrap_or_default();
            let result = match command {
                "reload" => reload(requests).await,
                "listeners" => {
                    let all = listening.get().into_iter().flatten();
                    let all: Vec<_> = all.map(SocketAddr::to_string).collect();
                    Ok(json!({ "addresses": all }))
                }
                _ => server.admin(command, args).await,
            };
            match result {
                Ok(result) => json!({ "ok": result }),
                Err(problem) => error(problem.blame(), &problem.to_string()),
            }
        }
        Err(_) => error("caller", "a request is one line of JSON"),
    };
    socket.write_all(format!("{reply}\n").as_bytes()).await
}

async fn reload(requests: &Requests) -> Result<Value, AdminError> {
    let (answer, answered) = oneshot::channel();
    let stopping = || AdminError::Failed("the server is stopping".to_owned());
    requests.send(answer).await.map_err(|_| stopping())?;
    match answered.await.map_err(|_| stopping())? {
        Ok(done) => Ok(done.to_json()),
        Err(error) => Err(AdminError::Refused(error.to_string())),
    }
}

fn error(blame: &str, text: &str) -> Value {
    json!({ "error": { "blame": blame, "text": text } })
}

/// A socket that says that a backup follows once it does: until then there may be a reason that it does not.
struct Following {
    socket: net::UnixStream,
    said: Arc<AtomicBool>,
}

impl Write for Following {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.said.swap(true, Ordering::SeqCst) {
            let answer = json!({ "ok": { "follows": "backup" } });
            self.socket.write_all(format!("{answer}\n").as_bytes())?;
        }
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

/// Writes a backup into the socket, behind its answer. What goes wrong then is in the backup.
async fn backup(socket: UnixStream, server: &Server) -> std::io::Result<()> {
    let socket = socket.into_std()?;
    socket.set_nonblocking(false)?;
    socket.set_write_timeout(Some(SILENCE_MAX))?;
    let mut refusing = socket.try_clone()?;
    let said = Arc::<AtomicBool>::default();
    let socket = Following {
        socket,
        said: said.clone(),
    };
    let about = BackupAbout {
        product: env!("CARGO_PKG_VERSION").to_owned(),
        at_micros: server.now_micros(),
    };
    let out = std::io::BufWriter::with_capacity(BACKUP_BUFFER_BYTES, socket);
    match server.store().backup(out, about).await {
        Ok(summary) => tracing::info!(bytes = summary.bytes, "a backup was made"),
        Err(problem) => {
            tracing::warn!(error = %problem, "a backup was not finished");
            if !said.load(Ordering::SeqCst) {
                let reply = error("environment", &problem.to_string());
                // Short enough for the socket's own buffer: it blocks nobody.
                refusing.write_all(format!("{reply}\n").as_bytes())?;
            }
        }
    }
    Ok(())
}

/// Asks the server that listens at `path`.
pub(crate) async fn ask(path: &Path, command: &str, args: Value) -> Result<Value, CommandError> {
    let mut socket = UnixStream::connect(path)
        .await
        .map_err(|error| not_reached(path, error))?;
    let request = format!("{}\n", json!({ "command": command, "args": args }));
    socket
        .write_all(request.as_bytes())
        .await
        .map_err(no_answer)?;
    let mut line = String::new();
    let mut read = BufReader::new(socket.take(ANSWER_BYTES_MAX));
    let read = tokio::time::timeout(ANSWER_TIME_MAX, read.read_line(&mut line)).await;
    read.map_err(|_| no_answer(ErrorKind::TimedOut.into()))?
        .map_err(no_answer)?;
    read_answer(&line)
}

fn no_answer(error: std::io::Error) -> CommandError {
    CommandError::Failed(format!("the server did not answer: {error}"))
}

/// Why the socket at `path` could not be opened.
pub(crate) fn not_reached(path: &Path, error: std::io::Error) -> CommandError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            CommandError::NotRunning(path.parent().unwrap_or(path).to_owned())
        }
        ErrorKind::PermissionDenied => CommandError::Forbidden(path.to_owned()),
        _ => no_answer(error),
    }
}

/// What the server's line says.
pub(crate) fn read_answer(line: &str) -> Result<Value, CommandError> {
    let reply: Value = serde_json::from_str(line)
        .map_err(|_| CommandError::Failed("the server's answer cannot be read".to_owned()))?;
    if let Some(error) = reply.get("error") {
        let text = error
            .get("text")
            .and_then(Value::as_str)
            .unwrap_or("no reason given")
            .to_owned();
        let caller = error.get("blame").and_then(Value::as_str) == Some("caller");
        return Err(if caller {
            CommandError::Refused(text)
        } else {
            CommandError::Failed(text)
        });
    }
    Ok(reply.get("ok").cloned().unwrap_or_default())
}
