//! The routes of the API, a file a feature.
//!
//! | method and path | file |
//! |---|---|
//! | GET `/openapi.json`, GET `/docs` and its files | `openapi/`, beside these |
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

pub(super) use multipart::MAX_ETAG;
pub(super) use resolve::Permalinks;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;

/// All routes of the API, each with its description: a handler without one doesn't compile here.
pub(super) fn all() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(resolve::resolve))
        .routes(routes!(links::sign))
        .routes(routes!(documents::sign))
        .routes(routes!(cookies::grant))
        .routes(routes!(uploads::ticket))
        .routes(routes!(multipart::give_up))
        .routes(routes!(uploads::finalize))
        .routes(routes!(multipart::parts))
        .routes(routes!(multipart::complete))
        .routes(routes!(assets::list))
        .routes(routes!(assets::find, assets::patch, assets::delete))
        .routes(routes!(assets::restore))
        .routes(routes!(assets::usage))
}
