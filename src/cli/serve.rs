//! `signet serve`: the proxy, by a file of settings.

use std::path::PathBuf;

use super::{CliError, runtime};
use crate::app;
use crate::config::Environment;

/// The options of `signet serve`.
#[derive(clap::Args)]
pub struct Args {
    /// File of settings, in TOML; config/signet.toml explains each
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// [`CliError::Failed`] where it can't start.
pub fn run(args: &Args) -> Result<(), CliError> {
    let environment = Environment::of_process();
    let serving = app::serve::serve(&args.config, &environment);
    runtime()?.block_on(serving).map_err(CliError::failed)
}
