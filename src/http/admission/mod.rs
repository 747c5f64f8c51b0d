//! Who is let in, and who is told to come back later.
//!
//! 1. [`Admission::client`]: a request without credentials counts for the network that it comes from.
//! 2. [`Admission::enter`]: what isn't answered at once takes one of the node's places, until its answer has gone. Where
//!    none is free it is refused at once, rather than made to wait. Without credentials it also takes of what its network
//!    may have under way and unread (`unread`).
//! 3. [`Admission::tenant`]: a request with credentials counts for its tenant, which has a bound of its own for
//!    what is under way. [`Admission::stranger`]: one whose credentials aren't known counts for its network before they
//!    are looked up, and one with wrong ones once that is known. [`Admission::settle`]: so does every other request that
//!    has brought credentials and wasn't a tenant's when it was answered (`settle`).
//! 4. [`Room`]: its body takes of the memory that there is for bodies.
//!
//! [`Visit`] is a request that was let in. `places` counts what is under way; `policy` says it in headers.

mod places;
mod policy;
mod settle;
mod unread;
mod visit;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::Response;
use hyper::Version;
use hyper::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::client_address::{ClientAddress, X_FORWARDED_FOR};
use super::limits::LoadLimits;
use super::look::Look;
use super::problem::{Kind, Problem};
use crate::media::TenantId;
use crate::service::ports::Limit;
use crate::service::rates::{ClientNet, ClientRates, TenantRates};
use crate::service::shares::Shares;

use places::{Places, TenantPlaces};
use policy::{CLIENT, Policy, TENANT};
pub(super) use settle::{Settling, count_first, settle};
use unread::Charge;
pub(super) use unread::{SharedBody, UnreadBudget, charged, cost_of_answer, cost_of_request};
pub(super) use visit::{Guest, Room, Visit};

/// The bounds of an API, and how much of each is used.
pub(super) struct Admission {
    trusted_hops: usize,
    clients: Option<(ClientRates, Policy)>,
    /// What networks have under way and unread.
    unread: Option<UnreadBudget>,
    tenants: Option<TenantRates>,
    places: Places,
    tenant_places: TenantPlaces,
    /// Memory for bodies.
    bodies: Shares<TenantId>,
    /// What bounds a tenant.
    tenant_policy: Policy,
    /// Whether it was said that a proxy isn't trusted that seems to be there.
    proxy_said: AtomicBool,
}

impl Admission {
    /// Nobody is there yet.
    pub(super) fn new(limits: &LoadLimits, trusted_hops: usize) -> Self {
        let client = |rate| (ClientRates::new(rate), Policy::new(CLIENT, Some(rate), None));
        Self {
            trusted_hops,
            clients: limits.client.map(client),
            unread: limits.client_bytes.map(UnreadBudget::new),
            tenants: limits.tenant.map(TenantRates::new),
            places: Places::new(limits.in_flight),
            tenant_places: TenantPlaces::new(limits.tenant_in_flight),
            bodies: Shares::new(limits.body_bytes.map_or(usize::MAX, NonZeroUsize::get)),
            tenant_policy: Policy::new(TENANT, limits.tenant, limits.tenant_in_flight),
            proxy_said: AtomicBool::new(false),
        }
    }

    /// Counts a request that brings no credentials for the network that it is from.
    ///
    /// # Errors
    /// 429 where that asks too often.
    pub(super) fn client(
        &self,
        peer: SocketAddr,
        headers: &HeaderMap,
        look: Look<'_>,
    ) -> Result<(), Problem> {
        if self.clients.is_none() || look.authorization {
            return Ok(());
        }
        self.count(self.net(peer, headers)).inspect_err(|_| self.look_for_proxy(headers))
    }

    /// Counts a request that doesn't name the server for the network that it is from. Gives what it is told: `problem`,
    /// unless the network asks too often.
    pub(super) fn unnamed(&self, peer: SocketAddr, headers: &HeaderMap, problem: Problem) -> Problem {
        self.count(self.net(peer, headers)).err().unwrap_or(problem)
    }

    /// Gives a request that was let in a place. Without credentials it takes of what its network may have under way.
    ///
    /// # Errors
    /// 503 where there is no place, 429 where the network has too much under way or unread.
    pub(super) fn enter(&self, guest: Guest, headers: &HeaderMap, look: Look<'_>) -> Result<Visit, Problem> {
        let Some(place) = self.places.take() else {
            if look.authorization {
                // It isn't known whose it is. The answer is what matters to its client, whatever is left to it.
                let _ = self.count(guest.net);
            }
            let detail = "there are too many requests under way here; try again";
            return Err(Problem::new(Kind::Overloaded, detail).at(Limit::Concurrency));
        };
        let visit = Visit::new(guest, place);
        if !look.authorization {
            visit.counts();
            visit.keep(self.charge(guest).inspect_err(|_| self.look_for_proxy(headers))?);
        }
        Ok(visit)
    }

    /// Where a request comes from, and what it costs while no tenant is known.
    pub(super) fn guest<B>(&self, peer: SocketAddr, request: &hyper::Request<B>) -> Guest {
        Guest {
            net: self.net(peer, request.headers()),
            cost: cost_of_request(request.uri().path()),
            multiplexed: request.version() == Version::HTTP_2,
        }
    }

    /// Makes a refusal keep what it costs of its network's budget, where there is any left.
    pub(super) fn refused(&self, guest: Guest, answer: Response) -> Response {
        if !guest.multiplexed {
            // HTTP/1.1 has no other answer under way beside this one.
            return answer;
        }
        match self.charge(guest) {
            Ok(Some(charge)) => charged(answer, Arc::new(charge)),
            Ok(None) => answer,
            Err(_) => guest.over_budget(answer),
        }
    }

    /// A request turns out to be a tenant's.
    ///
    /// # Errors
    /// 429 where that asks too often, or has too much under way.
    pub(super) fn tenant(&self, tenant: &TenantId, visit: Option<&Visit>) -> Result<(), Problem> {
        if let Some(visit) = visit {
            visit.counts();
        }
        let refused = |limit, detail, headers| {
            Problem::new(Kind::TooManyRequests, detail).at(limit).with_headers(headers)
        };
        let left = match self.tenants.as_ref().map(|rates| rates.take(tenant)).transpose() {
            Ok(left) => left,
            Err(too_often) => {
                let detail = "the tenant asks too often; Retry-After says when to try again";
                return Err(refused(Limit::TenantRate, detail, self.tenant_policy.too_often(too_often)));
            }
        };
        let Some(place) = self.tenant_places.take(tenant) else {
            let detail = "too many of the tenant's requests are under way; try again when one is answered";
            return Err(refused(Limit::TenantConcurrency, detail, self.tenant_policy.too_much(left)));
        };
        if let Some(visit) = visit {
            visit.is_tenants(place, self.bodies.none(tenant.clone()), self.tenant_policy.told(left));
        }
        Ok(())
    }

    /// Counts a request for its network that isn't known to be a tenant's, once: before its credentials are looked up,
    /// or once it is known that it has no good ones.
    ///
    /// # Errors
    /// 429 where the network asks too often, or has too much under way or unread.
    pub(super) fn stranger(&self, visit: Option<&Visit>) -> Result<(), Problem> {
        let Some(visit) = visit.filter(|visit| visit.counts()) else { return Ok(()) };
        let (counted, charge) = (self.count(visit.guest().net), self.charge(visit.guest()));
        match charge {
            Ok(charge) => {
                visit.keep(charge);
                counted
            }
            Err(too_much) => {
                visit.exceeds();
                counted.and(Err(too_much))
            }
        }
    }

    /// Counts a request for its network that has come to an answer and was no tenant's.
    ///
    /// # Errors
    /// 429 where the network asks too often, or there is no room for the answer.
    pub(super) fn settle(&self, visit: &Visit, answer: &Response) -> Result<(), Problem> {
        if !visit.has_counted() {
            self.stranger(Some(visit))?;
        }
        if visit.affords(answer) {
            return Ok(());
        }
        // The refusal holds nothing of the budget, so that the next answer finds room as soon as one is read.
        visit.exceeds();
        Err(too_much_unread().with_headers(self.closing()))
    }

    fn charge(&self, guest: Guest) -> Result<Option<Charge>, Problem> {
        let Some(budget) = &self.unread else { return Ok(None) };
        let charge = budget.take(guest.net, guest.cost);
        charge.map(Some).ok_or_else(|| too_much_unread().with_headers(self.closing()))
    }

    fn count(&self, net: ClientNet) -> Result<(), Problem> {
        let Some((rates, policy)) = &self.clients else { return Ok(()) };
        rates.take(&net).map(drop).map_err(|too_often| {
            let detail = "this address asks too often; Retry-After says when to try again";
            Problem::new(Kind::TooManyRequests, detail)
                .at(Limit::ClientRate)
                .with_headers(policy.too_often(too_often))
                .with_headers(self.closing())
        })
    }

    /// What ends the connection of an address that is refused. One from a proxy is that of others too.
    fn closing(&self) -> Vec<(HeaderName, HeaderValue)> {
        if self.trusted_hops == 0 {
            vec![(CONNECTION, HeaderValue::from_static("close"))]
        } else {
            Vec::new()
        }
    }

    fn net(&self, peer: SocketAddr, headers: &HeaderMap) -> ClientNet {
        ClientNet::of(ClientAddress::of(peer, headers, self.trusted_hops).ip())
    }

    /// Where a proxy isn't trusted, all who come by it are one client.
    fn look_for_proxy(&self, headers: &HeaderMap) {
        let untrusted = self.trusted_hops == 0 && headers.contains_key(X_FORWARDED_FOR);
        if untrusted && !self.proxy_said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "an address asks too often that sends X-Forwarded-For: where it is a proxy of your own, set \
                 server.trusted_hops, as all who come by it are one client until then"
            );
        }
    }
}

/// The refusal of a network that has too much under way or unread.
pub(super) fn too_much_unread() -> Problem {
    let detail = "this address has too much under way, or too many answers that it doesn't read; read them, then try \
                  again";
    Problem::new(Kind::TooManyRequests, detail)
        .at(Limit::ClientBytes)
        .with_header(RETRY_AFTER, HeaderValue::from_static(UNREAD_SECONDS))
}

/// When there may be room again: its clients decide.
const UNREAD_SECONDS: &str = "1";
