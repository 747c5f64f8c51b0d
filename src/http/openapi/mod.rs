//! The description of the API: OpenAPI 3.1, made from the code.
//!
//! 1. The handlers say what they take and give (`#[utoipa::path]`, `ToSchema` on their bodies); `routes`
//!    brings both together.
//! 2. [`leaves`]: schemas of single values. `filename`: one of them. [`refusals`]: what each operation may
//!    be refused for. [`examples`].
//! 3. [`describe`]: the document, with the rules of a node's settings (`finish`).
//! 4. `serve`: GET `/openapi.json`. `page`: GET `/docs`, to try it. `static_file`: what both are made of.

pub(in crate::http) mod examples;
mod filename;
mod finish;
pub(in crate::http) mod leaves;
mod page;
pub(in crate::http) mod refusals;
mod serve;
mod static_file;

use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::routes;
use crate::media::UploadPolicy;

pub(super) use serve::{Readers, router};

/// What of a node's settings the description says.
#[derive(Debug, Clone)]
pub struct ApiRules {
    /// What may be uploaded.
    pub uploads: UploadPolicy,
    /// The names of the profiles of documents.
    pub profiles: Vec<String>,
}

/// The OpenAPI document of a node with these rules.
///
/// # Errors
/// Where it can't be written as JSON.
pub fn describe(rules: &ApiRules) -> Result<Value, serde_json::Error> {
    document(routes::all().into_openapi(), rules)
}

fn document(described: OpenApi, rules: &ApiRules) -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(described)?;
    finish::finish(&mut document, rules)?;
    Ok(document)
}
