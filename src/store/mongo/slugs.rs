//! A slug names one group: a unique index on `key` of the groups, where one can be had.
//!
//! The groups are somebody else's, so this is tried for, and Signet starts without it: two groups with one slug are
//! refused when they are looked up (`tenants`). What keeps the index from being made is in the log, with the groups that
//! share a slug.

use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};

use super::client::Cluster;
use super::connection_permits::{Owner, Work};
use super::indexes::existing;
use super::tenants::GROUPS;

/// The unique index.
const UNIQUE: &str = "signet_key";
/// The one in its place that only finds, where there are groups with one slug.
const FINDING: &str = "signet_key_find";
/// How many slugs the log names.
const NAMED: i32 = 5;

/// Tries for the unique index, and says what keeps it from being made.
pub async fn see_to(cluster: &Cluster) {
    let groups = cluster.control_database().collection::<Document>(GROUPS);
    let Ok(_permit) = cluster.permit(Owner::Node, Work::Write).await else { return };
    let tried = cluster.bounded(async {
        let there = existing(&groups, cluster.max_time()).await?;
        let of_key = || there.iter().filter(|index| is_of_key(index));
        if of_key().any(is_unique) {
            return Ok(None);
        }
        let Err(refused) = create(cluster, &groups, UNIQUE, true).await else { return Ok(None) };
        let shared = shared(cluster, &groups).await.unwrap_or_default();
        if of_key().next().is_none() {
            create(cluster, &groups, FINDING, false).await?;
        }
        // Not all of the error, which has the server's answer byte by byte.
        Ok(Some((refused.kind.to_string(), shared)))
    });
    match tried.await {
        Ok(None) => {}
        Ok(Some((error, shared))) => tracing::warn!(
            %error,
            groups = shared.join("; "),
            "groups can't have a unique index on key: groups that share one are refused, and nothing keeps more from \
             being made; give each a key of its own, and let Signet's user create the index"
        ),
        Err(error) => tracing::warn!(
            %error,
            "the index on key of the groups can't be looked after: nothing keeps two groups from having one"
        ),
    }
}

/// Creates a unique index on the slugs. It covers strings only: other values of `key` make no tenant, and writes of them
/// mustn't fail.
async fn create(
    cluster: &Cluster,
    groups: &Collection<Document>,
    name: &str,
    unique: bool,
) -> Result<(), Error> {
    // By a comparison, not by a type: for that the server knows that a text that is asked for is in the index.
    let options = IndexOptions::builder().name(name.to_owned()).unique(unique.then_some(true));
    let options = options.partial_filter_expression(doc! { "key": { "$gt": "" } }).build();
    let index = IndexModel::builder().keys(doc! { "key": 1 }).options(options).build();
    groups.create_index(index).max_time(cluster.max_time()).await.map(drop)
}

/// The slugs that more than one group has, each with those groups.
async fn shared(cluster: &Cluster, groups: &Collection<Document>) -> Result<Vec<String>, Error> {
    let pipeline = [
        doc! { "$match": { "key": { "$gt": "" } } },
        doc! { "$group": { "_id": "$key", "groups": { "$push": "$_id" }, "count": { "$sum": 1 } } },
        doc! { "$match": { "count": { "$gt": 1 } } },
        doc! { "$limit": NAMED },
    ];
    let found: Vec<Document> =
        groups.aggregate(pipeline).max_time(cluster.max_time()).await?.try_collect().await?;
    let line = |row: &Document| {
        let text = |name| row.get(name).map(ToString::to_string).unwrap_or_default();
        format!("{} is the key of {}", text("_id"), text("groups"))
    };
    Ok(found.iter().map(line).collect())
}

fn is_of_key(index: &IndexModel) -> bool {
    index.keys.keys().eq(["key"])
}

fn is_unique(index: &IndexModel) -> bool {
    index.options.as_ref().and_then(|options| options.unique).unwrap_or(false)
}
