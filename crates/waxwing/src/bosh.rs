//! XMPP over HTTP requests: [XEP-0124](https://xmpp.org/extensions/xep-0124.html) and
//! [XEP-0206](https://xmpp.org/extensions/xep-0206.html). Here is what HTTP has to do with it; the order of requests
//! and responses is `waxwing_stream::bosh`.

mod talk;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use waxwing_server::{Framing, Link, Transport};
use waxwing_stream::bosh::{Condition, Create, Request, Session, Task, Terms, terminate};
use waxwing_wire::Limits;

use crate::site::{Client, Peer, Site};
use talk::Talk;

/// Bytes of one request: a stanza of the greatest size, and what is around it.
const REQUEST_BYTES_MAX: usize = Limits::CLIENT.stanza_bytes_max + 4 * 1024;
/// Longest time for the content of a request to come.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(20);
/// Requests of a session that its task has not looked at yet; another one waits with its sender.
const REQUESTS_UNREAD_MAX: usize = 8;
/// How long a browser may rely on what it was allowed, in seconds.
const CORS_AGE_SECS: &str = "7200";

/// What clients get, at most.
const TERMS: Terms = Terms {
    // Proxies cut at 60 seconds (nginx, `proxy_read_timeout`).
    wait_secs_max: 55,
    hold_max: 1,
    inactivity_secs_max: 60,
    pause_secs_max: 120,
    polling_secs_min: 5,
    response_bytes_max: 256 * 1024,
};

/// Limits of a `<body/>`; those of the stanzas in it are the connection's.
const LIMITS: Limits = Limits {
    stanza_bytes_max: REQUEST_BYTES_MAX,
    depth_max: Limits::CLIENT.depth_max + 1,
    ..Limits::CLIENT
};

/// A request on its way to its session.
struct Posted {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

/// The response to a request, and why it ends the session where it does.
struct Answer(Bytes, Option<Condition>);

impl From<Condition> for Answer {
    fn from(condition: Condition) -> Answer {
        Answer(terminate(Some(condition)), Some(condition))
    }
}

/// How a session's responses look as HTTP.
#[derive(Clone)]
struct Manner {
    content_type: HeaderValue,
    /// The client is older than 1.6, and is told by the status why its session ends (XEP-0124 §17.1).
    is_legacy: bool,
}

impl Manner {
    /// That of responses to nobody who is known.
    const PLAIN: Manner = Manner {
        content_type: HeaderValue::from_static("text/xml; charset=utf-8"),
        is_legacy: false,
    };

    fn of(create: &Create) -> Manner {
        let asked = create.content.as_deref();
        let asked = asked.and_then(|content| HeaderValue::from_str(content).ok());
        Manner {
            content_type: asked.unwrap_or(Manner::PLAIN.content_type),
            is_legacy: create.version.is_none(),
        }
    }

    fn status(&self, condition: Option<Condition>) -> StatusCode {
        match condition.filter(|_| self.is_legacy) {
            Some(Condition::BadRequest) => StatusCode::BAD_REQUEST,
            Some(Condition::PolicyViolation) => StatusCode::FORBIDDEN,
            Some(Condition::ItemNotFound) => StatusCode::NOT_FOUND,
            _ => StatusCode::OK,
        }
    }
}

/// Where the requests of a session go, and how they are answered.
type Reached = (mpsc::Sender<Posted>, Manner);

/// A session as requests find it.
struct Known {
    /// Whether it began over TLS: then everything of it does (XEP-0124 §19.1).
    tls: bool,
    posted: mpsc::Sender<Posted>,
    manner: Manner,
}

/// The sessions that are there, by their secret name.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Known>>);

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, sid: &str, tls: bool) -> Option<Reached> {
        let sessions = self.all();
        let known = sessions.get(sid).filter(|known| known.tls == tls)?;
        Some((known.posted.clone(), known.manner.clone()))
    }
}

/// A preflight of a browser (CORS).
pub(crate) async fn options(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if !allow(&site, &headers, response.headers_mut()) {
        return forbidden();
    }
    let answers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, CORS_AGE_SECS),
    ];
    for (name, value) in answers {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

fn forbidden() -> Response {
    (StatusCode::FORBIDDEN, "this origin is not allowed\n").into_response()
}

/// Lets the page that asks see the answer, if it may.
fn allow(site: &Site, asked: &HeaderMap, answer: &mut HeaderMap) -> bool {
    if !site.allows_origin(asked) {
        return false;
    }
    if let Some(origin) = asked.get(header::ORIGIN) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    answer.insert(header::VARY, HeaderValue::from_static("Origin"));
    true
}

/// A `<body/>` of a client.
pub(crate) async fn post(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut answered = HeaderMap::new();
    if !allow(&site, &headers, &mut answered) {
        return forbidden();
    }
    let read = axum::body::to_bytes(body, REQUEST_BYTES_MAX);
    let (Answer(content, condition), manner) =
        match tokio::time::timeout(REQUEST_TIME_MAX, read).await {
            Ok(Ok(content)) => {
                let client = site.client(peer, &headers);
                answer(site, client, content).await
            }
            Ok(Err(error)) => return unreadable(&error, answered),
            Err(_) => return (StatusCode::REQUEST_TIMEOUT, answered, "too slow\n").into_response(),
        };
    let status = manner.status(condition);
    answered.insert(header::CONTENT_TYPE, manner.content_type);
    // Whatever type the client asks for: what others have written must never act as a page of this host.
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, answered, fixed, content).into_response()
}

/// A content that is too large, or is not framed as HTTP wants it (RFC 9112 §6).
fn unreadable(error: &axum::Error, headers: HeaderMap) -> Response {
    let mut cause: Option<&dyn Error> = Some(error);
    let mut is_broken = false;
    while let Some(error) = cause {
        is_broken |= error.is::<hyper::Error>();
        cause = error.source();
    }
    let (status, text) = match is_broken {
        true => (StatusCode::BAD_REQUEST, "the content cannot be read\n"),
        false => (StatusCode::PAYLOAD_TOO_LARGE, "too large\n"),
    };
    (status, headers, text).into_response()
}

async fn answer(site: Arc<Site>, client: Client, content: Bytes) -> (Answer, Manner) {
    let request = match Request::parse(&content, &LIMITS) {
        Ok(request) => request,
        Err(error) => {
            tracing::debug!(%error, "a BOSH request cannot be read");
            return (Condition::BadRequest.into(), Manner::PLAIN);
        }
    };
    drop(content);
    let reached = match (&request.sid, &request.task) {
        (None, Task::Create(create)) => begin(&site, client, &request, create),
        (Some(sid), _) => {
            let known = site.serving.bosh.find(sid, client.tls);
            known.ok_or(Condition::ItemNotFound)
        }
        _ => Err(Condition::BadRequest),
    };
    let (posted, manner) = match reached {
        Ok(reached) => reached,
        Err(condition) => return (condition.into(), Manner::PLAIN),
    };
    let (answer, answered) = oneshot::channel();
    // A session that ends meanwhile takes no request any more, or drops it unanswered.
    let _gone = posted.send(Posted { request, answer }).await;
    let answer = answered.await;
    let answer = answer.unwrap_or_else(|_| Condition::ItemNotFound.into());
    (answer, manner)
}

fn begin(
    site: &Arc<Site>,
    client: Client,
    request: &Request,
    create: &Create,
) -> Result<Reached, Condition> {
    let serving = &site.serving;
    let place = serving.server.admit(client.address);
    let place = place.ok_or(Condition::PolicyViolation)?;
    if serving.server.stopping() {
        return Err(Condition::SystemShutdown);
    }
    let sid = session_id(site);
    let (posted, requests) = mpsc::channel(REQUESTS_UNREAD_MAX);
    let known = Known {
        tls: client.tls,
        posted: posted.clone(),
        manner: Manner::of(create),
    };
    serving.bosh.all().insert(sid.clone(), known);
    let connection = serving.server.accept(Link {
        peer: client.address,
        transport: Transport::Bosh,
        security: client.security(),
        framing: Framing::Elements,
    });
    let session = Session::new(TERMS, sid.clone(), request, create);
    let talk = Talk::new(session, connection, requests, serving.stop.clone());
    let (sessions, alive) = (serving.bosh.clone(), serving.alive.clone());
    tokio::spawn(async move {
        talk.run().await;
        sessions.all().remove(&sid);
        drop((place, alive));
    });
    Ok((posted, Manner::of(create)))
}

/// What nobody can guess: who knows it is the client (XEP-0124 §19.3).
fn session_id(site: &Site) -> String {
    let mut bytes = [0; 16];
    site.serving.server.outside().random.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
