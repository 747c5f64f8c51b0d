//! `signet openapi`: the description of the API, without a node that serves it.

use super::StartError;
use super::profiles::profiles;
use super::rules::{layout, rules};
use crate::config::Settings;
use crate::http::openapi::describe;

/// The OpenAPI document of a node with these settings, for people: indented, a line end at its end.
///
/// # Errors
/// The setting that can't be.
pub fn description(settings: &Settings) -> Result<String, StartError> {
    let layout = layout(settings)?;
    let rules = rules(settings, &profiles(settings, layout.origins())?)?;
    let document = describe(&rules).map_err(|error| StartError::system("describing the API", error))?;
    Ok(format!("{document:#}\n"))
}
