//! The routes of the API, a file a feature.
//!
//! | method and path | file |
//! |---|---|
//! | GET, HEAD `/m/{id}` | `resolve` |
//! | POST `/media/v1/links` | `links` |
//! | POST `/media/v1/documents` | `documents`, and `ndjson` |
//! | POST `/media/v1/cookies` | `cookies` |
//! | POST `/media/v1/uploads`, POST `/media/v1/uploads/{id}/finalize` | `uploads` |
//! | GET `/media/v1/uploads/{id}/parts`, POST `/media/v1/uploads/{id}/complete`, DELETE `/media/v1/uploads/{id}` | `multipart` |
//! | GET `/media/v1/assets`, GET, PATCH, DELETE `/media/v1/assets/{id}`, POST `/media/v1/assets/{id}/restore`, GET `/media/v1/usage` | `assets` |

mod asset_body;
mod assets;
mod cookies;
mod documents;
mod links;
mod multipart;
mod ndjson;
mod resolve;
mod uploads;

use axum::Router;
use axum::routing::{delete, get, post};

use super::Api;

/// All routes of the API.
pub(super) fn all() -> Router<Api> {
    Router::new()
        .route("/m/{id}", get(resolve::resolve))
        .route("/media/v1/links", post(links::sign))
        .route("/media/v1/documents", post(documents::sign))
        .route("/media/v1/cookies", post(cookies::grant))
        .route("/media/v1/uploads", post(uploads::ticket))
        .route("/media/v1/uploads/{id}", delete(multipart::give_up))
        .route("/media/v1/uploads/{id}/finalize", post(uploads::finalize))
        .route("/media/v1/uploads/{id}/parts", get(multipart::parts))
        .route("/media/v1/uploads/{id}/complete", post(multipart::complete))
        .route("/media/v1/assets", get(assets::list))
        .route("/media/v1/assets/{id}", get(assets::find).patch(assets::patch).delete(assets::delete))
        .route("/media/v1/assets/{id}/restore", post(assets::restore))
        .route("/media/v1/usage", get(assets::usage))
}
