//! `signet openapi`: the description of the API.

use std::path::PathBuf;

use super::{CliError, Output};
use crate::app::description::description;
use crate::config::{Environment, Settings, load};

/// The options of `signet openapi`.
#[derive(clap::Args)]
pub struct Args {
    /// File of settings, whose types, limits and profiles it says; the defaults otherwise
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Prints the OpenAPI document.
///
/// # Errors
/// [`CliError::Failed`] where the settings can't be used.
pub fn run(args: &Args, out: &mut Output) -> Result<(), CliError> {
    let settings = match &args.config {
        Some(file) => load(file, &Environment::of_process()).map_err(CliError::failed)?,
        None => Settings::default(),
    };
    out.bytes(description(&settings).map_err(CliError::failed)?.as_bytes())
}
