//! Files by HTTP (XEP-0363): brought, fetched, and everything that goes wrong with them.

use std::fs;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use waxwing_tests::{Built, BuiltOptions};

use crate::metrics::figures;
use crate::rig::{ALICE, available, done, server, soon};
use crate::web::{Answer, Given, answer_of, ask, fetch, get_large, put, put_head, put_large, slot};

/// Something to bring.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n, or nearly so: 0123456789";

/// The files that the server keeps, and those that it has begun: by name.
fn kept(built: &Built) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![built.data_dir.join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => folders.push(entry.path()),
                false => names.push(entry.file_name().to_string_lossy().into_owned()),
            }
        }
    }
    names
}

/// Waits until the server has removed what it will not keep.
async fn until_kept(built: &Built, number: usize) {
    let gone = async {
        while kept(built).len() != number {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon(gone).await;
}

async fn picture(built: &Built, name: &str) -> (Given, Answer) {
    let mut alice = available(built, ALICE).await;
    let given = slot(&mut alice, name, PICTURE.len() as u64, Some("image/png")).await;
    let answer = put(built, &given, "Content-Type: image/png\r\n", PICTURE).await;
    (given, answer)
}

/// Nothing in it runs, nobody is told where it is, and pages may read it.
fn is_guarded(answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{}", answer.head);
    }
}

#[tokio::test]
async fn a_file_comes_and_goes() {
    let mut built = server("upload-way");
    let (given, answer) = picture(&built, "tr\u{E8}s cool.png").await;
    assert_eq!(answer.status, 201, "{}", answer.head);
    assert!(given.path.ends_with("/tr%C3%A8s%20cool.png"));
    let answer = fetch(&built, "GET", &given.path, "").await;
    assert_eq!((answer.status, &answer.content[..]), (200, PICTURE));
    is_guarded(&answer);
    let tag = answer.header("etag").unwrap().to_owned();
    let length = PICTURE.len().to_string();
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", length.as_str()),
        ("accept-ranges", "bytes"),
        (
            "content-disposition",
            "inline; filename=\"tr_s cool.png\"; filename*=UTF-8''tr%C3%A8s%20cool.png",
        ),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let head = fetch(&built, "HEAD", &given.path, "").await;
    assert_eq!((head.status, head.content.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    assert_eq!(head.header("etag"), Some(tag.as_str()));
    // Under the hash of its content, once, whoever brings it again.
    let once = |built: &Built| {
        let names = built.stores_in_files().then(|| kept(built));
        assert!(names.is_none_or(|names| names == [tag.trim_matches('"')]));
    };
    once(&built);
    let (other, answer) = picture(&built, "b.png").await;
    assert_eq!(answer.status, 201);
    assert_ne!(other.path, given.path);
    once(&built);
    // A slot is good for one file.
    let twice = put(&built, &given, "Content-Type: image/png\r\n", PICTURE).await;
    assert_eq!(twice.status, 409, "{}", twice.head);
    built.kill().unwrap();
    built.restart().unwrap();
    let answer = fetch(&built, "GET", &given.path, "").await;
    assert_eq!((answer.status, &answer.content[..]), (200, PICTURE));
    let twice = put(&built, &given, "Content-Type: image/png\r\n", PICTURE).await;
    assert_eq!(twice.status, 409, "{}", twice.head);
}

/// What is asked of the picture, where `TAG` is its entity tag, with the status, and which bytes of it come.
const ASKED: &[(&str, u16, std::ops::Range<usize>)] = &[
    ("Range: bytes=0-3", 206, 0..4),
    ("Range: bytes=4-", 206, 4..PICTURE.len()),
    ("Range: bytes=-2", 206, PICTURE.len() - 2..PICTURE.len()),
    ("Range: bytes=9999-", 416, 0..0),
    ("Range: bytes=0-1,4-5", 200, 0..PICTURE.len()),
    ("Range: bytes=5-4", 200, 0..PICTURE.len()),
    ("Range: bytes=0-3\r\nIf-Range: TAG", 206, 0..4),
    ("Range: bytes=0-3\r\nIf-Range: \"x\"", 200, 0..PICTURE.len()),
    ("If-None-Match: TAG", 304, 0..0),
    ("If-None-Match: \"x\"", 200, 0..PICTURE.len()),
    ("If-Match: TAG", 200, 0..PICTURE.len()),
    ("If-Match: \"x\"", 412, 0..0),
];

/// RFC 9110 §13 and §14.
#[tokio::test]
async fn parts_and_conditions() {
    let built = server("upload-parts");
    let (given, _) = picture(&built, "a.png").await;
    let all = PICTURE.len();
    let tag = fetch(&built, "HEAD", &given.path, "").await;
    let tag = tag.header("etag").unwrap().to_owned();
    for (asked, status, bytes) in ASKED {
        let headers = format!("{}\r\n", asked.replace("TAG", &tag));
        let answer = fetch(&built, "GET", &given.path, &headers).await;
        assert_eq!(answer.status, *status, "{headers}: {}", answer.head);
        is_guarded(&answer);
        let (first, last) = (bytes.start, bytes.end.saturating_sub(1));
        let range = match status {
            206 => Some(format!("bytes {first}-{last}/{all}")),
            416 => Some(format!("bytes */{all}")),
            _ => None,
        };
        assert_eq!(answer.header("content-range"), range.as_deref());
        if let 200 | 206 = status {
            assert_eq!(&answer.content[..], &PICTURE[bytes.clone()], "{headers}");
            let length = bytes.len().to_string();
            assert_eq!(answer.header("content-length"), Some(length.as_str()));
        }
        if *status == 304 {
            assert_eq!(answer.header("etag"), Some(tag.as_str()));
            assert_eq!(answer.content, b"");
            // RFC 9110 §8.6: that of the file, or none.
            let said = answer.header("content-length");
            let is_right = said.is_none_or(|said| said == all.to_string());
            assert!(is_right, "{}", answer.head);
        }
    }
    let head = fetch(&built, "HEAD", &given.path, "Range: bytes=0-3\r\n").await;
    assert_eq!(head.status, 200);
}

/// What a request that brings the picture says, in words of [`line`], and what is answered.
const BROUGHT: &[(&str, u16)] = &[
    ("length png", 401),
    ("length png forged", 401),
    ("length png basic", 401),
    ("length png nothing", 401),
    ("length png token token", 401),
    ("length png elsewhere", 403),
    ("shorter png token", 400),
    ("longer png token", 413),
    ("endless png token", 413),
    ("png token", 400),
    ("chunked png token", 411),
    ("length html token", 415),
    ("length nonsense token", 415),
    ("length png png token", 415),
    ("length png token packed", 415),
    ("length png token part", 400),
];

/// A line of a head by its word.
fn line(word: &str, given: &Given, other: &Given) -> String {
    let length = PICTURE.len();
    match word {
        "length" => format!("Content-Length: {length}"),
        "shorter" => format!("Content-Length: {}", length - 1),
        "longer" => format!("Content-Length: {}", length + 1),
        "endless" => "Content-Length: 1000000000000".to_owned(),
        "chunked" => "Transfer-Encoding: chunked".to_owned(),
        "png" => "Content-Type: image/png".to_owned(),
        "html" => "Content-Type: text/html".to_owned(),
        "nonsense" => "Content-Type: nonsense".to_owned(),
        "token" => format!("Authorization: Bearer {}", given.token),
        "elsewhere" => format!("Authorization: Bearer {}", other.token),
        "forged" => format!("Authorization: Bearer {}A", given.token),
        "nothing" => "Authorization: Bearer".to_owned(),
        "basic" => "Authorization: Basic YTpi".to_owned(),
        "packed" => "Content-Encoding: gzip".to_owned(),
        "part" => "Content-Range: bytes 0-1/2".to_owned(),
        word => panic!("{word} is no line"),
    }
}

/// XEP-0363, "Upload": what is brought is what was asked for, and nothing is kept of anything else.
#[tokio::test]
async fn lies_are_refused() {
    let built = server("upload-lies");
    let mut alice = available(&built, ALICE).await;
    let size = PICTURE.len() as u64;
    let given = slot(&mut alice, "a.png", size, Some("image/png")).await;
    let other = slot(&mut alice, "b.png", size, Some("image/png")).await;
    let beginning = format!("{size:x}\r\n");
    let chunks = [beginning.as_bytes(), PICTURE, b"\r\n0\r\n\r\n"].concat();
    for (words, status) in BROUGHT {
        let lines = words.split(' ').map(|word| line(word, &given, &other));
        let headers: String = lines.map(|line| line + "\r\n").collect();
        let content = match words.contains("chunked") {
            true => &chunks[..],
            false => PICTURE,
        };
        let request = put_head(&given.path, &headers);
        let answer = answer_of(&built, &[request.as_bytes(), content].concat()).await;
        assert_eq!(answer.status, *status, "{words}: {}", answer.head);
        is_guarded(&answer);
        let asks = answer.header("www-authenticate");
        assert_eq!(asks.is_some(), *status == 401);
    }
    assert_eq!(kept(&built), [""; 0]);
    assert_eq!(fetch(&built, "GET", &given.path, "").await.status, 404);
    // Nobody has used it up: whoever may bring the file still may. Who says no type says no other.
    assert_eq!(put(&built, &given, "", PICTURE).await.status, 201);
    let answer = fetch(&built, "GET", &given.path, "").await;
    assert_eq!(answer.header("content-type"), Some("image/png"));
    let (log, token) = (built.log().unwrap(), &given.token);
    assert!(!log.contains(token.as_str()), "the log has a secret");
}

/// What does not come whole leaves nothing; and while it comes, nobody else brings it.
#[tokio::test]
async fn what_breaks_off_leaves_nothing() {
    let built = server("upload-broken");
    if !built.stores_in_files() {
        // What a database keeps of it is not to be seen from here; the store's own tests look at that.
        return;
    }
    let mut alice = available(&built, ALICE).await;
    let given = slot(&mut alice, "a.bin", 1_000_000, None).await;
    let content = vec![7; 1_000_000];
    let headers = format!(
        "Content-Length: 1000000\r\nAuthorization: Bearer {}\r\n",
        given.token
    );
    let request = put_head(&given.path, &headers);
    let mut first = TcpStream::connect(built.http).await.unwrap();
    first.write_all(request.as_bytes()).await.unwrap();
    first.write_all(&content[..500_000]).await.unwrap();
    until_kept(&built, 1).await;
    assert_eq!(put(&built, &given, "", &content).await.status, 409);
    assert_eq!(fetch(&built, "GET", &given.path, "").await.status, 404);
    drop(first);
    until_kept(&built, 0).await;
    // With half of the connection left, too: the answer says so.
    let mut second = TcpStream::connect(built.http).await.unwrap();
    second.write_all(request.as_bytes()).await.unwrap();
    second.write_all(&content[..500_000]).await.unwrap();
    second.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _reset = soon(second.read_to_end(&mut answer)).await;
    assert!(!String::from_utf8_lossy(&answer).contains(" 201 "));
    until_kept(&built, 0).await;
    assert_eq!(put(&built, &given, "", &content).await.status, 201);
    let answer = fetch(&built, "GET", &given.path, "").await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert!(answer.content == content);
}

/// A page, a script, a picture with scripts: to be saved, and called by no name that a browser runs.
#[tokio::test]
async fn nothing_runs() {
    let built = server("upload-scripts");
    let mut alice = available(&built, ALICE).await;
    let script = b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>";
    for (name, kind) in [
        ("a.html", "text/html"),
        ("a.xhtml", "application/xhtml+xml"),
        ("a.svg", "image/svg+xml"),
        ("a.js", "text/javascript"),
        ("a.css", "text/css"),
        ("a.xml", "text/xml"),
        ("a.png.html", "text/html; charset=utf-8"),
    ] {
        let given = slot(&mut alice, name, script.len() as u64, Some(kind)).await;
        let headers = format!("Content-Type: {kind}\r\n");
        assert_eq!(put(&built, &given, &headers, script).await.status, 201);
        let answer = fetch(&built, "GET", &given.path, "").await;
        assert_eq!(
            answer.header("content-type"),
            Some("application/octet-stream")
        );
        let disposition = answer.header("content-disposition").unwrap();
        assert!(disposition.starts_with("attachment; "), "{disposition}");
        is_guarded(&answer);
    }
    // A name cannot end a header, nor a quotation.
    let given = slot(&mut alice, "a\"; filename=b.html&#13;&#10;X: y", 1, None).await;
    assert_eq!(put(&built, &given, "", b"a").await.status, 201);
    let answer = fetch(&built, "GET", &given.path, "").await;
    assert_eq!(
        answer.header("content-disposition"),
        Some(
            "attachment; filename=\"a_; filename=b.htmlX: y\"; filename*=UTF-8''a%22%3B%20filename%3Db.htmlX%3A%20y"
        )
    );
    assert_eq!(answer.header("x"), None);
}

/// The name in an address is for people; an address is never a path.
#[tokio::test]
async fn no_address_leads_anywhere_else() {
    let built = server("upload-paths");
    let (given, _) = picture(&built, "a.png").await;
    let id = given.path.split('/').nth(2).unwrap();
    for name in ["b.html", "..%2f..%2fetc%2fpasswd", "%00", "a/b/c", ".."] {
        let path = format!("/upload/{id}/{name}");
        let answer = fetch(&built, "GET", &path, "").await;
        assert_eq!((answer.status, &answer.content[..]), (200, PICTURE));
        assert_eq!(answer.header("content-type"), Some("image/png"));
    }
    for path in [
        "/upload/".to_owned(),
        format!("/upload/{id}"),
        format!("/upload/{}/a.png", id.to_uppercase()),
        format!("/upload/{}0/a.png", &id[1..]),
        format!("/upload/../{id}/a.png"),
        format!("/upload/%2e%2e/{id}"),
        format!("/upload//{id}/a.png"),
        "/upload/../../../../etc/passwd".to_owned(),
        "/upload/..%2f..%2f..%2fetc%2fpasswd".to_owned(),
        "/upload/new/0".to_owned(),
        "/upload/ab/ab".to_owned(),
    ] {
        let answer = fetch(&built, "GET", &path, "").await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.head);
        let text = String::from_utf8_lossy(&answer.content);
        assert!(
            text.is_empty() || text == "no such file\n",
            "{path}: {text}"
        );
        let answer = ask(&built, "PUT", &path, "Content-Length: 0\r\n", b"").await;
        assert!(
            matches!(answer.status, 401 | 404),
            "{path}: {}",
            answer.head
        );
    }
}

/// A page of another origin may bring a file and fetch it; what else there is, it is told.
#[tokio::test]
async fn browsers_are_told_what_they_may() {
    let built = server("upload-cors");
    let (given, _) = picture(&built, "a.png").await;
    let headers = "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n\
                   Access-Control-Request-Headers: authorization,content-type\r\n";
    let answer = fetch(&built, "OPTIONS", &given.path, headers).await;
    assert_eq!(answer.status, 204, "{}", answer.head);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let methods = answer.header("access-control-allow-methods").unwrap();
    assert_eq!(methods, "OPTIONS, HEAD, GET, PUT");
    let names = answer.header("access-control-allow-headers").unwrap();
    assert!(names.contains("Authorization") && names.contains("Content-Type"));
    for method in ["POST", "DELETE", "PATCH", "TRACE"] {
        let answer = fetch(&built, method, &given.path, "").await;
        assert_eq!(answer.status, 405, "{method}: {}", answer.head);
    }
    assert_eq!(fetch(&built, "GET", &given.path, "").await.status, 200);
}

#[tokio::test]
async fn files_go_with_their_account() {
    let built = server("upload-removal");
    let (given, _) = picture(&built, "a.png").await;
    done(&built, &["account", "remove", "alice@waxwing.example"]);
    assert_eq!(fetch(&built, "GET", &given.path, "").await.status, 404);
    until_kept(&built, 0).await;
    // Nor do they take anybody's room.
    let counted = async {
        while figures(&built)["waxwing_upload_bytes"] > 0.0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon(counted).await;
}

/// The figure of a process that stands in its status, in bytes.
pub(crate) fn memory(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let digits = line.split_whitespace().nth(1).unwrap();
    digits.parse::<u64>().unwrap() * 1024
}

/// Forgets what a process has had most of.
pub(crate) fn reset_memory(built: &Built) {
    fs::write(format!("/proc/{}/clear_refs", built.pid), "5").unwrap();
}

/// Bytes that a large file may take of memory on its way in, and on its way out.
const EXTRA_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Bytes of a large file. The bound does not hang on it: by hand it was tried with a gigabyte.
const LARGE_BYTES: u64 = 256 * 1024 * 1024;

/// Nothing is held whole.
#[tokio::test]
async fn a_large_file_takes_little_memory() {
    let bytes = std::env::var("WAXWING_LARGE_BYTES").ok();
    let bytes = bytes.map_or(LARGE_BYTES, |text| text.parse().unwrap());
    let mut options = BuiltOptions::new("upload-large");
    options = options.account(ALICE.0, ALICE.1);
    options.config =
        "[options]\nupload_file_bytes_max = 2000000000\nupload_account_bytes_max = 2000000000\n"
            .to_owned();
    let built = Built::start(options).unwrap();
    takes_little_memory(&built, bytes, EXTRA_BYTES_MAX).await;
}

/// Brings a file and fetches it; what the server needs of memory for that, beyond what a first small file took.
#[expect(clippy::print_stdout, reason = "what was seen is told in figures")]
pub(crate) async fn takes_little_memory(built: &Built, bytes: u64, extra_max: u64) {
    let mut alice = available(built, ALICE).await;
    let small = slot(&mut alice, "a", 1_000_000, None).await;
    let status = put(built, &small, "", &vec![1; 1_000_000]).await.status;
    assert_eq!(status, 201);
    assert_eq!(fetch(built, "GET", &small.path, "").await.status, 200);
    let given = slot(&mut alice, "large.bin", bytes, None).await;
    let extra = |before: u64, way: &str| {
        let extra = memory(built.pid, "VmHWM").saturating_sub(before);
        println!("figures: {bytes} bytes {way} with {extra} bytes of memory more");
        assert!(extra < extra_max, "{way} with {extra} bytes more");
    };
    reset_memory(built);
    let before = memory(built.pid, "VmRSS");
    assert_eq!(put_large(built, &given, bytes).await, 201);
    extra(before, "came");
    reset_memory(built);
    let before = memory(built.pid, "VmRSS");
    get_large(built, &given, bytes).await;
    extra(before, "went");
}
