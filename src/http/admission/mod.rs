//! Who is let in, and who is told to come back later.
//!
//! 1. [`Admission::client`]: a request without credentials counts for the network that it comes from.
//! 2. [`Admission::enter`]: what isn't answered at once takes one of the node's places, until its answer has gone. Where
//!    none is free it is refused at once, rather than made to wait.
//! 3. [`Admission::tenant`]: a request with credentials counts for its tenant, which has a bound of its own for
//!    what is under way. [`Admission::stranger`]: one with wrong credentials counts for its network.
//! 4. [`Room`]: its body takes of the memory that there is for bodies.
//!
//! [`Visit`] is a request that was let in. `places` counts what is under way; `policy` says it in headers.

mod places;
mod policy;
mod visit;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::header::HeaderMap;

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
pub(super) use visit::{Room, Visit};

/// The bounds of an API, and how much of each is used.
pub(super) struct Admission {
    trusted_hops: usize,
    clients: Option<(ClientRates, Policy)>,
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
            tenants: limits.tenant.map(TenantRates::new),
            places: Places::new(limits.in_flight),
            tenant_places: TenantPlaces::new(limits.tenant_in_flight),
            bodies: Shares::new(limits.body_bytes.map_or(usize::MAX, NonZeroUsize::get)),
            tenant_policy: Policy::new(TENANT, limits.tenant, limits.tenant_in_flight),
            proxy_said: AtomicBool::new(false),
        }
    }

    /// A request comes in. Where it brings no credentials, it counts for the network that it is from.
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

    /// A request that was let in takes a place.
    ///
    /// # Errors
    /// 503 where there is none.
    pub(super) fn enter(&self, peer: SocketAddr, headers: &HeaderMap) -> Result<Visit, Problem> {
        let place = self.places.take().ok_or_else(|| {
            Problem::new(Kind::Overloaded, "there are too many requests under way here; try again")
                .at(Limit::Concurrency)
        })?;
        Ok(Visit::new(self.net(peer, headers), place))
    }

    /// A request turns out to be a tenant's.
    ///
    /// # Errors
    /// 429 where that asks too often, or has too much under way.
    pub(super) fn tenant(&self, tenant: &TenantId, visit: Option<&Visit>) -> Result<(), Problem> {
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

    /// A request has wrong credentials: what it is told.
    pub(super) fn stranger(&self, visit: Option<&Visit>, problem: Problem) -> Problem {
        match visit.map(|visit| self.count(visit.net())) {
            Some(Err(too_often)) => too_often,
            _ => problem,
        }
    }

    fn count(&self, net: ClientNet) -> Result<(), Problem> {
        let Some((rates, policy)) = &self.clients else { return Ok(()) };
        rates.take(&net).map(drop).map_err(|too_often| {
            let detail = "this address asks too often; Retry-After says when to try again";
            Problem::new(Kind::TooManyRequests, detail)
                .at(Limit::ClientRate)
                .with_headers(policy.too_often(too_often))
        })
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
