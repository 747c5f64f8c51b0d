//! Which indexes there are, and what each is for. They are made at start where they are missing; where one of
//! their names has other members, Signet doesn't start. `signet_key` alone is only tried for: see `slugs`.
//!
//! | database | collection | index | members | serves |
//! |---|---|---|---|---|
//! | control plane | `groups` | `signet_api_key`, or another one of the same member | `apiKey` | credentials |
//! | | | `signet_key`, or another unique one of the same member | `key`, where it is a text | no two tenants with one root |
//! | | `media_ids` | `_id_` | `_id` | `/m/`, whether ids are known |
//! | | | `signet_due` | `dueAt`, `_id`, where there is a `dueAt` | the worker |
//! | | `media_leases` | `_id_` | `_id` | leases |
//! | | `media_nodes` | `_id_` | `_id` | the sessions of each node |
//! | tenants' | `media_assets` | `_id_` | `_id` | changes |
//! | | | `signet_id` | `groupID`, `_id` | finds by id |
//! | | | `signet_list` | `groupID`, `deleted`, `createdAt` ↓, `_id` ↓ | lists |
//! | | | `signet_list_type` | `groupID`, `deleted`, `contentType`, `createdAt` ↓, `_id` ↓ | lists of a type |
//! | | | `signet_list_status` | `groupID`, `deleted`, `status`, `createdAt` ↓, `_id` ↓ | lists of a state |
//! | | | `signet_list_visibility` | `groupID`, `deleted`, `visibility`, `createdAt` ↓, `_id` ↓ | lists of a visibility |
//! | | `media_usage` | `signet_group` | `groupID`, unique | what a tenant has |
//! | | `media_calls` | `signet_call` | `groupID`, `key`, unique | calls that may be repeated |
//! | | | `signet_call_end` | `expiresAt`, removes what is past it | the same, forgotten |

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};

use super::client::Cluster;
use super::connection_permits::{Owner, Work};
use super::error::ConnectError;
use super::tenants::GROUPS;

/// Id, tenant and database of each asset; where it is due.
pub const IDS: &str = "media_ids";
/// Who holds what among the nodes.
pub const LEASES: &str = "media_leases";
/// The sessions of each node.
pub const NODES: &str = "media_nodes";
/// The assets of a database's tenants.
pub const ASSETS: &str = "media_assets";
/// What each tenant has.
pub const USAGE: &str = "media_usage";
/// Calls that may be repeated.
pub const CALLS: &str = "media_calls";

/// The lists by nothing, type, state and visibility.
pub const LIST: &str = "signet_list";
pub const LIST_TYPE: &str = "signet_list_type";
pub const LIST_STATUS: &str = "signet_list_status";
pub const LIST_VISIBILITY: &str = "signet_list_visibility";
/// The calls by their names.
pub const CALL: &str = "signet_call";
/// What is due.
pub const DUE: &str = "signet_due";

/// The server's code for a collection that isn't there.
const NAMESPACE_NOT_FOUND: i32 = 26;

/// An index as it should be.
struct Wanted {
    collection: &'static str,
    name: &'static str,
    keys: Document,
    options: Options,
}

/// What is particular about an index.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Options {
    None,
    Unique,
    /// Without the documents that lack the member.
    Sparse,
    /// Of the documents that have a member.
    Having(&'static str),
    /// Removes a document once the time that it names is over.
    Expiring,
}

/// Sees to the indexes of the control plane.
pub async fn see_to_control(cluster: &Cluster) -> Result<(), ConnectError> {
    let wanted = [
        Wanted::new(GROUPS, "signet_api_key", doc! { "apiKey": 1 }, Options::Sparse),
        Wanted::new(IDS, DUE, doc! { "dueAt": 1, "_id": 1 }, Options::Having("dueAt")),
    ];
    see_to(cluster, &cluster.control_database(), &wanted).await
}

/// Sees to the indexes of a tenants' database.
pub async fn see_to_tenants(cluster: &Cluster, name: &str) -> Result<(), ConnectError> {
    let list = |member: Option<&str>| {
        let mut keys = doc! { "groupID": 1, "deleted": 1 };
        if let Some(member) = member {
            keys.insert(member, 1);
        }
        keys.extend(doc! { "createdAt": -1, "_id": -1 });
        keys
    };
    let wanted = [
        Wanted::new(ASSETS, "signet_id", doc! { "groupID": 1, "_id": 1 }, Options::None),
        Wanted::new(ASSETS, LIST, list(None), Options::None),
        Wanted::new(ASSETS, LIST_TYPE, list(Some("contentType")), Options::None),
        Wanted::new(ASSETS, LIST_STATUS, list(Some("status")), Options::None),
        Wanted::new(ASSETS, LIST_VISIBILITY, list(Some("visibility")), Options::None),
        Wanted::new(USAGE, "signet_group", doc! { "groupID": 1 }, Options::Unique),
        Wanted::new(CALLS, CALL, doc! { "groupID": 1, "key": 1 }, Options::Unique),
        Wanted::new(CALLS, "signet_call_end", doc! { "expiresAt": 1 }, Options::Expiring),
    ];
    see_to(cluster, &cluster.database(name), &wanted).await
}

async fn see_to(cluster: &Cluster, database: &Database, wanted: &[Wanted]) -> Result<(), ConnectError> {
    for group in wanted.chunk_by(|one, next| one.collection == next.collection) {
        let Some(first) = group.first() else { continue };
        let collection = database.collection::<Document>(first.collection);
        let failed = |index| {
            let collection = collection.namespace().to_string();
            move |source| ConnectError::Index { collection, index, source }
        };
        let _permit = cluster.permit(Owner::Node, Work::Write).await.map_err(failed(first.name))?;
        let there = cluster.bounded(existing(&collection, cluster.max_time())).await;
        let there = there.map_err(failed(first.name))?;
        for index in group {
            if there.iter().any(|there| index.is(there)) {
                continue;
            }
            let create = collection.create_index(index.model()).max_time(cluster.max_time());
            cluster.bounded(async { create.await }).await.map_err(failed(index.name))?;
        }
    }
    Ok(())
}

pub(super) async fn existing(
    collection: &Collection<Document>,
    max_time: Duration,
) -> Result<Vec<IndexModel>, Error> {
    match collection.list_indexes().max_time(max_time).await {
        Ok(cursor) => cursor.try_collect().await,
        Err(error) => match &*error.kind {
            ErrorKind::Command(command) if command.code == NAMESPACE_NOT_FOUND => Ok(Vec::new()),
            _ => Err(error),
        },
    }
}

impl Wanted {
    fn new(collection: &'static str, name: &'static str, keys: Document, options: Options) -> Self {
        Self { collection, name, keys, options }
    }

    fn model(&self) -> IndexModel {
        let options = IndexOptions::builder().name(self.name.to_owned());
        let options = match self.options {
            Options::None => options.build(),
            Options::Unique => options.unique(true).build(),
            Options::Sparse => options.sparse(true).build(),
            Options::Having(member) => {
                options.partial_filter_expression(doc! { member: { "$exists": true } }).build()
            }
            Options::Expiring => options.expire_after(Duration::ZERO).build(),
        };
        IndexModel::builder().keys(self.keys.clone()).options(options).build()
    }

    /// Whether an index that is there does: it is of the same members. One of `groups` may be called as it
    /// likes, as that collection isn't Signet's.
    fn is(&self, there: &IndexModel) -> bool {
        let options = there.options.as_ref();
        let same_name = options.and_then(|options| options.name.as_deref()) == Some(self.name);
        let unique = options.and_then(|options| options.unique).unwrap_or(false);
        let alike = there.keys.len() == self.keys.len()
            && there.keys.iter().zip(&self.keys).all(|((name, order), (wanted, wanted_order))| {
                name == wanted && direction(order) == direction(wanted_order)
            });
        alike && (self.collection == GROUPS || (same_name && (unique || self.options != Options::Unique)))
    }
}

/// Servers give back an index's directions as whatever number they like.
fn direction(order: &mongodb::bson::Bson) -> Option<i64> {
    order
        .as_i64()
        .or_else(|| order.as_i32().map(i64::from))
        .or_else(|| order.as_f64().map(|order| if order < 0.0 { -1 } else { 1 }))
}
