//! The routes of the API, a file a feature.
//!
//! | method and path | file |
//! |---|---|
//! | GET, HEAD `/m/{id}` | `resolve` |
//! | POST `/media/v1/links` | `links` |
//! | POST `/media/v1/documents` | `documents`, and `lines` for NDJSON |
//! | POST `/media/v1/cookies` | `cookies` |
//! | POST `/media/v1/uploads`, POST `/media/v1/uploads/{id}/finalize` | `uploads` |
//! | GET `/media/v1/assets`, GET, PATCH, DELETE `/media/v1/assets/{id}`, GET `/media/v1/usage` | `assets` |

mod asset_body;
mod assets;
mod cookies;
mod documents;
mod lines;
mod links;
mod ndjson;
mod resolve;
mod uploads;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::time::timeout;

use super::Api;
use super::problem::{Kind, Problem};

/// All routes of the API.
pub(super) fn all(api: &Api) -> Router<Api> {
    let timed = Router::new()
        .route("/m/{id}", get(resolve::resolve))
        .route("/media/v1/links", post(links::sign))
        .route("/media/v1/cookies", post(cookies::grant))
        .route("/media/v1/uploads", post(uploads::ticket))
        .route("/media/v1/uploads/{id}/finalize", post(uploads::finalize))
        .route("/media/v1/assets", get(assets::list))
        .route("/media/v1/assets/{id}", get(assets::find).patch(assets::patch).delete(assets::delete))
        .route("/media/v1/usage", get(assets::usage))
        .route_layer(middleware::from_fn_with_state(Api::clone(api), in_time));
    timed.route("/media/v1/documents", post(documents::sign))
}

/// Ends a call whose answer takes too long.
async fn in_time(State(api): State<Api>, request: Request, next: Next) -> Response {
    match timeout(api.limits.answer_time, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => Problem::new(Kind::TimedOut, "the answer wasn't ready in time; try again").into_response(),
    }
}
