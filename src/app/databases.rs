//! Settings → assets and tenants: in the embedded store, or in MongoDB.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use super::build::{Stores, embedded, metrics};
use super::changes::UNHEARD;
use super::objects::s3;
use super::tenants;
use crate::config::{AssetsSetting, MongodbSettings, Settings};
use crate::service::ports::{Clock, ObjectStore, StoreMeter, SystemClock};
use crate::store::mongo::{ConnectError, Mongo, MongoOptions};
use crate::telemetry::metrics::Metrics;

/// Connections to each server that aren't of the pool: one by which it says what changes of it, one that measures
/// the way to it.
const WATCHING: u32 = 2;

/// What was opened.
pub struct Databases {
    /// The stores.
    pub stores: Stores,
    /// The cluster, where assets are in one.
    pub mongo: Option<Mongo>,
}

/// Opens the stores of the settings.
///
/// # Errors
/// What keeps them from being used.
pub async fn open(settings: &Settings, upload_url: &str) -> Result<Databases, StartError> {
    // Before the store is opened: also where another process has it, the settings are looked at.
    tenants::listed(settings)?;
    if settings.store.assets == AssetsSetting::Embedded {
        let (store, stores) = embedded(settings, upload_url).await?;
        tenants::put(settings, &store).await?;
        return Ok(Databases { stores, mongo: None });
    }
    if !settings.tenants.is_empty() {
        let detail = "must be empty where store.assets is \"mongodb\": tenants come from the groups there";
        return Err(StartError::setting("tenants", detail));
    }
    let metrics = metrics()?;
    let mongo = connect(&settings.store.mongodb, &metrics).await?;
    let secret = mongo.secret("cursors").await;
    let secret = secret.map_err(|error| StartError::system("reading a secret of the cluster", error))?;
    let (objects, gate) = match s3(settings).await? {
        Some(objects) => (Arc::new(objects) as Arc<dyn ObjectStore>, None),
        None => {
            // They stay in the folder, and so does the secret of their upload URLs.
            let (_, stores) = embedded(settings, upload_url).await?;
            (stores.objects, stores.gate)
        }
    };
    let stores = Stores {
        assets: Arc::new(mongo.clone()),
        asset_fresh: UNHEARD,
        tenants: Arc::new(mongo.clone()),
        objects,
        gate,
        leases: Arc::new(mongo.clone()),
        cursor_secret: secret.expose().to_vec(),
        metrics,
    };
    Ok(Databases { stores, mongo: Some(mongo) })
}

async fn connect(settings: &MongodbSettings, metrics: &Arc<Metrics>) -> Result<Mongo, StartError> {
    let uri = settings.uri.as_ref().ok_or_else(|| {
        StartError::setting(
            "store.mongodb.uri",
            "is needed where store.assets is \"mongodb\": set CLUSTER_URL",
        )
    })?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let connected = Mongo::connect(
        uri.expose(),
        options(settings),
        clock,
        Arc::clone(metrics) as Arc<dyn StoreMeter>,
        None,
    );
    connected.await.map_err(|error| match error {
        ConnectError::Uri(_) => StartError::setting("store.mongodb.uri", error),
        ConnectError::Limit(_) => StartError::setting("store.mongodb", error),
        ConnectError::Unreachable(_) | ConnectError::Index { .. } => {
            StartError::system("taking MongoDB into use", error)
        }
    })
}

fn options(settings: &MongodbSettings) -> MongoOptions {
    MongoOptions {
        control_database: settings.control_database.clone(),
        pool_size: settings.pool_size,
        server_selection: Duration::from_millis(settings.server_selection_ms),
        connect: Duration::from_millis(settings.connect_ms),
        heartbeat: Duration::from_millis(settings.heartbeat_ms),
        wait_queue: Duration::from_millis(settings.wait_queue_ms),
        idle: Duration::from_millis(settings.idle_ms),
        max_time: Duration::from_millis(settings.max_time_ms),
        ping: Duration::from_millis(settings.ping_ms),
    }
}

/// How many nodes the cluster has connections for.
#[must_use]
pub fn budget(settings: &MongodbSettings) -> String {
    let (cap, pool) = (settings.connection_cap, settings.pool_size);
    let node = pool.saturating_add(WATCHING);
    format!(
        "connections {cap} are what the cluster takes (store.mongodb.connection_cap); a node makes at most {node} \
         to each server: {pool} for its pool, {WATCHING} that watch; {} nodes fit",
        cap / node
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_nodes_fit_as_the_cluster_has_connections_for() {
        for (cap, pool, nodes) in [(500, 3, "100 nodes fit"), (1_500, 3, "300 nodes"), (500, 8, "50 nodes")] {
            let settings =
                MongodbSettings { connection_cap: cap, pool_size: pool, ..MongodbSettings::default() };
            assert!(budget(&settings).contains(nodes), "{}", budget(&settings));
        }
    }
}
