//! The rules of connections to MongoDB, each against a real wire server. `mongo_faults` has what happens when it
//! goes away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mongodb::bson::doc;
use signet::media::Timestamp;
use signet::service::ports::{
    AssetStore, CheckoutEnd, ConnectionEnd, NoMeter, StoreError, StoreMeter, SystemClock, TenantStore, Update,
};
use signet::store::mongo::{ConnectError, Mongo, MongoOptions};
use tokio::task::JoinSet;

use crate::contract::{fresh_tenant, insert, pending};
use crate::support::mongo::{Commands, MongoServer, Stand, shared};

/// Counts what the driver says of its pool.
#[derive(Default)]
struct Counted {
    opened: AtomicU64,
    open: AtomicI64,
    most_open: AtomicI64,
    waited_in_vain: AtomicU64,
    cleared: AtomicU64,
    checkouts: AtomicU64,
    ends: Mutex<Vec<ConnectionEnd>>,
}

impl StoreMeter for Counted {
    fn connection_opened(&self) {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(open, Ordering::SeqCst);
    }

    fn connection_closed(&self, why: ConnectionEnd) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.ends.lock().unwrap().push(why);
    }

    fn checked_out(&self, _: Duration, end: CheckoutEnd) {
        assert_ne!(end, CheckoutEnd::Timeout);
        self.checkouts.fetch_add(1, Ordering::SeqCst);
    }

    fn pool_cleared(&self) {
        self.cleared.fetch_add(1, Ordering::SeqCst);
    }

    fn waited(&self, _: Duration, served: bool) {
        if !served {
            self.waited_in_vain.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn options() -> MongoOptions {
    MongoOptions {
        control_database: format!("control_{}", ulid::Ulid::generate()),
        ..MongoOptions::default()
    }
}

/// Rules 1 and 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_come_first_share_one_connection_attempt() {
    let (counted, commands) = (Arc::new(Counted::default()), Commands::default());
    let handler = Some(commands.handler());
    let uri = shared();
    let mongo = Mongo::unconnected(&uri, options(), Arc::new(SystemClock), counted.clone(), handler);
    let mongo = mongo.await.unwrap();
    assert_eq!(counted.opened.load(Ordering::SeqCst), 0, "nobody has asked for anything");
    // A proof that the cluster answers is what all wait for.
    let asked = join_all((0..200).map(|_| mongo.proven())).await;
    assert!(asked.iter().all(Result::is_ok));
    assert_eq!(counted.opened.load(Ordering::SeqCst), 1, "one connection");
    let names: Vec<String> = commands.take().into_iter().map(|command| command.command_name).collect();
    assert_eq!(names, ["ping"], "one attempt");

    let strangers: Vec<_> = (0..200).map(|_| fresh_tenant()).collect();
    let found = join_all(strangers.iter().map(|id| TenantStore::find(&mongo, id))).await;
    assert!(found.into_iter().all(|found| found.unwrap().is_none()));
    assert!(counted.most_open.load(Ordering::SeqCst) <= 3);
    assert!(commands.take().iter().all(|command| command.command_name != "ping"), "it is proven still");
}

/// Rule 2, where there is nobody to connect to.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_come_first_share_one_failure() {
    let port = MongoServer::fresh().kill();
    let uri = format!("mongodb://127.0.0.1:{port}");
    let mongo =
        Mongo::unconnected(&uri, options(), Arc::new(SystemClock), Arc::new(NoMeter), None).await.unwrap();
    let began = Instant::now();
    let asked = join_all((0..200).map(|_| mongo.proven())).await;
    let took = began.elapsed();
    for answer in asked {
        let error = answer.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)) && error.to_string().contains("ping"), "{error}");
    }
    assert!(took < Duration::from_secs(4), "all together, not one after the other: {took:?}");
}

/// Rule 4.
#[tokio::test(flavor = "multi_thread")]
async fn a_ping_guards_the_control_plane_and_not_the_tenants_databases() {
    let stand =
        Stand::on(&shared(), MongoOptions { ping: Duration::from_secs(2), ..options() }, Arc::new(NoMeter))
            .await;
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let asset = pending(&tenant, 1);
    assert!(insert(&stand.mongo, &asset).await);
    let names = |stand: &Stand| -> Vec<String> {
        stand.commands.take().into_iter().map(|command| command.command_name).collect()
    };
    names(&stand);
    stand.mongo.doubt();
    AssetStore::find(&stand.mongo, &tenant, asset.id).await.unwrap().unwrap();
    assert_eq!(names(&stand), ["find"], "a tenant's database isn't pinged");
    stand.mongo.existing(&[asset.id]).await.unwrap();
    assert_eq!(names(&stand), ["ping", "find"], "the control plane is");
    stand.mongo.existing(&[asset.id]).await.unwrap();
    assert_eq!(names(&stand), ["find"], "not each time");
}

/// Rule 5.
#[tokio::test(flavor = "multi_thread")]
async fn max_time_is_on_finds_updates_and_deletes_and_not_on_inserts() {
    let stand = Stand::shared().await;
    let tenant = fresh_tenant();
    stand.put_tenant(&tenant).await;
    let asset = pending(&tenant, 1);
    assert!(insert(&stand.mongo, &asset).await);
    let ready = asset.ready(None, NOW).unwrap();
    assert_eq!(stand.mongo.update(&ready).await.unwrap(), Update::Done);
    let touched = ready.touched(NOW);
    assert_eq!(stand.mongo.update(&touched).await.unwrap(), Update::Done);
    stand.mongo.list(&tenant, &Default::default(), None, 5).await.unwrap();
    stand.mongo.find_anywhere(touched.id).await.unwrap().unwrap();
    stand.mongo.due(NOW, None, 5).await.unwrap();
    assert_eq!(stand.mongo.remove(&touched).await.unwrap(), Update::Done);
    let mut seen = BTreeMap::new();
    for command in stand.commands.take() {
        let limit = command
            .command
            .get("maxTimeMS")
            .and_then(|limit| limit.as_i64().or_else(|| limit.as_i32().map(i64::from)));
        match command.command_name.as_str() {
            "find" | "findAndModify" | "update" | "delete" => {
                assert_eq!(limit, Some(10_000), "{}", command.command);
            }
            "insert" | "ping" | "abortTransaction" => assert_eq!(limit, None, "{}", command.command),
            _ => {}
        }
        *seen.entry(command.command_name).or_insert(0) += 1;
    }
    for kind in ["find", "findAndModify", "update", "delete", "insert"] {
        assert!(seen.contains_key(kind), "{seen:?}");
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Rule 7: the pool.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_of_three_neither_grows_nor_starves_under_two_hundred_requests() {
    let counted = Arc::new(Counted::default());
    let stand = Stand::on(&shared(), options(), counted.clone()).await;
    let tenants: Vec<_> = (0..20).map(|_| fresh_tenant()).collect();
    let mut ids = Vec::new();
    for tenant in &tenants {
        stand.put_tenant(tenant).await;
        let asset = pending(tenant, 1);
        assert!(insert(&stand.mongo, &asset).await);
        ids.push(asset.id);
    }
    let mut callers = JoinSet::new();
    for number in 0..200 {
        let (mongo, tenant, id) = (stand.mongo.clone(), tenants[number % 20].clone(), ids[number % 20]);
        callers.spawn(async move {
            for _ in 0..5 {
                assert_eq!(mongo.usage(&tenant).await.unwrap().pending.count, 1);
                assert_eq!(mongo.find_anywhere(id).await.unwrap().unwrap().tenant, tenant);
            }
        });
    }
    let served = callers.join_all().await.len();
    assert_eq!(served, 200);
    let most = counted.most_open.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most} connections");
    assert_eq!(counted.waited_in_vain.load(Ordering::SeqCst), 0);
    // A thousand for usage; reads by an id are made together.
    assert!(counted.checkouts.load(Ordering::SeqCst) >= 1_000);
}

/// Rule 7: idle connections.
#[tokio::test(flavor = "multi_thread")]
async fn an_unused_connection_is_closed() {
    let counted = Arc::new(Counted::default());
    let stand =
        Stand::on(&shared(), MongoOptions { idle: Duration::from_millis(50), ..options() }, counted.clone())
            .await;
    stand.mongo.existing(&[pending(&fresh_tenant(), 1).id]).await.unwrap();
    // The driver looks for them every ten seconds, and whenever one is asked for.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !counted.ends.lock().unwrap().contains(&ConnectionEnd::Idle) {
        assert!(Instant::now() < deadline, "it isn't closed");
        tokio::time::sleep(Duration::from_millis(60)).await;
        stand.mongo.existing(&[pending(&fresh_tenant(), 1).id]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_is_refused_at_start_without_its_password() {
    let connect = async |uri: &str, options| {
        Mongo::connect(uri, options, Arc::new(SystemClock), Arc::new(NoMeter), None).await.err().unwrap()
    };
    for uri in
        ["", "http://a:s3same@b", "mongodb://a:s3same@", "mongodb://a:s3same@b:x", "mongodb://a:s3same@[b/"]
    {
        let error = connect(uri, options()).await;
        assert!(matches!(error, ConnectError::Uri(_)), "{uri}: {error}");
        assert!(!error.to_string().contains("s3same"), "{error}");
    }
    for bad in [
        MongoOptions { pool_size: 1, ..options() },
        MongoOptions { max_time: Duration::ZERO, ..options() },
        MongoOptions { heartbeat: Duration::from_millis(1), ..options() },
    ] {
        assert!(matches!(connect(&shared(), bad).await, ConnectError::Limit(_)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_shape_is_refused_at_start_with_the_remedy() {
    let stand = Stand::shared().await;
    let ids = stand.client.database(&stand.control).collection::<mongodb::bson::Document>("media_ids");
    ids.drop_index("signet_due").await.unwrap();
    let model = mongodb::IndexModel::builder()
        .keys(doc! { "dueAt": -1 })
        .options(mongodb::options::IndexOptions::builder().name("signet_due".to_owned()).build())
        .build();
    ids.create_index(model).await.unwrap();
    let again = MongoOptions { control_database: stand.control.clone(), ..options() };
    let connected = Mongo::connect(&shared(), again, Arc::new(SystemClock), Arc::new(NoMeter), None).await;
    let error = connected.err().unwrap();
    assert!(matches!(error, ConnectError::Index { index: "signet_due", .. }), "{error}");
    assert!(error.to_string().contains("drop the one that is in its place"));
}
