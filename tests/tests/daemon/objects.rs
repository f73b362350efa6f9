//! Files in an object store, as those who bring and fetch them meet it.

use std::fs;

use serde_json::Value;
use waxwing_objects::{BUCKET, Fault, Front, KEY_ID, SECRET, Server, files_below};
use waxwing_tests::{Built, BuiltOptions};

use crate::check::texts;
use crate::machine::skip;
use crate::rig::{ALICE, available, done, failed, soon};
use crate::upload::takes_little_memory;
use crate::web::{fetch, put, slot};

/// A server of the test's own; `None` where there is none, which the runner is told.
fn objects(name: &str) -> Option<Server> {
    let server = Server::new();
    if server.is_none() {
        let why = "versitygw is not there (`cargo xtask test` builds it where there is Go)";
        skip(&format!("daemon/objects/{name}"), why);
    }
    server
}

fn section(endpoint: &str) -> String {
    format!(
        "\n[blobs]\nurl = \"s3://{BUCKET}/chat\"\nendpoint = \"{endpoint}\"\naccess_key_id = \"{KEY_ID}\"\n\
         secret_file = \"s3.secret\"\n"
    )
}

fn options(name: &str, endpoint: &str) -> BuiltOptions {
    let mut options = BuiltOptions::new(name).account(ALICE.0, ALICE.1);
    options.secrets = vec![("s3.secret".to_owned(), format!("{SECRET}\n"))];
    options.config = section(endpoint);
    options.log = "trace".to_owned();
    options
}

/// The keys of the files that the object store has.
fn kept(server: &Server) -> Vec<String> {
    files_below(&server.objects(BUCKET).join("chat/blobs"))
}

async fn until_kept(server: &Server, number: usize) {
    let gone = async {
        while kept(server).len() != number {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon(gone).await;
}

fn nothing_is_told(built: &Built) {
    let log = built.log().unwrap();
    for secret in [SECRET, KEY_ID] {
        assert!(!log.contains(secret), "the log tells {secret}");
    }
}

/// More than one part of an object.
fn content() -> Vec<u8> {
    (0..6_000_000_u32).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn a_file_comes_goes_and_is_removed() {
    let Some(server) = objects("way") else {
        return;
    };
    let mut built = Built::start(options("objects-way", &server.endpoint())).unwrap();
    let content = content();
    let mut alice = available(&built, ALICE).await;
    let given = slot(&mut alice, "a.bin", content.len() as u64, None).await;
    assert_eq!(put(&built, &given, "", &content).await.status, 201);
    let keys = kept(&server);
    assert_eq!(keys.len(), 1);
    let answer = fetch(&built, "GET", &given.path, "").await;
    assert!(answer.status == 200 && answer.content == content);
    let tag = answer.header("etag").unwrap().trim_matches('"').to_owned();
    assert!(keys[0].ends_with(&tag), "{keys:?}");
    let range = "Range: bytes=5242870-5242889\r\n";
    let answer = fetch(&built, "GET", &given.path, range).await;
    assert_eq!(answer.status, 206);
    assert_eq!(answer.content, content[5_242_870..5_242_890]);
    // What was told to be kept is there after a crash of both.
    built.kill().unwrap();
    server.stop();
    server.start();
    built.restart().unwrap();
    let answer = fetch(&built, "GET", &given.path, "Range: bytes=-9\r\n").await;
    assert_eq!(
        (answer.status, &answer.content[..]),
        (206, &content[content.len() - 9..])
    );
    // Nothing of it is on this machine.
    let left = files_below(&built.data_dir.join("blobs"));
    assert!(left.iter().all(|name| name == "objects"), "{left:?}");
    done(&built, &["account", "remove", "alice@waxwing.example"]);
    assert_eq!(fetch(&built, "GET", &given.path, "").await.status, 404);
    until_kept(&server, 0).await;
    nothing_is_told(&built);
}

#[tokio::test]
async fn without_the_object_store_a_slot_stays_good() {
    let Some(server) = objects("lost") else {
        return;
    };
    let front = Front::before(server.port());
    let mut built = Built::start(options("objects-lost", &front.endpoint())).unwrap();
    let mut alice = available(&built, ALICE).await;
    let kept_before = slot(&mut alice, "a", 5, None).await;
    assert_eq!(put(&built, &kept_before, "", b"first").await.status, 201);
    let given = slot(&mut alice, "b", 6, None).await;
    for fault in [Fault::Status(403), Fault::Cut] {
        front.set(fault);
        let answer = put(&built, &given, "", b"second").await;
        assert_eq!(answer.status, 503, "{fault:?}: {}", answer.head);
        assert_eq!(answer.content, b"the store does not answer\n");
        let answer = fetch(&built, "GET", &kept_before.path, "").await;
        // Its length may be known still, and then it breaks off.
        assert!(
            answer.status == 503 || answer.content.is_empty(),
            "{fault:?}: {}",
            answer.head
        );
    }
    // It starts without it, and whoever only writes messages notices nothing.
    drop(alice);
    built.kill().unwrap();
    built.restart().unwrap();
    let _alice = available(&built, ALICE).await;
    let output = built.command(["check", "--offline", "--json"]).unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["starts"], true, "{found}");
    let bad = texts(&found, "bad").join("\n");
    assert!(bad.contains("cannot be reached"), "{found}");
    front.set(Fault::None);
    assert_eq!(put(&built, &given, "", b"second").await.status, 201);
    for (given, content) in [(&kept_before, &b"first"[..]), (&given, b"second")] {
        let answer = fetch(&built, "GET", &given.path, "").await;
        assert_eq!((answer.status, &answer.content[..]), (200, content));
    }
    let output = built.command(["check", "--offline", "--json"]).unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(
        found.contains("can be written, read and cleaned up"),
        "{found}"
    );
    assert!(
        !found.contains(SECRET) && !found.contains(KEY_ID),
        "{found}"
    );
    assert_eq!(kept(&server).len(), 2);
    nothing_is_told(&built);
}

#[tokio::test]
async fn what_is_wrong_with_an_object_store_is_said_in_words() {
    let Some(server) = objects("refused") else {
        return;
    };
    let mut built = Built::start(options("objects-refused", &server.endpoint())).unwrap();
    built.stop().unwrap();
    // A secret that others may read.
    let secret = built.configuration().with_file_name("s3.secret");
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o644);
    let said = failed(&built, 2, &["serve", "--log-format", "text"]);
    assert!(
        said.contains("blobs.secret_file") && said.contains("others may read"),
        "{said}"
    );
    assert!(!said.contains(SECRET), "{said}");
    mode(0o600);
    // Somebody else's bucket.
    let claim = server.objects(BUCKET).join("chat/waxwing-store");
    fs::write(&claim, "waxwing files 1\nanother\n").unwrap();
    let said = failed(&built, 1, &["serve", "--log-format", "text"]);
    assert!(
        said.contains("blobs.url") && said.contains("another Waxwing server"),
        "{said}"
    );
}

/// Bytes that a large file may take of memory, on its way in or out.
const EXTRA_BYTES_MAX: u64 = 32 * 1024 * 1024;
const LARGE_BYTES: u64 = 200 * 1024 * 1024;

/// Nothing is held whole.
#[tokio::test]
async fn a_large_file_takes_little_memory() {
    let Some(server) = objects("large") else {
        return;
    };
    let mut options = options("objects-large", &server.endpoint());
    options.log = "info".to_owned();
    options.config +=
        "[options]\nupload_file_bytes_max = 2000000000\nupload_account_bytes_max = 2000000000\n";
    let built = Built::start(options).unwrap();
    takes_little_memory(&built, LARGE_BYTES, EXTRA_BYTES_MAX).await;
}

/// From the disk to the object store and back, with everything else.
#[tokio::test]
async fn files_move_to_the_object_store_and_back() {
    let Some(server) = objects("move") else {
        return;
    };
    let mut options = options("objects-move", &server.endpoint());
    options.config = String::new();
    let mut built = Built::start(options).unwrap();
    if !built.stores_in_files() {
        return;
    }
    let content = content();
    let mut alice = available(&built, ALICE).await;
    let given = slot(&mut alice, "a.bin", content.len() as u64, None).await;
    assert_eq!(put(&built, &given, "", &content).await.status, 201);
    drop(alice);
    built.stop().unwrap();
    let old = built.directory().join("old");
    fs::rename(&built.data_dir, &old).unwrap();
    let on_disk = fs::read_to_string(built.configuration()).unwrap();
    let in_objects = format!("{on_disk}{}", section(&server.endpoint()));
    fs::write(built.configuration(), &in_objects).unwrap();
    let old = old.to_str().unwrap().to_owned();
    let said = done(&built, &["store", "copy", "--from", &old]);
    assert_eq!(
        (&said["same"], &said["found"]["files"]),
        (&true.into(), &1.into()),
        "{said}"
    );
    assert_eq!(kept(&server).len(), 1);
    built.restart().unwrap();
    assert!(fetch(&built, "GET", &given.path, "").await.content == content);
    built.stop().unwrap();
    // Without the section, nothing is lost by mistake.
    fs::write(built.configuration(), &on_disk).unwrap();
    let said = failed(&built, 1, &["serve", "--log-format", "text"]);
    assert!(said.contains("are in s3://"), "{said}");
    // Back.
    fs::write(built.configuration(), &in_objects).unwrap();
    let new = built.directory().join("new");
    done(&built, &["store", "copy", "--to", new.to_str().unwrap()]);
    fs::write(built.configuration(), &on_disk).unwrap();
    fs::remove_dir_all(&built.data_dir).unwrap();
    fs::rename(&new, &built.data_dir).unwrap();
    server.stop();
    built.restart().unwrap();
    assert!(fetch(&built, "GET", &given.path, "").await.content == content);
}
