//! Which bucket, at which server, and how to be let in.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use hyper::Uri;

/// Longest prefix, in bytes: S3's keys have at most 1,024, and ours need a tenth of that.
const PREFIX_BYTES_MAX: usize = 512;
/// Longest of the other words, in bytes.
const WORD_BYTES_MAX: usize = 512;
/// Where there is no other.
const REGION: &str = "us-east-1";

/// A bucket, or a part of one, that has the files of one server. Shown, it tells neither key nor secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectPlace {
    pub(super) bucket: String,
    /// With a slash at its end, or empty.
    pub(super) prefix: String,
    /// Where it is reached, if that is not at Amazon's: no slash at its end.
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) is_path_style: bool,
    pub(super) access_key_id: String,
    pub(super) secret: String,
    /// Those who are trusted, PEM; `None` for those that the machine trusts.
    pub(super) authorities: Option<PathBuf>,
    /// Where files lie on this machine while they come, if there is no data directory that has a place for them.
    pub(crate) spool: PathBuf,
    pub(super) times: ObjectTimes,
}

/// How long an object store may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectTimes {
    /// Until a connection is there, TLS and all, in milliseconds.
    pub connect_millis_max: u64,
    /// For one answer to its end, in milliseconds.
    pub answer_millis_max: u64,
    /// How often what failed is tried again, where it can be.
    pub retries_max: usize,
    /// After how long it is not tried again, in milliseconds.
    pub retry_millis_max: u64,
    /// When what could not be removed, or not looked for, is tried again, in milliseconds.
    pub again_millis: u64,
}

impl Default for ObjectTimes {
    fn default() -> Self {
        Self {
            connect_millis_max: 5_000,
            answer_millis_max: 30_000,
            retries_max: 3,
            retry_millis_max: 45_000,
            again_millis: 60_000,
        }
    }
}

/// What is wrong with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectPlaceError {
    /// The URL.
    #[error(
        "must be \"s3://BUCKET\" or \"s3://BUCKET/PREFIX\": a bucket of 3 to 63 lower-case letters, digits, dots and hyphens, and a prefix of letters, digits and -_. in parts between slashes"
    )]
    Url,
    /// The endpoint.
    #[error("must be \"https://HOST\" or \"https://HOST:PORT\", without a path")]
    Endpoint,
    /// It is to be talked to in the clear, elsewhere than on this machine.
    #[error(
        "would send files in the clear to another machine: use https, or set plain_http = true for a network where nobody listens"
    )]
    Plain,
    /// The region, the key's id or the secret.
    #[error("must be one word of at most 512 letters, digits and signs")]
    Word,
}

impl ObjectPlace {
    /// Reads `s3://BUCKET/PREFIX`. Without more, it is at Amazon's.
    ///
    /// # Errors
    /// [`ObjectPlaceError::Url`].
    pub fn parse(url: &str) -> Result<Self, ObjectPlaceError> {
        let rest = url.strip_prefix("s3://").ok_or(ObjectPlaceError::Url)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_bucket(bucket) || !is_prefix(prefix) {
            return Err(ObjectPlaceError::Url);
        }
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix,
            endpoint: None,
            region: REGION.to_owned(),
            is_path_style: false,
            access_key_id: String::new(),
            secret: String::new(),
            authorities: None,
            spool: PathBuf::new(),
            times: ObjectTimes::default(),
        })
    }

    /// Another server than Amazon's, by `https://HOST:PORT`; by `http://` only on this machine, or where that is said.
    /// Buckets are in the path there, unless [`with_path_style`](Self::with_path_style) says otherwise.
    ///
    /// # Errors
    /// [`ObjectPlaceError::Endpoint`], [`ObjectPlaceError::Plain`].
    pub fn with_endpoint(mut self, url: &str, plain_http: bool) -> Result<Self, ObjectPlaceError> {
        let text = url.strip_suffix('/').unwrap_or(url);
        let uri: Uri = text.parse().map_err(|_| ObjectPlaceError::Endpoint)?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or(ObjectPlaceError::Endpoint)?;
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !is_bare || text.contains(['@', '#', '?']) || text.ends_with('/') {
            return Err(ObjectPlaceError::Endpoint);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if plain_http || is_here(host) => {}
            Some("http") => return Err(ObjectPlaceError::Plain),
            _ => return Err(ObjectPlaceError::Endpoint),
        }
        self.endpoint = Some(text.to_owned());
        self.is_path_style = true;
        Ok(self)
    }

    /// Whether the bucket stands in the path of requests, or before the name of the host.
    #[must_use]
    pub fn with_path_style(mut self, is_path_style: bool) -> Self {
        self.is_path_style = is_path_style;
        self
    }

    /// The region, `us-east-1` by default.
    ///
    /// # Errors
    /// [`ObjectPlaceError::Word`].
    pub fn with_region(mut self, region: &str) -> Result<Self, ObjectPlaceError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !is_word(region) || !region.bytes().all(is_name) {
            return Err(ObjectPlaceError::Word);
        }
        region.clone_into(&mut self.region);
        Ok(self)
    }

    /// How to be let in.
    ///
    /// # Errors
    /// [`ObjectPlaceError::Word`].
    pub fn with_key(mut self, id: &str, secret: &str) -> Result<Self, ObjectPlaceError> {
        if !is_word(id) || !is_word(secret) {
            return Err(ObjectPlaceError::Word);
        }
        id.clone_into(&mut self.access_key_id);
        secret.clone_into(&mut self.secret);
        Ok(self)
    }

    /// The file of those who are trusted to say who a server is, PEM, in place of those that the machine trusts.
    #[must_use]
    pub fn with_authorities(mut self, file: PathBuf) -> Self {
        self.authorities = Some(file);
        self
    }

    /// The folder where files lie on this machine while they come, for a store that has no data directory.
    #[must_use]
    pub fn with_spool(mut self, folder: PathBuf) -> Self {
        self.spool = folder;
        self
    }

    /// How long the store may take.
    #[must_use]
    pub fn with_times(mut self, times: ObjectTimes) -> Self {
        self.times = times;
        self
    }

    /// Whether what passes can be read on its way.
    #[must_use]
    pub fn is_unprotected(&self) -> bool {
        let endpoint = self.endpoint.as_deref().unwrap_or_default();
        let host = endpoint.parse::<Uri>().ok();
        let is_here = host.and_then(|uri| uri.host().map(is_here)) == Some(true);
        endpoint.starts_with("http://") && !is_here
    }

    /// Where the client finds the bucket: with the bucket's name, where that stands before the host's.
    pub(super) fn bucket_endpoint(&self) -> Option<String> {
        let endpoint = self.endpoint.as_ref()?;
        if self.is_path_style {
            return Some(endpoint.clone());
        }
        let (scheme, rest) = endpoint.split_once("://")?;
        Some(format!("{scheme}://{}.{rest}", self.bucket))
    }
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if let Some(prefix) = self.prefix.strip_suffix('/') {
            write!(f, "/{prefix}")?;
        }
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => write!(f, " at Amazon's {}", self.region),
        }
    }
}

impl fmt::Debug for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectPlace")
            .field(&self.to_string())
            .finish()
    }
}

/// As Amazon has it; what others allow besides is not needed.
fn is_bucket(name: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_any = |byte: u8| is_inside(byte) || matches!(byte, b'.' | b'-');
    (3..=63).contains(&name.len())
        && name.bytes().all(is_any)
        && name.bytes().next().is_some_and(is_inside)
        && name.bytes().last().is_some_and(is_inside)
        && !name.contains("..")
}

/// Nothing that has to be written otherwise in a URL.
fn is_prefix(prefix: &str) -> bool {
    let is_any = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_any);
    prefix.is_empty() || (prefix.len() <= PREFIX_BYTES_MAX && prefix.split('/').all(is_part))
}

fn is_word(text: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        for (url, shown) in [
            ("s3://chat-files", "s3://chat-files at Amazon's us-east-1"),
            ("s3://chat-files/", "s3://chat-files at Amazon's us-east-1"),
            ("s3://a.b/c/d_e/", "s3://a.b/c/d_e at Amazon's us-east-1"),
        ] {
            assert_eq!(ObjectPlace::parse(url).unwrap().to_string(), shown);
        }
        for url in [
            "",
            "s3:",
            "s3://",
            "s3://ab",
            "s3://Bucket",
            "s3://-bucket",
            "s3://bucket.",
            "s3://a..b",
            "s3://bucket//a",
            "s3://bucket/../a",
            "s3://bucket/a b",
            "s3://bucket/%2e",
            "https://bucket",
            "s3://user:secret@bucket",
        ] {
            assert_eq!(ObjectPlace::parse(url), Err(ObjectPlaceError::Url), "{url}");
        }
    }

    #[test]
    fn nothing_goes_in_the_clear_unless_it_is_said() {
        let place = ObjectPlace::parse("s3://bucket").unwrap();
        let with = |url: &str, plain| place.clone().with_endpoint(url, plain);
        for url in [
            "http://127.0.0.1:9000",
            "http://[::1]:9000/",
            "http://localhost",
        ] {
            assert!(!with(url, false).unwrap().is_unprotected(), "{url}");
        }
        assert_eq!(
            with("http://minio:9000", false),
            Err(ObjectPlaceError::Plain)
        );
        assert_eq!(
            with("http://127.0.0.1.example.org", false),
            Err(ObjectPlaceError::Plain)
        );
        assert!(with("http://minio:9000", true).unwrap().is_unprotected());
        assert!(!with("https://minio:9000", false).unwrap().is_unprotected());
        for url in [
            "minio",
            "ftp://minio",
            "https://",
            "https://minio/path",
            "https://minio?a",
            "https://minio#a",
            "https://user:secret@minio",
            "https://minio//",
            "",
        ] {
            assert_eq!(with(url, true), Err(ObjectPlaceError::Endpoint), "{url}");
        }
    }

    #[test]
    fn buckets_stand_in_the_path_or_before_the_host() {
        let place = ObjectPlace::parse("s3://bucket/a").unwrap();
        let place = place.with_endpoint("https://garage:3900", false).unwrap();
        let at = |place: &ObjectPlace| place.bucket_endpoint().unwrap();
        assert_eq!(at(&place), "https://garage:3900");
        let place = place.with_path_style(false);
        assert_eq!(at(&place), "https://bucket.garage:3900");
    }

    #[test]
    fn what_is_shown_tells_no_secret() {
        let place = ObjectPlace::parse("s3://bucket").unwrap();
        let place = place.with_key("the-id", "the-secret").unwrap();
        let shown = format!("{place} {place:?}");
        assert!(!shown.contains("the-"), "{shown}");
        for (id, secret) in [("", "a"), ("a", ""), ("a b", "c"), ("a", "b\n")] {
            let refused = place.clone().with_key(id, secret);
            assert_eq!(refused, Err(ObjectPlaceError::Word));
        }
    }
}
