//! Middleware that counts requests with credentials which turn out to be no tenant's.
//!
//! Without it, anything in `Authorization` would be a way around the limits of strangers: routes that ask for no
//! credentials, paths without a route, methods that aren't taken, ids that can't be.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::ORIGIN;

use super::{Admission, Visit};
use crate::http::Cors;
use crate::http::problem::Problem;

/// What [`settle`] needs.
#[derive(Clone)]
pub(in crate::http) struct Settling {
    pub(in crate::http) admission: Arc<Admission>,
    /// Pages may read why they are refused.
    pub(in crate::http) cors: Cors,
}

/// A layer around all routes: counts what hasn't counted when it is answered, and takes of its network's budget what
/// the answer holds. Where there is too little left, the refusal takes the answer's place: nothing was changed for a
/// caller who isn't known.
pub(in crate::http) async fn settle(
    State(settling): State<Settling>,
    request: Request,
    next: Next,
) -> Response {
    let Some(visit) = request.extensions().get::<Visit>().cloned() else {
        return next.run(request).await;
    };
    let origin = request.headers().get(ORIGIN).cloned();
    let answer = next.run(request).await;
    match settling.admission.settle(&visit, &answer) {
        Ok(()) => answer,
        Err(problem) => {
            let mut refusal = problem.into_response();
            refusal.headers_mut().extend(settling.cors.headers(origin.as_ref()));
            refusal
        }
    }
}

/// A layer around routes that ask for no credentials: what hasn't counted counts before anything is done for it.
pub(in crate::http) async fn count_first(
    State(admission): State<Arc<Admission>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    admission.stranger(request.extensions().get::<Visit>())?;
    Ok(next.run(request).await)
}
