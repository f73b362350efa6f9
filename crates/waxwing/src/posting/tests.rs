//! A push service that does everything wrong, at the other end of a pipe.

use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::{DuplexStream, duplex};
use waxwing_dial::{NameError, SrvRecord};

use super::*;

fn request(url: &str) -> WebRequest {
    WebRequest {
        endpoint: Endpoint::parse(url).unwrap(),
        headers: vec![("TTL", "60".to_owned())],
        body: Bytes::from_static(b"sealed"),
        private_addresses: false,
        secs_max: 30,
    }
}

/// What is made of an answer, and what was sent.
async fn said(answer: &[u8]) -> (Result<WebAnswer, WebError>, Vec<u8>) {
    let (ours, mut theirs): (DuplexStream, DuplexStream) = duplex(256 * 1024);
    theirs.write_all(answer).await.unwrap();
    theirs.shutdown().await.unwrap();
    let said = speak(ours, &request("https://push.example/abc?d")).await;
    let mut sent = Vec::new();
    theirs.read_to_end(&mut sent).await.unwrap();
    (said, sent)
}

fn status(status: u16, retry_after_secs: Option<u64>) -> Result<WebAnswer, WebError> {
    Ok(WebAnswer {
        status,
        retry_after_secs,
    })
}

/// A machine's own public address is no way past the firewall in front of it.
#[tokio::test]
async fn what_leads_back_here_is_known() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.unwrap();
    let to = listener.local_addr().unwrap();
    let here = TcpStream::connect(to).await.unwrap();
    assert!(is_this_machine(&here));
    let from = tokio::net::TcpSocket::new_v4().unwrap();
    from.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
    let other = from.connect(to).await.unwrap();
    assert!(!is_this_machine(&other));
}

#[tokio::test]
async fn what_is_sent() {
    let (answer, sent) = said(b"HTTP/1.1 201 Created\r\n\r\n").await;
    assert_eq!(answer, status(201, None));
    let expected = "POST /abc?d HTTP/1.1\r\nHost: push.example\r\nUser-Agent: Waxwing\r\n\
        Connection: close\r\nContent-Length: 6\r\nTTL: 60\r\n\r\nsealed";
    assert_eq!(String::from_utf8(sent).unwrap(), expected);
}

#[tokio::test]
async fn what_is_answered() {
    for (text, expected) in [
        ("HTTP/1.1 410 Gone\r\n\r\n", status(410, None)),
        ("HTTP/1.1 404\r\nX: y\r\n\r\n", status(404, None)),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://other.example/\r\n\r\n",
            status(302, None),
        ),
        (
            "HTTP/1.1 429 Many\r\nretry-after: 120\r\n\r\n",
            status(429, Some(120)),
        ),
        (
            "HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n",
            status(503, None),
        ),
        (
            "HTTP/1.1 429 Many\r\nRetry-After: +5\r\n\r\n",
            status(429, None),
        ),
        (
            "HTTP/1.1 429 Many\r\nRetry-After: 99999999999999999999\r\n\r\n",
            status(429, None),
        ),
        (
            "HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 201 Created\r\n\r\n",
            status(201, None),
        ),
        ("HTTP/1.1 101 Switching\r\n\r\n", Err(WebError::Malformed)),
        ("HTTP/1.1 600 What\r\n\r\n", Err(WebError::Malformed)),
        ("HTTP/1.1 201 Created\r\n", Err(WebError::Malformed)),
        ("220 mail.example ESMTP\r\n", Err(WebError::Malformed)),
        ("", Err(WebError::Malformed)),
    ] {
        assert_eq!(said(text.as_bytes()).await.0, expected, "{text:?}");
    }
}

#[tokio::test]
async fn an_endless_head_is_not_read() {
    let long = format!(
        "HTTP/1.1 201 Created\r\nX: {}",
        "y".repeat(4 * ANSWER_BYTES_MAX)
    );
    assert_eq!(said(long.as_bytes()).await.0, Err(WebError::Malformed));
    let many = format!(
        "HTTP/1.1 201 Created\r\n{}\r\n",
        "X: y\r\n".repeat(FIELDS_MAX + 1)
    );
    assert_eq!(said(many.as_bytes()).await.0, Err(WebError::Malformed));
    let announced = "HTTP/1.1 103 Early\r\n\r\n".repeat(ANSWER_BYTES_MAX / 16);
    assert_eq!(said(announced.as_bytes()).await.0, Err(WebError::Malformed));
}

/// Says the same of every name.
struct Fixed(Vec<IpAddr>);

impl Resolve for Fixed {
    fn srv<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SrvRecord>, NameError>> + Send + 'a>> {
        async { Err(NameError::Absent) }.boxed()
    }

    fn addresses<'a>(
        &'a self,
        _: &'a str,
        family: Family,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, NameError>> + Send + 'a>> {
        let all = self.0.iter().copied();
        let of_family = all.filter(move |address| address.is_ipv6() == (family == Family::V6));
        let found: Vec<IpAddr> = of_family.collect();
        async move { Ok(found) }.boxed()
    }
}

/// A listener that takes connections and says nothing: the time ends it. No time passes but what the test lets pass.
#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_left() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let resolve = Arc::new(Fixed(vec![Ipv4Addr::LOCALHOST.into()]));
    let tools = Tools::with(resolve, RootCertStore::empty()).unwrap();
    let posting = Posting::new();
    assert!(posting.tools.set(tools).is_ok());
    let mut request = request(&format!("https://push.example:{port}/"));
    assert_eq!(posting.post(request.clone()).await, Err(WebError::Private));
    request.private_addresses = true;
    assert_eq!(posting.post(request).await, Err(WebError::Late));
}

/// What there is no room for is not made, and says so: it is not the push service's fault.
#[tokio::test(start_paused = true)]
async fn too_many_are_not_made() {
    let posting = Posting::new();
    let all = u32::try_from(REQUESTS_MAX).unwrap();
    let _taken = posting.room.all.acquire_many(all).await.unwrap();
    let request = request("https://push.example/");
    assert_eq!(posting.post(request).await, Err(WebError::Busy));
}

#[tokio::test]
async fn private_addresses_are_refused() {
    let own = vec!["127.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()];
    let public: [IpAddr; 2] = ["9.9.9.9", "2620:fe::9"].map(|text| text.parse().unwrap());
    let found = addresses(&Fixed(own), &request("https://push.example/")).await;
    assert_eq!(found, Err(WebError::Private));
    // A name that has both is reached by what is public.
    let both = Fixed(vec![public[1], "127.0.0.1".parse().unwrap()]);
    let found = addresses(&both, &request("https://push.example/")).await;
    assert_eq!(found, Ok(vec![public[1]]));
    let nothing = addresses(&Fixed(Vec::new()), &request("https://push.example/")).await;
    assert_eq!(nothing, Err(WebError::Unreachable));
    let literal = addresses(&Fixed(Vec::new()), &request("https://[::1]:99/")).await;
    assert_eq!(literal, Err(WebError::Private));
}

/// A host that hangs with all of its share leaves room, and leaves nothing behind.
#[test]
fn one_host_has_not_all_requests() {
    let room = Room::new();
    let enter = |host: &'static str| {
        let room = room.clone();
        async move { room.enter(host).await }.boxed()
    };
    let places = (0..REQUESTS_PER_HOST_MAX).map(|_| enter("a.example").now_or_never());
    let mut places: Vec<Place> = places.map(|place| place.unwrap().unwrap()).collect();
    let mut waiting = enter("a.example");
    assert!((&mut waiting).now_or_never().is_none());
    let others = (REQUESTS_PER_HOST_MAX..REQUESTS_MAX).map(|_| enter("b.example").now_or_never());
    let others: Vec<Place> = others.map(|place| place.unwrap().unwrap()).collect();
    assert!(
        enter("c.example").now_or_never().is_none(),
        "there are too many in all"
    );
    drop(others);
    places.pop();
    let next = waiting.now_or_never().unwrap().unwrap();
    drop((places, next));
    assert!(room.by_host().is_empty());
}
