//! Assets, tenants and leases in MongoDB, by the official driver.
//!
//! 1. [`Mongo`]: one cluster. `client` has the rules of connections, `options` their numbers; `connection_permits`
//!    and `guard` add rules that the driver lacks, `observe` listens to its events.
//! 2. `tenants`: the port [`TenantStore`](crate::service::ports::TenantStore) on `groups`; `group`: what is
//!    written there, and what it means; `databases`: from a tenant to its database. `survey`: which groups can't be served.
//! 3. `assets`: the port [`AssetStore`](crate::service::ports::AssetStore). `record`: how an asset is written.
//!    `ids`: whose an id is; `usage`: what a tenant has. `calls`: those that may be repeated. `reads`: reads by a
//!    single id, batched. `writes`: transactions, batched. `queues`: the queues of both.
//! 4. `leases`: the port [`LeaseStore`](crate::service::ports::LeaseStore).
//!    `secret`: what all nodes share.
//! 5. `feed`: the port [`ChangeFeed`](crate::service::ports::ChangeFeed), what other nodes change, and whether the
//!    cluster answers at all. `pulse`: when it did last; `probe`: asks where nothing else does.
//! 6. `indexes`: which there are, and what each is for. `slugs`: the one that is only tried for.
//! 7. `error`: how the driver's errors become a store's.
//!
//! The control plane has what belongs to no tenant's database; all else is in the database that the tenant's
//! `dbKey` names, and every operation there has the tenant in its filter.

mod assets;
mod calls;
mod client;
mod connection_permits;
mod databases;
mod error;
mod feed;
mod group;
mod guard;
mod ids;
mod indexes;
mod leases;
mod observe;
mod options;
mod probe;
mod pulse;
mod queues;
mod reads;
mod record;
mod secret;
mod slugs;
mod survey;
mod tenants;
mod usage;
mod writes;

use std::sync::Arc;

use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;

use crate::service::ports::{Clock, StoreError, StoreMeter};
use client::Cluster;
use databases::Databases;
use reads::Reads;
use writes::Writes;

pub use error::ConnectError;
pub use feed::Feed;
pub use options::MongoOptions;
pub use probe::Access;
pub use survey::Survey;

/// The stores in a MongoDB cluster. Cheap to clone.
#[derive(Clone)]
pub struct Mongo(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    databases: Databases,
    reads: Reads,
    writes: Writes,
}

impl Mongo {
    /// Takes a cluster into use: connects to it, and sees to it that the indexes of the control plane and of the
    /// two databases that every tier has are there. Those of other databases are looked after when the first of
    /// their tenants comes. `commands` hears of each command that is sent.
    ///
    /// # Errors
    /// What keeps the cluster from being used.
    pub async fn connect(
        uri: &str,
        options: MongoOptions,
        clock: Arc<dyn Clock>,
        meter: Arc<dyn StoreMeter>,
        commands: Option<EventHandler<CommandEvent>>,
    ) -> Result<Self, ConnectError> {
        let mongo = Self::unconnected(uri, options, clock, meter, commands).await?;
        mongo.0.cluster.ping().await.map_err(ConnectError::Unreachable)?;
        indexes::see_to_control(&mongo.0.cluster).await?;
        slugs::see_to(&mongo.0.cluster).await;
        for name in [group::GENERAL_SHARED, group::PRO_PLUS] {
            mongo.0.databases.see_to_indexes(&mongo.0.cluster, name).await?;
        }
        Ok(mongo)
    }

    /// The stores of a cluster that nobody has asked for anything yet: the first call connects, whichever it is.
    ///
    /// # Errors
    /// What is wrong with the connection string or the options.
    pub async fn unconnected(
        uri: &str,
        options: MongoOptions,
        clock: Arc<dyn Clock>,
        meter: Arc<dyn StoreMeter>,
        commands: Option<EventHandler<CommandEvent>>,
    ) -> Result<Self, ConnectError> {
        let cluster = Cluster::new(uri, options, clock, meter, commands).await?;
        let (databases, reads, writes) = (Databases::default(), Reads::new(), Writes::new());
        let mongo = Self(Arc::new(Inner { cluster, databases, reads, writes }));
        mongo.spawn_heartbeat();
        Ok(mongo)
    }

    /// Sees to it that the cluster has answered a moment ago.
    ///
    /// # Errors
    /// Where it doesn't.
    pub async fn proven(&self) -> Result<(), StoreError> {
        self.0.cluster.ping().await
    }

    /// Takes it as not proven that the cluster answers.
    pub fn doubt(&self) {
        self.0.cluster.doubt();
    }
}
