//! Spans in the words of OpenTelemetry's semantic conventions. In code and logs they have short ones.
//!
//! | span | is called | kind | fields |
//! |---|---|---|---|
//! | `request` | method and route | server | `http.request.method`, `http.route`, `http.response.status_code`, `signet.request.id`, `signet.tenant` |
//! | `store` | the operation | client | `db.operation.name`, `error.type` |
//! | `objects` | the operation | client | `rpc.method`, `error.type` |
//! | `document` | `document` | internal | `signet.document.bytes`, `signet.document.found`, `signet.document.signed` |

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// Sends spans on in the words of the conventions.
#[derive(Debug)]
pub(super) struct Conventional<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for Conventional<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch.into_iter().map(conventional).collect()).await
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// A span as others know it.
fn conventional(mut span: SpanData) -> SpanData {
    let (kind, words): (_, &[(&str, &'static str)]) = match &*span.name {
        "request" => (SpanKind::Server, &REQUEST),
        "store" => (SpanKind::Client, &STORE),
        "objects" => (SpanKind::Client, &OBJECTS),
        "document" => (SpanKind::Internal, &DOCUMENT),
        _ => return span,
    };
    let text = |name: &str| {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
        found.map(|attribute| attribute.value.as_str().into_owned())
    };
    let name = match &*span.name {
        "request" => match (text("method"), text("route")) {
            (Some(method), Some(route)) if route.starts_with('/') => Some(format!("{method} {route}")),
            (method, _) => method,
        },
        _ => text("operation"),
    };
    let failed = text("status").is_some_and(|status| status.starts_with('5'))
        || text("outcome").is_some_and(|outcome| matches!(&*outcome, "unavailable" | "corrupt"));
    span.span_kind = kind;
    if let Some(name) = name {
        span.name = name.into();
    }
    if failed {
        span.status = Status::error("");
    }
    span.attributes =
        std::mem::take(&mut span.attributes).into_iter().filter_map(|one| renamed(one, words)).collect();
    span
}

/// A field by the word of the conventions; `None` where they have none.
fn renamed(field: KeyValue, words: &[(&str, &'static str)]) -> Option<KeyValue> {
    let (_, word) = words.iter().find(|(name, _)| *name == field.key.as_str())?;
    // An outcome is worth a word where it isn't what was wanted.
    if *word == ERROR_TYPE && field.value == Value::from("done") {
        return None;
    }
    Some(KeyValue::new(*word, field.value))
}

const ERROR_TYPE: &str = "error.type";
const REQUEST: [(&str, &str); 5] = [
    ("method", "http.request.method"),
    ("route", "http.route"),
    ("status", "http.response.status_code"),
    ("id", "signet.request.id"),
    ("tenant", "signet.tenant"),
];
const STORE: [(&str, &str); 2] = [("operation", "db.operation.name"), ("outcome", ERROR_TYPE)];
const OBJECTS: [(&str, &str); 2] = [("operation", "rpc.method"), ("outcome", ERROR_TYPE)];
const DOCUMENT: [(&str, &str); 3] = [
    ("bytes", "signet.document.bytes"),
    ("found", "signet.document.found"),
    ("signed", "signet.document.signed"),
];

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanContext, SpanId};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    fn span(name: &'static str, attributes: &[(&'static str, Value)]) -> SpanData {
        conventional(SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: attributes.iter().map(|(key, value)| KeyValue::new(*key, value.clone())).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        })
    }

    #[test]
    fn a_request_is_called_by_method_and_route() {
        let fields = |status: i64| {
            [
                ("method", "GET".into()),
                ("route", "/m/{id}".into()),
                ("trace_id", "0af7".into()),
                ("status", status.into()),
            ]
        };
        let found = span("request", &fields(302));
        assert_eq!(
            (&*found.name, found.span_kind, found.status),
            ("GET /m/{id}", SpanKind::Server, Status::Unset)
        );
        let keys: Vec<&str> = found.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["http.request.method", "http.route", "http.response.status_code"]);
        assert_eq!(span("request", &fields(503)).status, Status::error(""));
        assert_eq!(span("request", &[("method", "GET".into()), ("route", "unmatched".into())]).name, "GET");
    }

    #[test]
    fn a_store_is_called_by_what_it_is_asked_for() {
        let done = span("store", &[("operation", "find_asset".into()), ("outcome", "done".into())]);
        assert_eq!((&*done.name, done.span_kind), ("find_asset", SpanKind::Client));
        assert_eq!(done.attributes, [KeyValue::new("db.operation.name", "find_asset")]);
        let down = span("objects", &[("operation", "head".into()), ("outcome", "unavailable".into())]);
        let fields = [KeyValue::new("rpc.method", "head"), KeyValue::new("error.type", "unavailable")];
        assert_eq!((down.attributes.as_slice(), down.status), (&fields[..], Status::error("")));
    }
}
