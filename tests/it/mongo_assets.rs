//! Assets and leases in MongoDB: the contract, and what is its own.
#![allow(clippy::print_stdout, reason = "measured times are shown by --nocapture")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mongodb::bson::{Bson, Document, doc};
use mongodb::event::command::CommandStartedEvent;
use signet::media::{
    Asset, AssetId, ContentType, IdempotencyKey, Quota, Status, Tally, TenantId, Timestamp, Usage, Visibility,
};
use signet::service::ports::{
    ApiKey, AssetFilter, AssetStore, Due, InsertTerms, LeaseStore, ListPosition, NamedCall, StoreMeter,
    TenantStore, Update,
};
use signet::store::mongo::{Mongo, MongoOptions};
use tokio::task::JoinSet;

use crate::contract::{self, PERIODS, fresh_tenant, insert, pending, ready};
use crate::support::mongo::{Stand, shared};
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
    for kind in ["find", "findAndModify", "insert", "update", "delete", "commitTransaction"] {
        assert!(kinds.get(kind).is_some_and(|count| *count > 10), "{kinds:?}");
    }
    for kind in ["aggregate", "count", "distinct", "drop"] {
        assert!(!kinds.contains_key(kind), "{kinds:?}");
    }
    // And what was found broken would be seen.
    assert!(std::panic::catch_unwind(|| assert_tenant(&doc! { "_id": "x" }, "find", &doc! {})).is_err());
}

/// Collections that belong to no tenant: what is asked of them is asked before the tenant is known, or is the
/// tenant's own group.
const NOBODY_S: [&str; 4] = ["groups", "media_ids", "media_leases", "media_nodes"];

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
        "update" => documents("updates").for_each(|update| {
            assert_tenant(update.get_document("q").unwrap(), "update", body);
        }),
        "delete" => documents("deletes").for_each(|delete| {
            assert_tenant(delete.get_document("q").unwrap(), "delete", body);
        }),
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

/// Every query that is sent, explained by the server.
#[tokio::test(flavor = "multi_thread")]
async fn every_query_walks_an_index() {
    let stand = Stand::shared().await;
    let tenant = fresh_tenant();
    stand
        .put_group(
            doc! { "_id": tenant.as_str(), "key": "anna", "dbKey": &stand.tenants, "apiKey": "sk_index" },
        )
        .await;
    let mongo = &stand.mongo;
    let assets: Vec<Asset> = (1..=20).map(|number| pending(&tenant, number * 1_000)).collect();
    let call = NamedCall {
        key: IdempotencyKey::parse(b"k").unwrap(),
        fingerprint: [7; 32],
        expires_at: Timestamp::from_seconds(9_999_999_999),
    };
    for asset in &assets {
        assert!(insert(mongo, asset).await);
    }
    stand.commands.take();

    let ids: Vec<AssetId> = assets.iter().map(|asset| asset.id).collect();
    let now = Timestamp::from_seconds(2_000_000_000);
    let terms = InsertTerms { call: Some(call), quota: Quota::NONE, now };
    mongo.insert(&pending(&tenant, 1), &terms).await.unwrap();
    assert_eq!(mongo.find_many(&tenant, &ids).await.unwrap().len(), 20);
    mongo.find_anywhere(ids[0]).await.unwrap().unwrap();
    mongo.existing(&ids).await.unwrap();
    mongo.usage(&tenant).await.unwrap();
    mongo.find_by_api_key(&ApiKey::new("sk_index")).await.unwrap().unwrap();
    TenantStore::find(mongo, &tenant).await.unwrap().unwrap();
    mongo.take("lease", "me", now, now.plus_seconds(1)).await.unwrap();
    mongo.give_back("lease", "me").await.unwrap();
    let due = mongo.due(now, None, 3).await.unwrap();
    mongo.due(now, due.last(), 3).await.unwrap();
    mongo.forget_due(&Due { at: now, tenant: tenant.clone(), id: ids[1] }).await.unwrap();
    let position = ListPosition { created_at: assets[9].created_at, id: ids[9] };
    let png = ContentType::parse("image/png");
    for filter in [
        AssetFilter::default(),
        AssetFilter { visibility: Some(Visibility::Public), ..AssetFilter::default() },
        AssetFilter { status: Some(Status::Pending), ..AssetFilter::default() },
        AssetFilter { content_type: png, ..AssetFilter::default() },
    ] {
        for after in [None, Some(position)] {
            assert!(!mongo.list(&tenant, &filter, after, 5).await.unwrap().is_empty());
        }
    }
    let touched = assets[0].clone().touched(now);
    assert_eq!(mongo.update(&touched).await.unwrap(), Update::Done);
    let done = assets[1].clone().ready(None, now).unwrap();
    assert_eq!(mongo.update(&done).await.unwrap(), Update::Done);
    assert_eq!(mongo.remove(&done).await.unwrap(), Update::Done);

    let mut shapes = BTreeMap::new();
    for command in stand.commands.take() {
        if let Some((shape, explain)) = explanation(&command) {
            shapes.insert(shape, (command.db.clone(), explain));
        }
    }
    assert!(shapes.len() >= 20, "{:?}", shapes.keys());
    for (shape, (database, explain)) in shapes {
        let plan = stand.client.database(&database).run_command(explain).await.unwrap();
        let stages = stages(plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap());
        let indexed =
            |stage: &String| ["IXSCAN", "IDHACK", "EXPRESS"].iter().any(|good| stage.starts_with(good));
        assert!(stages.iter().any(indexed), "{shape}: {stages:?}");
        assert!(!stages.iter().any(|stage| stage.starts_with("COLLSCAN")), "{shape}: {stages:?}");
    }
    // Where there is no index, the server says so.
    let explain = doc! { "explain": { "find": "media_assets", "filter": { "filename": "a.png" } } };
    let plan = stand.client.database(&stand.tenants).run_command(explain).await.unwrap();
    let plan = plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap().clone();
    assert!(stages(&plan).iter().any(|stage| stage.starts_with("COLLSCAN")));
}

/// What distinguishes a query, and the command that explains it.
fn explanation(command: &CommandStartedEvent) -> Option<(String, Document)> {
    let body = &command.command;
    let filter = match command.command_name.as_str() {
        "find" => body.get_document("filter").unwrap(),
        "findAndModify" => body.get_document("query").unwrap(),
        _ => return None,
    };
    let collection = body.get_str(&command.command_name).unwrap();
    let mut find = doc! { "find": collection, "filter": filter };
    for name in ["sort", "limit", "hint"] {
        if let Some(value) = body.get(name) {
            find.insert(name, value);
        }
    }
    let members: Vec<String> = filter
        .iter()
        .map(|(name, value)| match value {
            Bson::Document(inner) => format!("{name}:{:?}", inner.keys().collect::<Vec<_>>()),
            _ => name.clone(),
        })
        .collect();
    let shape = format!("{} {collection} {members:?} {:?}", command.command_name, body.get("hint"));
    Some((shape, doc! { "explain": find, "verbosity": "queryPlanner" }))
}

fn stages(plan: &Document) -> Vec<String> {
    let mut stages = vec![plan.get_str("stage").unwrap_or_default().to_owned()];
    for (_, value) in plan {
        match value {
            Bson::Document(inner) => stages.extend(self::stages(inner)),
            Bson::Array(inner) => {
                stages.extend(inner.iter().filter_map(Bson::as_document).flat_map(self::stages));
            }
            _ => {}
        }
    }
    stages
}

#[tokio::test(flavor = "multi_thread")]
async fn many_assets_are_one_query() {
    let stand = Stand::shared().await;
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        let asset = ready(&tenant, number);
        assert!(insert(&stand.mongo, &asset).await);
        ids.push(asset.id);
    }
    ids.extend((0..970).map(|_| AssetId::generate()));
    stand.commands.take();
    let count = |name: &str| {
        let commands = stand.commands.take();
        commands.iter().filter(|command| command.command_name == name).count()
    };
    assert_eq!(stand.mongo.find_many(&tenant, &ids).await.unwrap().len(), 30);
    assert_eq!(count("find"), 1);
    assert_eq!(stand.mongo.existing(&ids).await.unwrap().len(), 30);
    assert_eq!(count("find"), 1);
    assert_eq!(stand.mongo.list(&tenant, &AssetFilter::default(), None, 20).await.unwrap().len(), 20);
    assert_eq!(count("find"), 1);
    stand.mongo.find_anywhere(ids[0]).await.unwrap().unwrap();
    assert_eq!(count("find"), 2, "whose it is, and the asset");
}

/// Counts transactions of one node that met another one.
#[derive(Default)]
struct Conflicts(AtomicU64);

impl StoreMeter for Conflicts {
    fn transaction_retried(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A thousand finalizes and deletes at once, from two nodes with two connections each for requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn usage_is_exact_after_a_thousand_finalizes_and_deletes_from_two_nodes() {
    let counted = Arc::new(Conflicts::default());
    let stand = Stand::on(&shared(), MongoOptions::default(), counted.clone()).await;
    let other = stand.another_node().await;
    let tenant = fresh_tenant();
    stand
        .put_group(doc! {
            "_id": tenant.as_str(), "key": "anna", "dbKey": &stand.tenants,
            // What others count isn't lost.
            "mediaUsage": { "count": 5, "bytes": 500 },
        })
        .await;
    let mut assets = Vec::new();
    for number in 0..200 {
        let asset = pending(&tenant, number);
        assert!(insert(&stand.mongo, &asset).await);
        assets.push(asset);
    }
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..1_000 {
        let (node, asset) = ([&stand.mongo, &other][number % 2].clone(), assets[number % 200].clone());
        callers
            .spawn(async move { finalize_or_delete(&node, asset.tenant, asset.id, number % 6 == 0).await });
    }
    let again: usize = callers.join_all().await.into_iter().sum();
    let conflicts = counted.0.load(Ordering::Relaxed);
    println!(
        "1,000 finalizes and deletes took {:?}: {conflicts} transactions of one node met one of the other, {again} callers tried again",
        began.elapsed()
    );

    let all = stand
        .mongo
        .find_many(&tenant, &assets.iter().map(|asset| asset.id).collect::<Vec<_>>())
        .await
        .unwrap();
    let mut usage = Usage::default();
    for asset in &all {
        let (ready, pending) = asset.tallies();
        usage = Usage { ready: usage.ready.plus(ready), pending: usage.pending.plus(pending) };
    }
    assert_eq!(stand.mongo.usage(&tenant).await.unwrap(), usage);
    assert_eq!(other.usage(&tenant).await.unwrap(), usage);
    let group = stand.groups().find_one(doc! { "_id": tenant.as_str() }).await.unwrap().unwrap();
    let kept = group.get_document("mediaUsage").unwrap();
    let number = |name: &str| {
        kept.get(name).and_then(|number| {
            number
                .as_i64()
                .or_else(|| number.as_i32().map(i64::from))
                .and_then(|number| u64::try_from(number).ok())
        })
    };
    assert_eq!(number("count"), Some(usage.ready.count + 5));
    assert_eq!(number("bytes"), Some(usage.ready.bytes + 500));
    assert!(
        all.iter().filter(|asset| asset.deleted_at.is_some()).count() >= 100,
        "half of them were deleted"
    );
}

/// What a service does: read, decide, change what was read; again where another one was faster, or where the
/// store was too busy. Gives how often it was.
async fn finalize_or_delete(store: &Mongo, tenant: TenantId, id: AssetId, delete: bool) -> usize {
    let now = Timestamp::from_seconds(1_800_000_000);
    let mut busy = 0;
    loop {
        assert!(busy < 100, "it never ends");
        let Ok(found) = AssetStore::find(store, &tenant, id).await else {
            busy += 1;
            continue;
        };
        let asset = found.unwrap();
        let change = match (delete, asset.status) {
            (true, _) if asset.deleted_at.is_none() => asset.deleted(&PERIODS, now),
            (false, Status::Pending) => asset.ready(None, now).unwrap(),
            _ => return busy,
        };
        match store.update(&change).await {
            Ok(Update::Done) => return busy,
            Ok(Update::Stale) => {}
            Err(_) => busy += 1,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_tickets_at_once_of_one_tenant_get_in() {
    let stand = Stand::shared().await;
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..200 {
        let (store, asset) = (stand.mongo.clone(), pending(&tenant, number));
        callers.spawn(async move { insert(&store, &asset).await });
    }
    assert!(callers.join_all().await.into_iter().all(|inserted| inserted));
    println!("200 insertions of one tenant took {:?}", began.elapsed());
    let usage = stand.mongo.usage(&tenant).await.unwrap();
    assert_eq!(usage.pending, Tally { count: 200, bytes: 2_000 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_s_media_usage_of_another_shape_is_left_alone_and_stands_in_nobody_s_way() {
    let stand = Stand::shared().await;
    let tenant = fresh_tenant();
    let group = doc! { "_id": tenant.as_str(), "key": "anna", "dbKey": &stand.tenants, "mediaUsage": 12_345 };
    stand.put_group(group.clone()).await;
    assert!(insert(&stand.mongo, &ready(&tenant, 1)).await);
    assert_eq!(stand.mongo.usage(&tenant).await.unwrap().ready, Tally { count: 1, bytes: 10 });
    assert_eq!(stand.groups().find_one(doc! { "_id": tenant.as_str() }).await.unwrap(), Some(group));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_in_for_a_tenant_that_is_not_there() {
    let stand = Stand::shared().await;
    let asset = pending(&fresh_tenant(), 1);
    let terms = InsertTerms { call: None, quota: Quota::NONE, now: asset.created_at };
    let error = stand.mongo.insert(&asset, &terms).await.unwrap_err();
    assert!(error.to_string().contains(asset.tenant.as_str()), "{error}");
    assert_eq!(AssetStore::find(&stand.mongo, &asset.tenant, asset.id).await.unwrap(), None);
    assert_eq!(stand.mongo.existing(&[asset.id]).await.unwrap(), []);
}

/// What an insertion may have left that another program made in two steps.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_its_asset_is_due_and_then_forgotten() {
    let stand = Stand::shared().await;
    let (tenant, id) = (fresh_tenant(), AssetId::generate());
    stand.put_tenant(&tenant).await;
    let at = mongodb::bson::DateTime::from_millis(1_000);
    let ids = stand.client.database(&stand.control).collection::<Document>("media_ids");
    let row =
        doc! { "_id": id.to_string(), "groupID": tenant.as_str(), "dbKey": &stand.tenants, "dueAt": at };
    ids.insert_one(row).await.unwrap();
    let due = Due { at: Timestamp::from_millis(1_000), tenant, id };
    assert_eq!(stand.mongo.due(due.at, None, 9).await.unwrap(), std::slice::from_ref(&due));
    assert_eq!(stand.mongo.find_anywhere(id).await.unwrap(), None);
    stand.mongo.forget_due(&due).await.unwrap();
    assert_eq!(stand.mongo.due(due.at, None, 9).await.unwrap(), []);
    assert_eq!(stand.mongo.existing(&[id]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_have_one_secret() {
    let stand = Stand::shared().await;
    let other = stand.another_node().await;
    let (one, same) = (stand.mongo.secret("cursors").await.unwrap(), other.secret("cursors").await.unwrap());
    assert_eq!((one.expose(), one.expose().len()), (same.expose(), 32));
    assert_ne!(stand.mongo.secret("others").await.unwrap().expose(), one.expose());
}
