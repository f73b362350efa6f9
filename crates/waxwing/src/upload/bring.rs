//! A file comes: PUT.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};
use waxwing_server::uploads::{Offer, Receiving, UploadError, id_in_path, secs_max};
use waxwing_server::{Brought, Limit, Server};
use waxwing_store::StoreError;

use crate::site::Site;
use crate::upload::{absent, only, said};

/// How a file that began to come ended.
enum Broken {
    /// The client is gone, or says what is no HTTP.
    Cut,
    /// It came too slowly.
    Slow,
    /// It was not kept.
    Refused(UploadError),
}

/// `PUT /upload/ID/NAME`
pub(crate) async fn bring(
    State(site): State<Arc<Site>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let server = &site.serving.server;
    let Some(id) = id_in_path(uri.path()) else {
        return absent();
    };
    // A part of a file, or what has to be unpacked first, is not the file (RFC 9110 §14.5, §8.4).
    if headers.contains_key(header::CONTENT_RANGE) {
        return said(StatusCode::BAD_REQUEST, "a file comes whole");
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        let text = "a file comes as it is, without a Content-Encoding";
        return said(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    let offer = Offer {
        id,
        token: token(&headers),
        // As the content is framed, whatever the head says: without a length it is in chunks.
        length: body.size_hint().exact(),
        content_type: content_type(&headers),
    };
    let receiving = match server.receive_upload(offer).await {
        Ok(receiving) => receiving,
        Err(error) => {
            server.note_upload(Brought::Refused);
            return refused(&error);
        }
    };
    match take(receiving, body).await {
        Ok(()) => {
            server.note_upload(Brought::Kept);
            said(StatusCode::CREATED, "kept")
        }
        Err(broken) => ended(server, &broken),
    }
}

/// Takes a file as it comes, at its own pace, which must not be too slow.
async fn take(mut receiving: Receiving, body: Body) -> Result<(), Broken> {
    let began = Instant::now();
    let mut body = body.into_data_stream();
    loop {
        match in_time(began, receiving.length(), body.next()).await {
            None => return Err(Broken::Slow),
            Some(None) => break,
            Some(Some(Err(_))) => return Err(Broken::Cut),
            Some(Some(Ok(bytes))) => receiving.write(bytes).await.map_err(Broken::Refused)?,
        }
    }
    receiving.finish().await.map_err(Broken::Refused)
}

/// The next piece of a file of which so many bytes have come; `None` where that takes too long for as much.
async fn in_time<T>(began: Instant, came_bytes: u64, next: impl Future<Output = T>) -> Option<T> {
    let due = began + Duration::from_secs(secs_max(came_bytes));
    timeout_at(due, next).await.ok()
}

/// What is answered where a file did not come to its end.
fn ended(server: &Server, broken: &Broken) -> Response {
    match broken {
        Broken::Cut => {
            server.note_upload(Brought::Broken);
            said(StatusCode::BAD_REQUEST, "the content ended too early")
        }
        Broken::Slow => {
            server.note_upload(Brought::Broken);
            server.note_limit(Limit::UploadTime);
            said(StatusCode::REQUEST_TIMEOUT, "the content came too slowly")
        }
        Broken::Refused(error) => {
            server.note_upload(Brought::Refused);
            refused(error)
        }
    }
}

fn refused(error: &UploadError) -> Response {
    let status = match error {
        UploadError::Unknown => StatusCode::UNAUTHORIZED,
        UploadError::Elsewhere | UploadError::Over | UploadError::NoAccount => {
            StatusCode::FORBIDDEN
        }
        UploadError::Used | UploadError::InUse => StatusCode::CONFLICT,
        UploadError::NoLength => StatusCode::LENGTH_REQUIRED,
        UploadError::Length { is_more: true, .. } => StatusCode::PAYLOAD_TOO_LARGE,
        UploadError::Length { is_more: false, .. } => StatusCode::BAD_REQUEST,
        UploadError::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        UploadError::Full | UploadError::Store(StoreError::DiskFull) => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        UploadError::Store(error) => {
            tracing::error!(%error, "a file could not be kept");
            return said(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer");
        }
    };
    let mut response = said(status, &error.to_string());
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110 §11.6.1, RFC 6750 §3.
        let bearer = HeaderValue::from_static("Bearer");
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, bearer);
    }
    response
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1).
fn token(headers: &HeaderMap) -> Option<&str> {
    let line = only(headers, header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = line.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("Bearer");
    is_bearer.then(|| token.trim_ascii())
}

/// The media type, if the request says one. What it says twice, or in no letters, is none that anything could be.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let said = headers.contains_key(header::CONTENT_TYPE);
    let line = only(headers, header::CONTENT_TYPE);
    let line = line.and_then(|line| line.to_str().ok());
    said.then(|| line.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use waxwing_server::uploads::{BYTES_PER_SEC_MIN, GRACE_SECS};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_brings_nothing_is_not_waited_for() {
        let began = Instant::now();
        assert_eq!(in_time(began, 0, pending::<()>()).await, None);
        assert_eq!(began.elapsed().as_secs(), GRACE_SECS);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_brought_more_has_more_time() {
        let began = Instant::now();
        let came = 1_000 * BYTES_PER_SEC_MIN;
        assert_eq!(in_time(began, came, pending::<()>()).await, None);
        assert_eq!(began.elapsed().as_secs(), GRACE_SECS + 1_000);
        // What is there is taken, however late it is looked at.
        assert_eq!(in_time(began, came, async { 7 }).await, Some(7));
    }

    fn headers(lines: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let lines = lines.iter();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn tokens_stand_in_one_line() {
        let of = |values: &[&'static str]| {
            let lines = values.iter().map(|value| (header::AUTHORIZATION, *value));
            let headers = headers(&lines.collect::<Vec<_>>());
            token(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(of(&["bearer  abc "]).as_deref(), Some("abc"));
        assert_eq!(of(&["Basic abc"]), None);
        assert_eq!(of(&["Bearer"]), None);
        assert_eq!(of(&["Bearer abc", "Bearer abc"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_is_said_twice_is_no_type() {
        let of = |values: &[&'static str]| {
            let lines = values.iter().map(|value| (header::CONTENT_TYPE, *value));
            let headers = headers(&lines.collect::<Vec<_>>());
            content_type(&headers).map(str::to_owned)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["image/png"]).as_deref(), Some("image/png"));
        assert_eq!(of(&["image/png", "image/png"]).as_deref(), Some(""));
    }
}
