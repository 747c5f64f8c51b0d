//! A request that was let in, until its answer has gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http::Extensions;

use super::places::{Place, TenantPlace};
use super::policy::Headers;
use super::unread::{self, Charge};
use crate::http::guarded_body::{Guard, GuardedBody};
use crate::http::problem::{Kind, Problem};
use crate::media::TenantId;
use crate::service::ports::Limit;
use crate::service::rates::ClientNet;
use crate::service::shares::Share;

/// In the extensions of a request.
#[derive(Clone)]
pub(in crate::http) struct Visit(Arc<Inner>);

struct Inner {
    guest: Guest,
    _place: Place,
    tenant: OnceLock<Tenant>,
    /// It has counted, for its tenant or for its network.
    counted: AtomicBool,
    /// What it has of its network's budget while it isn't a tenant's.
    charge: Mutex<Option<Arc<Charge>>>,
    /// Its network has nothing left for its answer.
    over_budget: AtomicBool,
}

/// Where a request comes from, and what it costs while no tenant is known.
#[derive(Clone, Copy)]
pub(in crate::http) struct Guest {
    /// The network that it comes from.
    pub(in crate::http) net: ClientNet,
    /// In bytes.
    pub(in crate::http) cost: u64,
    /// It came by HTTP/2, where a client may leave many answers unread.
    pub(in crate::http) multiplexed: bool,
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
    /// A request in a place.
    pub(super) fn new(guest: Guest, place: Place) -> Self {
        Self(Arc::new(Inner {
            guest,
            _place: place,
            tenant: OnceLock::new(),
            counted: AtomicBool::new(false),
            charge: Mutex::default(),
            over_budget: AtomicBool::new(false),
        }))
    }

    /// Where it comes from.
    pub(super) fn guest(&self) -> Guest {
        self.0.guest
    }

    /// Notes that it counts; `false` where it has counted already.
    pub(super) fn counts(&self) -> bool {
        !self.0.counted.swap(true, Ordering::Relaxed)
    }

    /// Whether it has counted.
    pub(super) fn has_counted(&self) -> bool {
        self.0.counted.load(Ordering::Relaxed)
    }

    /// Keeps what it has of its network's budget.
    pub(super) fn keep(&self, charge: Option<Charge>) {
        *self.charge() = charge.map(Arc::new);
    }

    /// Gives back what it has of its network's budget, which has nothing left for its answer.
    pub(super) fn exceeds(&self) {
        self.keep(None);
        self.0.over_budget.store(true, Ordering::Relaxed);
    }

    /// Takes as much more of its network's budget as an answer needs; `false` where there is too little left. A
    /// request without a charge is a tenant's, or of a network without a bound.
    pub(super) fn affords(&self, answer: &Response) -> bool {
        self.charge().as_ref().is_none_or(|charge| charge.grow(unread::cost_of_answer(answer)))
    }

    fn charge(&self) -> MutexGuard<'_, Option<Arc<Charge>>> {
        self.0.charge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is a tenant's, which is told so. It costs its network nothing.
    pub(super) fn is_tenants(&self, place: TenantPlace, body: Share<TenantId>, headers: Headers) {
        self.keep(None);
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
        if self.0.tenant.get().is_none() {
            answer = self.guests(answer);
        }
        let short = answer.body().size_hint().upper().is_some_and(|most| most <= SHORT);
        if short { answer } else { answer.map(|body| Body::new(GuardedBody::new(body, self))) }
    }

    /// The answer to a request that is no tenant's. It keeps what the request has of its network's budget.
    fn guests(&self, answer: Response) -> Response {
        match self.charge().take() {
            Some(charge) => unread::charged(answer, charge),
            None if self.0.over_budget.load(Ordering::Relaxed) => self.0.guest.over_budget(answer),
            None => answer,
        }
    }
}

impl Guest {
    /// A refusal where its network has nothing left of its budget: over HTTP/2 it has no body, or refusals could lie
    /// unread there instead of answers.
    pub(super) fn over_budget(self, answer: Response) -> Response {
        if !self.multiplexed {
            return answer;
        }
        let mut answer = answer.map(|_| Body::empty());
        for name in [CONTENT_TYPE, CONTENT_LENGTH] {
            answer.headers_mut().remove(name);
        }
        answer
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

/// A long answer keeps the place of its request.
impl Guard for Visit {}

/// In what steps memory is counted, in bytes.
const STEP: usize = 64 * 1024;
/// Answers that are sent in one piece, in bytes.
const SHORT: u64 = 16 * 1024;
