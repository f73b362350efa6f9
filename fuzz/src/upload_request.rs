use waxwing_server::uploads::conditions::{Conditions, Part};
use waxwing_server::uploads::file_name::{NAME_BYTES_MAX, disposition, encoded, kept};
use waxwing_server::uploads::id_in_path;
use waxwing_server::uploads::media_type::{UNKNOWN, essence, manner};

/// The entity tag of the file that is asked for, and how long it is.
const TAG: &[u8] = b"\"abc\"";
const LENGTH: u64 = 1_000;

/// What is called what it is, besides pictures, sounds and films.
const HARMLESS: &[&str] = &[
    "application/gzip",
    "application/octet-stream",
    "application/pdf",
    "application/pgp-encrypted",
    "application/zip",
    "text/plain; charset=utf-8",
    "text/vcard",
];

/// A request for a file, as lines: its path, `If-Match`, `If-None-Match`, `If-Range`, `Range`, then the media type and the name that
/// somebody gave the file. A header that is empty is not there.
///
/// A part lies within the file, and asking for it by its numbers gives the same; only a GET has parts. An id is nothing but
/// digits. A media type is read again as the same, and what a browser might run is not called by its name. What is kept of a
/// name is kept again, is no path, and stands in an address and a header without ending either. Says whether a part was asked
/// for, or there is an id.
///
/// # Panics
/// It is not so.
pub fn upload_request(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let path = String::from_utf8_lossy(line());
    let id = id_in_path(&path);
    if let Some(id) = id {
        assert!(id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(path.starts_with(&format!("/upload/{id}/")));
    }
    let headers = [line(), line(), line(), line()];
    let lists = headers.map(|value| {
        if value.is_empty() {
            vec![]
        } else {
            vec![value]
        }
    });
    let part = part(&lists);
    media_type_means_one_thing(&String::from_utf8_lossy(line()));
    name_is_no_path(&String::from_utf8_lossy(line()));
    id.is_some() || matches!(part, Part::Some { .. })
}

fn part([if_match, if_none_match, if_range, range]: &[Vec<&[u8]>; 4]) -> Part {
    let asked = |is_get| {
        let conditions = Conditions {
            is_get,
            if_match,
            if_none_match,
            if_range,
            range,
        };
        conditions.part(TAG, LENGTH)
    };
    let head = asked(false);
    assert!(!matches!(head, Part::Some { .. } | Part::Unsatisfiable));
    let part = asked(true);
    if let Part::Some { first, length } = part {
        assert!(length >= 1 && first + length <= LENGTH, "{part:?}");
        let written = format!("bytes={first}-{}", first + length - 1);
        let again = Conditions {
            is_get: true,
            range: &[written.as_bytes()],
            ..Conditions::default()
        };
        assert_eq!(again.part(TAG, LENGTH), part);
    }
    part
}

fn media_type_means_one_thing(text: &str) {
    let Some(essence_of) = essence(text) else {
        return;
    };
    assert_eq!(essence(&essence_of).as_ref(), Some(&essence_of));
    let manner = manner(&essence_of);
    let is_believed = manner.content_type.starts_with(essence_of.as_str());
    assert!(is_believed || manner.content_type == UNKNOWN);
    let is_media = ["audio/", "image/", "video/"];
    let is_media = is_media.iter().any(|kind| essence_of.starts_with(kind));
    let is_known = HARMLESS.contains(&manner.content_type);
    assert!(is_known || is_media && !essence_of.ends_with("+xml"));
    assert!(manner.content_type.is_ascii() && !manner.content_type.contains(['\r', '\n']));
}

fn name_is_no_path(given: &str) {
    let name = kept(given);
    assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX, "{name:?}");
    assert!(!name.contains(['/', '\\']) && !name.contains(char::is_control));
    assert!(!name.bytes().all(|byte| byte == b'.'), "{name:?}");
    assert_eq!(kept(&name), name, "kept otherwise the second time");
    let encoded = encoded(&name);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    assert!(encoded.bytes().all(is_plain), "{encoded}");
    let said = disposition(&name, false);
    assert!(
        said.bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    );
    assert_eq!(said.matches('"').count(), 2, "{said}");
}
