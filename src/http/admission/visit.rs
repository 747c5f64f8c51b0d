//! A request that was let in, until its answer has gone.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as _, Frame, SizeHint};
use hyper::http::Extensions;

use super::places::{Place, TenantPlace};
use super::policy::Headers;
use crate::http::problem::{Kind, Problem};
use crate::media::TenantId;
use crate::service::ports::Limit;
use crate::service::rates::ClientNet;
use crate::service::shares::Share;

/// In the extensions of a request.
#[derive(Clone)]
pub(in crate::http) struct Visit(Arc<Inner>);

struct Inner {
    net: ClientNet,
    _place: Place,
    tenant: OnceLock<Tenant>,
}

/// What is known once the tenant is.
struct Tenant {
    _place: TenantPlace,
    body: Mutex<Share<TenantId>>,
    headers: Headers,
}

/// Memory for the body of a request, which it has until its answer has gone.
#[derive(Clone, Default)]
pub(in crate::http) struct Room(Option<Visit>);

impl Visit {
    /// From a network, in a place.
    pub(super) fn new(net: ClientNet, place: Place) -> Self {
        Self(Arc::new(Inner { net, _place: place, tenant: OnceLock::new() }))
    }

    /// The network that it comes from.
    pub(super) fn net(&self) -> ClientNet {
        self.0.net
    }

    /// It is a tenant's, which is told so.
    pub(super) fn is_tenants(&self, place: TenantPlace, body: Share<TenantId>, headers: Headers) {
        // One that is asked for twice has its place already.
        let _ = self.0.tenant.set(Tenant { _place: place, body: Mutex::new(body), headers });
    }

    /// It is answered: the answer says what the tenant may still ask, and a long one keeps its places until it has gone.
    /// A redirect says nothing: whoever is told that nothing is left may wait before following it.
    pub(in crate::http) fn answered(self, mut answer: Response) -> Response {
        if let Some(tenant) = self.0.tenant.get().filter(|_| !answer.status().is_redirection()) {
            for (name, value) in &tenant.headers {
                answer.headers_mut().entry(name).or_insert_with(|| value.clone());
            }
        }
        let short = answer.body().size_hint().upper().is_some_and(|most| most <= SHORT);
        if short { answer } else { answer.map(|body| Body::new(Visited { body, _visit: self })) }
    }
}

impl Room {
    /// Of the request of these extensions.
    pub(in crate::http) fn of(extensions: &Extensions) -> Self {
        Self(extensions.get().cloned())
    }

    /// The body has so many bytes by now.
    ///
    /// # Errors
    /// 503 where there is no room for them. Small bodies need none.
    pub(in crate::http) fn hold(&self, bytes: usize) -> Result<(), Problem> {
        let Some(tenant) = self.0.as_ref().and_then(|visit| visit.0.tenant.get()) else { return Ok(()) };
        let steps = bytes / STEP * STEP;
        if tenant.body.lock().unwrap_or_else(PoisonError::into_inner).take(steps) {
            return Ok(());
        }
        let detail = "there is no memory left for a body of this length; try again, or send less at a time";
        Err(Problem::new(Kind::Overloaded, detail).at(Limit::BodyMemory))
    }
}

/// The body of a long answer.
struct Visited {
    body: Body,
    _visit: Visit,
}

impl hyper::body::Body for Visited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// In what steps memory is counted, in bytes.
const STEP: usize = 64 * 1024;
/// Answers that are sent in one piece, in bytes.
const SHORT: u64 = 16 * 1024;
