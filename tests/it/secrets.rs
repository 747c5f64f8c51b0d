//! Private keys in AWS Secrets Manager, through the real SDK and real processes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use signet::cloudfront::NewKey;
use tempfile::TempDir;

use crate::support::program::run;
use crate::support::rotate::{KEYS, make_pair};
use crate::support::vault::Vault;
use crate::support::{Node, SIGNET};

const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:vivreal/prod-AbCdEf";

/// `signet check` with these lines for the key K1: whether it is content, and what it said.
fn check(folder: &Path, key: &str, environment: &[(String, String)]) -> (bool, String) {
    let file = folder.join("check.toml");
    std::fs::write(&file, format!("[store]\npath = \"check\"\n[[signing.keys]]\n{key}")).unwrap();
    let mut command = Command::new(SIGNET);
    command.env_clear().envs(environment.iter().cloned()).args(["check", "--config"]).arg(&file);
    let output = run(&mut command, b"");
    let (answer, diagnostics) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    (output.status.success(), if output.status.success() { answer } else { diagnostics })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_read_from_a_secret_or_a_member_of_one() {
    let folder = TempDir::new().unwrap();
    let vault = Vault::start().await;
    let pem = make_pair(folder.path(), "K1", NewKey::Rsa2048);
    let public = std::fs::read_to_string(folder.path().join("K1-public.pem")).unwrap();
    vault.put("plain", &pem);
    let escaped = pem.replace('\n', "\\n");
    let all = json!({"CLUSTER_URL": "mongodb://hush", "CLOUDFRONT_SIGNING_PRIVATE_KEY": escaped,
        "CLOUDFRONT_SIGNING_KEY_PAIR_ID": "K1"});
    vault.put(ARN, &all.to_string());
    let field = "private_key_secret_field = \"CLOUDFRONT_SIGNING_PRIVATE_KEY\"";
    let stated = "public_key_file = \"K1-public.pem\"";
    for key in [
        format!("id = \"K1\"\nprivate_key_secret = \"plain\"\n{stated}"),
        format!("id = \"K1\"\nprivate_key_secret = \"{ARN}\"\n{field}\n{stated}"),
        format!(
            "id_secret_field = \"CLOUDFRONT_SIGNING_KEY_PAIR_ID\"\nprivate_key_secret = \"{ARN}\"\n{field}"
        ),
    ] {
        let before = vault.reads();
        let (content, said) = check(folder.path(), &key, &vault.environment());
        assert!(content && said.contains("K1 RSA 2048 SHA1, signs now"), "{said}");
        assert!(said.contains(public.trim_end()), "{said}");
        assert_eq!(vault.reads() - before, 1, "one read, however often the secret is named");
    }
    make_pair(folder.path(), "K2", NewKey::Rsa2048);
    let other = "id = \"K1\"\nprivate_key_secret = \"plain\"\npublic_key_file = \"K2-public.pem\"";
    let (content, said) = check(folder.path(), other, &vault.environment());
    assert!(!content && said.contains("doesn't belong to this public key"), "{said}");
    assert_eq!(vault.refused(), 0, "all requests were signed by SigV4");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_secret_is_one_clear_line() {
    let folder = TempDir::new().unwrap();
    let vault = Vault::start().await;
    vault.put("json", &json!({"KEY": "hush"}).to_string());
    vault.put("text", "hush");
    let refusal = |key: &str, environment: &[(String, String)]| {
        let started = Instant::now();
        let (content, said) = check(folder.path(), &format!("id = \"K1\"\n{key}"), environment);
        assert!(!content, "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("signet: signing.keys, \"K1\", "), "{said}");
        assert!(!said.contains("hush"), "{said}");
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}: {said}", started.elapsed());
        said
    };
    let environment = vault.environment();
    let without = |names: &[&str]| -> Vec<(String, String)> {
        environment.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect()
    };
    let with = |name: &str, value: &str| {
        let mut environment = without(&[name]);
        environment.push((name.to_owned(), value.to_owned()));
        environment
    };
    let text = "private_key_secret = \"text\"";
    let json_key =
        |field: &str| format!("private_key_secret = \"json\"\nprivate_key_secret_field = \"{field}\"");

    let said = refusal("private_key_secret = \"absent\"", &environment);
    assert!(
        said.contains("there is no secret \"absent\" in AWS Secrets Manager, region eu-central-1"),
        "{said}"
    );
    let said = refusal(text, &without(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]));
    assert!(said.contains("there are no AWS credentials") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
    let said = refusal(text, &without(&["AWS_REGION"]));
    assert!(said.contains("no AWS region is set; set AWS_REGION"), "{said}");
    let said = refusal(text, &with("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1"));
    assert!(said.contains("can't be read now") && said.contains("refused"), "{said}");
    let said = refusal(text, &with("AWS_SECRET_ACCESS_KEY", "wrong"));
    assert!(said.contains("InvalidSignatureException: the signature isn't right"), "{said}");
    assert!(vault.refused() > 0, "the vault does check signatures");
    let said = refusal(text, &environment);
    assert!(said.contains("private key: "), "it is no PEM: {said}");
    let said = refusal(&json_key("OTHER"), &environment);
    assert!(said.contains("private_key_secret_field: the secret has no member \"OTHER\""), "{said}");
    let said = refusal("private_key_secret = \"text\"\nprivate_key_secret_field = \"KEY\"", &environment);
    assert!(said.contains("the secret isn't a JSON object"), "{said}");

    vault.fail(Some((400, json!({"__type": "AccessDeniedException", "Message": "not\nyours"}))));
    let said = refusal(text, &environment);
    assert!(said.contains("is refused: AccessDeniedException: not yours"), "{said}");
    vault.fail(Some((500, json!({"__type": "InternalServiceError", "Message": "oh"}))));
    let said = refusal(text, &environment);
    assert!(said.contains("can't be read now: InternalServiceError: oh"), "{said}");
    vault.hang();
    let said = refusal(text, &environment);
    assert!(said.contains("can't be read now"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_of_the_secret_takes_over_and_a_bad_one_does_not() {
    let folder = TempDir::new().unwrap();
    let vault = Vault::start().await;
    let [one, two] = ["K1", "K2"].map(|name| make_pair(folder.path(), name, NewKey::Rsa2048));
    let version = |id: &str, pem: &str| vault.put("pair", &json!({"ID": id, "PEM": pem}).to_string());
    version("K1", &one);
    let settings = format!(
        "[store]\npath = \"data\"\n[log]\nlevel = \"off\"\n[signing]\nsecrets_refresh_seconds = 1\n{KEYS}\
         [[signing.keys]]\nid_secret_field = \"ID\"\nprivate_key_secret = \"pair\"\n\
         private_key_secret_field = \"PEM\"\n"
    );
    let environment = vault.environment();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let node = Node::serve(folder.path(), &settings, &environment);
    assert_eq!(node.signs().await, "K1");
    node.reloaded("unchanged", 1).await;

    vault.fail(Some((500, json!({"__type": "InternalServiceError"}))));
    node.reloaded("refused", 1).await;
    vault.fail(None);
    let refused = || async { node.metric("signet_key_reloads_total{outcome=\"refused\"}").await.unwrap() };
    version("K1", &two);
    node.reloaded("refused", refused().await + 2).await;
    assert_eq!(node.signs().await, "K1", "an id doesn't change its key");
    version("K2", &two);
    node.reloaded("applied", 1).await;
    assert_eq!(node.signs().await, "K2");
}
