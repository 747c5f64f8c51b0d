//! Who calls, and whether they may.
//!
//! A handler gets its caller from [`May`] alone, which names the scope that the route needs: a route can't be
//! written without one. [`Guest`] is for the permalink, where the asset decides.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::http::request::Parts;

use super::Api;
use super::admission::Visit;
use super::problem::Problem;
use crate::service::{AuthError, Caller, Credentials, Scope};

/// A caller who may do what the route is for.
pub(super) struct May<P>(Caller, PhantomData<P>);

/// What a route is for.
pub(super) trait Purpose: Send + Sync + 'static {
    /// The scope that its callers need.
    const SCOPE: Scope;
}

/// Routes that show.
pub(super) struct Read;
/// Routes that change.
pub(super) struct Write;
/// Routes that sign.
pub(super) struct Sign;

impl Purpose for Read {
    const SCOPE: Scope = Scope::Read;
}
impl Purpose for Write {
    const SCOPE: Scope = Scope::Write;
}
impl Purpose for Sign {
    const SCOPE: Scope = Scope::Sign;
}

impl<P> May<P> {
    /// The caller, to be kept.
    pub(super) fn into_caller(self) -> Caller {
        self.0
    }
}

impl<P> Deref for May<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<P: Purpose> FromRequestParts<Api> for May<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = authenticate(parts, api).await?;
        caller.require(P::SCOPE)?;
        Ok(Self(caller, PhantomData))
    }
}

/// Whoever calls: nobody known, where there are no credentials. Wrong ones are refused all the same, so that
/// their owner hears of it. Scopes aren't looked at here.
pub(super) struct Guest(pub(super) Option<Caller>);

impl FromRequestParts<Api> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(Self(None));
        }
        authenticate(parts, api).await.map(|caller| Self(Some(caller)))
    }
}

/// Finds out who calls. A caller counts for its tenant. Credentials that the node doesn't know count for the address
/// before a store or an issuer is asked, and wrong ones once that is known.
async fn authenticate(parts: &Parts, api: &Api) -> Result<Caller, Problem> {
    let visit = parts.extensions.get::<Visit>();
    let auth = &api.services.auth;
    let credentials = authorization(&parts.headers)
        .and_then(|authorization| Credentials::parse(authorization).map_err(Problem::from));
    let known = match &credentials {
        Ok(credentials) => {
            if !auth.answers_at_once(credentials) {
                api.admission.stranger(visit)?;
            }
            api.in_time(auth.authenticate(credentials)).await
        }
        Err(problem) => Err(problem.clone()),
    };
    match known {
        Ok(caller) => {
            api.admission.tenant(&caller.tenant.id, visit)?;
            Ok(caller)
        }
        Err(problem) if problem.kind().status().is_client_error() => {
            api.admission.stranger(visit)?;
            Err(problem)
        }
        Err(problem) => Err(problem),
    }
}

fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| AuthError::Invalid.into()),
        _ => Err(AuthError::Invalid.into()),
    }
}
