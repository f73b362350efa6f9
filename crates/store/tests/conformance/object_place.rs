//! The object store that tests have, and places with their blobs in it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use waxwing_store::{
    ObjectPlace, ObjectTimes, OpenError, PostgresOptions, Shape, SqliteOptions, Store,
};

use crate::place::{Place, TestDirectory};
use crate::server::InPostgres;

pub(crate) use waxwing_objects::{BUCKET, Fault, Front, KEY_ID, SECRET, Server, files_below};

/// Soon enough for a test.
pub(crate) const TIMES: ObjectTimes = ObjectTimes {
    connect_millis_max: 2_000,
    answer_millis_max: 2_000,
    retries_max: 1,
    retry_millis_max: 4_000,
    again_millis: 100,
};

/// The server that all tests share: it goes with the process.
pub(crate) fn shared_server(name: &str) -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server = SHARED.get_or_init(Server::new).as_ref();
    if server.is_none()
        && let Some(file) = std::env::var_os("WAXWING_SKIPS")
    {
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        let why = "versitygw is not there (`cargo xtask test` builds it where there is Go)";
        writeln!(file, "store/objects/{name}: {why}").unwrap();
    }
    server
}

/// A prefix that nobody else has, at this endpoint.
pub(crate) fn fresh(endpoint: &str) -> ObjectPlace {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    at(endpoint, &format!("s3://{BUCKET}/test-{number}"))
}

pub(crate) fn at(endpoint: &str, url: &str) -> ObjectPlace {
    let place = ObjectPlace::parse(url).unwrap();
    let place = place.with_endpoint(endpoint, false).unwrap();
    let place = place.with_key(KEY_ID, SECRET).unwrap();
    place.with_times(TIMES)
}

/// A data directory with its blobs in an object store.
pub(crate) struct InObjects {
    pub(crate) server: &'static Server,
    pub(crate) directory: TestDirectory,
    pub(crate) objects: ObjectPlace,
}

impl InObjects {
    pub(crate) fn new(name: &str) -> Option<Self> {
        let server = shared_server(name)?;
        Some(Self {
            server,
            directory: TestDirectory::new(),
            objects: fresh(&server.endpoint()),
        })
    }

    /// The keys of its blobs.
    pub(crate) fn keys(&self) -> Vec<String> {
        let below = self.folder().join("blobs");
        files_below(&below)
    }

    /// Where the server keeps what it has.
    pub(crate) fn folder(&self) -> PathBuf {
        folder(self.server, &self.objects)
    }

    pub(crate) fn options(&self) -> SqliteOptions {
        SqliteOptions {
            objects: Some(self.objects.clone()),
            ..SqliteOptions::default()
        }
    }
}

/// Where the server keeps what is below a place's prefix.
pub(crate) fn folder(server: &Server, objects: &ObjectPlace) -> PathBuf {
    let shown = objects.to_string();
    let (url, _) = shown.split_once(' ').unwrap();
    let (_, prefix) = url.strip_prefix("s3://").unwrap().split_once('/').unwrap();
    server.objects(BUCKET).join(prefix)
}

impl Place for InObjects {
    fn try_open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        Store::sqlite(self.directory.path(), &self.options(), shapes)
    }
}

/// A database with its blobs in an object store.
pub(crate) struct InBoth {
    pub(crate) postgres: InPostgres,
    pub(crate) objects: InObjects,
}

impl InBoth {
    pub(crate) fn new(name: &str) -> Option<Self> {
        let mut objects = InObjects::new(name)?;
        let spool = objects.directory.path().join("spool");
        objects.objects = objects.objects.with_spool(spool);
        Some(Self {
            postgres: InPostgres::new(name)?,
            objects,
        })
    }
}

impl Place for InBoth {
    fn try_open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        let options = PostgresOptions {
            objects: Some(self.objects.objects.clone()),
            ..PostgresOptions::default()
        };
        Store::postgres(&self.postgres.address(), &options, shapes)
    }
}
