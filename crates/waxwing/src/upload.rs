//! Files that people leave for others, over HTTP: [XEP-0363](https://xmpp.org/extensions/xep-0363.html).
//!
//! Conversation: `xep_0363_upload.md`
//!
//! `bring.rs` takes them and `fetch.rs` serves them, neither of which ever holds one whole. Whatever is answered here runs
//! nothing in a browser, and may be read by pages of every origin: who knows the address of a file may have it.

mod bring;
mod fetch;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

pub(crate) use bring::bring;
pub(crate) use fetch::fetch;

/// Everything below it is answered here.
pub(crate) const UPLOAD_ROUTE: &str = "/upload/{*rest}";

/// How long a browser may rely on what it was allowed, in seconds.
const CORS_AGE_SECS: &str = "7200";

/// Nothing in a file is run, shown inside of a page, or told where it is. A browser that shows a picture, a film or a text
/// makes a page of its own around it, which needs that much.
const POLICY: &str = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; \
                      frame-ancestors 'none'; sandbox";

/// What stands in every answer.
const ALWAYS: [(HeaderName, &str); 7] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag",
    ),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "cross-origin",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// An answer with what stands in each.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An answer in plain words.
fn said(status: StatusCode, text: &str) -> Response {
    guarded((status, format!("{text}\n")).into_response())
}

/// Nobody learns whether there was ever such a file.
fn absent() -> Response {
    said(StatusCode::NOT_FOUND, "no such file")
}

/// A preflight of a browser (CORS). Whether somebody may, the token says: pages of every origin may try.
pub(crate) async fn options() -> Response {
    let mut response = guarded(StatusCode::NO_CONTENT.into_response());
    for (name, value) in [
        (header::ALLOW, "OPTIONS, HEAD, GET, PUT"),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "OPTIONS, HEAD, GET, PUT",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, CORS_AGE_SECS),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// The value of a header of which there is one.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next();
    line.filter(|_| lines.next().is_none())
}
