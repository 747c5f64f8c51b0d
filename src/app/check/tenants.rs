//! The tenants, in words: how many there are, and which can't be served.

use std::fmt::Write;

use super::super::StartError;
use crate::config::Settings;
use crate::store::mongo::Mongo;

/// What is known of tenants.
pub(super) struct Tenants {
    /// Lines of the report.
    pub(super) text: String,
    /// How many can't be served.
    pub(super) unservable: usize,
}

/// Goes through all tenants.
///
/// # Errors
/// Where MongoDB doesn't say which there are.
pub(super) async fn look(settings: &Settings, mongo: Option<&Mongo>) -> Result<Tenants, StartError> {
    let Some(mongo) = mongo else {
        let text = format!("tenants     ok  {} in the settings", settings.tenants.len());
        return Ok(Tenants { text, unservable: 0 });
    };
    let survey = mongo.survey().await.map_err(|error| StartError::system("reading the groups", error))?;
    let unservable = survey.refused.len();
    let groups = survey.groups;
    let mut text = match unservable {
        0 => format!("tenants     ok  {groups} groups, and all can be served"),
        _ => format!("tenants     {unservable} of {groups} groups can't be served:"),
    };
    // Writing to a String can't fail.
    for why in survey.refused.values() {
        let _ = write!(text, "\n            {why}");
    }
    for warning in &survey.warned {
        let _ = write!(text, "\nwarning     {warning}");
    }
    Ok(Tenants { text, unservable })
}
