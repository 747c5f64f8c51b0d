//! Settings → logs and traces.

use std::sync::Arc;

use super::StartError;
use super::outgoing::connector;
use crate::config::{Settings, TelemetrySettings};
use crate::http::{CollectorUrl, Push};
use crate::telemetry::logging;
use crate::telemetry::traces::Traces;
use crate::telemetry::traces::export::Export;

/// Sends log lines and spans where the settings say, for the rest of the process.
///
/// # Errors
/// The setting that can't be.
pub fn start(settings: &Settings) -> Result<Arc<Traces>, StartError> {
    let passage = Arc::default();
    let provider = export(&settings.telemetry)?.map(|export| {
        export.provider(&passage).map_err(|error| StartError::setting("telemetry.otlp_endpoint", error))
    });
    let traces = Traces::new(provider.transpose()?).with_passage(passage);
    logging::start(&settings.log, &traces).map_err(|detail| StartError::setting("log", detail))?;
    Ok(Arc::new(traces))
}

/// Where spans are sent, if anywhere.
///
/// # Errors
/// The setting that can't be.
pub fn export(settings: &TelemetrySettings) -> Result<Option<Export>, StartError> {
    let ratio = settings.sample_ratio;
    if !(0.0..=1.0).contains(&ratio) {
        return Err(StartError::setting("telemetry.sample_ratio", format!("must be 0 to 1, not {ratio}")));
    }
    if settings.service_name.trim().is_empty() {
        return Err(StartError::setting("telemetry.service_name", "must not be empty"));
    }
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
    let collector = CollectorUrl::parse(endpoint);
    let collector = collector.map_err(|detail| StartError::setting("telemetry.otlp_endpoint", detail))?;
    let connector = connector(collector.as_uri().scheme_str())
        .map_err(|error| StartError::setting("telemetry.otlp_endpoint", error))?;
    let push = Push::new(connector);
    Ok(Some(Export { collector, push, sample_ratio: ratio, service_name: settings.service_name.clone() }))
}
