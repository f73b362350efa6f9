//! The section `[blobs]`: an object store for files, in place of the data directory or the database.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use waxwing_store::{ObjectPlace, ObjectPlaceError};
use waxwing_stream::Secret;

use super::ConfigError;
use super::reader::Reader;

pub(super) const KEYS: &[&str] = &[
    "url",
    "endpoint",
    "region",
    "access_key_id",
    "secret_file",
    "path_style",
    "plain_http",
    "authorities_file",
];

/// An object store, and how to be let in. It shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blobs {
    /// Where it is, without the key.
    place: ObjectPlace,
    access_key_id: String,
    /// The file with the key's secret.
    pub secret_file: PathBuf,
    /// The secret, once the file was read.
    pub secret: Option<Secret>,
}

impl Blobs {
    /// Where it is, with the key.
    ///
    /// # Errors
    /// The secret is none that a key can have.
    pub(crate) fn place(&self) -> Result<ObjectPlace, ObjectPlaceError> {
        let secret = self.secret.as_ref().map_or("", Secret::expose);
        self.place.clone().with_key(&self.access_key_id, secret)
    }

    /// Where it is, for people.
    pub(crate) fn shown(&self) -> String {
        self.place.to_string()
    }
}

impl Reader<'_> {
    pub(super) fn blobs(
        &self,
        table: &DeTable<'_>,
        folder: &Path,
    ) -> Result<Option<Blobs>, ConfigError> {
        for entry in table.iter() {
            self.known("blobs", entry, KEYS)?;
        }
        let Some(url) = table.get("url") else {
            return match table.iter().next() {
                Some((key, value)) => {
                    let key = format!("blobs.{}", key.get_ref());
                    let reason = "does nothing without 'blobs.url'".to_owned();
                    Err(self.invalid(&key, value, reason))
                }
                None => Ok(None),
            };
        };
        let needed = |name: &str| {
            let value = table.get(name).ok_or_else(|| {
                let text = format!("needs 'blobs.{name}' beside it, which is missing");
                self.invalid("blobs.url", url, text)
            })?;
            Ok((self.text(&format!("blobs.{name}"), value)?, value))
        };
        let (access_key_id, id) = needed("access_key_id")?;
        let (secret_file, _) = needed("secret_file")?;
        let place = self.object_place(table, url, folder)?;
        // Whether the secret can be one is looked at when it was read.
        let checked = place.clone().with_key(&access_key_id, "secret");
        self.fits("blobs.access_key_id", id, checked)?;
        Ok(Some(Blobs {
            place,
            access_key_id,
            secret_file: folder.join(secret_file),
            secret: None,
        }))
    }

    fn fits(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        place: Result<ObjectPlace, ObjectPlaceError>,
    ) -> Result<ObjectPlace, ConfigError> {
        place.map_err(|error| self.invalid(key, value, error.to_string()))
    }

    fn object_place(
        &self,
        table: &DeTable<'_>,
        url: &Spanned<DeValue<'_>>,
        folder: &Path,
    ) -> Result<ObjectPlace, ConfigError> {
        let text = self.text("blobs.url", url)?;
        let mut place = self.fits("blobs.url", url, ObjectPlace::parse(&text))?;
        let plain_http = match table.get("plain_http") {
            Some(value) => self.flag("blobs.plain_http", value)?,
            None => false,
        };
        if let Some(value) = table.get("endpoint") {
            let key = "blobs.endpoint";
            let text = self.text(key, value)?;
            place = self.fits(key, value, place.with_endpoint(&text, plain_http))?;
        }
        if let Some(value) = table.get("region") {
            let text = self.text("blobs.region", value)?;
            place = self.fits("blobs.region", value, place.with_region(&text))?;
        }
        if let Some(value) = table.get("path_style") {
            place = place.with_path_style(self.flag("blobs.path_style", value)?);
        }
        if let Some(value) = table.get("authorities_file") {
            let file = self.text("blobs.authorities_file", value)?;
            place = place.with_authorities(folder.join(file));
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const WHOLE: &str =
        "url = \"s3://files/chat\"\naccess_key_id = \"id\"\nsecret_file = \"s3.secret\"\n";

    fn parse(blobs: &str) -> Result<Config, String> {
        let text = format!("domains = [\"example.org\"]\ndata_dir = \"/data\"\n[blobs]\n{blobs}");
        Config::parse(&text, Path::new("/etc/waxwing")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_object_store_is_read() {
        assert_eq!(parse("").unwrap().blobs, None);
        let blobs = parse(WHOLE).unwrap().blobs.unwrap();
        assert_eq!(blobs.shown(), "s3://files/chat at Amazon's us-east-1");
        assert_eq!(blobs.secret_file, Path::new("/etc/waxwing/s3.secret"));
        let text = format!(
            "{WHOLE}endpoint = \"https://minio.example.org:9000\"\nregion = \"home\"\npath_style = false\n"
        );
        let blobs = parse(&text).unwrap().blobs.unwrap();
        assert_eq!(
            blobs.shown(),
            "s3://files/chat at https://minio.example.org:9000"
        );
        let plain = format!("{WHOLE}endpoint = \"http://minio:9000\"\nplain_http = true\n");
        assert!(parse(&plain).is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let with = |more: &str| format!("{WHOLE}{more}\n");
        for (text, said) in [
            (
                "endpoint = \"https://a\"".to_owned(),
                "does nothing without 'blobs.url'",
            ),
            (
                "url = \"s3://files\"".to_owned(),
                "needs 'blobs.access_key_id'",
            ),
            (
                "url = \"s3://files\"\naccess_key_id = \"a\"".to_owned(),
                "needs 'blobs.secret_file'",
            ),
            (
                WHOLE.replace("s3://", "https://"),
                "line 4: 'blobs.url' must be \"s3://BUCKET\"",
            ),
            (
                WHOLE.replace("\"id\"", "\"i d\""),
                "'blobs.access_key_id' must be one word",
            ),
            (
                with("endpoint = \"http://minio:9000\""),
                "would send files in the clear",
            ),
            (with("endpoint = \"minio\""), "must be \"https://HOST\""),
            (with("region = \"a b\""), "must be one word"),
            (with("path_style = 1"), "must be true or false"),
            (with("secret = \"a\""), "did you mean 'blobs.secret_file'?"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
