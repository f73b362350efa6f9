//! HTTP: health, streams, files, invitations and the API for everybody, metrics for this machine.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use prometheus_client::registry::Registry;
use waxwing_server::Server;

use crate::api::{self, API_ROUTES};
use crate::invite::{self, INVITE_ROUTE, INVITE_SLASH_ROUTE, STYLE_ROUTE};
use crate::site::Site;
use crate::upload::{self, UPLOAD_ROUTE};
use crate::{bosh, host_meta, proxy, websocket};

/// Where WebSockets begin.
pub(crate) const WEBSOCKET_PATH: &str = "/xmpp-websocket";
/// Where BOSH is.
pub(crate) const BOSH_PATH: &str = "/http-bind";

/// The content type of metrics (OpenMetrics 1.0).
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the server takes clients.
async fn health(State(server): State<Server>) -> Response {
    if server.stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match waxwing_server::accounts::all(server.store(), 1).await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not answer\n",
        )
            .into_response(),
    }
}

async fn metrics(State(registry): State<Arc<Registry>>, headers: HeaderMap) -> Response {
    // A proxy that passes on everything is on this machine; who asks it is not.
    if proxy::is_forwarded(&headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Lets in a request that names the host it is for, and no other beside it (RFC 9112 §3.2): what a page may ask depends on
/// that.
async fn names_its_host(request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let needed = request.version() != Version::HTTP_10;
    if hosts.next().is_none() && needed || hosts.next().is_some() {
        return (StatusCode::BAD_REQUEST, "one Host is needed\n").into_response();
    }
    next.run(request).await
}

/// What everybody may ask.
pub(crate) fn public(site: Site) -> Router {
    routes(site).layer(from_fn(names_its_host))
}

fn routes(site: Site) -> Router {
    let server = site.serving.server.clone();
    let files = get(upload::fetch)
        .put(upload::bring)
        .options(upload::options);
    let invitation = get(invite::show)
        .post(invite::take)
        .fallback(invite::other_method);
    let mut streams = Router::new()
        .route(WEBSOCKET_PATH, get(websocket::upgrade))
        .route(BOSH_PATH, post(bosh::post).options(bosh::options))
        .route("/.well-known/host-meta", get(host_meta::xml))
        .route("/.well-known/host-meta.json", get(host_meta::json))
        .route(UPLOAD_ROUTE, files)
        .route(STYLE_ROUTE, get(invite::style))
        .route(INVITE_ROUTE, invitation)
        .route(INVITE_SLASH_ROUTE, any(invite::without_slash));
    for route in API_ROUTES {
        streams = streams.route(route, any(api::answer));
    }
    let streams = streams.with_state(Arc::new(site));
    Router::new()
        .route("/healthz", get(health))
        .with_state(server)
        .merge(streams)
}

/// What programs on this machine may ask.
pub(crate) fn local(site: Site, registry: Arc<Registry>) -> Router {
    let metrics = Router::new().route("/metrics", get(metrics));
    let local = routes(site).merge(metrics.with_state(registry));
    local.layer(from_fn(names_its_host))
}
