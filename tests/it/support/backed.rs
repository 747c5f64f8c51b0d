//! `signet serve` on MongoDB and S3, each reached by a wire of the node's own.

use std::time::{Duration, Instant};

use mongodb::Collection;
use mongodb::bson::{Document, doc};
use tempfile::TempDir;
use ulid::Ulid;

use super::Node;
use super::http::get_as;
use super::mongo::MongoServer;
use super::program::{ID, file};
use super::proxy::Proxy;
use super::s3::server;
use super::settings::{ANNA, BEN};

/// How long anything may take to come back, on a machine under load.
pub const RECOVERY: Duration = Duration::from_secs(30);

/// What nodes stand on: two tenants' groups, and a bucket for each.
pub struct Ground {
    pub mongo: MongoServer,
    mark: String,
    /// The control plane's tenants.
    pub groups: Collection<Document>,
}

/// A node, and its wires.
pub struct Backed {
    pub node: Node,
    pub mongo: Proxy,
    pub s3: Proxy,
    _folder: TempDir,
}

impl Ground {
    /// A MongoDB server of its own, and buckets of its own on the shared S3 server.
    pub async fn new() -> Self {
        let mongo = MongoServer::fresh();
        let client = mongodb::Client::with_uri_str(mongo.uri()).await.unwrap();
        let groups = client.database("Vivreal").collection("groups");
        let mark = Ulid::generate().to_string().to_lowercase();
        for tenant in [&ANNA, &BEN] {
            let group = doc! { "_id": tenant.0, "key": tenant.1, "tier": "free", "frozen": "false", "apiKey": tenant.2 };
            groups.insert_one(group).await.unwrap();
            server().make_bucket(&format!("{mark}-{}", tenant.1)).await;
        }
        Self { mongo, mark, groups }
    }

    /// Starts a node with short limits. Clients send their uploads to S3 itself, not by the node's wire.
    pub async fn node(&self) -> Backed {
        self.node_with(&[]).await
    }

    /// A collection of any database of the MongoDB server.
    pub fn collection(&self, database: &str, name: &str) -> Collection<Document> {
        self.groups.client().database(database).collection(name)
    }

    /// Sends the MongoDB server a signal.
    pub fn signal(&self, name: &str) {
        self.mongo.signal(name);
    }

    /// Host and port of the MongoDB server.
    pub fn host(&self) -> String {
        self.mongo.uri().strip_prefix("mongodb://").unwrap().to_owned()
    }

    /// The same with further variables of the environment.
    pub async fn node_with(&self, more: &[(&str, &str)]) -> Backed {
        self.node_behind(Proxy::to(self.host()).await, more).await
    }

    /// The same behind a wire to MongoDB that is there already.
    pub async fn node_behind(&self, mongo: Proxy, more: &[(&str, &str)]) -> Backed {
        let s3 = Proxy::to(server().address.clone()).await;
        let folder = TempDir::new().unwrap();
        let settings = format!(
            "path = \"{{key}}\"\nbucket = \"{}-{{key}}\"\n[[signing.keys]]\nid = \"{ID}\"\n\
             private_key_file = \"{}\"\n[store]\npath = \"data\"\nassets = \"mongodb\"\nobjects = \"s3\"\n\
             [store.mongodb]\nserver_selection_ms = 2000\nconnect_ms = 2000\nheartbeat_ms = 500\n\
             wait_queue_ms = 2000\nmax_time_ms = 2000\nping_ms = 1000\n\
             [store.s3]\nconnect_seconds = 1\nattempt_seconds = 1\noperation_seconds = 3\n\
             public_endpoint = \"http://{}\"\n",
            self.mark,
            file("vectors/rsa"),
            server().address,
        );
        let mut environment = server().environment(&s3.address);
        // The server says that it is a replica set, whose members are reached by no wire.
        environment.push(("CLUSTER_URL", format!("mongodb://{}/?directConnection=true", mongo.address)));
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(more.iter().copied())
            .collect();
        let node = tokio::task::block_in_place(|| Node::serve(folder.path(), &settings, &environment));
        let backed = Backed { node, mongo, s3, _folder: folder };
        backed.until_feed(true).await;
        backed
    }

    /// Sets a member of a tenant's group, as the control plane does.
    pub async fn set(&self, tenant: &str, member: &str, value: &str) {
        let update = doc! { "$set": { member: value } };
        let changed = self.groups.update_one(doc! { "_id": tenant }, update).await.unwrap();
        assert_eq!(changed.modified_count, 1, "{tenant} {member}");
    }
}

impl Backed {
    /// The URL of a path of the API.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.node.api)
    }

    /// The warnings that the node has written.
    pub fn warnings(&self) -> String {
        let log = self.node.log();
        log.lines().filter(|line| line.contains("\"WARN\"")).collect::<Vec<_>>().join("\n")
    }

    /// A value of the node's metrics.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = get_as(&format!("{}/metrics", self.node.admin), "").await.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Waits until changes are heard of, or aren't.
    pub async fn until_feed(&self, heard: bool) -> Duration {
        until(async || self.metric("signet_store_feed_connected").await == u64::from(heard)).await
    }
}

/// Asks until it is so; gives how long that took.
pub async fn until(is_so: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < RECOVERY, "it doesn't come to be so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

/// Leaves measured times where they are read after a run: `target/tmp/recovery-{of}.txt`.
pub fn leave_times(of: &str, lines: &[String]) {
    let path = format!("{}/recovery-{of}.txt", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}
