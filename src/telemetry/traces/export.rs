//! Spans on their way to a collector: OTLP over HTTP, as protobuf.
//!
//! They wait in a queue of [`QUEUE`]: where it is full, new ones are thrown away, and requests wait for nothing. A
//! thread of the SDK's own takes them from there. What a collector doesn't take is lost, and the log says so once.
//! All of that is counted by [`passage`](super::passage).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tokio::runtime::Handle;

use super::conventions::Conventional;
use super::passage::{Counted, Passage, QUEUE};
use crate::http::{CollectorUrl, Push};

/// Spans that are sent together.
const BATCH: usize = 512;
/// How long a span waits at most before it is sent.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a batch is tried to be sent.
const TIME: Duration = Duration::from_secs(5);

/// Where spans are sent, and which.
#[derive(Debug, Clone)]
pub struct Export {
    /// The collector.
    pub collector: CollectorUrl,
    /// What reaches it.
    pub push: Push,
    /// How many of the traces that begin here are sent: 0 to 1. Of others, whoever began them decides.
    pub sample_ratio: f64,
    /// What this service is called.
    pub service_name: String,
}

impl Export {
    /// What makes spans and sends them, which is counted. To be called where the runtime is: that does the sending.
    ///
    /// # Errors
    /// What the SDK reads of the environment (`OTEL_…`) can't be.
    pub fn provider(&self, passage: &Arc<Passage>) -> Result<SdkTracerProvider, ExporterBuildError> {
        let collector =
            Collector { push: self.push.clone(), runtime: Handle::current(), away: AtomicBool::new(false) };
        let retries =
            RetryPolicy::disabled().with_max_retries(2).with_initial_delay(Duration::from_millis(200));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(self.collector.as_uri().to_string())
            .with_timeout(TIME)
            .with_retry_policy(retries)
            .build()?;
        let terms = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(PAUSE)
            .build();
        let exporter = Counted { next: Conventional(exporter), passage: Arc::clone(passage) };
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(terms).build();
        let batches = Counted { next: batches, passage: Arc::clone(passage) };
        let resource = Resource::builder()
            .with_service_name(self.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(self.sample_ratio)));
        Ok(SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(resource)
            .with_span_processor(batches)
            .build())
    }
}

/// The collector's client. The SDK asks from a thread of its own; the runtime does the work.
struct Collector {
    push: Push,
    runtime: Handle,
    /// Whether the last batch wasn't taken.
    away: AtomicBool,
}

impl Collector {
    /// Says so in the log when batches begin to fail, and when they go well again.
    fn tell(&self, failure: Option<String>) {
        let was_away = self.away.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(reason) if !was_away => {
                tracing::warn!(
                    reason,
                    "the collector doesn't take spans: they are thrown away until it does"
                );
            }
            None if was_away => tracing::info!("the collector takes spans again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let push = self.push.clone();
        let sent = self.runtime.spawn(async move { push.send(request).await }).await;
        let answer = sent.map_err(HttpError::from).and_then(|sent| sent.map_err(HttpError::from));
        self.tell(match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers with status {}", answer.status().as_u16())),
            Err(error) => Some(error.to_string()),
        });
        answer
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}
