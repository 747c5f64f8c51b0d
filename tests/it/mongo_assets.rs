//! Assets and leases in MongoDB: the contract, and what is its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use mongodb::bson::{Bson, Document, doc};
use mongodb::event::command::CommandStartedEvent;
use signet::media::{
    Asset, AssetId, ContentType, Quota, Status, Tally, TenantId, Timestamp, Usage, Visibility,
};
use signet::service::ports::{AssetFilter, AssetStore, Due, InsertTerms, Inserted, ListPosition, Update};
use tokio::task::JoinSet;

use crate::contract::{self, PERIODS, fresh_tenant, insert, pending, ready};
use crate::support::mongo::Stand;
use crate::support::settled::Settled;

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_assets_and_names_the_tenant_in_every_operation() {
    let stand = Arc::new(Stand::shared().await);
    contract::assets::all(Settled::new(stand.clone())).await;
    let commands = stand.commands.take();
    let mut kinds = BTreeMap::new();
    for command in &commands {
        *kinds.entry(command.command_name.clone()).or_insert(0) += 1;
        assert_scoped(command);
    }
    // All that could go wrong was seen.
    for kind in ["find", "findAndModify", "insert", "commitTransaction"] {
        assert!(kinds.get(kind).is_some_and(|count| *count > 10), "{kinds:?}");
    }
    for kind in ["update", "delete", "aggregate", "count", "distinct", "drop"] {
        assert!(!kinds.contains_key(kind), "{kinds:?}");
    }
    // And what was found broken would be seen.
    assert!(std::panic::catch_unwind(|| assert_tenant(&doc! { "_id": "x" }, "find", &doc! {})).is_err());
}

/// Collections that belong to no tenant: what is asked of them is asked before the tenant is known, or is the
/// tenant's own group.
const NOBODY_S: [&str; 3] = ["groups", "media_ids", "media_leases"];

fn assert_scoped(command: &CommandStartedEvent) {
    let body = &command.command;
    let Some(Bson::String(collection)) = body.get(&command.command_name) else { return };
    if NOBODY_S.contains(&collection.as_str()) {
        return;
    }
    let documents = |name: &str| body.get_array(name).unwrap().iter().map(|part| part.as_document().unwrap());
    match command.command_name.as_str() {
        "find" => assert_tenant(body.get_document("filter").unwrap(), "find", body),
        "findAndModify" => assert_tenant(body.get_document("query").unwrap(), "findAndModify", body),
        "insert" => documents("documents").for_each(|document| assert_tenant(document, "insert", body)),
        "listIndexes" | "createIndexes" => {}
        other => panic!("what is {other}? {body}"),
    }
}

fn assert_tenant(part: &Document, kind: &str, body: &Document) {
    let tenant = part.get("groupID");
    assert!(matches!(tenant, Some(Bson::String(_))), "a {kind} without its tenant: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_leases() {
    let stand = Stand::shared().await;
    contract::leases::all(Arc::new(stand.mongo.clone())).await;
}
