//! `signet serve`: settings from a file, until a signal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;

use super::access;
use super::build::node;
use super::changes::hear;
use super::databases;
use super::keys::reload::Reloader;
use super::listen::bind;
use super::rules::upload_url;
use super::run::{Listeners, run};
use super::tenants::watch;
use super::tls::ServedTls;
use super::{StartError, listen::Bound, traces};
use crate::config::{Environment, load};
use crate::service::ports::StoreMeter;

/// Serves until SIGTERM or SIGINT, then drains. Keys are read again meanwhile, see [`super::keys::reload`]. Whoever
/// waits at `NOTIFY_SOCKET` is told once everything answers.
///
/// # Errors
/// Why it doesn't start.
pub async fn serve(file: &Path, environment: &Environment) -> Result<(), StartError> {
    let settings = load(file, environment)?;
    let traces = traces::start(&settings)?;
    let tls = ServedTls::open(&settings.server.tls).await?;
    let api = bind(&settings.server.listen, "server.listen").await?;
    let admin = bind(&settings.server.admin_listen, "server.admin_listen").await?;
    let edge = match &settings.edge.listen {
        Some(address) => Some(bind(address, "edge.listen").await?),
        None => None,
    };
    let upload_url = upload_url(&settings, &api.address.to_string())?;
    let reloader = Reloader::new(file, environment, &settings)?;
    let ring = reloader.loader().ring(&settings.signing).await?;
    let databases = databases::open(&settings, &upload_url).await?;
    let node = node(&settings, Arc::clone(&ring), databases.stores)?;
    tracing::info!(
        api = %api.url(),
        tls = tls.is_some(),
        admin = %admin.url(),
        edge = edge.as_ref().map(Bound::url),
        version = env!("CARGO_PKG_VERSION"),
        "signet is serving"
    );
    let reloading = tokio::spawn(reloader.run(ring, node.metrics.keys().clone()));
    let (assets, tenants) = (node.assets.clone(), Arc::clone(&node.known_tenants));
    let meter: Arc<dyn StoreMeter> = Arc::clone(&node.metrics) as Arc<dyn StoreMeter>;
    let mongo = databases.mongo;
    let mut watching = JoinSet::new();
    if let Some(mongo) = &mongo {
        watching.spawn(watch(mongo.clone(), meter));
        watching.spawn(access::watch(mongo.clone(), node.readiness.clone()));
        watching.spawn(hear(mongo.feed(), assets, tenants));
    }
    let (up, down) = (|| tell_supervisor(NotifyState::Ready), || tell_supervisor(NotifyState::Stopping));
    let done = run(&settings, node, Listeners { api, tls, admin, edge }, traces, up, down).await;
    reloading.abort();
    watching.shutdown().await;
    if let Some(mongo) = mongo
        && let Err(error) = mongo.shut_down(WRITES_TIMEOUT).await
    {
        tracing::warn!(%error, "not all writes have ended; another node ends their transactions in MongoDB");
    }
    done
}

/// How long writes in progress may take after the last request.
const WRITES_TIMEOUT: Duration = Duration::from_secs(2);

/// Tells systemd that everything answers, or that the node ends, where it waits for that (`Type=notify`).
fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd can't be told that the node is up, or ends");
    }
}
