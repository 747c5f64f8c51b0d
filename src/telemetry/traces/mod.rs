//! Traces: where requests stand in them, and their way to a collector.
//!
//! 1. A request's span is put into the trace of its caller, or into a new one: [`Traces`].
//! 2. What is asked of others while it is answered tells them: [`Current`].
//! 3. Where there is a collector, spans go there: [`export`], in the words of [`conventions`]; what becomes of them is
//!    counted by [`passage`]. Without one, the caller's place is handed on as it came, and traces have no hole.

pub mod conventions;
pub mod export;
pub mod passage;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::{Metadata, Span};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use self::passage::Passage;
use crate::http::RequestTracer;
use crate::service::ports::{CurrentTrace, TraceContext};

/// How long what is still to be sent may take at the end.
const END_TIME: Duration = Duration::from_secs(3);
/// Spans of requests that nobody wants to see: scrapes and health checks.
const UNFOLLOWED: &str = "signet::admin";

/// Follows requests.
pub struct Traces {
    provider: Option<SdkTracerProvider>,
    passage: Arc<Passage>,
}

impl Traces {
    /// Sends spans to whom the provider does, or to nobody.
    #[must_use]
    pub fn new(provider: Option<SdkTracerProvider>) -> Self {
        Self { provider, passage: Arc::default() }
    }

    /// The same, with what is known of spans on their way.
    #[must_use]
    pub fn with_passage(self, passage: Arc<Passage>) -> Self {
        Self { passage, ..self }
    }

    /// What becomes of spans.
    #[must_use]
    pub fn passage(&self) -> Arc<Passage> {
        Arc::clone(&self.passage)
    }

    /// What hears of spans, where they are sent to somebody.
    pub(super) fn layer(&self) -> Option<impl Layer<Registry> + use<>> {
        let tracer: SdkTracer = self.provider.as_ref()?.tracer("signet");
        let layer = OpenTelemetryLayer::new(tracer)
            .with_context_activation(false)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        Some(layer.with_filter(filter_fn(is_followed).with_max_level_hint(LevelFilter::DEBUG)))
    }

    /// Sends what is still to be sent, for a few seconds at most.
    pub async fn end(&self) {
        let Some(provider) = self.provider.clone() else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(END_TIME)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("the last spans couldn't be sent to the collector in time");
        }
    }
}

/// Spans of Signet's own, no events: what others say of what they do, they say to nobody.
fn is_followed(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && super::logging::is_own(metadata) && metadata.target() != UNFOLLOWED
}

impl RequestTracer for Traces {
    fn is_heard(&self) -> bool {
        self.provider.is_some()
    }

    fn follow(&self, span: &Span, caller: Option<TraceContext>) -> Option<u128> {
        if self.is_heard() {
            if let Some(caller) = caller {
                // It fails where the span is another's, or there is none: then nobody is told of it.
                let _ =
                    span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote(&caller)));
            }
            return exported(span).map(|place| place.trace_id());
        }
        let place = caller.or_else(fresh)?;
        let trace_id = place.trace_id();
        keep(span, place);
        Some(trace_id)
    }
}

/// Knows the trace of the request that is being answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Current;

impl CurrentTrace for Current {
    fn current(&self) -> Option<TraceContext> {
        let span = Span::current();
        exported(&span).or_else(|| kept(&span))
    }
}

/// A trace that nobody keeps.
fn fresh() -> Option<TraceContext> {
    TraceContext::new(rand::random(), rand::random(), false, None)
}

fn remote(place: &TraceContext) -> SpanContext {
    let flags = if place.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let state = place.state().and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    let (trace, span) = (TraceId::from(place.trace_id()), SpanId::from(place.span_id()));
    SpanContext::new(trace, span, flags, true, state)
}

/// The place of a span that is sent to somebody.
fn exported(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let span = context.span();
    let place = span.span_context();
    let state = place.trace_state().header();
    let (trace, below) = (u128::from_be_bytes(place.trace_id().to_bytes()), place.span_id().to_bytes());
    TraceContext::new(trace, u64::from_be_bytes(below), place.is_sampled(), Some(&state))
}

/// The place that a request came with, where its span is sent to nobody.
struct Kept(TraceContext);

fn keep(span: &Span, place: TraceContext) {
    span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        registry.span(id)?.extensions_mut().replace(Kept(place))
    });
}

fn kept(span: &Span) -> Option<TraceContext> {
    let place = span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        span.scope().find_map(|span| span.extensions().get::<Kept>().map(|kept| kept.0.clone()))
    });
    place.flatten()
}
