//! Traces that requests come with: `traceparent` and `tracestate`, as W3C Trace Context has them.
//!
//! Answers carry no `traceresponse`, which is a draft: who sends a `traceparent` knows the trace, and who doesn't has
//! the request id, which log lines and spans carry beside it.

use hyper::header::{HeaderMap, HeaderName};
use tracing::Span;

use crate::service::ports::TraceContext;

/// Follows requests from service to service. `telemetry` does.
pub trait RequestTracer: Send + Sync + 'static {
    /// Whether spans are sent to somebody. Where not, requests that are answered at once aren't followed.
    fn is_heard(&self) -> bool {
        false
    }

    /// A request's span has begun: it belongs to the trace of its caller, or to a new one. Gives the id of the trace.
    fn follow(&self, span: &Span, caller: Option<TraceContext>) -> Option<u128>;
}

/// Knows of traces, and tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRequestTracer;

impl RequestTracer for NoRequestTracer {
    fn follow(&self, _: &Span, caller: Option<TraceContext>) -> Option<u128> {
        caller.map(|caller| caller.trace_id())
    }
}

/// Where in a trace a request's caller stands; `None` where it doesn't say so, or not once and rightly.
pub(super) fn caller(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let parent = parents.next()?.to_str().ok()?;
    if parents.next().is_some() {
        return None;
    }
    let states: Option<Vec<&str>> =
        headers.get_all(TRACESTATE).iter().map(|state| state.to_str().ok()).collect();
    let states = states.filter(|states| !states.is_empty()).map(|states| states.join(","));
    TraceContext::parse(parent, states.as_deref())
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(parents: &[&'static str], states: &[&'static str]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, values) in [(TRACEPARENT, parents), (TRACESTATE, states)] {
            for value in values {
                headers.append(name.clone(), HeaderValue::from_static(value));
            }
        }
        caller(&headers)
    }

    #[test]
    fn states_are_one_list_however_many_headers_they_come_in() {
        assert_eq!(of(&[PARENT], &["a=1", "b=2,c=3"]).unwrap().state(), Some("a=1,b=2,c=3"));
        assert_eq!(of(&[PARENT], &[]).unwrap().state(), None);
        assert_eq!(
            of(&[PARENT], &["a=1", "B=2"]).unwrap().state(),
            None,
            "a wrong one spoils the list alone"
        );
    }

    #[test]
    fn a_caller_stands_at_one_place() {
        assert_eq!(of(&[PARENT], &[]).unwrap().parent(), PARENT);
        assert_eq!(of(&[PARENT, PARENT], &[]), None);
        assert_eq!(of(&[], &["a=1"]), None);
    }
}
