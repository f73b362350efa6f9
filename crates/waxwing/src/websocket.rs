//! XMPP over WebSocket: [RFC 7395](https://www.rfc-editor.org/rfc/rfc7395). How one begins; [`talk`] has what is said.

mod talk;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use waxwing_server::{Framing, Link, Transport};

use crate::site::{Peer, Site};
use talk::Talk;

/// The subprotocol (RFC 7395 §3.1).
const SUBPROTOCOL: &str = "xmpp";

/// Takes over a request for a WebSocket.
pub(crate) async fn upgrade(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
) -> Response {
    if !site.allows_origin(request.headers()) {
        return (StatusCode::FORBIDDEN, "this origin is not allowed\n").into_response();
    }
    let mut response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(error) => return refusal(&error),
    };
    if !speaks_xmpp(request.headers()) {
        return (StatusCode::BAD_REQUEST, "the subprotocol must be xmpp\n").into_response();
    }
    let protocol = HeaderValue::from_static(SUBPROTOCOL);
    let headers = response.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    let client = site.client(peer, request.headers());
    let Some(place) = site.serving.server.admit(client.address) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections\n").into_response();
    };
    let alive = site.serving.alive.clone();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // Who was gone before the answer was written never had a WebSocket.
        if let Ok(upgraded) = upgraded.await {
            let server = site.serving.server.clone();
            let connection = server.accept(Link {
                peer: client.address,
                transport: Transport::WebSocket,
                security: client.security(),
                framing: Framing::Elements,
            });
            Talk::new(upgraded, server, connection).await.await;
        }
        drop((place, alive));
    });
    response
}

/// Why a request begins no WebSocket (RFC 6455 §4.2.2).
fn refusal(error: &Error) -> Response {
    if let Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) = error {
        let known = [
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::UPGRADE, "websocket"),
        ];
        return (StatusCode::UPGRADE_REQUIRED, known, "the version is 13\n").into_response();
    }
    let text = "WebSockets begin here, and nothing else\n";
    (StatusCode::BAD_REQUEST, text).into_response()
}

/// Whether a client offers our subprotocol, alone or among others.
fn speaks_xmpp(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    offers
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|name| name.trim_ascii() == SUBPROTOCOL.as_bytes())
}
