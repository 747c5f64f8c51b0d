//! `signet dev`: everything embedded.

use std::path::PathBuf;

use super::{CliError, Output, runtime};
use crate::app;
use crate::config::Environment;

/// The options of `signet dev`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of keys, assets and objects; made where it isn't there
    #[arg(long, value_name = "DIR", default_value = ".signet")]
    data: PathBuf,
    /// Address of the API; the edge is one port up, metrics two. Port 0 takes free ones
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// [`CliError::Failed`] where it can't start.
pub fn run(args: &Args, out: &mut Output) -> Result<(), CliError> {
    let environment = Environment::of_process().of_signet();
    // Whoever started it may have stopped reading; it serves all the same.
    let say = |text: &str| drop(out.bytes(text.as_bytes()));
    runtime()?.block_on(app::dev::dev(&args.data, &args.listen, &environment, say)).map_err(CliError::failed)
}
