//! `signet check`: would `signet serve` start with these settings?

use std::path::PathBuf;

use super::{CliError, Output, runtime};
use crate::app;
use crate::config::{Environment, load};

/// The options of `signet check`.
#[derive(clap::Args)]
pub struct Args {
    /// File of settings, in TOML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Checks settings, key pairs and stores.
///
/// # Errors
/// [`CliError::Failed`] with the first thing that is wrong.
pub fn run(args: &Args, out: &mut Output) -> Result<(), CliError> {
    let settings = load(&args.config, &Environment::of_process()).map_err(CliError::failed)?;
    let report = runtime()?.block_on(app::check::check(&settings)).map_err(CliError::failed)?;
    out.bytes(report.as_bytes())
}
