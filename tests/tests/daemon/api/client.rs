//! A program that uses the API.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use waxwing_tests::Built;

use crate::rig::soon;
use crate::ws;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// Names in small letters, with values.
    headers: Vec<(String, String)>,
    /// Null where there is none.
    pub(crate) json: Value,
    pub(crate) content: String,
}

impl Answered {
    fn read(bytes: &[u8]) -> Answered {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, content) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Answered {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            json: serde_json::from_str(content).unwrap_or_default(),
            content: content.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// Names of headers.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// It is this problem, as RFC 9457 writes it.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, name: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let kind = "application/problem+json";
        assert_eq!(self.header("content-type"), Some(kind), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let own = format!("urn:waxwing:api:problem:{name}");
        assert_eq!(self.json["type"], own, "{self:?}");
        assert_eq!(self.json["status"], status);
        let document = include_str!("../../../../docs/operate/openapi.json");
        let document: Value = serde_json::from_str(document).unwrap();
        let schema = &document["components"]["schemas"]["problem"];
        assert!(admits(schema, &self.json), "{self:?}");
        let needed = match status {
            401 => Some("www-authenticate"),
            405 => Some("allow"),
            429 => Some("retry-after"),
            _ => None,
        };
        if let Some(needed) = needed {
            assert!(self.header(needed).is_some(), "{self:?}");
        }
        assert!(self.header("access-control-allow-origin").is_none());
    }
}

/// Sends a request, of which the server may not read all, and reads the answer.
pub(crate) async fn send(built: &Built, over_tls: bool, request: &[u8]) -> Answered {
    let mut answer = Vec::new();
    if over_tls {
        let mut stream = ws::tls(built).await;
        let _cut = stream.write_all(request).await;
        let _reset = soon(stream.read_to_end(&mut answer)).await;
    } else {
        let mut stream = TcpStream::connect(built.http).await.unwrap();
        let _cut = stream.write_all(request).await;
        let _reset = soon(stream.read_to_end(&mut answer)).await;
    }
    Answered::read(&answer)
}

/// A server, and a token of it.
pub(crate) struct Api<'b> {
    pub(crate) built: &'b Built,
    pub(crate) token: String,
}

impl Api<'_> {
    /// Uses a token that a command has made.
    pub(crate) fn new<'b>(built: &'b Built, made: &Value) -> Api<'b> {
        let token = made["token"].as_str().unwrap().to_owned();
        Api { built, token }
    }

    /// A request with this head and content, and the token.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        content: &[u8],
    ) -> Answered {
        let token = &self.token;
        let headers = format!("Authorization: Bearer {token}\r\n{headers}");
        ask(self.built, method, path, &headers, content).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, "", b"").await
    }

    pub(crate) async fn post(&self, path: &str, content: &Value) -> Answered {
        self.post_text(path, &content.to_string()).await
    }

    pub(crate) async fn post_text(&self, path: &str, content: &str) -> Answered {
        let headers = "Content-Type: application/json\r\n";
        self.ask("POST", path, headers, content.as_bytes()).await
    }
}

/// A request with this head and content.
pub(crate) async fn ask(
    built: &Built,
    method: &str,
    path: &str,
    headers: &str,
    content: &[u8],
) -> Answered {
    let length = match content.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: waxwing.example:5281\r\nConnection: close\r\n{length}{headers}\r\n"
    );
    send(built, true, &[head.as_bytes(), content].concat()).await
}

/// What a reference in the document names; it is there.
pub(crate) fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let Some(name) = value.get("$ref") else {
        return value;
    };
    let pointer = name.as_str().unwrap().strip_prefix('#').unwrap();
    document.pointer(pointer).unwrap()
}

/// Whether a value is what a schema says, of those words of JSON Schema that the document uses for answers.
pub(crate) fn admits(schema: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let is_type = match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        _ => false,
    };
    let is_named = schema["enum"]
        .as_array()
        .is_none_or(|all| all.contains(value));
    let items = value.as_array().into_iter().flatten();
    let mut items = items.map(|item| admits(&schema["items"], item));
    let is_whole = value.as_object().is_none_or(|object| {
        let required = schema["required"].as_array().unwrap();
        let has_all = required
            .iter()
            .all(|name| object.contains_key(name.as_str().unwrap()));
        let mut members = object.iter();
        has_all && members.all(|(name, member)| admits(&schema["properties"][name], member))
    });
    is_type && is_named && items.all(|is| is) && is_whole
}
