//! What there is, for programs: OpenAPI 3.1, made of what the commands say of themselves.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use waxwing_server::accounts::Role;
use waxwing_server::admin::{Argument, Command, Kind, Member, Shape};
use waxwing_server::registry::Registry;

use super::problem::{self, CONTENT_TYPE};
use super::{DOCUMENT_PATH, method_of, path_of};

/// The version of what is promised: paths, arguments, answers and types of problems.
const VERSION: &str = "1.0.0";

/// The document.
pub(crate) fn document(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for command in registry.commands() {
        if let Some(path) = path_of(&command) {
            let method = method_of(&command).as_str().to_ascii_lowercase();
            paths.insert(path, json!({ method: operation(&command) }));
        }
    }
    let mut own = json!({
        "operationId": "openapi",
        "tags": ["api"],
        "summary": "This document.",
        "security": [{ "token": [] }],
        "responses": responses(&json!({ "type": "object" })),
    });
    if let Some(responses) = own["responses"].as_object_mut() {
        responses.retain(|status, _| !["404", "409", "422"].contains(&status.as_str()));
    }
    paths.insert(DOCUMENT_PATH.to_owned(), json!({ "get": own }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Waxwing's admin commands",
            "version": VERSION,
            "description": "Each command of the server's registry, run by HTTP. See docs/operate/api.md.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that `waxwing api-token create` made. What it must be good for stands with each command.",
                },
            },
            "schemas": { "problem": problem_schema() },
            "responses": problem_responses(),
        },
    })
}

fn operation(command: &Command) -> Value {
    let scope = command.access.scope().unwrap_or_default();
    let tag = scope.split(':').next().unwrap_or_default();
    let mut operation = json!({
        "operationId": command.name.replace([' ', '-'], "_"),
        "tags": [tag],
        "summary": command.doc,
        "description": description(command, &scope),
        "security": [{ "token": [scope] }],
        "responses": responses(&object_of(command.answer)),
    });
    let takes_content = method_of(command) == axum::http::Method::POST;
    let (name, value) = match takes_content {
        true => ("requestBody", content_of(command)),
        false => ("parameters", parameters_of(command)),
    };
    operation[name] = value;
    operation
}

fn description(command: &Command, scope: &str) -> String {
    let bound = match command.is_of_domains() {
        true => "One that is for a domain runs it for that domain.",
        false => "One that is for a domain does not run it.",
    };
    format!("The token must be good for `{scope}`. {bound}")
}

fn content_of(command: &Command) -> Value {
    let all = command.arguments.iter();
    let properties: Map<String, Value> = all
        .map(|argument| (argument.name.to_owned(), schema_of(argument)))
        .collect();
    let required = command.arguments.iter().filter(|known| known.required);
    let required: Vec<_> = required.map(|known| known.name).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

fn parameters_of(command: &Command) -> Value {
    let all = command.arguments.iter().map(|argument| {
        let mut schema = schema_of(argument);
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("description");
        }
        json!({
            "name": argument.name,
            "in": "query",
            "description": argument.doc,
            "required": argument.required,
            "schema": schema,
        })
    });
    all.collect()
}

fn schema_of(argument: &Argument) -> Value {
    let most = argument.kind.bytes_max();
    let text = || json!({ "type": "string", "maxLength": most });
    let mut schema = match argument.kind {
        Kind::Number { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Role => {
            let names = Role::NAMES.iter().map(|(name, _)| *name);
            json!({ "type": "string", "enum": names.collect::<Vec<_>>() })
        }
        Kind::Time => json!({ "type": "string", "pattern": "^[0-9]{1,9}[smhdw]$" }),
        Kind::Texts { count_max, .. } => {
            json!({ "type": "array", "items": text(), "minItems": 1, "maxItems": count_max })
        }
        Kind::Text { .. }
        | Kind::Account
        | Kind::Address
        | Kind::Name
        | Kind::Domain
        | Kind::Cursor => text(),
    };
    schema["description"] = json!(argument.doc);
    if argument.secret {
        schema["format"] = json!("password");
        schema["writeOnly"] = json!(true);
    }
    schema
}

fn object_of(members: &[Member]) -> Value {
    let properties = members.iter().map(|member| {
        let mut schema = shape_of(&member.shape);
        schema["description"] = json!(member.doc);
        (member.name.to_owned(), schema)
    });
    let names: Vec<_> = members.iter().map(|member| member.name).collect();
    json!({
        "type": "object",
        "properties": properties.collect::<Map<_, _>>(),
        "required": names,
        "additionalProperties": false,
    })
}

fn shape_of(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Number => json!({ "type": "integer" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::List(members) => json!({ "type": "array", "items": object_of(members) }),
        Shape::Maybe(shape) => {
            let mut schema = shape_of(shape);
            schema["type"] = json!([schema["type"], "null"]);
            schema
        }
    }
}

/// Names of problems with their titles, by status.
fn problems() -> BTreeMap<u16, Vec<(&'static str, &'static str)>> {
    let mut by_status: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for (_, name, status, title) in problem::Kind::ALL {
        by_status.entry(status).or_default().push((name, title));
    }
    by_status
}

fn responses(answer: &Value) -> Value {
    let mut responses = Map::new();
    let content = json!({ "application/json": { "schema": answer } });
    let done = json!({ "description": "It was done.", "content": content });
    responses.insert("200".to_owned(), done);
    for status in problems().keys() {
        let named = json!({ "$ref": format!("#/components/responses/problem-{status}") });
        responses.insert(status.to_string(), named);
    }
    // HTTP says that before the API sees the request.
    let large =
        json!({ "description": "The request's header is too large; nothing more is said." });
    responses.insert("431".to_owned(), large);
    Value::Object(responses)
}

fn problem_responses() -> Value {
    let all = problems().into_iter().map(|(status, kinds)| {
        let lines = kinds
            .iter()
            .map(|(name, title)| format!("`{}`: {title}", problem::type_of(name)));
        let mut response = json!({
            "description": lines.collect::<Vec<_>>().join(" "),
            "content": { CONTENT_TYPE: { "schema": { "$ref": "#/components/schemas/problem" } } },
        });
        let header = match status {
            401 => Some(("WWW-Authenticate", "string")),
            405 => Some(("Allow", "string")),
            429 => Some(("Retry-After", "integer")),
            _ => None,
        };
        if let Some((name, kind)) = header {
            response["headers"] = json!({ name: { "required": true, "schema": { "type": kind } } });
        }
        (format!("problem-{status}"), response)
    });
    Value::Object(all.collect())
}

fn problem_schema() -> Value {
    let types = problem::Kind::ALL.iter();
    let types: Vec<_> = types.map(|(_, name, ..)| problem::type_of(name)).collect();
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": { "type": "string", "enum": types },
            "title": { "type": "string", "description": "What the type is." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What it is this time." },
            "argument": { "type": "string", "description": "The argument that it is about." },
            "scope": { "type": "string", "description": "What the token would have to be good for." },
        },
        "required": ["type", "title", "status"],
        "additionalProperties": false,
    })
}
