//! From sockets and a node to answers, until a signal.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::StartError;
use super::build::Node;
use super::listen::Bound;
use crate::config::Settings;
use crate::http::{
    AdminContext, ApiContext, EdgeContext, HttpLimits, Readiness, Server, ServerLimits, admin, api, edge,
};

/// The sockets of a process.
pub struct Listeners {
    /// The API.
    pub api: Bound,
    /// Metrics and health.
    pub admin: Bound,
    /// The distribution, where Signet plays it.
    pub edge: Option<Bound>,
}

/// Serves until SIGTERM or SIGINT; then readiness goes off, listeners close and what is under way
/// ends, within a bound. `up` is called once everything answers.
///
/// # Errors
/// Where the system gives no signals.
pub async fn run(settings: &Settings, node: Node, listeners: Listeners, up: impl FnOnce()) -> Result<(), StartError> {
    let signals = |error| StartError::system("waiting for signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let _ = (&settings, &node, &listeners, &mut terminate, &mut interrupt);
    up();
    todo!()
}
