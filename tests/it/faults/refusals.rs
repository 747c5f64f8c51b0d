//! Operations that MongoDB refuses for good are no outage, and groups that can't be served are known before their first
//! request.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use mongodb::bson::{Document, bson, doc};
use serde_json::json;
use tempfile::TempDir;

use crate::support::backed::{Ground, RECOVERY};
use crate::support::http::{Answer, get_as, post, send};
use crate::support::mongo::MongoServer;
use crate::support::program::{ID, file};
use crate::support::settings::{ANNA, BEN};
use crate::support::upload::{finalize, picture, put, ready, ticket};

/// A ticket that may be refused.
async fn ask(api: &str, credentials: &str) -> Answer {
    let body = json!({"filename": "a.jpg", "contentType": "image/jpeg", "sizeBytes": 100});
    post(&format!("{api}/media/v1/uploads"), credentials, body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_media_usage_of_another_shape_is_left_alone_and_blocks_nothing() {
    let ground = Ground::new().await;
    let odd = [bson!({ "count": "7", "bytes": null }), bson!({ "count": 1, "bytes": [] }), bson!("7")];
    let backed = ground.node().await;
    let api = &backed.node.api;
    for odd in odd {
        let filter = doc! { "_id": ANNA.0 };
        ground.groups.update_one(filter.clone(), doc! { "$set": { "mediaUsage": &odd } }).await.unwrap();
        let asset = ready(api, ANNA.2, "a.jpg", &picture(100, 1), json!({})).await;
        let url = format!("{api}/media/v1/assets/{}", asset["assetId"].as_str().unwrap());
        let deleted = send("DELETE", &url, &[("authorization", ANNA.2)], "").await;
        assert_eq!(deleted.status, 204, "{odd}: {}", deleted.text());
        let group = ground.groups.find_one(filter).await.unwrap().unwrap();
        assert_eq!(group.get("mediaUsage"), Some(&odd), "it isn't Signet's");
    }
    assert!(backed.warnings().contains("mediaUsage of the group"), "{}", backed.warnings());
    // Numbers of any type are counted on.
    let filter = doc! { "_id": BEN.0 };
    let set = doc! { "$set": { "mediaUsage": { "count": 2.0 } } };
    ground.groups.update_one(filter.clone(), set).await.unwrap();
    ready(api, BEN.2, "b.jpg", &picture(100, 1), json!({})).await;
    let group = ground.groups.find_one(filter).await.unwrap().unwrap();
    let usage = group.get_document("mediaUsage").unwrap();
    assert_eq!((usage.get_f64("count").unwrap(), usage.get_i64("bytes").unwrap()), (3.0, 100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_would_refuse_again_is_a_500_that_the_log_explains_once() {
    let ground = Ground::new().await;
    let backed = ground.node().await;
    let api = &backed.node.api;
    let file = picture(100, 1);
    // What Signet adds to isn't a number there.
    let usage = ground.collection("general_shared", "media_usage");
    let odd = doc! { "groupID": ANNA.0, "ready": "x", "pending": "x" };
    usage.replace_one(doc! { "groupID": ANNA.0 }, odd).upsert(true).await.unwrap();
    let refused = ask(api, ANNA.2).await;
    refused.assert_problem(500, "internal");
    assert_eq!(refused.header("retry-after"), "", "nothing gets better by itself");
    let log = backed.node.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("the store refuses")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(lines[0].matches("the store refuses the operation").count(), 1, "{}", lines[0]);
    assert!(lines[0].contains("\"ERROR\""), "{}", lines[0]);
    // The cluster has answered: others aren't held up, and nobody takes it to be away.
    let other = ticket(api, BEN.2, "b.jpg", 100, json!({})).await;
    assert_eq!(put(&other, file).await.status, 200);
    assert_eq!(finalize(api, BEN.2, other["assetId"].as_str().unwrap()).await.status, 200);
    let known = get_as(&format!("{api}/media/v1/assets"), ANNA.2).await;
    assert_eq!((known.status, known.header("signet-stale")), (200, ""));
    assert_eq!(
        backed.metric("signet_store_operations_total{operation=\"insert_asset\",outcome=\"refused\"}").await,
        1
    );
    usage.delete_one(doc! { "groupID": ANNA.0 }).await.unwrap();
    assert_eq!(ask(api, ANNA.2).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_that_can_not_be_served_are_seen_before_their_first_request() {
    let mongo = MongoServer::fresh();
    let client = mongodb::Client::with_uri_str(mongo.uri()).await.unwrap();
    let groups = client.database("Vivreal").collection::<Document>("groups");
    let key = "sk_0123456789abcdef";
    groups.insert_one(doc! { "_id": "g_good", "key": "good", "tier": "free", "apiKey": key }).await.unwrap();
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("signet.toml");
    let settings = format!(
        "[cdn]\nbase_url = \"https://media.example.net\"\npath = \"{{key}}\"\nbucket = \"b-{{key}}\"\n\
         [[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{}\"\n[store]\npath = \"data\"\nassets = \"mongodb\"\n",
        file("vectors/rsa"),
    );
    fs::write(&config, settings).unwrap();
    let check = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signet"));
        command.args(["check", "--config", config.to_str().unwrap()]).args(args).current_dir(folder.path());
        let run = command.env("CLUSTER_URL", mongo.uri()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (run.status.code().unwrap(), text(run.stdout), text(run.stderr))
    };
    let (code, report, said) = check(&["--tenants"]);
    assert_eq!(code, 0, "{said}");
    assert!(report.contains("tenants     ok  1 groups, and all can be served\n"), "{report}");
    assert!(report.contains("stores      ok  MongoDB, control plane Vivreal; files in "), "{report}");
    let odd = [
        doc! { "_id": "g_gold", "key": "gold", "tier": "Gold", "apiKey": "sk_gold_0123456789" },
        doc! { "_id": "g_control", "key": "control", "dbKey": "VIVREAL" },
        doc! { "_id": "g_short", "key": "short", "tier": "free", "apiKey": "abc" },
        doc! { "_id": "g_left", "key": "left", "tier": "free", "apiKey": "sk_shared_0123456789" },
        doc! { "_id": "g_right", "key": "right", "tier": "free", "apiKey": "sk_shared_0123456789" },
    ];
    groups.insert_many(odd).await.unwrap();
    let (code, report, _) = check(&[]);
    assert_eq!((code, report.contains("g_gold")), (0, false), "it is asked for");
    let (code, report, said) = check(&["--tenants"]);
    assert_eq!(code, 1, "{report}");
    assert!(said.contains("4 can't be served"), "{said}");
    assert!(report.contains("tenants     4 of 6 groups can't be served:\n"), "{report}");
    for (group, why) in
        [("g_gold", "tier"), ("g_control", "dbKey"), ("g_left", "one apiKey"), ("g_right", "one apiKey")]
    {
        let line =
            report.lines().find(|line| line.trim_start().starts_with(&format!("the group \"{group}\"")));
        assert!(line.is_some_and(|line| line.contains(why)), "{group}: {report}");
    }
    assert!(report.contains("warning     the apiKey of the group \"g_short\" has 3 bytes"), "{report}");
    assert!(!report.contains("sk_"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_counts_the_groups_that_can_not_be_served() {
    let ground = Ground::new().await;
    ground.groups.insert_one(doc! { "_id": "g_gold", "key": "gold", "tier": "Gold" }).await.unwrap();
    let backed = ground.node().await;
    let began = Instant::now();
    while backed.metric("signet_tenants_unservable").await != 1 {
        assert!(began.elapsed() < RECOVERY, "it isn't counted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let warnings = backed.warnings();
    assert_eq!(warnings.matches("the group \\\"g_gold\\\" can't be a tenant: tier").count(), 1, "{warnings}");
}
