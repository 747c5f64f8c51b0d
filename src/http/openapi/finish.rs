//! The last touches: what holds for every operation, and what the settings say.

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use super::refusals::ProblemSchema;
use super::{ApiRules, leaves};
use crate::media::{ContentType, SizeLimits};
use crate::service::Scope;

/// Completes a document.
pub(super) fn finish(document: &mut Value, rules: &ApiRules) -> Result<(), serde_json::Error> {
    let components = document.as_object_mut().map(|root| {
        root.insert("info".to_owned(), info());
        root.insert("servers".to_owned(), json!([{"url": "/", "description": "This node"}]));
        root.insert("tags".to_owned(), tags());
        root.entry("components").or_insert_with(|| json!({}))
    });
    if let Some(components) = components {
        components["schemas"]["Problem"] = serde_json::to_value(ProblemSchema::schema())?;
        for (name, schema) in leaves::levels() {
            components["schemas"][name] = serde_json::to_value(schema)?;
        }
        components["securitySchemes"] = security_schemes();
        components["headers"] = headers();
        uploads(&mut components["schemas"]["UploadRequest"], rules);
    }
    let mut shared = Map::new();
    for (path, item) in members(&mut document["paths"]) {
        for (method, operation) in members(item) {
            if method == "head" {
                head(operation);
            }
            for parameter in parameters(operation) {
                never_null(&mut parameter["schema"]);
            }
            for (status, response) in members(&mut operation["responses"]) {
                answer(status, response);
                share(response, &mut shared);
            }
            if path == "/media/v1/documents" {
                profiles(operation, &rules.profiles);
            }
        }
    }
    document["components"]["responses"] = shared.into();
    Ok(())
}

/// Puts an answer that is a problem among those that operations share, named by its kinds, and a reference
/// in its place.
fn share(response: &mut Value, shared: &mut Map<String, Value>) {
    let kinds = response["content"]["application/problem+json"]["examples"].as_object();
    let Some(kinds) = kinds else { return };
    let name = kinds.keys().map(String::as_str).collect::<Vec<_>>().join(".");
    let reference = json!({"$ref": format!("#/components/responses/{name}")});
    shared.insert(name, std::mem::replace(response, reference));
}

/// The members of an object; none of anything else.
fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(Map::iter_mut)
}

/// The parameters of an operation, if it has any.
fn parameters(operation: &mut Value) -> impl Iterator<Item = &mut Value> {
    operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
}

/// HEAD is GET without the body, and an operation of its own.
fn head(operation: &mut Value) {
    if let Some(id) = operation["operationId"].as_str().map(|id| format!("{id}Head")) {
        operation["operationId"] = id.into();
    }
    for (_, response) in members(&mut operation["responses"]) {
        if let Some(response) = response.as_object_mut() {
            response.remove("content");
        }
    }
}

/// A parameter is there or not: no query and no header can say null.
fn never_null(schema: &mut Value) {
    let mut ways = schema["oneOf"].as_array().into_iter().flatten();
    if let Some(way) = ways.find(|way| way["type"] != "null").cloned() {
        *schema = way;
    }
}

/// The headers that every answer of a kind has.
fn answer(status: &str, response: &mut Value) {
    let mut names = vec!["x-request-id", "Cache-Control"];
    match status {
        "401" => names.push("WWW-Authenticate"),
        "429" => names.extend(["Retry-After", "RateLimit", "RateLimit-Policy"]),
        "503" => names.push("Retry-After"),
        _ => {}
    }
    for name in names {
        response["headers"][name] = json!({"$ref": format!("#/components/headers/{name}")});
    }
}

fn headers() -> Value {
    let header = |description: &str, example: &str| {
        json!({
            "description": description, "required": true, "schema": {"type": "string"}, "example": example,
        })
    };
    json!({
        "x-request-id": header(
            "The request's id: the one that was sent, where that is 1 to 64 of `A-Z a-z 0-9 _ . -`.",
            "01JC8Z3V5N7Q9R1T3W5Y7A9C1E"
        ),
        "Cache-Control": header("For how long the answer may be kept: never longer than its links live.", "no-store"),
        "WWW-Authenticate": header("What is needed.", "Bearer"),
        "Retry-After": header("After how many seconds to try again.", "2"),
        "RateLimit": header(
            "What is left under each policy: `r` requests, to be spread over `t` seconds \
             (draft-ietf-httpapi-ratelimit-headers-11).",
            "\"tenant\";r=0;t=1"
        ),
        "RateLimit-Policy": header(
            "How much may be asked: `q` requests at once, which are whole again after `w` seconds.",
            "\"tenant\";q=1000;w=2, \"tenant-concurrency\";q=64;qu=\"concurrent-requests\""
        ),
    })
}

fn info() -> Value {
    json!({
        "title": "Signet",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Signed links to media: for ids, for batches, for whole JSON documents; and tickets for \
            uploads, which go straight to the object store. Times are RFC 3339 in UTC. Members and query parameters \
            that aren't known are refused. Errors are `application/problem+json` (RFC 9457).",
    })
}

fn tags() -> Value {
    json!([
        {"name": "Links", "description": "From ids, keys, URLs and folders to signed links and cookies."},
        {"name": "Documents", "description": "Every piece of media in a JSON document, signed."},
        {"name": "Files", "description": "The life of a stored file: ticket, finalize, changes, deletion."},
    ])
}

fn security_schemes() -> Value {
    let scopes: Vec<String> = Scope::ALL.iter().map(|scope| format!("`{}`", scope.as_str())).collect();
    let token = format!(
        "A token of the issuer that this node trusts; its `tenantId` claim names the tenant. A token with a \
         `scope` or `scp` claim may do what that says: {}.",
        scopes.join(", ")
    );
    json!({
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": token},
        "apiKey": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The tenant's API key as it is, without `Bearer`. It may do everything.",
        },
    })
}

/// Types and sizes of the settings.
fn uploads(request: &mut Value, rules: &ApiRules) {
    let types = &rules.uploads.content_types;
    let limits = &rules.uploads.limits;
    let properties = &mut request["properties"];
    properties["contentType"]["enum"] = types.iter().map(ContentType::as_str).collect();
    if let Some(first) = types.first() {
        properties["contentType"]["examples"] = json!([first.as_str()]);
    }
    let largest = types.iter().map(|content_type| limits.of(content_type)).max();
    if let Some(largest) = largest {
        properties["sizeBytes"]["maximum"] = largest.into();
        let mut narrower = narrower(types, limits, largest);
        let whole = rules.uploads.parts.threshold_bytes;
        if whole < largest {
            // No SHA-256 is known of what was sent in parts.
            narrower.push(json!({
                "if": {"properties": {"sizeBytes": {"exclusiveMinimum": whole}}, "required": ["sizeBytes"]},
                "then": {"properties": {"checksum": {"type": "null"}}},
            }));
        }
        if !narrower.is_empty() {
            request["allOf"] = narrower.into();
        }
    }
}

/// Of the types whose limit is lower than the largest of all: if it is one of these, then at most so much.
fn narrower(types: &[ContentType], limits: &SizeLimits, largest: u64) -> Vec<Value> {
    let mut lower: Vec<u64> = types.iter().map(|content_type| limits.of(content_type)).collect();
    lower.retain(|limit| *limit < largest);
    lower.sort_unstable();
    lower.dedup();
    let rule = |limit: &u64| {
        let of: Vec<&str> =
            types.iter().filter(|kind| limits.of(kind) == *limit).map(ContentType::as_str).collect();
        json!({
            "if": {"properties": {"contentType": {"enum": of}}, "required": ["contentType"]},
            "then": {"properties": {"sizeBytes": {"maximum": limit}}},
        })
    };
    lower.iter().map(rule).collect()
}

/// The profiles of the settings.
fn profiles(operation: &mut Value, names: &[String]) {
    for parameter in parameters(operation).filter(|parameter| parameter["name"] == "profile") {
        parameter["schema"] = json!({"type": "string", "enum": names});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{PartsPolicy, UploadPolicy};

    #[test]
    fn sizes_depend_on_types_where_the_settings_say_so() {
        let types = ["image/png", "image/gif", "video/mp4"].map(|text| ContentType::parse(text).unwrap());
        let limits = SizeLimits::new(100).with("image/*", 20).unwrap();
        let parts = PartsPolicy { threshold_bytes: 100, part_bytes: 10, seconds: 60 };
        let uploads = UploadPolicy { content_types: types.to_vec(), limits, parts };
        let rules = ApiRules { uploads, profiles: vec!["shop".into()] };
        let document = super::super::describe(&rules).unwrap();
        let request = &document["components"]["schemas"]["UploadRequest"];
        assert_eq!(
            request["properties"]["contentType"]["enum"],
            json!(["image/png", "image/gif", "video/mp4"])
        );
        assert_eq!(request["properties"]["sizeBytes"]["maximum"], 100);
        let rule = json!([{
            "if": {"properties": {"contentType": {"enum": ["image/png", "image/gif"]}}, "required": ["contentType"]},
            "then": {"properties": {"sizeBytes": {"maximum": 20}}},
        }]);
        assert_eq!(request["allOf"], rule);
        let parameters = document["paths"]["/media/v1/documents"]["post"]["parameters"].as_array().unwrap();
        let profile = parameters.iter().find(|parameter| parameter["name"] == "profile").unwrap();
        assert_eq!(profile["schema"]["enum"], json!(["shop"]));
    }
}
