//! The report on tenants: how many there are, and which of them can't be served.

use std::fmt::Write;

use super::super::StartError;
use crate::config::Settings;
use crate::store::mongo::Mongo;

/// The tenants' part of the report.
pub(super) struct Tenants {
    /// Its lines.
    pub(super) text: String,
    /// How many can't be served.
    pub(super) unservable: usize,
}

/// Checks every tenant.
///
/// # Errors
/// When the groups can't be read from MongoDB.
pub(super) async fn report(settings: &Settings, mongo: Option<&Mongo>) -> Result<Tenants, StartError> {
    let Some(mongo) = mongo else {
        let text = format!("tenants     ok  {} in the settings", settings.tenants.len());
        return Ok(Tenants { text, unservable: 0 });
    };
    let survey = mongo.survey().await.map_err(|error| StartError::system("reading the groups", error))?;
    let unservable = survey.unservable.len();
    let groups = survey.groups;
    let mut text = match unservable {
        0 => format!("tenants     ok  {groups} groups, and all can be served"),
        _ => format!("tenants     {unservable} of {groups} groups can't be served:"),
    };
    // Writing to a String can't fail.
    for why in survey.unservable.values() {
        let _ = write!(text, "\n            {why}");
    }
    for warning in &survey.warnings {
        let _ = write!(text, "\nwarning     {warning}");
    }
    Ok(Tenants { text, unservable })
}
