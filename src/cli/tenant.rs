//! `signet tenant`: what is done for a tenant once.

use std::path::PathBuf;

use clap::Subcommand;

use super::{CliError, Output, runtime};
use crate::app::provision::{ProvisionTerms, provision_tenant};
use crate::config::{Environment, load};

/// The options of `signet tenant`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a tenant's bucket: private, read by the distribution, open to browsers' uploads
    Provision(Provision),
}

#[derive(clap::Args)]
struct Provision {
    /// The tenant's slug
    #[arg(value_name = "KEY")]
    key: String,
    /// File of settings, in TOML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Do it; without this it is only said what would be done
    #[arg(long)]
    apply: bool,
    /// The CloudFront distribution that may read the bucket [default: cdn.distribution_arn]
    #[arg(long, value_name = "ARN")]
    distribution_arn: Option<String>,
    /// An origin whose pages send uploads; may be repeated [default: store.s3.upload_origins]
    #[arg(long = "origin", value_name = "URL")]
    origins: Vec<String>,
    /// The tenant's id, where the bucket's name has it in and the settings don't
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// Does what is asked for a tenant, and says each step.
///
/// # Errors
/// [`CliError::Failed`] with what is missing, [`CliError::Said`] where a step has failed.
pub fn run(args: Args, out: &mut Output) -> Result<(), CliError> {
    let Command::Provision(args) = args.command;
    let settings = load(&args.config, &Environment::of_process()).map_err(CliError::failed)?;
    let terms = ProvisionTerms {
        key: args.key,
        id: args.id,
        distribution_arn: args.distribution_arn,
        origins: args.origins,
        apply: args.apply,
    };
    let provisioned = runtime()?.block_on(provision_tenant(&settings, &terms)).map_err(CliError::failed)?;
    out.bytes(provisioned.report.as_bytes())?;
    if provisioned.whole { Ok(()) } else { Err(CliError::Said) }
}
