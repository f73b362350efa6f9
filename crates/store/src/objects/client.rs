//! What is asked of the bucket.

use std::path::Path as File;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, MultipartId, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
};

use super::authorities;
use super::fault::{ObjectFault, noted};
use super::http::Http;
use super::place::ObjectPlace;
use crate::blob::BlobHash;

/// First and longest pause before something is tried again, in milliseconds.
const PAUSE_MILLIS: (u64, u64) = (100, 5_000);
/// Longest text that is read of the object that says whose the files are.
const TEXT_BYTES_MAX: u64 = 1_024;

/// The objects below one prefix. It has the secret, and is not shown.
pub(super) struct Client {
    store: AmazonS3,
    prefix: String,
}

impl Client {
    pub(super) fn new(place: &ObjectPlace) -> Result<Self, String> {
        let is_plain = |endpoint: &String| endpoint.starts_with("http://");
        let roots = match &place.authorities {
            // Nobody has to be trusted.
            None if place.endpoint.as_ref().is_some_and(is_plain) => rustls::RootCertStore::empty(),
            None => authorities::read(File::new(authorities::MACHINE))?,
            Some(file) => authorities::read(file)?,
        };
        let http = Http::new(roots, place.times);
        let http = http.map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let (first, longest) = PAUSE_MILLIS;
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(first),
                max_backoff: Duration::from_millis(longest),
                base: 3.0,
            },
            max_retries: place.times.retries_max,
            retry_timeout: Duration::from_millis(place.times.retry_millis_max),
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_access_key_id(&place.access_key_id)
            .with_secret_access_key(&place.secret)
            .with_virtual_hosted_style_request(!place.is_path_style)
            // Many servers have it not, or otherwise.
            .with_disable_bulk_delete(true)
            .with_disable_tagging(true)
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_retry(retry)
            .with_http_connector(http);
        if let Some(endpoint) = place.bucket_endpoint() {
            builder = builder.with_endpoint(endpoint);
        }
        // Its words may repeat what it was given.
        let store = builder.build();
        let store = store.map_err(|_| "the settings do not fit together".to_owned())?;
        Ok(Self {
            store,
            prefix: place.prefix.clone(),
        })
    }

    fn key(&self, name: &str) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    /// The key of a blob.
    pub(super) fn blob(&self, hash: &BlobHash) -> Path {
        let name = hash.to_string();
        self.key(&format!("blobs/{}/{name}", &name[..2]))
    }

    /// A short text; `None` where there is none.
    pub(super) async fn text(&self, name: &str) -> Result<Option<String>, ObjectFault> {
        let key = self.key(name);
        let found = noted(async {
            let found = self.store.get(&key).await?;
            if found.meta.size > TEXT_BYTES_MAX {
                return Ok(Bytes::new());
            }
            found.bytes().await
        });
        match found.await {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(ObjectFault::Gone) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn put_text(&self, name: &str, text: String) -> Result<(), ObjectFault> {
        self.put(&self.key(name), text.into()).await
    }

    /// Whether anything lies below the prefix.
    pub(super) async fn holds_anything(&self) -> Result<bool, ObjectFault> {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        let mut list = self.store.list(prefix.as_ref());
        let first = noted(async { list.next().await.transpose() });
        Ok(first.await?.is_some())
    }

    /// All blobs that lie there, page by page.
    pub(super) fn blobs(&self) -> impl Stream<Item = Result<BlobHash, ObjectFault>> + Unpin {
        let prefix = self.key("blobs");
        let list = self.store.list(Some(&prefix));
        let hashes = futures_util::stream::unfold(list, |mut list| async move {
            loop {
                match noted(async { list.next().await.transpose() }).await {
                    Ok(None) => return None,
                    Err(fault) => return Some((Err(fault), list)),
                    Ok(Some(found)) => {
                        let name = found.location.filename();
                        if let Some(hash) = name.and_then(BlobHash::from_hex) {
                            return Some((Ok(hash), list));
                        }
                    }
                }
            }
        });
        Box::pin(hashes)
    }

    /// Its length in bytes; `None` where it is not there, or the bucket is not.
    pub(super) async fn length(&self, key: &Path) -> Result<Option<u64>, ObjectFault> {
        match noted(self.store.head(key)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(ObjectFault::Gone) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Bytes from one offset to before another, which must all be there.
    pub(super) async fn read(&self, key: &Path, from: u64, to: u64) -> Result<Bytes, ObjectFault> {
        let bytes = noted(self.store.get_range(key, from..to)).await?;
        if bytes.len() as u64 != to - from {
            return Err(ObjectFault::Damaged);
        }
        Ok(bytes)
    }

    /// Bytes of a blob of this length from an offset on, as many as there are and may be.
    pub(super) async fn part(
        &self,
        hash: &BlobHash,
        length: u64,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Bytes, ObjectFault> {
        let end = offset.saturating_add(bytes_max as u64).min(length);
        if offset >= end {
            return Ok(Bytes::new());
        }
        self.read(&self.blob(hash), offset, end).await
    }

    pub(super) async fn put(&self, key: &Path, bytes: Bytes) -> Result<(), ObjectFault> {
        noted(self.store.put(key, PutPayload::from_bytes(bytes)))
            .await
            .map(drop)
    }

    /// Removes it; it may not be there.
    pub(super) async fn delete(&self, key: &Path) -> Result<(), ObjectFault> {
        match noted(self.store.delete(key)).await {
            Err(ObjectFault::Gone) => Ok(()),
            done => done,
        }
    }

    /// Begins an object that comes in parts.
    pub(super) async fn begin(&self, key: &Path) -> Result<MultipartId, ObjectFault> {
        noted(self.store.create_multipart(key)).await
    }

    pub(super) async fn put_part(
        &self,
        key: &Path,
        id: &MultipartId,
        number: usize,
        bytes: Bytes,
    ) -> Result<PartId, ObjectFault> {
        let bytes = PutPayload::from_bytes(bytes);
        noted(self.store.put_part(key, id, number, bytes)).await
    }

    pub(super) async fn complete(
        &self,
        key: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<(), ObjectFault> {
        noted(self.store.complete_multipart(key, id, parts))
            .await
            .map(drop)
    }

    /// Forgets parts of what will not be complete; they may be gone already.
    pub(super) async fn abort(&self, key: &Path, id: &MultipartId) -> Result<(), ObjectFault> {
        match noted(self.store.abort_multipart(key, id)).await {
            Err(ObjectFault::Gone) => Ok(()),
            done => done,
        }
    }
}
