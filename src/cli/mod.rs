//! The commands: one file each.
//!
//! 1. [`dev`], [`serve`]: the proxy; with everything embedded, or by settings.
//! 2. [`check`]: would those settings do?
//! 3. [`sign`]: links and cookies for given URLs. [`document`]: whole documents. [`key`]: the options
//!    that both have.
//! 4. [`inspect`]: why CloudFront would serve or refuse a link.
//! 5. [`keygen`]: a new key pair. [`tenant`]: a tenant's bucket. [`openapi`]: the description of the API.
//! 6. [`health`]: does a node want requests?
//!
//! [`output`] alone writes to stdout and stderr. Answers go to stdout,
//! diagnostics to stderr. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use thiserror::Error;

pub use self::output::Output;

pub mod check;
pub mod dev;
pub mod document;
pub mod health;
pub mod inspect;
pub mod key;
pub mod keygen;
pub mod openapi;
pub mod output;
pub mod serve;
pub mod sign;
pub mod tenant;

#[derive(Parser)]
#[command(name = "signet", version, about = "Signs CloudFront media links")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What can be asked of `signet`.
#[derive(Subcommand)]
enum Command {
    /// Serve with everything embedded: API, object store, and an edge that verifies links
    Dev(dev::Args),
    /// Serve by a file of settings
    Serve(serve::Args),
    /// Sign URLs: a link a line
    Sign(sign::Args),
    /// Sign a content document
    Document(document::Args),
    /// Say why CloudFront would serve or refuse a link
    Inspect(inspect::Args),
    /// Make a key pair, and say how to register it
    Keygen(keygen::Args),
    /// Check settings, key pairs and stores
    Check(check::Args),
    /// Ask a node of this machine whether it wants requests
    Health(health::Args),
    /// Print the OpenAPI document of the API
    Openapi(openapi::Args),
    /// Make what a tenant needs in S3
    Tenant(tenant::Args),
}

/// Why a command didn't do what it was asked.
#[derive(Debug, Error)]
pub enum CliError {
    /// Exit 2: options that don't make sense together. One line, for people.
    #[error("{0}")]
    Usage(String),
    /// Exit 1: refused or failed. One line, for people.
    #[error("{0}")]
    Failed(String),
    /// Exit 1: refused or failed, and all that there is to say has been said.
    #[error("refused")]
    Said,
    /// Exit 0: whoever read stdout has stopped reading, as `head` does. Not worth a word.
    #[error("nobody reads the output")]
    Closed,
}

impl CliError {
    /// A failure that says it all.
    pub fn failed(reason: impl std::fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// A failure about a thing: `thing: reason`.
    pub fn about(thing: impl std::fmt::Display, reason: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{thing}: {reason}"))
    }
}

/// Runs the command that these arguments, with the program's name first, ask for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut out = Output::of_process();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return explain(&error, &mut out),
    };
    let done = match cli.command {
        Command::Dev(args) => dev::run(&args, &mut out),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args, &mut out),
        Command::Health(args) => health::run(&args, &mut out),
        Command::Openapi(args) => openapi::run(&args, &mut out),
        Command::Sign(args) => sign::run(args, &mut out),
        Command::Document(args) => document::run(args, &mut out),
        Command::Inspect(args) => inspect::run(args, &mut out),
        Command::Keygen(args) => keygen::run(args, &mut out),
        Command::Tenant(args) => tenant::run(args, &mut out),
    };
    match done {
        Ok(()) | Err(CliError::Closed) => ExitCode::SUCCESS,
        Err(CliError::Said) => ExitCode::from(1),
        Err(CliError::Failed(reason)) => {
            out.diagnose(&reason);
            ExitCode::from(1)
        }
        Err(CliError::Usage(reason)) => {
            out.diagnose(&reason);
            ExitCode::from(2)
        }
    }
}

/// Help and version are answers; anything else is wrong usage.
fn explain(error: &clap::Error, out: &mut Output) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() {
        // clap's own text goes on with usage and tips; one line says what is wrong and where more is.
        let wrong = text.split("\n\n").next().unwrap_or_default();
        let wrong: Vec<&str> = wrong.trim_start_matches("error: ").split_whitespace().collect();
        let nothing = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        let wrong = if nothing { "a command is needed".to_owned() } else { wrong.join(" ") };
        out.diagnose(&format!("{wrong}; see --help"));
        return ExitCode::from(2);
    }
    match out.bytes(text.as_bytes()) {
        Ok(()) | Err(CliError::Closed) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    }
}

/// What the server and the signing of documents run on.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().max_blocking_threads(BLOCKING_THREADS).build();
    runtime.map_err(|error| CliError::about("starting the runtime", error))
}

/// Reads a file that was named on the command line.
///
/// # Errors
/// [`CliError::Failed`] with the name of the file and the reason.
pub fn read_file(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, CliError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => Err(CliError::about(path.display(), error)),
    }
}

/// The most threads for blocking calls, such as reading files. Clients decide how many files are read at the same time,
/// and each thread keeps some 70 KiB of the allocator's memory until it has been idle for ten seconds.
const BLOCKING_THREADS: usize = 128;
