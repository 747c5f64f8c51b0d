//! A stand-in for an OpenTelemetry collector: OTLP over HTTP, as protobuf.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::recorder::Recorder;

/// A running collector.
pub struct Collector {
    pub recorder: Recorder,
}

/// A span, as a person reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub name: String,
    /// 1 internal, 2 server, 3 client.
    pub kind: i32,
    pub trace: String,
    pub id: String,
    /// Empty where the trace begins with it.
    pub parent: String,
    pub state: String,
    pub fields: BTreeMap<String, String>,
    pub failed: bool,
    pub nanoseconds: u64,
}

impl Collector {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self { recorder: Recorder::start(Some(200), "").await }
    }

    /// Where it takes spans.
    pub fn endpoint(&self) -> String {
        format!("{}/v1/traces", self.recorder.url)
    }

    /// The spans that have come.
    pub fn spans(&self) -> Vec<Seen> {
        let requests = self.requests().into_iter().flat_map(|request| request.resource_spans);
        let scopes = requests.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).map(seen).collect()
    }

    /// What those who have sent spans say of themselves.
    pub fn services(&self) -> Vec<BTreeMap<String, String>> {
        let requests = self.requests().into_iter().flat_map(|request| request.resource_spans);
        requests.map(|resource| fields(resource.resource.unwrap().attributes)).collect()
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let read = |(head, body): (axum::http::request::Parts, bytes::Bytes)| {
            assert_eq!((head.method.as_str(), head.uri.path()), ("POST", "/v1/traces"));
            assert_eq!(head.headers["content-type"], "application/x-protobuf");
            ExportTraceServiceRequest::decode(body).unwrap()
        };
        self.recorder.heard().into_iter().map(read).collect()
    }
}

fn seen(span: Span) -> Seen {
    Seen {
        name: span.name,
        kind: span.kind,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        state: span.trace_state,
        fields: fields(span.attributes),
        failed: span.status.is_some_and(|status| status.code == 2),
        nanoseconds: span.end_time_unix_nano.checked_sub(span.start_time_unix_nano).unwrap(),
    }
}

fn fields(fields: Vec<KeyValue>) -> BTreeMap<String, String> {
    fields.into_iter().map(|field| (field.key, text(field.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
