//! The third face of admin commands: HTTP, JSON in and out, for programs that have a token.
//!
//! Every command that a token can be good for has a path that is its name, `account add` `/api/v1/account/add`. What only
//! reads is a GET with its arguments behind `?`, what changes something a POST with one JSON object. What went wrong is
//! problem details (RFC 9457). While there is no token there is nothing at all here, and who shows none learns nothing but
//! that one is needed. No page of any site is let in: nothing is said of origins (CORS).

mod given;
mod openapi;
mod problem;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use waxwing_server::admin::{Access, Command};
use waxwing_server::api_tokens::{self, ApiToken};
use waxwing_server::{AdminError, Server};

pub(crate) use openapi::document;
use problem::{Kind, Problem};

use crate::site::{Peer, Site};

/// Everything below is answered here.
pub(crate) const API_ROUTES: [&str; 3] = ["/api", "/api/", "/api/{*rest}"];

/// Where the commands are.
const BASE: &str = "/api/v1/";
/// Where it stands what there is.
const DOCUMENT_PATH: &str = "/api/openapi.json";
/// How who asks says who they are (RFC 6750 §2.1).
const SCHEME: &str = "Bearer";

/// What stands in every answer.
const ALWAYS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// The path of a command that a token can be good for.
fn path_of(command: &Command) -> Option<String> {
    command.access.scope()?;
    Some(format!("{BASE}{}", command.name.replace(' ', "/")))
}

/// By which method a command is run. HEAD is GET without what is answered.
fn method_of(command: &Command) -> Method {
    match command.access {
        Access::Reads(_) => Method::GET,
        Access::Changes(_) | Access::Machine => Method::POST,
    }
}

/// Answers a request.
pub(crate) async fn answer(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let server = &site.serving.server;
    match api_tokens::any(server).await {
        // Nobody learns that there could be something.
        Ok(false) => return StatusCode::NOT_FOUND.into_response(),
        Ok(true) => {}
        Err(error) => return guarded(unanswered(&error).into_response()),
    }
    let answered = respond(&site, peer, request).await;
    let kind = HeaderValue::from_static("application/json");
    guarded(match answered {
        Ok(value) => ([(header::CONTENT_TYPE, kind)], format!("{value}\n")).into_response(),
        Err(problem) => problem.into_response(),
    })
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn unanswered(error: &waxwing_store::StoreError) -> Problem {
    tracing::error!(%error, "a request of the API could not be answered");
    Problem::of(Kind::Unavailable)
}

async fn respond(site: &Site, peer: Peer, request: Request) -> Result<Value, Problem> {
    let server = &site.serving.server;
    let (head, body) = request.into_parts();
    if !site.is_private(peer, &head.headers) {
        return Err(Problem::of(Kind::TlsNeeded));
    }
    let token = authenticated(site, peer, &head.headers).await?;
    if let Some(secs) = api_tokens::request_wait_secs(server, &token) {
        return Err(Problem::of(Kind::TooManyRequests).retry_after(secs));
    }
    api_tokens::note_use(server, &token);
    let path = head.uri.path();
    if path == DOCUMENT_PATH {
        allowed(&head, &Method::GET)?;
        given::no_content(&head)?;
        return Ok(document(server.registry()));
    }
    let mut commands = server.registry().commands();
    let command = commands.find(|command| path_of(command).as_deref() == Some(path));
    let command = command.ok_or_else(|| Problem::of(Kind::NoSuchCommand))?;
    let result = run(server, &token, &command, head, body).await;
    let status = result.as_ref().map_or_else(Problem::status, |_| 200);
    // Never with arguments: there are addresses among them, and passwords.
    tracing::info!(
        token = token.name(),
        command = command.name,
        status,
        "a command came by the API"
    );
    result
}

async fn run(
    server: &Server,
    token: &ApiToken,
    command: &Command,
    head: Parts,
    body: axum::body::Body,
) -> Result<Value, Problem> {
    let method = method_of(command);
    allowed(&head, &method)?;
    let scope = command.access.scope().unwrap_or_default();
    if !token.has(&scope) {
        return Err(Problem::scope(&scope));
    }
    let args = match method {
        Method::GET => given::in_query(command, &head)?,
        _ => given::in_content(&head, body).await?,
    };
    let (server, domain) = (server.clone(), token.domain().map(str::to_owned));
    let name = command.name;
    // Who asked may go before it is done; it is not left half done then.
    let done = tokio::spawn(async move {
        match domain {
            Some(domain) => server.admin_within(&domain, name, args).await,
            None => server.admin(name, args).await,
        }
    });
    match done.await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(AdminError::Failed(error))) => {
            tracing::error!(command = name, error, "a command of the API failed");
            Err(Problem::of(Kind::Failed))
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Problem::of(Kind::Failed)),
    }
}

fn allowed(head: &Parts, method: &Method) -> Result<(), Problem> {
    let is_read = *method == Method::GET && head.method == Method::HEAD;
    match head.method == *method || is_read {
        true => Ok(()),
        false => Err(Problem::method(method)),
    }
}

/// The token that a request shows.
async fn authenticated(site: &Site, peer: Peer, headers: &HeaderMap) -> Result<ApiToken, Problem> {
    let server = &site.serving.server;
    let from = site.client(peer, headers).address;
    if let Some(secs) = api_tokens::wait_secs(server, from) {
        return Err(Problem::of(Kind::TooManyFailures).retry_after(secs));
    }
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Err(Problem::of(Kind::TokenNeeded));
    };
    let shown = line.to_str().ok().filter(|_| lines.next().is_none());
    let shown = shown.and_then(|line| line.split_once(' '));
    let shown = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME));
    let found = match shown {
        Some((_, token)) => api_tokens::find(server, token.trim_matches(' ')).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(token)) => Ok(token),
        Ok(None) => {
            api_tokens::failed(server, from);
            Err(Problem::of(Kind::InvalidToken))
        }
        Err(error) => Err(unanswered(&error)),
    }
}
