//! A file goes: GET and HEAD.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{empty, try_unfold};
use waxwing_server::Server;
use waxwing_server::uploads::conditions::{Conditions, Part};
use waxwing_server::uploads::{Served, file_name, id_in_path, media_type};
use waxwing_store::Blob;

use crate::site::Site;
use crate::upload::{absent, guarded, said};

/// Longest time for which a client may keep a file, in seconds. It never changes, and may go.
const CACHE_SECS_MAX: u64 = 86_400;

/// `GET /upload/ID/NAME`, and HEAD.
pub(crate) async fn fetch(
    State(site): State<Arc<Site>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let server = &site.serving.server;
    let Some(id) = id_in_path(uri.path()) else {
        return absent();
    };
    let served = match server.served_upload(id).await {
        Ok(Some(served)) => served,
        Ok(None) => return absent(),
        Err(error) => {
            tracing::error!(%error, "a file could not be found");
            return said(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer");
        }
    };
    let is_get = method == Method::GET;
    let tag = format!("\"{}\"", served.blob.hash());
    let length = served.blob.length();
    let part = asked(&headers, is_get, &tag, length);
    let mut response = match part {
        Part::Failed => return said(StatusCode::PRECONDITION_FAILED, "it is another file"),
        Part::Unsatisfiable => {
            let mut response = said(StatusCode::RANGE_NOT_SATISFIABLE, "it is not that long");
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{length}"),
            );
            return response;
        }
        Part::NotModified => not_modified(length),
        Part::All => content(server, &served, is_get, 0, length),
        Part::Some {
            first,
            length: some,
        } => {
            let mut response = content(server, &served, is_get, first, some);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let last = first + (some - 1);
            let range = format!("bytes {first}-{last}/{length}");
            set(&mut response, header::CONTENT_RANGE, &range);
            response
        }
    };
    let secs = served
        .secs_left
        .map_or(CACHE_SECS_MAX, |left| left.min(CACHE_SECS_MAX));
    set(&mut response, header::ETAG, &tag);
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    // Whoever has the address has the file: it is nothing for a cache that others share.
    let cache = format!("private, max-age={secs}, immutable");
    set(&mut response, header::CACHE_CONTROL, &cache);
    guarded(response)
}

/// Which part of it is wanted, and whether it is wanted at all.
fn asked(headers: &HeaderMap, is_get: bool, tag: &str, length: u64) -> Part {
    let lines = |name: HeaderName| -> Vec<&[u8]> {
        let all = headers.get_all(name).iter();
        all.map(HeaderValue::as_bytes).collect()
    };
    let conditions = Conditions {
        is_get,
        if_match: &lines(header::IF_MATCH),
        if_none_match: &lines(header::IF_NONE_MATCH),
        if_range: &lines(header::IF_RANGE),
        range: &lines(header::RANGE),
    };
    conditions.part(tag.as_bytes(), length)
}

/// Who asks has it. If a length is said here, it is the file's (RFC 9110 §8.6); of an empty body, 0 would be said.
fn not_modified(length: u64) -> Response {
    let nothing = Body::from_stream(empty::<io::Result<Bytes>>());
    let mut response = (StatusCode::NOT_MODIFIED, nothing).into_response();
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    response
}

/// Bytes of a file, and what they are.
fn content(server: &Server, served: &Served, is_get: bool, first: u64, length: u64) -> Response {
    let body = match is_get {
        true => stream(server.clone(), served.blob.clone(), first, length),
        false => Body::empty(),
    };
    let mut response = body.into_response();
    let manner = media_type::manner(&served.media_type);
    let disposition = file_name::disposition(&served.name, manner.is_inline);
    set(&mut response, header::CONTENT_TYPE, manner.content_type);
    set(&mut response, header::CONTENT_DISPOSITION, &disposition);
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    response
}

/// Reads as fast as the client takes it.
fn stream(server: Server, blob: Blob, first: u64, length: u64) -> Body {
    let pieces = try_unfold((first, length), move |(at, left)| {
        let (server, blob) = (server.clone(), blob.clone());
        async move {
            // As much of it as is held.
            let best = blob.read_bytes_best();
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(best);
            if most == 0 {
                return Ok(None);
            }
            let bytes = blob.read(at, most).await.map_err(io::Error::other)?;
            let read = bytes.len() as u64;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            server.note_upload_sent(read);
            Ok(Some((bytes, (at + read, left.saturating_sub(read)))))
        }
    });
    Body::from_stream(pieces)
}

/// What is written here is ASCII without control characters.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
