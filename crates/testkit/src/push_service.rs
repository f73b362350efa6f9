//! A push service and a client of it: all that the server posts comes here, is checked, and can be read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending, ready};
use serde_json::Value;
use waxwing_server::{Web, WebAnswer, WebError, WebRequest};

/// Longest time that a token may be good for (RFC 8292 §2).
const TOKEN_SECS_MAX: u64 = 86_400;
/// Salt, size of records and length of the key in front of the first record (RFC 8188 §2.1), with the key.
const HEAD_BYTES: usize = 16 + 4 + 1 + 65;

/// What the push service does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Post {
    /// It answers so.
    Answer(WebAnswer),
    /// It is not reached.
    Fail(WebError),
    /// It takes the request and never answers.
    Hang,
}

impl Post {
    /// It answers by this status code, and says no more.
    #[must_use]
    pub fn status(status: u16) -> Post {
        Post::Answer(WebAnswer {
            status,
            retry_after_secs: None,
        })
    }
}

struct State {
    does: Post,
    /// What it does with requests of one origin.
    at: BTreeMap<String, Post>,
    requests: Vec<WebRequest>,
}

/// The push service that all requests go to. Clones share it.
#[derive(Clone)]
pub struct Posted(Arc<Mutex<State>>);

impl Default for Posted {
    /// One that takes everything.
    fn default() -> Self {
        Posted(Arc::new(Mutex::new(State {
            does: Post::status(201),
            at: BTreeMap::new(),
            requests: Vec::new(),
        })))
    }
}

impl Posted {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it does this.
    pub fn behave(&self, does: Post) {
        self.state().does = does;
    }

    /// From now on it does this with what is posted to an origin.
    pub fn behave_at(&self, origin: &str, does: Post) {
        self.state().at.insert(origin.to_owned(), does);
    }

    /// What was posted since this was asked last.
    #[must_use]
    pub fn take(&self) -> Vec<WebRequest> {
        std::mem::take(&mut self.state().requests)
    }
}

impl Web for Posted {
    fn post(&self, request: WebRequest) -> BoxFuture<'static, Result<WebAnswer, WebError>> {
        let mut state = self.state();
        let at = state.at.get(&request.endpoint.origin()).copied();
        state.requests.push(request);
        match at.unwrap_or(state.does) {
            Post::Answer(answer) => ready(Ok(answer)).boxed(),
            Post::Fail(error) => ready(Err(error)).boxed(),
            Post::Hang => pending().boxed(),
        }
    }
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// A field that has to be there is not, or says something else.
    #[error("the field {0} is missing or wrong")]
    Field(&'static str),
    /// The token is no token, or not signed by the key beside it.
    #[error("the token is not signed by its key")]
    Signature,
    /// The token is for another push service, or its time is wrong.
    #[error("the token is not for here and now")]
    Claims,
    /// It cannot be decrypted.
    #[error("it cannot be decrypted")]
    Sealed,
}

/// A client that has subscribed to the push service.
pub struct PushClient {
    private: PrivateKey,
    public: Vec<u8>,
    auth: [u8; 16],
}

impl PushClient {
    /// One whose keys are made from this number.
    ///
    /// # Errors
    /// [`PostError::Sealed`]: no key can be made from it.
    pub fn new(number: u8) -> Result<PushClient, PostError> {
        let private = PrivateKey::from_private_key(&ECDH_P256, &[number; 32]);
        let private = private.map_err(|_| PostError::Sealed)?;
        let public = private.compute_public_key();
        let public = public.map_err(|_| PostError::Sealed)?.as_ref().to_vec();
        Ok(PushClient {
            private,
            public,
            auth: [number; 16],
        })
    }

    /// Its public key, in base64url.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64.encode(&self.public)
    }

    /// What it shares with whoever writes to it, in base64url.
    #[must_use]
    pub fn auth(&self) -> String {
        BASE64.encode(self.auth)
    }

    /// Reads what was posted, as the push service checks it (RFC 8030 §5, RFC 8292 §4.2) and the client decrypts it
    /// (RFC 8291 §4). `key` is the one that the client has subscribed with.
    ///
    /// # Errors
    /// [`PostError`]: what is wrong with it.
    pub fn open(&self, post: &WebRequest, key: &str, now_secs: u64) -> Result<Value, PostError> {
        let field = |name: &'static str| {
            let mut fields = post.headers.iter();
            let found = fields.find(|(known, _)| *known == name);
            found
                .map(|(_, value)| value.as_str())
                .ok_or(PostError::Field(name))
        };
        let ttl = field("TTL")?.parse::<u32>();
        ttl.map_err(|_| PostError::Field("TTL"))?;
        if field("Content-Encoding")? != "aes128gcm" {
            return Err(PostError::Field("Content-Encoding"));
        }
        let claims = claims(field("Authorization")?, key)?;
        let until = claims.get("exp").and_then(Value::as_u64);
        let until = until.ok_or(PostError::Claims)?;
        let origin = post.endpoint.origin();
        let is_for_here = claims.get("aud").and_then(Value::as_str) == Some(origin.as_str());
        if !is_for_here || until <= now_secs || until > now_secs + TOKEN_SECS_MAX {
            return Err(PostError::Claims);
        }
        let text = self.decrypt(&post.body).ok_or(PostError::Sealed)?;
        serde_json::from_slice(&text).map_err(|_| PostError::Sealed)
    }

    fn decrypt(&self, body: &[u8]) -> Option<Vec<u8>> {
        let head = body.get(..HEAD_BYTES)?;
        let (salt, size) = (head.get(..16)?, head.get(16..20)?);
        let (length, sender) = (head.get(20)?, head.get(21..)?);
        let record = body.get(HEAD_BYTES..)?;
        let size = u32::from_be_bytes(size.try_into().ok()?);
        if *length != 65 || record.len() > size as usize || body.len() > 4_096 {
            return None;
        }
        let sender_key = agreement::UnparsedPublicKey::new(&ECDH_P256, sender);
        let shared = agreement::agree(&self.private, sender_key, (), |shared| Ok(shared.to_vec()));
        let first = hmac(&self.auth, &shared.ok()?);
        let info: [&[u8]; 4] = [b"WebPush: info\0", &self.public, sender, &[1]];
        let key = hmac(salt, &hmac(&first, &info.concat()));
        let content_key = hmac(&key, b"Content-Encoding: aes128gcm\0\x01");
        let nonce = hmac(&key, b"Content-Encoding: nonce\0\x01");
        let content_key = UnboundKey::new(&AES_128_GCM, content_key.get(..16)?).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(nonce.get(..12)?).ok()?;
        let mut record = record.to_vec();
        let plain = LessSafeKey::new(content_key).open_in_place(nonce, Aad::empty(), &mut record);
        // Behind the text of the last record stands a 2, and nothing but zeros (RFC 8188 §2).
        let plain = plain.ok()?;
        let end = plain.iter().rposition(|byte| *byte != 0)?;
        (plain.get(end) == Some(&2)).then(|| plain.get(..end).unwrap_or_default().to_vec())
    }
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), text).as_ref().to_vec()
}

/// What a token says that is signed by the key.
fn claims(field: &str, key: &str) -> Result<Value, PostError> {
    let rest = field.strip_prefix("vapid t=");
    let (token, by) = rest
        .and_then(|rest| rest.split_once(", k="))
        .ok_or(PostError::Field("Authorization"))?;
    let decoded = |text: &str| BASE64.decode(text).map_err(|_| PostError::Signature);
    let (signed, signature) = token.rsplit_once('.').ok_or(PostError::Signature)?;
    let public = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decoded(by)?);
    let verified = public.verify(signed.as_bytes(), &decoded(signature)?);
    if by != key || verified.is_err() {
        return Err(PostError::Signature);
    }
    let (header, claims) = signed.split_once('.').ok_or(PostError::Signature)?;
    let read = |text: &str| -> Result<Value, PostError> {
        serde_json::from_slice(&decoded(text)?).map_err(|_| PostError::Signature)
    };
    if read(header)?.get("alg").and_then(Value::as_str) != Some("ES256") {
        return Err(PostError::Signature);
    }
    read(claims)
}
