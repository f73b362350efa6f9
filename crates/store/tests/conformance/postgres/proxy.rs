//! Between a store and its database: cuts connections at the worst moments.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It passes, as everything does.
    No,
    /// The database never hears of it.
    BeforeCommit,
    /// The database makes it, and nobody hears of that.
    AfterCommit,
}

pub(super) struct Proxy {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    upstream: u16,
    cut: Cut,
    /// Cuts one in so many commits, in both ways in turn; 0: none.
    one_in: usize,
    commits: usize,
    /// How many commits were cut.
    cuts: usize,
    accepts: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    pub(super) fn new(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared {
            upstream,
            cut: Cut::No,
            one_in: 0,
            commits: 0,
            cuts: 0,
            accepts: true,
            open: Vec::new(),
        }));
        let proxy = Self {
            port,
            shared: Arc::clone(&shared),
        };
        // It goes with the process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                connect(&shared, client);
            }
        });
        proxy
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("postgresql://waxwing@127.0.0.1:{}/{database}", self.port)
    }

    pub(super) fn cut(&self, cut: Cut) {
        self.shared.lock().unwrap().cut = cut;
    }

    /// Cuts one in so many commits from now on; 0: none.
    pub(super) fn cut_one_in(&self, commits: usize) {
        self.shared.lock().unwrap().one_in = commits;
    }

    pub(super) fn cuts(&self) -> usize {
        self.shared.lock().unwrap().cuts
    }

    /// Lets nobody through from now on, and cuts off who is there; or lets them again.
    pub(super) fn accept(&self, accepts: bool) {
        let mut shared = self.shared.lock().unwrap();
        shared.accepts = accepts;
        if !accepts {
            for stream in shared.open.drain(..) {
                let _gone = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Shared {
    /// What becomes of this commit. What was asked for is done once.
    fn next_cut(&mut self) -> Cut {
        self.commits += 1;
        if self.one_in > 0 && self.commits.is_multiple_of(self.one_in) {
            return [Cut::BeforeCommit, Cut::AfterCommit][self.cuts % 2];
        }
        std::mem::replace(&mut self.cut, Cut::No)
    }
}

fn connect(shared: &Arc<Mutex<Shared>>, client: TcpStream) {
    let mut state = shared.lock().unwrap();
    if !state.accepts {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", state.upstream)) else {
        return;
    };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    state.open.push(client.try_clone().unwrap());
    state.open.push(server.try_clone().unwrap());
    drop(state);
    let (from_client, to_client) = (client.try_clone().unwrap(), client);
    let (from_server, to_server) = (server.try_clone().unwrap(), server);
    let gate = Arc::new(Mutex::new(()));
    let (shared, held) = (Arc::clone(shared), Arc::clone(&gate));
    thread::spawn(move || requests(&shared, &held, from_client, to_server));
    thread::spawn(move || answers(&gate, from_server, to_client));
}

/// Copies what the store says, and looks for its commits.
fn requests(
    shared: &Mutex<Shared>,
    gate: &Mutex<()>,
    mut client: TcpStream,
    mut server: TcpStream,
) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let said = &buffer[..count];
        let commits = said.windows(7).any(|part| part == b"COMMIT\0");
        let cut = {
            let mut shared = shared.lock().unwrap();
            let cut = if commits { shared.next_cut() } else { Cut::No };
            shared.cuts += usize::from(cut != Cut::No);
            cut
        };
        match cut {
            Cut::No => {
                if server.write_all(said).is_err() {
                    break;
                }
            }
            Cut::BeforeCommit => break,
            Cut::AfterCommit => {
                // No answer passes any more. The server has all of it, and closes when it has done it.
                let _held = gate.lock().unwrap();
                server.write_all(said).unwrap();
                server.shutdown(Shutdown::Write).unwrap();
                let mut rest = server.try_clone().unwrap();
                while let Ok(1..) = rest.read(&mut buffer) {}
                let _gone = client.shutdown(Shutdown::Both);
                return;
            }
        }
    }
    let _gone = (
        server.shutdown(Shutdown::Both),
        client.shutdown(Shutdown::Both),
    );
}

fn answers(gate: &Mutex<()>, mut server: TcpStream, mut client: TcpStream) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let Ok(_passes) = gate.try_lock() else { return };
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    if gate.try_lock().is_ok() {
        let _gone = (
            server.shutdown(Shutdown::Both),
            client.shutdown(Shutdown::Both),
        );
    }
}
