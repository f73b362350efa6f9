//! How clients that speak HTTP find the other transports:
//! [XEP-0156](https://xmpp.org/extensions/xep-0156.html), version 1.4.0.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use waxwing_wire::Element;

use crate::http::{BOSH_PATH, WEBSOCKET_PATH};
use crate::site::Site;

/// Namespace of XRD 1.0.
const XRD: &str = "http://docs.oasis-open.org/ns/xri/xrd-1.0";
const WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
const BOSH: &str = "urn:xmpp:alt-connections:xbosh";

/// What is linked: relation and address.
fn links(url: &str) -> Vec<(&'static str, String)> {
    // https becomes wss, http becomes ws.
    let websocket = url.replacen("http", "ws", 1);
    vec![
        (WEBSOCKET, format!("{websocket}{WEBSOCKET_PATH}")),
        (BOSH, format!("{url}{BOSH_PATH}")),
    ]
}

/// Pages of every origin may ask (XEP-0156 §5).
fn answer(kind: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, text).into_response()
}

fn unknown() -> Response {
    let headers = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    let text = "where clients reach this server is not configured: [web] public_url\n";
    (StatusCode::NOT_FOUND, headers, text).into_response()
}

/// `/.well-known/host-meta`
pub(crate) async fn xml(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let Some(url) = site.url(&headers) else {
        return unknown();
    };
    let xrd = links(&url)
        .into_iter()
        .fold(Element::new(XRD, "XRD"), |xrd, (rel, href)| {
            let link = Element::new(XRD, "Link").with_attr("rel", rel);
            xrd.with_child(link.with_attr("href", href))
        });
    let bytes = xrd.to_bytes("");
    let text = format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n{}\n",
        String::from_utf8_lossy(&bytes)
    );
    answer("application/xrd+xml; charset=utf-8", text)
}

/// `/.well-known/host-meta.json`
pub(crate) async fn json(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let Some(url) = site.url(&headers) else {
        return unknown();
    };
    let links: Vec<_> = links(&url)
        .into_iter()
        .map(|(rel, href)| serde_json::json!({"rel": rel, "href": href}))
        .collect();
    let text = serde_json::json!({ "links": links });
    answer("application/json", format!("{text}\n"))
}
