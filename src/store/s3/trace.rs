//! Requests tell S3 which trace they belong to.
//!
//! The headers are put in once a request is signed: they are no part of its signature, so that who stands between may
//! change them. Tickets that are signed for others never carry them.

use std::sync::Arc;

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

use crate::service::ports::CurrentTrace;

/// Says which trace a request belongs to.
#[derive(Debug)]
pub(super) struct Traced(pub(super) Arc<dyn CurrentTrace>);

impl Intercept for Traced {
    fn name(&self) -> &'static str {
        "Traced"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(trace) = self.0.current() {
            let headers = context.request_mut().headers_mut();
            headers.try_insert("traceparent", trace.parent())?;
            if let Some(state) = trace.state() {
                headers.try_insert("tracestate", state.to_owned())?;
            }
        }
        Ok(())
    }
}
