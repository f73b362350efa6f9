//! What stands before a real server and does what none does on demand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is done to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: they are passed on.
    None,
    /// They are answered by this status.
    Status(u16),
    /// They are read and never answered.
    Hang,
    /// They are passed on, and of the content of answers only the first byte comes.
    Truncate,
    /// They are passed on, and the answer to a read says a length and a range that are one byte less.
    Shorten,
    /// Connections are closed before anything is read.
    Cut,
    /// What would remove something is passed on, and its answer is withheld.
    LoseDeletes,
    /// Parts after the first are answered by 503.
    SecondPart,
}

/// A server that passes requests on, as far as it is let.
#[derive(Debug)]
pub struct Front {
    port: u16,
    how: Arc<Mutex<Fault>>,
    asked: Arc<AtomicU32>,
}

impl Front {
    /// Before the server at this port of 127.0.0.1. It goes with the process.
    #[must_use]
    pub fn before(server: u16) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let how = Arc::new(Mutex::new(Fault::None));
        let asked = Arc::<AtomicU32>::default();
        let (shared, count) = (Arc::clone(&how), Arc::clone(&asked));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (how, count) = (Arc::clone(&shared), Arc::clone(&count));
                // A connection that breaks is one that breaks.
                thread::spawn(move || drop(serve(client, server, &how, &count)));
            }
        });
        Front { port, how, asked }
    }

    /// Where it is reached.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it does from now on.
    pub fn set(&self, fault: Fault) {
        *self.how.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many requests there were.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Serves one request: the connection is closed after it.
fn serve(
    mut client: TcpStream,
    server: u16,
    how: &Mutex<Fault>,
    asked: &AtomicU32,
) -> std::io::Result<()> {
    let fault = || *how.lock().unwrap_or_else(PoisonError::into_inner);
    if fault() == Fault::Cut {
        asked.fetch_add(1, Ordering::SeqCst);
        return client.shutdown(Shutdown::Both);
    }
    let mut input = BufReader::new(client.try_clone()?);
    let head = head(&mut input)?;
    asked.fetch_add(1, Ordering::SeqCst);
    let mut body = vec![0; length(&head)];
    input.read_exact(&mut body)?;
    let fault = fault();
    match fault {
        Fault::Status(status) => return refuse(&mut client, status),
        Fault::SecondPart if head.contains("partNumber=2") => return refuse(&mut client, 503),
        Fault::Hang => {
            // Until who asks gives up.
            let _ended = input.read(&mut [0]);
            return Ok(());
        }
        _ => {}
    }
    let mut upstream = TcpStream::connect(("127.0.0.1", server))?;
    let closing = head.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
    upstream.write_all(closing.as_bytes())?;
    upstream.write_all(&body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    if fault == Fault::LoseDeletes && head.starts_with("DELETE ") {
        return client.shutdown(Shutdown::Both);
    }
    let content = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let content = content.map_or(answer.len(), |at| at + 4);
    if fault == Fault::Truncate && answer.len() > content {
        answer.truncate(content + 1);
    }
    if fault == Fault::Shorten && head.starts_with("GET ") && answer.len() > content {
        answer = shortened(&answer, content);
    }
    client.write_all(&answer)
}

/// One byte less, as if that was what was asked for.
fn shortened(answer: &[u8], content: usize) -> Vec<u8> {
    let head = String::from_utf8_lossy(&answer[..content]).into_owned();
    let bytes = answer.len() - content;
    let mut new = String::new();
    for line in head.lines() {
        let name = line.to_ascii_lowercase();
        if name.starts_with("content-length:") {
            new += &format!("content-length: {}\r\n", bytes - 1);
        } else if let Some(range) = name.strip_prefix("content-range: bytes ") {
            let (first, rest) = range.split_once('-').unwrap();
            let (last, whole) = rest.split_once('/').unwrap();
            let last: u64 = last.parse().unwrap();
            new += &format!("content-range: bytes {first}-{}/{whole}\r\n", last - 1);
        } else {
            new += &format!("{line}\r\n");
        }
    }
    let mut all = new.into_bytes();
    all.extend_from_slice(&answer[content..answer.len() - 1]);
    all
}

fn refuse(client: &mut TcpStream, status: u16) -> std::io::Result<()> {
    let body = "<Error><Code>SlowDown</Code><Message>secret-of-the-front</Message></Error>";
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 {status} No\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn head(input: &mut impl BufRead) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if input.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn length(head: &str) -> usize {
    let mut lines = head.lines();
    let line = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().to_owned())
    });
    line.map_or(0, |value| value.parse().unwrap())
}
