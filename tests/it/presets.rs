//! The settings that are shipped for Vivreal and for Foundation: with the environment's names alone, a node serves.

use std::path::{Path, PathBuf};
use std::process::Command;

use mongodb::Client;
use mongodb::bson::{Document, doc, oid::ObjectId};
use serde_json::json;
use tempfile::TempDir;

use crate::support::http::{get, get_as, post};
use crate::support::mongo::MongoServer;
use crate::support::program::{ID, file, run};
use crate::support::s3::server;
use crate::support::settings::ANNA;
use crate::support::upload::{picture, ready};
use crate::support::verify;
use crate::support::{Node, SIGNET};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

/// What both have in common: the key pair, S3.
fn environment() -> Vec<(&'static str, String)> {
    let mut environment = server().environment(&server().address);
    // The file itself says where objects are.
    environment.retain(|(name, _)| *name != "SIGNET__STORE__OBJECTS");
    let pem = std::fs::read_to_string(file("vectors/rsa")).unwrap();
    environment.push(("CLOUDFRONT_SIGNING_PRIVATE_KEY", pem.replace('\n', "\\n")));
    environment.push(("CLOUDFRONT_SIGNING_KEY_PAIR_ID", ID.to_owned()));
    environment
}

fn borrowed<'e>(environment: &'e [(&'static str, String)]) -> Vec<(&'static str, &'e str)> {
    environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn vivreals_file_serves_with_the_names_of_its_services() {
    let mongo = MongoServer::fresh();
    let client = Client::with_uri_str(mongo.uri()).await.unwrap();
    let groups = client.database("Vivreal").collection::<Document>("groups");
    let id = ObjectId::new();
    let api_key = "vr_0123456789abcdef01234567";
    let group = doc! { "_id": id, "key": "presetdemo", "tier": "pro", "apiKey": api_key, "frozen": "false" };
    groups.insert_one(group).await.unwrap();
    server().make_bucket("vivreal-presetdemo").await;

    let mut environment = environment();
    environment.push(("CLUSTER_URL", mongo.uri()));
    environment.push(("CLOUDFRONT_SIGNED_URL_TTL_SECONDS", "86400".to_owned()));
    let node = Node::preset(&shipped("vivreal.toml"), &borrowed(&environment));

    let more = json!({"visibility": "PUBLIC"});
    let asset = ready(&node.api, api_key, "a.jpg", &picture(300, 1), more).await;
    let asset_id = asset["assetId"].as_str().unwrap();
    let root = "https://media.vivreal.io/vivreal-presetdemo/";
    let link = asset["url"].as_str().unwrap();
    assert!(link.starts_with(&format!("{root}{}/{asset_id}/a.jpg?Expires=", id.to_hex())), "{link}");
    let document = json!({
        "data": [{"gallery": [{"key": "groupObjects/1/a.jpg", "name": "a.jpg", "type": "image"}]}],
        "hero": asset_id,
    });
    let signed = post(&format!("{}/media/v1/documents", node.api), api_key, document).await;
    assert_eq!(signed.header("signet-media"), "found=2, signed=2, unsigned=0", "{}", signed.text());
    let source = signed.json()["data"][0]["gallery"][0]["currentFile"]["source"].clone();
    let source = source.as_str().unwrap();
    assert!(source.starts_with(&format!("{root}groupObjects/1/a.jpg?")), "{source}");
    let expires = source.split_once("?Expires=").unwrap().1.split('&').next().unwrap();
    let (expires, now): (u64, _) = (expires.parse().unwrap(), verify::now());
    assert!((now + 43_200..=now + 86_400).contains(&expires), "the lever holds: {expires}");

    let stored = client.database("general_shared").collection::<Document>("media_assets");
    let stored = stored.find_one(doc! { "_id": asset_id, "groupID": id.to_hex() }).await.unwrap();
    assert!(stored.is_some(), "in the database of its tier");
    let usage = groups.find_one(doc! { "_id": id }).await.unwrap().unwrap();
    let usage = usage.get_document("mediaUsage").unwrap();
    assert_eq!((usage.get_i64("count").ok(), usage.get_i64("bytes").ok()), (Some(1), Some(300)));
}

#[tokio::test(flavor = "multi_thread")]
async fn foundations_file_serves_whoever_its_tokens_name() {
    let folder = TempDir::new().unwrap();
    let token = ANNA.token(folder.path());
    server().make_bucket("foundation-media").await;
    let mut environment = environment();
    let path = |name: &str| folder.path().join(name).display().to_string();
    environment.extend([
        ("MEDIA_S3_BUCKET", "foundation-media".to_owned()),
        ("MEDIA_PUBLIC_BASE_URL", "https://d111.cloudfront.net".to_owned()),
        ("CDN_BASE_URL", "https://d111.cloudfront.net".to_owned()),
        ("SIGNET__AUTH__JWKS_FILE", path("jwks.json")),
        ("SIGNET__STORE__PATH", path("data")),
    ]);
    let node = Node::preset(&shipped("foundation.toml"), &borrowed(&environment));

    let bytes = picture(300, 1);
    let public = ready(&node.api, &token, "hero.jpg", &bytes, json!({"visibility": "PUBLIC"})).await;
    let id = public["assetId"].as_str().unwrap();
    assert_eq!(public["url"], format!("https://d111.cloudfront.net/t_anna/{id}/hero.jpg"));
    assert_eq!(public["storageKey"], format!("t_anna/{id}/hero.jpg"));
    let permalink = get(&format!("{}/m/{id}", node.api), &[]).await;
    assert_eq!((permalink.status, permalink.header("location")), (302, public["url"].as_str().unwrap()));

    let private = ready(&node.api, &token, "a.jpg", &bytes, json!({})).await;
    assert!(private.get("expiresAt").is_some());
    assert!(get(private["url"].as_str().unwrap(), &[]).await.body == bytes, "a presigned read");
    let list = get_as(&format!("{}/media/v1/assets", node.api), &token).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[test]
fn a_file_without_its_environment_says_what_is_missing() {
    let pair = [
        ("CLOUDFRONT_SIGNING_PRIVATE_KEY", file("vectors/rsa")),
        ("CLOUDFRONT_SIGNING_KEY_PAIR_ID", ID.into()),
    ];
    let pair = pair.map(|(name, value)| (name, std::fs::read_to_string(&value).unwrap_or(value)));
    for (name, environment, missing) in [
        ("foundation.toml", &pair[..0], "CLOUDFRONT_SIGNING_PRIVATE_KEY"),
        ("vivreal.toml", &pair[..], "CLUSTER_URL"),
        ("foundation.toml", &pair[..], "auth.jwks_url"),
    ] {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(SIGNET);
        command.args(["serve", "--config"]).arg(shipped(name)).env_clear();
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("AWS_REGION", "eu-central-1").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("MEDIA_S3_BUCKET", "media").env("MEDIA_PUBLIC_BASE_URL", "https://cdn.example.com");
        command.env("SIGNET_LISTEN", "127.0.0.1:0").env("SIGNET_ADMIN_LISTEN", "127.0.0.1:0");
        let run = run(command.env("SIGNET__STORE__PATH", folder.path()), b"");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(missing), "{name}: {said}");
    }
}
