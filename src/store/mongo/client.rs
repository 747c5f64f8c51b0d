//! One client for the cluster, for the life of the process.
//!
//! | rule | by |
//! |---|---|
//! | one client per cluster, and per database handle | [`Mongo`], made once; the driver's handle of a database is a name and the client |
//! | connecting is deduplicated | one `ping` for all who wait ([`Guard`]); the driver's pool makes connections one after the other while it has none, and none while its server is away |
//! | a dead connection is thrown away | the driver: on any error of the network, and with all others of that server |
//! | a `ping` of 2 s guards the control plane, not the tenants' databases | [`Mongo::control`], [`Mongo::tenant`] |
//! | `maxTimeMS` on finds, updates, deletes, aggregates; not on inserts | each operation of this folder names [`Mongo::max_time`]; an operation that gets no answer at all is given up after [`MongoOptions::patience`] |
//! | an error is an error, at once | [`store_error`]; nothing is tried again but what the driver tries once, and transactions |
//! | limits of time and of connections | [`MongoOptions`], by the driver's options, and [`ConnectionPermits`] for the wait for a connection |
//!
//! Deletes and updates are `findAndModify`: the driver takes no `maxTimeMS` for the commands of these names.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::doc;
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::{Acknowledgment, ClientOptions, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, ClientSession, Database};
use tokio::time::timeout;

use super::connection_permits::{ConnectionPermits, Owner, Permit, Work};
use super::error::{ConnectError, is_answer, is_selection, store_error, without_secrets};
use super::guard::Guard;
use super::observe;
use super::options::MongoOptions;
use super::pulse::Pulse;
use crate::media::TenantId;
use crate::service::ports::{Clock, StoreError, StoreMeter};

/// The cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    client: Client,
    options: MongoOptions,
    permits: ConnectionPermits,
    guard: Guard,
    pulse: Arc<Pulse>,
    meter: Arc<dyn StoreMeter>,
}

/// The server didn't answer in the time that it had, and some more.
#[derive(Debug, thiserror::Error)]
#[error("MongoDB didn't answer within {} s", .0.as_secs_f64())]
struct NoAnswer(Duration);

impl Cluster {
    /// A client that has connected to nothing yet. `commands` hears of each command.
    ///
    /// # Errors
    /// What is wrong with the connection string or the options.
    pub async fn new(
        uri: &str,
        options: MongoOptions,
        clock: Arc<dyn Clock>,
        meter: Arc<dyn StoreMeter>,
        commands: Option<EventHandler<CommandEvent>>,
    ) -> Result<Self, ConnectError> {
        options.check()?;
        let wrong =
            |error: mongodb::error::Error| ConnectError::Uri(without_secrets(&error.kind.to_string(), uri));
        let mut client = ClientOptions::parse(uri).await.map_err(wrong)?;
        client.app_name.get_or_insert_with(|| "signet".to_owned());
        client.max_pool_size = Some(options.pool_size);
        client.min_pool_size = None;
        client.server_selection_timeout = Some(options.server_selection);
        client.connect_timeout = Some(options.connect);
        client.heartbeat_freq = Some(options.heartbeat);
        client.max_idle_time = Some(options.idle);
        // What has answered is durable, and is read again.
        client.write_concern = Some(
            WriteConcern::builder()
                .w(Acknowledgment::Majority)
                .journal(true)
                .w_timeout(options.max_time)
                .build(),
        );
        client.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let pulse = Arc::new(Pulse::new());
        client.cmap_event_handler = Some(observe::pool(Arc::clone(&meter), Arc::clone(&pulse)));
        client.sdam_event_handler = Some(observe::topology(Arc::clone(&meter), Arc::clone(&pulse)));
        client.command_event_handler = commands;
        let client = Client::with_options(client).map_err(wrong)?;
        let permits = ConnectionPermits::new(options.permits(), options.wait_queue, Arc::clone(&meter));
        let guard = Guard::new(clock, options.heartbeat, options.ping);
        Ok(Self(Arc::new(Inner { client, options, permits, guard, pulse, meter })))
    }

    /// Runs an operation on the control plane, once it is sure that the cluster answers.
    pub async fn control<T, F>(
        &self,
        owner: Owner,
        work: Work,
        operation: impl FnOnce(Database) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, mongodb::error::Error>>,
    {
        let permit = self.permit(owner, work).await?;
        self.control_with(permit, operation).await
    }

    /// Like [`Cluster::control`], with a permit that the caller has already.
    pub async fn control_with<T, F>(
        &self,
        _permit: Permit,
        operation: impl FnOnce(Database) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, mongodb::error::Error>>,
    {
        self.ping().await?;
        let outcome = self.bounded(operation(self.control_database())).await;
        match &outcome {
            // Who refuses has answered.
            Ok(_) | Err(StoreError::Refused(_) | StoreError::Corrupt(_)) => self.0.guard.prove(),
            Err(StoreError::Unavailable(_)) => self.0.guard.doubt(),
        }
        outcome
    }

    /// Runs an operation of a tenant on its database.
    pub async fn tenant<T, F>(
        &self,
        tenant: &TenantId,
        work: Work,
        name: &str,
        operation: impl FnOnce(Database) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, mongodb::error::Error>>,
    {
        let permit = self.permit(Owner::Tenant(tenant.clone()), work).await?;
        self.tenant_with(permit, name, operation).await
    }

    /// Like [`Cluster::tenant`], with a permit that the caller has already.
    pub async fn tenant_with<T, F>(
        &self,
        _permit: Permit,
        name: &str,
        operation: impl FnOnce(Database) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, mongodb::error::Error>>,
    {
        let outcome = self.bounded(operation(self.database(name))).await;
        if !matches!(outcome, Err(StoreError::Unavailable(_))) {
            self.0.guard.answered();
        }
        outcome
    }

    /// Waits for permission to use a connection.
    pub async fn permit(&self, owner: Owner, work: Work) -> Result<Permit, StoreError> {
        self.0.permits.acquire(owner, work).await
    }

    /// Runs an operation within [`MongoOptions::patience`]; its holder has a [`Permit`].
    pub async fn bounded<T>(
        &self,
        operation: impl Future<Output = Result<T, mongodb::error::Error>>,
    ) -> Result<T, StoreError> {
        let patience = self.0.options.patience();
        // Where it is dropped, the driver closes its connection: an answer that comes late is nobody's.
        match timeout(patience, operation).await {
            Ok(outcome) => {
                if outcome.as_ref().map_or_else(is_answer, |_| true) {
                    self.0.pulse.served();
                }
                outcome.map_err(|error| {
                    if is_selection(&error) {
                        self.0.meter.no_server();
                    }
                    store_error(error)
                })
            }
            Err(_) => Err(StoreError::unavailable(NoAnswer(patience))),
        }
    }

    /// Sees to it that the cluster has answered a moment ago.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let ping = || async {
            self.control_database().run_command(doc! { "ping": 1 }).await?;
            Ok(())
        };
        self.0.guard.pass(ping).await
    }

    /// Takes the proof away that the cluster answers.
    pub fn doubt(&self) {
        self.0.guard.doubt();
    }

    /// When the cluster last answered.
    pub fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// A session, for a transaction.
    pub async fn session(&self) -> Result<ClientSession, mongodb::error::Error> {
        self.0.client.start_session().await
    }

    /// The driver's client, for what isn't an operation.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// A database by its name.
    pub fn database(&self, name: &str) -> Database {
        self.0.client.database(name)
    }

    /// The control-plane database.
    pub fn control_database(&self) -> Database {
        self.0.client.database(&self.0.options.control_database)
    }

    /// How the cluster is used.
    pub fn options(&self) -> &MongoOptions {
        &self.0.options
    }

    /// What the server is given as `maxTimeMS`.
    pub fn max_time(&self) -> Duration {
        self.0.options.max_time
    }

    /// What happens to connections and transactions is counted here.
    pub fn meter(&self) -> &dyn StoreMeter {
        self.0.meter.as_ref()
    }
}
