//! What keeps a process from starting is said in one line on stderr, with exit 1 or 2, and nothing on stdout.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::support::http::get_as;
use crate::support::program::{ID, PAGE, file, signet};
use crate::support::shared_dev;

fn assert_refused(args: &[&str], code: i32, reason: &str) {
    let run = signet(args, b"");
    assert_eq!(run.code, code, "{args:?}: {}", run.diagnostics);
    assert_eq!(run.answer, "", "{args:?}");
    assert_eq!(run.diagnostics.lines().count(), 1, "{args:?}: {}", run.diagnostics);
    assert!(run.diagnostics.starts_with("signet: "), "{}", run.diagnostics);
    assert!(run.diagnostics.contains(reason), "{reason}: {}", run.diagnostics);
}

/// `signet serve` and `signet check` with these settings.
fn assert_settings_refused(folder: &Path, settings: &str, reason: &str) {
    let config = folder.join("signet.toml");
    let listeners = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
    fs::write(&config, format!("{listeners}{settings}")).unwrap();
    for command in ["serve", "check"] {
        assert_refused(&[command, "--config", config.to_str().unwrap()], 1, reason);
    }
}

#[test]
fn settings_that_can_not_be_are_refused() {
    let folder = TempDir::new().unwrap();
    let key =
        |name: &str| format!("[[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{}\"\n", file(name));
    let good = key("vectors/rsa");
    let tenant = |id: &str, key: &str, api_key: &str| {
        format!("[[tenants]]\nid = \"{id}\"\nkey = \"{key}\"\napi_key = \"{api_key}\"\n")
    };
    let secret = "sk_0123456789abcdef";
    let s3 = |line: &str| {
        format!("[store]\nobjects = \"s3\"\n[store.s3]\nregion = \"eu-central-1\"\n{line}\n{good}")
    };
    let listeners = |line: &str| format!("{line}\n{good}");
    for (settings, reason) in [
        (listeners("trusted_hops = 9"), "server.trusted_hops: must be 0 to 8, not 9"),
        (listeners("max_streams = 0"), "server.max_streams"),
        (listeners("head_seconds = 61"), "server.head_seconds"),
        (listeners("idle_seconds = 9"), "server.idle_seconds"),
        (listeners("answer_seconds = 71"), "server.answer_seconds: must be 1 to 70, not 71"),
        (listeners("lame_duck_seconds = 301"), "server.lame_duck_seconds: must be 0 to 300, not 301"),
        (listeners("idle_seconds = 20\nanswer_seconds = 15"), "server.body_idle_seconds: must be 1 to 15"),
        (
            format!("[telemetry]\nsample_ratio = 1.1\n{good}"),
            "telemetry.sample_ratio: must be 0 to 1, not 1.1",
        ),
        (format!("[telemetry]\nservice_name = \" \"\n{good}"), "telemetry.service_name: must not be empty"),
        (
            format!("[telemetry]\notlp_endpoint = \"localhost:4317\"\n{good}"),
            "telemetry.otlp_endpoint: must be",
        ),
        (
            format!("[telemetry]\notlp_endpoint = \"http://127.0.0.1:4318\"\n{good}"),
            "telemetry.otlp_endpoint: must have a path",
        ),
        (String::new(), "signing.keys: there is no key pair"),
        (key("vectors/rsa-public"), "public key"),
        (key("keys/nothing-there"), "No such file"),
        (key("keys/encrypted"), "encrypted"),
        (key("keys/certificate"), "certificate"),
        (format!("{good}public_key_file = \"{}\"\n", file("vectors/ecdsa-public")), "doesn't belong"),
        (format!("{good}public_key_file = \"{}\"\n", file("vectors/rsa")), "private key"),
        (format!("{good}hash = \"MD5\"\n"), "SHA1 or SHA256"),
        (format!("{}hash = \"SHA1\"\n", key("vectors/ecdsa")), "SHA256 only"),
        (format!("{good}not_before = \"soon\"\n"), "not_before"),
        (format!("{good}{good}"), ID),
        (format!("[signing]\nttl_seconds = 59\n{good}"), "60 to 604,800"),
        (format!("[signing]\nttl_seconds = 604801\n{good}"), "60 to 604,800"),
        (format!("[signing]\nttl_seconds = -1\n{good}"), "ttl_seconds"),
        (format!("[signing]\nttl_seconds = \"long\"\n{good}"), "ttl_seconds"),
        (format!("[delivery]\nprivate_ttl = 1\n{good}"), "delivery.private_ttl"),
        (format!("[store]\nobjects = \"disk\"\n{good}"), "disk"),
        (
            s3("endpoint = \"s3.example.com\""),
            "store.s3.endpoint: \"s3.example.com\" must begin with https://",
        ),
        (s3("public_endpoint = \"https://s3.example.com/a\""), "store.s3.public_endpoint"),
        (s3("connect_seconds = 0"), "store.s3.connect_seconds: must be 1 to 600 seconds"),
        (s3("attempts = 11"), "store.s3.attempts: must be 1 to 10"),
        (s3("bucket = \"a\""), "bucket"),
        (
            format!("[uploads]\nticket_seconds = 604801\n{}", s3("attempts = 3")),
            "uploads.ticket_seconds: must be at most 604,800",
        ),
        (
            format!("[delivery]\npublic = \"stable\"\n{good}"),
            "delivery.public_base_url: is needed where delivery.public is \"stable\"",
        ),
        (
            format!("[delivery]\npublic_base_url = \"https://cdn.example.com/a\"\n{good}"),
            "delivery.public_base_url: ",
        ),
        (format!("[delivery]\npublic = \"open\"\n{good}"), "delivery.public"),
        (format!("[delivery]\nprivate = \"stable\"\n{good}"), "delivery.private"),
        (
            format!("[uploads.max_bytes_by_type]\n\"image\" = 5\n{good}"),
            "uploads.max_bytes_by_type.\"image\": needs a type/subtype",
        ),
        (format!("[uploads.max_bytes_by_type]\n\"image/*\" = 0\n{good}"), "at least 1 byte"),
        (format!("[uploads]\nmax_bytes = 5497558138881\n{good}"), "uploads.max_bytes: must be at most"),
        (format!("[uploads.max_bytes_by_type]\n\"video/mp4\" = 5497558138881\n{good}"), "video/mp4"),
        (format!("[uploads]\nmultipart_threshold_bytes = 5368709121\n{good}"), "multipart_threshold_bytes"),
        (format!("[uploads]\npart_bytes = 5242879\n{good}"), "uploads.part_bytes: must be 5242880 to"),
        (format!("[uploads]\nmultipart_seconds = 0\n{good}"), "uploads.multipart_seconds: must be 1"),
        (format!("[signing]\nttl = 300\n{good}"), "unknown field `ttl`"),
        (format!("[singing]\n{good}"), "singing"),
        ("[signing\n".to_owned(), "line 4"),
        (format!("[cdn]\nbase_url = \"media.example.com\"\n{good}"), "cdn.base_url"),
        (format!("[cdn]\nbase_url = \"https://media.example.com/a\"\n{good}"), "cdn.base_url"),
        (format!("[cdn]\npath = \"media\"\n{good}"), "cdn.path"),
        (format!("[cdn]\npath = \"{{type}}\"\n{good}"), "cdn.path"),
        (format!("[uploads]\ncontent_types = [\"png\"]\n{good}"), "content_types"),
        (format!("[auth]\njwks_file = \"nowhere.json\"\n{good}"), "auth.jwks_file"),
        (
            format!("[auth]\njwks_url = \"http://id.example.com/keys\"\n{good}"),
            "auth.jwks_url: must be an https",
        ),
        (
            format!("[auth]\njwks_url = \"http://localhost/keys\"\njwks_refresh_seconds = 29\n{good}"),
            "auth.jwks_refresh_seconds: must be at least 30",
        ),
        (
            format!("[auth]\njwks_url = \"https://id/keys\"\njwks_file = \"jwks.json\"\n{good}"),
            "together with auth.jwks_file",
        ),
        (format!("[auth]\nhs256_secret = \"{}\"\n{good}", "x".repeat(31)), "auth.hs256_secret: must have"),
        (format!("{good}{}", tenant("t x", "x", secret)), "tenants[0].id"),
        (format!("{good}{}", tenant("t_x", "X/y", secret)), "tenants[0].key"),
        (format!("{good}{}", tenant("t_x", "x", "short")), "16 characters"),
        (format!("{good}{}{}", tenant("t_x", "x", secret), tenant("t_y", "y", secret)), "another tenant"),
    ] {
        assert_settings_refused(folder.path(), &settings, reason);
    }
    let missing = folder.path().join("missing.toml");
    for command in ["serve", "check"] {
        assert_refused(&[command, "--config", missing.to_str().unwrap()], 1, "missing.toml");
        assert_refused(&[command, "--config", folder.path().to_str().unwrap()], 1, "directory");
        assert_refused(&[command], 2, "--config");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_or_a_port_in_use_is_said_and_its_user_is_not_disturbed() {
    let shared = shared_dev();
    let node = &shared.1;
    let data = node.data.to_str().unwrap();
    assert_refused(&["dev", "--data", data, "--listen", "127.0.0.1:0"], 1, "in use by another process");
    let folder = TempDir::new().unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    let fresh = folder.path().join("data");
    assert_refused(&["dev", "--data", fresh.to_str().unwrap(), "--listen", &address], 1, &address);
    assert!(!fresh.exists(), "nothing was made");
    assert_refused(&["dev", "--data", fresh.to_str().unwrap(), "--listen", "nowhere"], 1, "nowhere");

    let key = file("vectors/rsa");
    let settings = format!("[[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{key}\"\n");
    let config = folder.path().join("signet.toml");
    for (listen, admin) in [(address.as_str(), "127.0.0.1:0"), ("127.0.0.1:0", address.as_str())] {
        let server = format!("[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n{settings}");
        fs::write(&config, server).unwrap();
        assert_refused(&["serve", "--config", config.to_str().unwrap()], 1, &address);
    }
    let list = get_as(&format!("{}/media/v1/assets", node.api), &node.api_key).await;
    assert_eq!(list.status, 200);
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

#[test]
fn a_data_folder_that_can_not_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("file"), "").unwrap();
    for data in [path("file"), path("file/below"), "/proc/nowhere".to_owned()] {
        assert_refused(&["dev", "--data", &data, "--listen", "127.0.0.1:0"], 1, &data);
    }
    // A database that is none, and a key pair that is none.
    fs::create_dir(path("garbage")).unwrap();
    fs::write(path("garbage/signet.redb"), "x".repeat(5_000)).unwrap();
    assert_refused(&["dev", "--data", &path("garbage"), "--listen", "127.0.0.1:0"], 1, "signet.redb");
    fs::create_dir_all(path("public/keys")).unwrap();
    fs::copy(file("vectors/rsa-public"), path("public/keys/private.pem")).unwrap();
    // Closed, or the log would say that it was open.
    for (name, mode) in [("public", 0o700), ("public/keys", 0o700), ("public/keys/private.pem", 0o600)] {
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_refused(&["dev", "--data", &path("public"), "--listen", "127.0.0.1:0"], 1, "public key");
}

#[test]
fn wrong_usage_is_one_line_too() {
    let key = file("vectors/rsa");
    let sign = ["sign", "--private-key", &key, "--key-pair-id", ID];
    for args in [
        vec![],
        vec!["fly"],
        vec!["sign", "--else"],
        [&sign[..], &["--ttl", "1", PAGE]].concat(),
        [&sign[..], &["--ttl", "60", "--hash", "MD5", PAGE]].concat(),
        vec!["keygen", "--type", "dsa", "--out", "x"],
        vec!["inspect"],
        vec!["document", "--private-key", "x"],
        vec!["dev", "--data"],
    ] {
        assert_refused(&args, 2, "");
    }
    let public = file("vectors/rsa-public");
    for key in [public.as_str(), "nowhere.pem"] {
        assert_refused(&["sign", "--private-key", key, "--key-pair-id", ID, "--ttl", "60", PAGE], 1, key);
        let document = ["document", "--private-key", key, "--key-pair-id", ID, "--ttl", "60"];
        assert_refused(&[&document[..], &["--base", "https://h", "--bucket", "b"]].concat(), 1, key);
    }
}
