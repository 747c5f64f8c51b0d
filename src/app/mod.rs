//! The composition root: the one place that knows both the stores and the HTTP layer.
//!
//! 1. [`keys`]: settings → key ring, and again while serving.
//! 2. [`rules`]: settings → the rules of services. [`profiles`]: what counts as media in documents. [`tokens`]: who
//!    may sign bearer tokens, and which tenants they may name. [`tenants`]: the listed tenants, each with a place of its own.
//!    [`databases`]: settings → assets and tenants, embedded or in MongoDB. [`objects`]: S3.
//!    [`build`]: settings, keys and stores → [`build::Node`], everything that answers.
//!    [`access`]: can requests get a connection to MongoDB? [`changes`]: what other nodes change. [`lifecycle`]: the worker that looks at what is due.
//!    [`watch`]: have files changed? [`files`]: how many may be open. [`traces`]: where logs and traces go.
//!    [`outgoing`]: how the issuer of tokens and the collector of traces are reached.
//! 3. [`listen`]: addresses → sockets. [`tls`]: the certificate of one. [`run`]: sockets and a node → answers, until a signal.
//! 4. [`serve`]: `signet serve`. [`dev`]: `signet dev`. [`check`]: `signet check`. [`offline`]:
//!    `signet document`. [`provision`]: `signet tenant provision`. [`description`]: `signet openapi`. [`health`]:
//!    `signet health`.

pub mod access;
pub mod build;
pub mod changes;
pub mod check;
pub mod databases;
pub mod description;
pub mod dev;
pub mod files;
pub mod health;
pub mod keys;
pub mod lifecycle;
pub mod listen;
pub mod objects;
pub mod offline;
pub mod outgoing;
pub mod profiles;
pub mod provision;
pub mod rules;
pub mod run;
pub mod serve;
pub mod tenants;
pub mod tls;
pub mod tokens;
pub mod traces;
pub mod watch;

use crate::config::ConfigError;
use crate::store::embedded::OpenError;

/// Why a process doesn't start, in words for the one who started it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A setting has a value that can't be.
    #[error("{setting}: {detail}")]
    Setting {
        /// Its name.
        setting: String,
        /// What is wrong, and what would be right.
        detail: String,
    },
    /// The embedded stores can't be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// An address can't be listened on.
    #[error("can't listen on {address} ({setting}): {source}")]
    Listen {
        /// The address.
        address: String,
        /// The setting that names it.
        setting: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else of the machine.
    #[error("{doing}: {source}")]
    System {
        /// What was tried.
        doing: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StartError {
    /// A setting that can't be.
    pub fn setting(setting: impl Into<String>, detail: impl ToString) -> Self {
        Self::Setting { setting: setting.into(), detail: detail.to_string() }
    }

    /// A failure of the machine while doing something.
    pub fn system(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::System { doing: doing.into(), source: source.into() }
    }
}
