//! Tenants never have overlapping roots.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use signet::app::{rules, tenants};
use signet::config::{Environment, Settings, parse};
use signet::media::{ObjectKey, Tenant, TenantId};
use signet::service::layout::Layout;
use signet::service::ports::{ApiKey, StoreError, TenantStore};
use signet::service::token_tenants::TokenTenants;
use tempfile::TempDir;

use crate::support::backed::{Ground, until};
use crate::support::http::{get, get_as, post};
use crate::support::program::{ID, file, signet};
use crate::support::settings::{ANNA, BEN, two_tenants};
use crate::support::upload::{picture, ready};
use crate::support::{Node, verify};

const LISTENERS: &str = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn key_pair() -> String {
    format!("[[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{}\"\n", file("vectors/rsa"))
}

fn tenant(id: &str, key: &str, api_key: &str) -> String {
    format!("[[tenants]]\nid = \"{id}\"\nkey = \"{key}\"\napi_key = \"sk_0123456789abcdef_{api_key}\"\n")
}

/// That `signet serve` and `signet check` refuse settings alike, in one line that says all of this.
fn assert_refused(folder: &Path, settings: &str, reasons: &[&str]) {
    let config = folder.join("signet.toml");
    fs::write(&config, format!("{LISTENERS}{settings}")).unwrap();
    let said = ["check", "serve"].map(|command| {
        let run = signet(&[command, "--config", config.to_str().unwrap()], b"");
        assert_eq!(run.code, 1, "{command}: {settings}: {}", run.answer);
        run.diagnostics
    });
    assert_eq!(said[0], said[1], "{settings}");
    assert_eq!(said[0].lines().count(), 1, "{}", said[0]);
    for reason in reasons {
        assert!(said[0].contains(reason), "{reason}: {}", said[0]);
    }
}

#[test]
fn tenants_that_share_a_name_or_a_place_are_refused() {
    let folder = TempDir::new().unwrap();
    let pair = key_pair();
    let (a, c) = (tenant("t_a", "alpha", "a"), tenant("t_c", "gamma", "c"));
    for (settings, reasons) in [
        // What the audit did.
        (
            format!("{pair}{a}{c}{}", tenant("t_dup", "alpha", "d")),
            &["tenants[0].key and tenants[2].key", "\"alpha\"", "t_a and t_dup", "a key of its own"][..],
        ),
        (
            format!("{pair}{a}{c}{}", tenant("t_c", "delta", "d")),
            &["tenants[1].id and tenants[2].id", "\"t_c\"", "an id of its own"],
        ),
        (
            format!("{pair}{a}{}", tenant("t_b", "beta", "a")),
            &["tenants[0].api_key and tenants[1].api_key", "t_b has the API key of another tenant, t_a"],
        ),
        // Hosts, and so buckets, are the same in upper and in lower case.
        (
            format!(
                "[cdn]\npath = \"{{key}}\"\nbucket = \"x-{{tenant}}\"\n{pair}{}{}",
                tenant("Acme", "a", "a"),
                tenant("acme", "b", "b")
            ),
            &["tenants[0] and tenants[1]", "x-acme/", "another key (id"],
        ),
    ] {
        assert_refused(folder.path(), &settings, reasons);
    }
    // A frozen tenant has its place too: its links are good until they end.
    let frozen = tenant("t_dup", "alpha", "d").replace("[[tenants]]", "[[tenants]]\nfrozen = true");
    assert_refused(folder.path(), &format!("{pair}{a}{frozen}"), &["tenants[1].key"]);
}

#[test]
fn tokens_of_any_tenant_need_the_tenant_in_the_path() {
    let folder = TempDir::new().unwrap();
    let any = format!("[auth]\ntenants = \"any\"\nhs256_secret = \"{SECRET}\"\n{}", key_pair());
    let any = format!("{any}{}", tenant("t_a", "alpha", "a"));
    for (cdn, reasons) in [
        // The default path is `vivreal-{key}`: what the audit did.
        (
            "bucket = \"media\"",
            &["auth.tenants: ", "{tenant} in cdn.path", "\"vivreal-{key}\"", "MEDIA_S3_BUCKET"][..],
        ),
        ("path = \"{key}\"\nbucket = \"media\"", &["{tenant} in cdn.path"]),
        ("path = \"{tenant}\"\nbucket = \"x-{key}\"", &["one bucket for all tenants"]),
        ("path = \"{tenant}\"\nbucket = \"x-{tenant}\"", &["one bucket for all tenants"]),
        ("path = \"media\"\nbucket = \"media\"", &["{tenant}"]),
    ] {
        assert_refused(folder.path(), &format!("[cdn]\n{cdn}\n{any}"), reasons);
    }
}

/// A node with a folder that another process holds is checked by its settings all the same.
#[tokio::test(flavor = "multi_thread")]
async fn check_looks_at_tenants_while_a_node_serves() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let _node = Node::serve(folder.path(), &settings, &[]);
    let config = folder.path().join("other.toml");
    let check = |settings: &str| {
        fs::write(&config, format!("[cdn]\n{settings}")).unwrap();
        signet(&["check", "--config", config.to_str().unwrap()], b"")
    };
    let right = check(&settings);
    assert!(right.code == 0 && right.answer.contains("stores      not checked"), "{}", right.diagnostics);
    let wrong = check(&format!("{settings}{}", tenant("t_eve", ANNA.1, "e")));
    assert_eq!(wrong.code, 1, "{}", wrong.answer);
    assert!(wrong.diagnostics.contains("tenants[0].key and tenants[2].key"), "{}", wrong.diagnostics);
}

/// A tenant that has left the settings is still in the store, with its files and its API key.
#[tokio::test(flavor = "multi_thread")]
async fn a_slug_does_not_go_from_one_tenant_to_another_by_the_settings() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, &[]);
    let bytes = picture(1_000, 3);
    let secret = ready(&node.api, ANNA.2, "secret.jpg", &bytes, json!({})).await;
    assert_eq!(node.terminate(), Some(0));

    let eve = "sk_eve_0123456789abcdef";
    let place = format!("id = \"{}\"", ANNA.0);
    let taken = settings.replace(&place, "id = \"t_eve\"").replace(ANNA.2, eve);
    let store = taken.replace("path = \"data\"", &format!("path = {:?}", folder.path().join("data")));
    assert_refused(
        folder.path(),
        &format!("[cdn]\n{store}"),
        &["tenants[0] and t_anna, a tenant that has left the settings", "vivreal-anna", "frozen = true"],
    );

    // What the message says helps: the old tenant has another place then, and is closed.
    let kept = format!(
        "[[tenants]]\nid = \"{}\"\nkey = \"anna-old\"\nfrozen = true\napi_key = \"{}\"\n",
        ANNA.0, ANNA.2
    );
    let node = Node::serve(folder.path(), &format!("{taken}{kept}"), &[]);
    get_as(&format!("{}/media/v1/usage", node.api), ANNA.2).await.assert_problem(403, "tenant-frozen");
    let body = json!({"ids": [secret["assetId"]]});
    let answer = post(&format!("{}/media/v1/links", node.api), eve, body).await.json();
    assert_eq!(answer["links"][0]["reason"], "foreign", "{answer}");
}

/// With `{tenant}` in the path, a token that names another tenant's slug has a root of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_names_a_slug_opens_nothing() {
    let folder = TempDir::new().unwrap();
    let layout = "path = \"{tenant}\"\nbucket = \"media\"";
    let settings = two_tenants(folder.path(), layout, "vectors/rsa", false);
    let settings = settings.replace("[auth]\n", "[auth]\ntenants = \"any\"\n");
    let node = Node::serve(folder.path(), &settings, &[]);
    let bytes = picture(1_000, 3);
    let secret = ready(&node.api, ANNA.2, "secret.jpg", &bytes, json!({})).await;
    let link = secret["url"].as_str().unwrap();
    assert!(get(link, &[]).await.body == bytes, "the control");
    for name in [ANNA.1, "T_ANNA", "t_anna-", "media", "private"] {
        let token = ANNA.token_with(folder.path(), json!({"tenantId": name, "exp": verify::now() + 600}));
        let key = secret["storageKey"].as_str().unwrap();
        let within = key.strip_prefix("t_anna/").unwrap_or(key);
        let body = json!({
            "keys": [key, within], "ids": [secret["assetId"]], "urls": [link.split('?').next().unwrap()],
        });
        let answer = post(&format!("{}/media/v1/links", node.api), &token, body).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        for row in answer.json()["links"].as_array().unwrap() {
            if let Some(link) = row["link"].as_str() {
                assert_ne!(get(link, &[]).await.status, 200, "{name}: {row}");
            }
        }
    }
}

/// Two groups of the control plane with one slug: neither is served, whichever is asked for first.
#[tokio::test(flavor = "multi_thread")]
async fn a_slug_that_two_groups_have_is_nobody_s() {
    let ground = Ground::new().await;
    let eve = "sk_eve_0123456789abcdef";
    let group = doc! { "_id": "t_eve", "key": ANNA.1, "tier": "free", "apiKey": eve };
    ground.groups.insert_one(group).await.unwrap();
    let backed = ground.node().await;
    // Said at start, once for both.
    let said = backed.warnings();
    assert!(said.contains("unique index on key"), "{said}");
    assert!(said.contains("t_anna") && said.contains("t_eve"), "{said}");
    let links = backed.url("/media/v1/links");
    let body = json!({"keys": ["private/t_anna/med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/secret.jpg"]});
    for _ in 0..2 {
        for key in [eve, ANNA.2] {
            post(&links, key, &body).await.assert_problem(500, "internal");
        }
    }
    let said = backed.node.log();
    assert!(said.contains("more than one group has the key"), "{said}");
    assert!(said.contains("t_anna") && said.contains("t_eve") && !said.contains(eve), "{said}");
    assert_eq!(post(&links, BEN.2, &body).await.status, 200, "others go on");

    // Each has its own again: both are served, without a restart.
    ground.set("t_eve", "key", "eve").await;
    until(async || post(&links, ANNA.2, &body).await.status == 200).await;
    until(async || post(&links, eve, &body).await.status == 200).await;
}

/// Where the groups are right, the database keeps them so; and what makes no tenant isn't kept from being written.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_a_second_group_with_a_slug() {
    let ground = Ground::new().await;
    let backed = ground.node().await;
    assert!(!backed.warnings().contains("unique index"), "{}", backed.warnings());
    let put = async |group: Document| ground.groups.insert_one(group).await;
    let refused = put(doc! { "_id": "t_eve", "key": ANNA.1, "tier": "free" }).await.unwrap_err();
    assert!(refused.to_string().contains("11000") || refused.to_string().contains("duplicate"), "{refused}");
    for group in [
        doc! { "_id": "t_1", "key": mongodb::bson::Bson::Null },
        doc! { "_id": "t_2", "key": mongodb::bson::Bson::Null },
        doc! { "_id": "t_3" },
        doc! { "_id": "t_4" },
        doc! { "_id": "t_5", "key": "" },
        doc! { "_id": "t_6", "key": "" },
    ] {
        put(group).await.unwrap();
    }
    // A group that comes by another way is refused when it is looked up, and so is the one that was there.
    drop(backed);
    ground.groups.drop_index("signet_key").await.unwrap();
    let backed = ground.node().await;
    ground.groups.drop_index("signet_key").await.unwrap();
    let usage = backed.url("/media/v1/usage");
    let eve = "sk_eve_0123456789abcdef";
    put(doc! { "_id": "t_eve", "key": ANNA.1, "tier": "free", "apiKey": eve }).await.unwrap();
    get_as(&usage, eve).await.assert_problem(500, "internal");
    get_as(&usage, ANNA.2).await.assert_problem(500, "internal");
}

/// Settings as somebody may write them: of few names, so that they meet.
fn any_settings() -> impl Strategy<Value = String> {
    let path =
        prop::sample::select(vec!["{key}", "{tenant}", "vivreal-{key}", "a{tenant}", "{key}-a", "media"]);
    let bucket = prop::sample::select(vec![
        "{key}",
        "{tenant}",
        "vivreal-{key}",
        "x.{tenant}",
        "media",
        "vivreal-alpha",
    ]);
    let id = prop::sample::select(vec!["a", "A", "alpha", "Alpha", "t_1", "t_10", "t-1", "beta"]);
    let key = prop::sample::select(vec!["a", "aa", "alpha", "beta", "t-1", "t-10", "private"]);
    let tenants = prop::collection::vec((id, key, any::<bool>()), 0..4);
    (path, bucket, tenants, any::<bool>()).prop_map(|(path, bucket, tenants, listed)| {
        let auth = if listed { "listed" } else { "any" };
        let tenants: String = tenants
            .into_iter()
            .enumerate()
            .map(|(index, (id, key, frozen))| {
                tenant(id, key, &index.to_string()) + if frozen { "frozen = true\n" } else { "" }
            })
            .collect();
        format!(
            "[cdn]\npath = \"{path}\"\nbucket = \"{bucket}\"\n[auth]\ntenants = \"{auth}\"\n\
             hs256_secret = \"{SECRET}\"\n{}{tenants}",
            key_pair()
        )
    })
}

fn read(settings: &str) -> Settings {
    parse(settings, &Environment::default(), "the test").unwrap()
}

/// The tenants of the settings, as a store.
struct Listed(Vec<Tenant>);

#[async_trait]
impl TenantStore for Listed {
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        Ok(self.0.iter().find(|tenant| tenant.id == *id).cloned())
    }

    async fn find_by_api_key(&self, _: &ApiKey) -> Result<Option<Tenant>, StoreError> {
        Ok(None)
    }
}

/// Every tenant that a node with these settings would serve: those that are listed, and where tokens may name any,
/// those that names of others and their neighbours make.
async fn everybody(settings: &Settings, listed: Vec<Tenant>) -> Vec<Tenant> {
    let any = settings.auth.tenants == signet::config::TenantsSetting::Any;
    let mut ids: Vec<TenantId> = listed.iter().map(|tenant| tenant.id.clone()).collect();
    if any {
        let names = listed.iter().flat_map(|tenant| [tenant.key.clone(), format!("a{}", tenant.id)]);
        let names = names.chain(["media", "alpha", "vivreal-alpha", "a", "aa", "t_100"].map(str::to_owned));
        ids.extend(names.filter_map(|name| name.parse().ok()));
    }
    ids.sort_unstable_by_key(ToString::to_string);
    ids.dedup();
    let store: Arc<dyn TenantStore> = Arc::new(Listed(listed));
    let store = if any { Arc::new(TokenTenants::new(store)) } else { store };
    let mut all = Vec::new();
    for id in ids {
        all.push(store.find(&id).await.unwrap().unwrap());
    }
    all
}

/// That neither tenant's URLs nor objects lie where the other's do. By what links and object stores are given, not by
/// how the program decides.
fn assert_apart(layout: &Layout, one: &Tenant, other: &Tenant, settings: &str) {
    let probe = ObjectKey::parse("probe.jpg").unwrap();
    let [first, second] = [one, other].map(|tenant| {
        let place = layout.place(tenant);
        let url = place.url(&probe);
        let object = place.location(&probe);
        let object = format!("{}/{}", object.bucket.to_lowercase(), object.key);
        [url, object].map(|text| text.strip_suffix("probe.jpg").unwrap().to_owned())
    });
    for (mine, others) in first.iter().zip(&second) {
        let apart = !mine.starts_with(others.as_str()) && !others.starts_with(mine.as_str());
        assert!(apart, "{mine} of {} and {others} of {}: {settings}", one.id, other.id);
    }
}

/// The rule, for random settings: those that are accepted give each tenant a place of its own.
#[tokio::test]
async fn whatever_settings_are_accepted_tenants_have_places_of_their_own() {
    let mut runner = TestRunner::deterministic();
    let (accepted, pairs) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for _ in 0..4_000 {
        let text = any_settings().new_tree(&mut runner).unwrap().current();
        let settings = read(&text);
        let Ok(listed) = tenants::listed(&settings) else { continue };
        accepted.fetch_add(1, Ordering::Relaxed);
        assert_eq!(listed.len(), settings.tenants.len());
        let layout = rules::layout(&settings).unwrap();
        let all = everybody(&settings, listed).await;
        for (index, one) in all.iter().enumerate() {
            for other in &all[..index] {
                pairs.fetch_add(1, Ordering::Relaxed);
                assert_apart(&layout, one, other, &text);
            }
        }
    }
    let (accepted, pairs) = (accepted.into_inner(), pairs.into_inner());
    assert!((400..3_600).contains(&accepted) && pairs > 1_000, "{accepted} accepted, {pairs} pairs");
}

/// `signet check` accepts what the rule was shown for, and nothing else.
#[test]
fn the_program_accepts_what_the_rule_accepts() {
    let mut runner = TestRunner::deterministic();
    let mut outcomes = [0; 2];
    for _ in 0..24 {
        let folder = TempDir::new().unwrap();
        let text = any_settings().new_tree(&mut runner).unwrap().current();
        let config = folder.path().join("signet.toml");
        fs::write(&config, &text).unwrap();
        let run = signet(&["check", "--config", config.to_str().unwrap()], b"");
        let accepted = tenants::listed(&read(&text)).is_ok();
        assert_eq!(run.code == 0, accepted, "{text}: {}", run.diagnostics);
        outcomes[usize::from(accepted)] += 1;
    }
    assert!(outcomes.into_iter().all(|count| count > 2), "{outcomes:?}");
}
