//! Traces.

use serde::Deserialize;

/// `[telemetry]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// Where spans are sent, by OTLP over HTTP as protobuf: a URL such as `http://127.0.0.1:4318/v1/traces`. Default
    /// none: traces are handed on and logged, and no span is sent.
    pub otlp_endpoint: Option<String>,
    /// How many of the traces that begin here are sent: 0 to 1. Of a trace that a request comes with, whoever began
    /// it has decided. Default 1.
    pub sample_ratio: f64,
    /// What this service is called in traces. Default `signet`.
    pub service_name: String,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample_ratio: 1.0, service_name: "signet".into() }
    }
}
