use std::collections::HashMap;
use std::future::{Future, pending};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::connect::Tcp;

/// What an attempt at a port meets.
#[derive(Clone, Copy)]
enum Meets {
    Refusal,
    Silence,
    /// A connection, after so many milliseconds.
    Answer(u64),
}

/// Connects as told, on the runtime's simulated clock.
struct Fake {
    ports: HashMap<u16, Meets>,
    /// Made before, so that time stands still in the test.
    sockets: Mutex<Vec<TcpStream>>,
    begun: Instant,
    /// Port and milliseconds of each attempt.
    attempts: Mutex<Vec<(u16, u128)>>,
    running: Arc<AtomicUsize>,
}

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connect for Fake {
    fn connect<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        let at = self.begun.elapsed().as_millis();
        self.attempts.lock().unwrap().push((address.port(), at));
        self.running.fetch_add(1, Ordering::SeqCst);
        let guard = Guard(self.running.clone());
        Box::pin(async move {
            let _guard = guard;
            match self.ports[&address.port()] {
                Meets::Refusal => Err(io::ErrorKind::ConnectionRefused.into()),
                Meets::Silence => pending().await,
                Meets::Answer(millis) => {
                    sleep(Duration::from_millis(millis)).await;
                    Ok(self.sockets.lock().unwrap().pop().unwrap())
                }
            }
        })
    }
}

async fn fake(meets: &[Meets]) -> (Fake, Vec<SocketAddr>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut sockets = Vec::new();
    for _ in meets {
        sockets.push(
            TcpStream::connect(listener.local_addr().unwrap())
                .await
                .unwrap(),
        );
    }
    let ports: Vec<u16> = (1..).take(meets.len()).collect();
    let at = |port: &u16| SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
    let addresses = ports.iter().map(at).collect();
    let fake = Fake {
        ports: ports.into_iter().zip(meets.iter().copied()).collect(),
        sockets: Mutex::new(sockets),
        begun: Instant::now(),
        attempts: Mutex::default(),
        running: Arc::default(),
    };
    (fake, addresses)
}

const LIMIT: Duration = Duration::from_secs(10);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn families_take_turns_and_nothing_is_tried_twice() {
    let v6 = vec![ip("::1"), ip("::2"), ip("::1"), ip("::3")];
    let v4 = vec![ip("127.0.0.1")];
    let order = interleave(v6, v4);
    assert_eq!(order, [ip("::1"), ip("127.0.0.1"), ip("::2"), ip("::3")]);
    let many = |base: u128| {
        let address = move |at: u128| IpAddr::V6((base + at).into());
        (0..100).map(address).collect::<Vec<_>>()
    };
    assert_eq!(interleave(many(1), many(1_000)).len(), ADDRESSES_MAX);
}

#[tokio::test(start_paused = true)]
async fn silence_costs_a_head_start_only() {
    use Meets::{Answer, Silence};
    let (fake, addresses) = fake(&[Silence, Silence, Answer(30), Answer(0)]).await;
    race(&fake, &addresses, LIMIT).await.unwrap();
    let attempts = fake.attempts.lock().unwrap().clone();
    assert_eq!(attempts, [(1, 0), (2, 250), (3, 500)]);
    assert_eq!(fake.begun.elapsed().as_millis(), 530);
    // The losers are given up.
    assert_eq!(fake.running.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_costs_nothing() {
    use Meets::{Answer, Refusal};
    let (fake, addresses) = fake(&[Refusal, Refusal, Answer(0)]).await;
    race(&fake, &addresses, LIMIT).await.unwrap();
    let attempts = fake.attempts.lock().unwrap().clone();
    assert_eq!(attempts, [(1, 0), (2, 0), (3, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_wins_over_a_slower_second() {
    use Meets::Answer;
    let (fake, addresses) = fake(&[Answer(300), Answer(100)]).await;
    race(&fake, &addresses, LIMIT).await.unwrap();
    assert_eq!(fake.begun.elapsed().as_millis(), 300);
}

#[tokio::test(start_paused = true)]
async fn every_attempt_ends_and_so_does_the_race() {
    use Meets::{Refusal, Silence};
    let (fake, addresses) = fake(&[Refusal, Silence, Silence]).await;
    let outcome = race(&fake, &addresses, LIMIT).await;
    assert_eq!(outcome.map(drop), Err(io::ErrorKind::TimedOut));
    assert_eq!(fake.begun.elapsed().as_millis(), 10_250);
    let nothing = race(&fake, &[], LIMIT).await;
    assert_eq!(nothing.map(drop), Err(io::ErrorKind::AddrNotAvailable));
}

/// A listener that answers no connection: its queue is full.
async fn silent() -> (socket2::Socket, SocketAddr, Vec<TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut fill = Vec::new();
    // The queue has room for one or two; whoever comes then gets no answer.
    let patience = Duration::from_millis(500);
    while let Ok(filled) = timeout(patience, TcpStream::connect(address)).await {
        fill.push(filled.unwrap());
        assert!(fill.len() < 100, "the queue never fills");
    }
    (socket, address, fill)
}

#[tokio::test]
async fn real_sockets_refuse_and_hang() {
    let (_listener, silent, _fill) = silent().await;
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let refusing = closed.local_addr().unwrap();
    drop(closed);
    let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let good = open.local_addr().unwrap();
    let socket = race(&Tcp, &[silent, refusing, good], LIMIT).await.unwrap();
    assert_eq!(socket.peer_addr().unwrap(), good);
    let refused = race(&Tcp, &[refusing], LIMIT).await;
    assert_eq!(refused.map(drop), Err(io::ErrorKind::ConnectionRefused));
    let hung = race(&Tcp, &[silent], Duration::from_millis(300)).await;
    assert_eq!(hung.map(drop), Err(io::ErrorKind::TimedOut));
}
