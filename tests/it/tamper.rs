//! Whatever is changed about a link, the edge refuses it with CloudFront's words; and `signet inspect` says
//! the same as the edge, of every one of them.

use serde_json::{Value, json};

use crate::support::http::post;
use crate::support::program::{file, signet};
use crate::support::stage::{DENIED, FOLDER, MALFORMED, MISSING, Stage, UNKNOWN, assert_refused};
use crate::support::verify;

/// The target with one parameter made into another text; an empty one is left out.
fn with(target: &str, name: &str, to: impl Fn(&str) -> String) -> String {
    let (path, query) = target.split_once('?').unwrap();
    let texts = query.split('&').map(|text| match text.split_once('=') {
        Some((found, value)) if found == name => to(value),
        _ => text.to_owned(),
    });
    format!("{path}?{}", texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_refused_once_any_part_of_it_is_another() {
    let stage = Stage::new();
    let link = stage.link().await;
    assert!(stage.agreed(&link, None));
    let [without, doubled] =
        [|_: &str, _: &str| String::new(), |n: &str, v: &str| format!("{n}={v}&{n}={v}")];
    for (name, removed) in [("Expires", DENIED), ("Signature", DENIED), ("Key-Pair-Id", MISSING)] {
        stage.assert_refused(&with(&link, name, |value| without(name, value)), removed);
        stage.assert_refused(&with(&link, name, |value| doubled(name, value)), DENIED);
        stage.assert_refused(
            &with(&link, name, |_| format!("{name}=")),
            match name {
                "Expires" => MALFORMED,
                "Key-Pair-Id" => MISSING,
                _ => DENIED,
            },
        );
    }
    for (target, words) in [
        (stage.path.clone(), MISSING),
        (with(&link, "Key-Pair-Id", |_| "Key-Pair-Id=KOTHER".into()), UNKNOWN),
        (with(&link, "Key-Pair-Id", |id| format!("Key-Pair-Id={}", id.to_lowercase())), UNKNOWN),
        (with(&link, "Expires", |time| format!("Expires={}", time.parse::<u64>().unwrap() + 1)), DENIED),
        (with(&link, "Expires", |time| format!("Expires=0{time}")), MALFORMED),
        (with(&link, "Expires", |time| format!("Expires=+{time}")), MALFORMED),
        (with(&link, "Expires", |_| "Expires=99999999999999999999".into()), MALFORMED),
        (with(&link, "Signature", |text| format!("Signature={}", text.replace('~', "/"))), DENIED),
        (with(&link, "Signature", |text| format!("Signature={text}A")), DENIED),
        (format!("{link}&Hash-Algorithm=SHA256"), DENIED),
        (format!("{link}&Hash-Algorithm=MD5"), DENIED),
        (format!("{link}&Policy=e30_"), DENIED),
        (format!("{link}&w=640"), DENIED),
        (format!("{link}&"), DENIED),
        (link.replace("mug.jpg", "stage.jpg"), DENIED),
        (link.replace("mug.jpg", "mug%2Ejpg"), DENIED),
        (link.replace("mug.jpg", "MUG.jpg"), DENIED),
        (link.replace("mug.jpg", "mug.jpg/"), DENIED),
        (link.replace("/groupObjects", "//groupObjects"), DENIED),
        (link.replace("vivreal-demo", "vivreal-other"), DENIED),
        (link.replace('?', "?x=1&"), DENIED),
    ] {
        if target != link {
            stage.assert_refused(&target, words);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_holds_for_its_time_its_viewers_and_its_resource_alone() {
    let stage = Stage::new();
    let url = stage.url();
    let folder = url.replace("mug.jpg", "*");
    let now = verify::now();
    let [past, soon, later] = [now - 1, now + 600, now + 1200].map(|time| time.to_string());
    let served = |args: &[&str]| {
        let mut all = args.to_vec();
        all.push(&url);
        stage.agreed(&stage.target(&stage.sign(&all)), None)
    };
    assert!(!served(&["--expires", &past]), "expired, canned");
    assert!(!served(&["--expires", &past, "--resource", &folder]), "expired, custom");
    assert!(!served(&["--expires", &later, "--not-before", &soon]), "not yet");
    assert!(served(&["--expires", &soon, "--not-before", &past]), "already");
    assert!(!served(&["--expires", &soon, "--ip", "203.0.113.0/24"]), "from elsewhere");
    assert!(!served(&["--expires", &soon, "--ip", "127.0.0.2"]), "from next door");
    assert!(served(&["--expires", &soon, "--ip", "127.0.0.0/8"]), "from inside");
    assert!(served(&["--expires", &soon, "--hash", "SHA256"]));

    let custom = stage.target(&stage.sign(&["--expires", &soon, "--resource", &folder, &url]));
    for (target, words) in [
        (custom.replace("mug.jpg", "harbour.jpg"), None),
        (custom.replace("mug.jpg?", "mug.jpg?w=640&"), None),
        (custom.replace(FOLDER, "groupObjects"), Some(DENIED)),
        (custom.replace("/mug.jpg", "/../../../mug.jpg"), Some(DENIED)),
        (custom.replace("/mug.jpg", "/x/%2E%2e/mug.jpg"), Some(DENIED)),
        (custom.replace("/mug.jpg", "/x%2f..%5cmug.jpg"), Some(DENIED)),
        (custom.replace("/mug.jpg", "/./mug.jpg"), Some(DENIED)),
        (with(&custom, "Policy", |_| "Policy=e30_".into()), Some(MALFORMED)),
        (with(&custom, "Policy", |text| format!("Policy={}", &text[4..])), Some(MALFORMED)),
        (with(&custom, "Policy", |_| String::new()), Some(DENIED)),
        (format!("{custom}&Expires={soon}"), Some(DENIED)),
    ] {
        match words {
            None => assert!(stage.agreed(&target, None), "{target}"),
            Some(words) => stage.assert_refused(&target, words),
        }
    }
    // Another URL's policy, and another key pair's signature under the known id.
    let other = stage.sign(&[
        "--expires",
        &soon,
        "--resource",
        "https://media.vivreal.io/*",
        "https://media.vivreal.io/a",
    ]);
    let (_, query) = other.split_once('?').unwrap();
    stage.assert_refused(&format!("{}?{query}", stage.path), DENIED);
    for key in ["rsa", "ecdsa"] {
        let key = file(&format!("vectors/{key}"));
        let run = signet(
            &["sign", "--private-key", &key, "--key-pair-id", &stage.id, "--expires", &soon, &url],
            b"",
        );
        stage.assert_refused(&stage.target(run.answer.trim_end()), DENIED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_open_their_folder_and_nothing_else() {
    let stage = Stage::new();
    let api = &stage.node().api;
    let request = json!({"folder": format!("{FOLDER}/")});
    let granted = post(&format!("{api}/media/v1/cookies"), &stage.node().api_key, request).await.json();
    let pairs: Vec<(String, String)> = granted["cookies"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let header = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    };
    let cookies = header(&pairs);
    let served = |target: &str, cookies: &str| stage.agreed(target, Some(cookies));
    assert!(served(&stage.path, &cookies));
    assert!(served(&stage.path, &format!("theme=dark; {cookies}; x")));
    assert!(served(&stage.path.replace("mug", "harbour"), &cookies));
    for path in [
        stage.path.replace("68bfac783bc7c024975c90cb", "other"),
        stage.path.replace("vivreal-demo", "vivreal-other"),
        stage.path.replace("/mug.jpg", "/../../../private/x.jpg"),
        stage.path.replace("/mug.jpg", "/..%2f..%2f../private/x.jpg"),
        "/".to_owned(),
    ] {
        assert!(!served(&path, &cookies), "{path}");
    }
    for index in 0..pairs.len() {
        let mut fewer = pairs.clone();
        fewer.remove(index);
        assert!(!served(&stage.path, &header(&fewer)), "without {}", pairs[index].0);
        let mut changed = pairs.clone();
        let swap = if changed[index].1.starts_with('A') { "B" } else { "A" };
        changed[index].1.replace_range(0..1, swap);
        assert!(!served(&stage.path, &header(&changed)), "changed {}", pairs[index].0);
    }
    assert!(!served(&stage.path, &cookies.to_lowercase()), "names are case-sensitive");
    assert!(!served(&stage.path, &format!("{cookies}; {cookies}")), "doubled");
    let signed_wrong = format!("{}?Expires=1&Signature=x&Key-Pair-Id={}", stage.path, stage.id);
    assert!(!served(&signed_wrong, &cookies), "the URL's parameters come first");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_single_character_is_served() {
    let stage = Stage::new();
    let link = stage.link().await;
    let mut changed = 0;
    for at in 1..link.len() {
        let (before, after) = (&link[..at], &link[at + 1..]);
        let there = &link[at..=at];
        let other = ["A", "B", "/", "_"][at % 4];
        let other = if other == there { "C" } else { other };
        let mut targets = vec![format!("{before}{other}{after}")];
        if at % 5 == 0 {
            targets.push(format!("{before}{after}"));
            targets.push(format!("{before}{there}{there}{after}"));
        }
        for target in targets.into_iter().filter(|target| *target != link) {
            assert!(!stage.agreed(&target, None), "{target}");
            changed += 1;
        }
    }
    assert!(changed >= 300, "{changed}");
    // The last character that bears bits of the signature has bits that none reads.
    let (head, tail) = link.split_once("__").unwrap();
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~".chars() {
        let target = format!("{}{other}__{tail}", &head[..head.len() - 1]);
        assert_eq!(stage.agreed(&target, None), target == link, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_inspect_says_what_the_edge_does() {
    let stage = Stage::new();
    let link = stage.link().await;
    let public = stage.node().facts["publicKey"].as_str().unwrap();
    for (target, served) in [
        (link.clone(), true),
        (format!("{link}&w=1"), false),
        (stage.path.clone(), false),
        (link.replace("mug", "stage"), false),
        (with(&link, "Expires", |_| "Expires=1".into()), false),
        (with(&link, "Key-Pair-Id", |_| "Key-Pair-Id=K1".into()), false),
        (link.replace("/groupObjects", "/x/../groupObjects"), false),
    ] {
        let url = format!("{}{target}", stage.node().edge);
        let args = ["inspect", "--public-key", public, "--key-pair-id", &stage.id, "--json"];
        let run = signet(&[&args[..], &["--ip", "127.0.0.1", &url]].concat(), b"");
        let said: Value = serde_json::from_str(&run.answer).unwrap();
        assert_eq!((run.code == 0, &said["served"]), (served, &json!(served)), "{said}");
        let answer = stage.fetch(&target, None);
        match said["refusal"].as_str() {
            None => assert_eq!(answer.status, 200),
            Some(words) => assert_refused(&answer, words, &target),
        }
    }
}
