//! What went wrong, as programs read it: problem details (RFC 9457), each of a type that stays what it is.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use waxwing_server::AdminError;

/// What every type begins with.
const TYPES: &str = "urn:waxwing:api:problem:";
/// The content type of problems.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";
/// What is said of who may ask (RFC 6750 §3).
const CHALLENGE: &str = "Bearer realm=\"waxwing\"";

/// A type of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Malformed,
    TokenNeeded,
    InvalidToken,
    TlsNeeded,
    InsufficientScope,
    OtherDomain,
    Forbidden,
    NoSuchCommand,
    Absent,
    MethodNotAllowed,
    TooSlow,
    Conflict,
    TooLarge,
    NotJson,
    InvalidArgument,
    Refused,
    TooManyFailures,
    TooManyRequests,
    Failed,
    Unavailable,
}

impl Kind {
    /// All, with name, status and what they are.
    pub(super) const ALL: [(Kind, &'static str, u16, &'static str); 20] = [
        (
            Kind::Malformed,
            "malformed",
            400,
            "The request cannot be read.",
        ),
        (Kind::TokenNeeded, "token-needed", 401, "A token is needed."),
        (
            Kind::InvalidToken,
            "invalid-token",
            401,
            "The token is not good, or not any more.",
        ),
        (
            Kind::TlsNeeded,
            "tls-needed",
            403,
            "Nothing is done without TLS; whoever was on the way may know the token now.",
        ),
        (
            Kind::InsufficientScope,
            "insufficient-scope",
            403,
            "The token is not good for this.",
        ),
        (
            Kind::OtherDomain,
            "other-domain",
            403,
            "The token is for another domain.",
        ),
        (
            Kind::Forbidden,
            "forbidden",
            403,
            "A token for one domain may not do this.",
        ),
        (
            Kind::NoSuchCommand,
            "no-such-command",
            404,
            "There is no such command.",
        ),
        (
            Kind::Absent,
            "absent",
            404,
            "What it is about is not there.",
        ),
        (
            Kind::MethodNotAllowed,
            "method-not-allowed",
            405,
            "The command is run by another method.",
        ),
        (
            Kind::TooSlow,
            "too-slow",
            408,
            "The content took too long to come.",
        ),
        (
            Kind::Conflict,
            "conflict",
            409,
            "There is something that stands against it.",
        ),
        (
            Kind::TooLarge,
            "too-large",
            413,
            "The content is too large.",
        ),
        (Kind::NotJson, "not-json", 415, "The content is no JSON."),
        (
            Kind::InvalidArgument,
            "invalid-argument",
            422,
            "An argument is missing, not known, or cannot be what it is.",
        ),
        (
            Kind::Refused,
            "refused",
            422,
            "What was asked for cannot be.",
        ),
        (
            Kind::TooManyFailures,
            "too-many-failures",
            429,
            "Too many wrong tokens came from this network.",
        ),
        (
            Kind::TooManyRequests,
            "too-many-requests",
            429,
            "Too many requests came with this token.",
        ),
        (
            Kind::Failed,
            "failed",
            500,
            "The server could not do it; its log says why.",
        ),
        (
            Kind::Unavailable,
            "unavailable",
            503,
            "The server cannot answer at the moment.",
        ),
    ];

    fn row(self) -> (&'static str, u16, &'static str) {
        let mut all = Kind::ALL.into_iter();
        let row = all.find(|(kind, ..)| *kind == self);
        row.map_or(("failed", 500, ""), |(_, name, status, title)| {
            (name, status, title)
        })
    }
}

/// The type of a problem by its name.
pub(super) fn type_of(name: &str) -> String {
    format!("{TYPES}{name}")
}

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    kind: Kind,
    /// What it is this time.
    detail: Option<String>,
    /// The argument that it is about.
    argument: Option<String>,
    /// What is needed instead.
    scope: Option<String>,
    allow: Option<&'static str>,
    retry_secs: Option<u64>,
}

impl Problem {
    pub(super) fn of(kind: Kind) -> Problem {
        Problem {
            kind,
            detail: None,
            argument: None,
            scope: None,
            allow: None,
            retry_secs: None,
        }
    }

    pub(super) fn said(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem {
            detail: Some(detail.into()),
            ..Problem::of(kind)
        }
    }

    pub(super) fn scope(scope: &str) -> Problem {
        Problem {
            scope: Some(scope.to_owned()),
            ..Problem::of(Kind::InsufficientScope)
        }
    }

    pub(super) fn method(allowed: &Method) -> Problem {
        Problem {
            allow: Some(match *allowed {
                Method::GET => "GET, HEAD",
                _ => "POST",
            }),
            ..Problem::of(Kind::MethodNotAllowed)
        }
    }

    pub(super) fn retry_after(self, secs: u64) -> Problem {
        Problem {
            retry_secs: Some(secs),
            ..self
        }
    }

    pub(super) fn status(&self) -> u16 {
        self.kind.row().1
    }

    fn challenge(&self) -> Option<String> {
        match (self.kind, &self.scope) {
            (Kind::TokenNeeded, _) => Some(CHALLENGE.to_owned()),
            (Kind::InvalidToken, _) => Some(format!("{CHALLENGE}, error=\"invalid_token\"")),
            (_, Some(scope)) => Some(format!(
                "{CHALLENGE}, error=\"insufficient_scope\", scope=\"{scope}\""
            )),
            _ => None,
        }
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Problem {
        let text = error.to_string();
        let kind = match error {
            AdminError::Argument { name, .. } => {
                let argument = Some(name);
                let problem = Problem::said(Kind::InvalidArgument, text);
                return Problem {
                    argument,
                    ..problem
                };
            }
            AdminError::Absent(_) => Kind::Absent,
            AdminError::Conflict(_) => Kind::Conflict,
            AdminError::Elsewhere(_) => Kind::OtherDomain,
            AdminError::Forbidden(_) => Kind::Forbidden,
            AdminError::Refused(_) => Kind::Refused,
            // What failed is for who runs the server.
            AdminError::Failed(_) => return Problem::of(Kind::Failed),
        };
        Problem::said(kind, text)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (name, status, title) = self.kind.row();
        let mut object = Map::new();
        object.insert("type".to_owned(), json!(type_of(name)));
        object.insert("title".to_owned(), json!(title));
        object.insert("status".to_owned(), json!(status));
        let more = [
            ("detail", &self.detail),
            ("argument", &self.argument),
            ("scope", &self.scope),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                object.insert(name.to_owned(), json!(value));
            }
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = format!("{}\n", Value::Object(object));
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        let challenge = self.challenge();
        let challenge = challenge.and_then(|text| HeaderValue::from_str(&text).ok());
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(secs) = self.retry_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_problem_has_a_type_of_its_own() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|(_, name, ..)| name).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for (kind, name, status, _) in Kind::ALL {
            assert_eq!(kind.row().0, name);
            assert!((400..=599).contains(&status), "{name}");
        }
    }

    #[test]
    fn what_failed_inside_is_not_told() {
        let problem = Problem::from(AdminError::Failed("the store: /somewhere".to_owned()));
        assert_eq!(problem, Problem::of(Kind::Failed));
    }
}
