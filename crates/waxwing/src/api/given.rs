//! The arguments of a request: behind `?` where something is read, in the content where something changes.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use waxwing_server::admin::{Command, Kind as ArgumentKind};

use super::problem::{Kind, Problem};
use crate::urlencoded::decoded;

/// Most bytes of a content.
pub(super) const CONTENT_BYTES_MAX: usize = 64 * 1024;
/// Longest time for it to come.
const CONTENT_TIME_MAX: Duration = Duration::from_secs(30);
/// Most arguments behind `?`.
const QUERY_ARGUMENTS_MAX: usize = 50;

fn malformed(detail: &str) -> Problem {
    Problem::said(Kind::Malformed, detail)
}

/// Refuses a content where none belongs.
pub(super) fn no_content(head: &Parts) -> Result<(), Problem> {
    let headers = &head.headers;
    let length = headers.get(header::CONTENT_LENGTH);
    let is_empty = length.is_none_or(|length| length.as_bytes() == b"0");
    match is_empty && !headers.contains_key(header::TRANSFER_ENCODING) {
        true => Ok(()),
        false => Err(malformed("what is read with GET has no content")),
    }
}

/// Arguments behind `?`.
pub(super) fn in_query(command: &Command, head: &Parts) -> Result<Value, Problem> {
    no_content(head)?;
    let query = head.uri.query().unwrap_or_default();
    let mut given = Map::new();
    for (number, part) in query.split('&').enumerate() {
        if query.is_empty() {
            break;
        }
        if number >= QUERY_ARGUMENTS_MAX {
            return Err(malformed("there are too many arguments behind '?'"));
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let parts = (decoded(name.as_bytes()), decoded(value.as_bytes()));
        let (Some(name), Some(value)) = parts else {
            return Err(malformed("what stands behind '?' cannot be read"));
        };
        let value = typed(command, &name, value);
        if given.insert(name, value).is_some() {
            return Err(malformed("an argument stands twice behind '?'"));
        }
    }
    Ok(Value::Object(given))
}

/// What a text behind `?` is in JSON. What is no such thing stays a text, and is refused as one.
fn typed(command: &Command, name: &str, text: String) -> Value {
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| is_number)
    };
    let kind = command.argument(name).map(|argument| argument.kind);
    match (kind, text.as_str()) {
        (Some(ArgumentKind::Number { .. }), text) if number(text).is_some() => {
            Value::from(number(text))
        }
        (Some(ArgumentKind::Flag), "true") => Value::Bool(true),
        (Some(ArgumentKind::Flag), "false") => Value::Bool(false),
        _ => Value::String(text),
    }
}

/// Arguments in the content.
pub(super) async fn in_content(head: &Parts, body: Body) -> Result<Value, Problem> {
    if head.uri.query().is_some() {
        // It would stand in the logs of proxies.
        return Err(malformed(
            "arguments of a POST stand in its content, not behind '?'",
        ));
    }
    if !is_json(head) {
        return Err(Problem::of(Kind::NotJson));
    }
    let length = head.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > CONTENT_BYTES_MAX) {
        return Err(too_large());
    }
    let bytes = tokio::time::timeout(CONTENT_TIME_MAX, to_bytes(body, CONTENT_BYTES_MAX));
    let bytes = bytes.await.map_err(|_| Problem::of(Kind::TooSlow))?;
    // What is longer is not read; what was cut off comes to nobody.
    let bytes = bytes.map_err(|_| too_large())?;
    let object: Object = serde_json::from_slice(&bytes).map_err(|_| {
        malformed(
            "the content is not one JSON object that has each name once and is not nested too deep",
        )
    })?;
    Ok(Value::Object(object.0))
}

fn too_large() -> Problem {
    let text = format!("a content has {CONTENT_BYTES_MAX} bytes at most");
    Problem::said(Kind::TooLarge, text)
}

/// Whether the content is said to be JSON, as it is (RFC 8259 §8.1: in UTF-8).
fn is_json(head: &Parts) -> bool {
    let mut kinds = head.headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return false;
    };
    let mut parts = kind.to_str().unwrap_or_default().split(';');
    let kind = parts.next().unwrap_or_default().trim();
    let is_plain = !head.headers.contains_key(header::CONTENT_ENCODING);
    let is_utf8 = parts.all(|part| {
        let part = part.trim().to_ascii_lowercase();
        part == "charset=utf-8" || part == "charset=\"utf-8\""
    });
    kind.eq_ignore_ascii_case("application/json") && is_plain && is_utf8
}

/// An object that has each name once: of two with one name, two readers would take different ones.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if map.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name stands twice"));
                    }
                }
                Ok(Object(map))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;

    const COMMAND: Command = Command {
        name: "test",
        doc: "",
        access: waxwing_server::admin::Access::Reads("test"),
        arguments: &[
            waxwing_server::admin::optional("number", ArgumentKind::Number { min: 0, max: 9 }, ""),
            waxwing_server::admin::optional("flag", ArgumentKind::Flag, ""),
        ],
        answer: &[],
        run: |_, _| async { Ok(Value::Null) }.boxed(),
    };

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_stands_behind_a_question_mark() {
        for (query, expected) in [
            ("", json!({})),
            ("?", json!({})),
            ("?a=b", json!({ "a": "b" })),
            ("?a=b%26c+d&e=", json!({ "a": "b&c d", "e": "" })),
            ("?number=3&flag=true", json!({ "number": 3, "flag": true })),
            ("?number=%33", json!({ "number": 3 })),
            ("?number=+3", json!({ "number": " 3" })),
            ("?number=%2B3", json!({ "number": "+3" })),
            ("?number=&flag=1", json!({ "number": "", "flag": "1" })),
        ] {
            let head = head(&format!("/x{query}"), &[]);
            assert_eq!(in_query(&COMMAND, &head), Ok(expected), "{query}");
        }
        let many = format!("?{}", "a&".repeat(60));
        for wrong in ["?a=b&a=c", "?a=%", "?a=%zz", "?a=%ff", "?a=b&&c=d&", &many] {
            let head = head(&format!("/x{wrong}"), &[]);
            let refused = in_query(&COMMAND, &head).unwrap_err();
            assert_eq!(refused.status(), 400, "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_stands_in_the_content() {
        let json_type = [("content-type", "application/json; charset=UTF-8")];
        let head = head("/x", &json_type);
        let read = async |text: &str| in_content(&head, Body::from(text.to_owned())).await;
        assert_eq!(read("{}").await, Ok(json!({})));
        let nested = json!({ "a": { "b": [1, null] } });
        assert_eq!(read(&nested.to_string()).await, Ok(nested));
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        for wrong in [
            "",
            "[]",
            "null",
            "1",
            "\"a\"",
            "{",
            "{}{}",
            "{} x",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":1}",
            "{\"a\":1e999}",
            "{'a':1}",
            "{\"a\":\"\\ud800\"}",
            "\u{feff}{}",
            deep.as_str(),
        ] {
            let refused = read(wrong).await.unwrap_err();
            assert_eq!(refused.status(), 400, "{wrong:.40}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(CONTENT_BYTES_MAX));
        assert_eq!(read(&long).await.unwrap_err().status(), 413);
        let utf8 = in_content(&head, Body::from(&b"{\"a\":\"\xff\"}"[..])).await;
        assert_eq!(utf8.unwrap_err().status(), 400);
    }

    #[test]
    fn what_is_said_to_be_json() {
        for (headers, is) in [
            (&[("content-type", "application/json")][..], true),
            (&[("content-type", "Application/JSON;charset=utf-8")], true),
            (&[], false),
            (&[("content-type", "text/plain")], false),
            (
                &[("content-type", "application/json; charset=utf-16")],
                false,
            ),
            (
                &[
                    ("content-type", "application/json"),
                    ("content-type", "text/plain"),
                ],
                false,
            ),
            (
                &[
                    ("content-type", "application/json"),
                    ("content-encoding", "gzip"),
                ],
                false,
            ),
        ] {
            assert_eq!(is_json(&head("/x", headers)), is, "{headers:?}");
        }
    }
}
