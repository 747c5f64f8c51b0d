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
    /// Check every tenant too, and name those that can't be served; exit 1 if there are any
    #[arg(long)]
    tenants: bool,
}

/// Checks settings, key pairs and stores; with `--tenants`, each tenant too.
///
/// # Errors
/// [`CliError::Failed`] with the first thing that is wrong, or after the report if tenants can't be served.
pub fn run(args: &Args, out: &mut Output) -> Result<(), CliError> {
    let settings = load(&args.config, &Environment::of_process()).map_err(CliError::failed)?;
    let check = app::check::check(&settings, args.tenants);
    let report = runtime()?.block_on(check).map_err(CliError::failed)?;
    out.bytes(report.text.as_bytes())?;
    match report.unservable {
        0 => Ok(()),
        count => Err(CliError::about("tenants", format!("{count} can't be served; the report names them"))),
    }
}
