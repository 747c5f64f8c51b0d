//! Cookies that open a folder, and links by the batch.

use serde_json::{Value, json};

use crate::support::http::{Answer, get, max_age, post, send};
use crate::support::splices::unsigned;
use crate::support::verify::{assert_served, now, public_key};
use crate::support::{Node, fresh_dev, upload};

const FOLDER: &str = "groupObjects/68bfac783bc7c024975c90cb/1757391992521";

async fn call(node: &Node, path: &str, body: Value) -> Answer {
    post(&format!("{}/media/v1/{path}", node.api), &node.api_key, body).await
}

/// Ids of the seeded assets: the PUBLIC and the PRIVATE one.
fn seeded(node: &Node) -> (String, String) {
    let content: Value =
        serde_json::from_slice(&std::fs::read(node.data.join("content.json")).unwrap()).unwrap();
    let id = |name: &str| content["data"][name].as_str().unwrap().to_owned();
    (id("hero"), id("portrait"))
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_open_their_folder_and_nothing_else() {
    let (_folder, node) = fresh_dev();
    let root = format!("{}/vivreal-demo/", node.edge);
    let (public, private) = seeded(&node);
    let mug = format!("{FOLDER}/mug.jpg");
    let files = [
        mug.clone(),
        format!("{FOLDER}/harbour.jpg.320.jpg"),
        format!("t_demo/{public}/harbour.jpg"),
        format!("private/t_demo/{private}/stage.jpg"),
    ];
    for (folder, opened) in [
        ("groupObjects/", [200, 200, 403, 403]),
        (&*format!("{FOLDER}/"), [200, 200, 403, 403]),
        ("t_demo/", [403, 403, 200, 403]),
        ("groupObject/", [403; 4]),
        ("groupObjects/6*/", [403; 4]),
    ] {
        let before = now();
        let answer = call(&node, "cookies", json!({"folder": folder})).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text());
        let grant = answer.json();
        let cookies = grant["cookies"].as_object().unwrap();
        let path = format!("/vivreal-demo/{}", folder.replace('*', "%2A"));
        assert_eq!((&grant["domain"], &grant["path"]), (&json!("127.0.0.1"), &json!(path)));
        let mut names: Vec<&str> = cookies.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["CloudFront-Key-Pair-Id", "CloudFront-Policy", "CloudFront-Signature"]);
        let mut set: Vec<String> = cookies
            .iter()
            .map(|(name, value)| {
                // The edge of development speaks plain HTTP at an address: no Secure, no Domain.
                format!("{name}={}; Path={path}; HttpOnly; SameSite=Lax", value.as_str().unwrap())
            })
            .collect();
        let mut sent: Vec<String> =
            answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().into()).collect();
        set.sort();
        sent.sort();
        assert_eq!(sent, set);

        let header: Vec<String> =
            cookies.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
        let header = header.join("; ");
        for (file, status) in files.iter().zip(opened) {
            let fetched = get(&format!("{root}{file}"), &[("cookie", &header)]).await;
            assert_eq!(fetched.status, status, "{file} with cookies of {folder}");
        }
        let policy = cookies["CloudFront-Policy"].as_str().unwrap();
        let signature = cookies["CloudFront-Signature"].as_str().unwrap();
        let id = cookies["CloudFront-Key-Pair-Id"].as_str().unwrap();
        let link = format!("{root}{folder}x.jpg?Policy={policy}&Signature={signature}&Key-Pair-Id={id}");
        let key = public_key(node.facts["publicKey"].as_str().unwrap());
        let end = assert_served(&link.replace('*', "%2A"), &key, now());
        assert!((before + 151..=now() + 300).contains(&end), "{end}");
        assert_eq!(grant["expiresAt"], signet::service::links::expiry_text(end));

        // A cookie that is changed, or missing, opens nothing.
        let changed = header.replace("CloudFront-Signature=", "CloudFront-Signature=A");
        let missing = header.replace("CloudFront-Policy=", "Policy=");
        for header in [&*changed, &*missing, ""] {
            assert_eq!(get(&format!("{root}{mug}"), &[("cookie", header)]).await.status, 403);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_root_nor_private_nor_another_tenant_can_be_opened() {
    let (_folder, node) = fresh_dev();
    for folder in [
        "",
        "/",
        "./",
        "private/",
        "private/t_demo/",
        "Private/",
        "%70rivate/",
        "../",
        "a/../",
        "a/../../",
        "../vivreal-other/",
        "%2e%2e/vivreal-other/",
        "a//",
        "a\\b/",
        "a%2f..%2f/",
        "a%5c/",
        "groupObjects",
        "/groupObjects/",
        "a\n/",
    ] {
        let problem =
            call(&node, "cookies", json!({"folder": folder})).await.assert_problem(422, "invalid-field");
        assert_eq!(problem["pointer"], "/folder", "{folder:?}");
    }
    for body in [json!({}), json!({"folder": 1}), json!({"folder": "a/", "tenant": "t_other"})] {
        call(&node, "cookies", body).await.assert_problem(422, "invalid-field");
    }
    post(&format!("{}/media/v1/cookies", node.api), "wrong", json!({"folder": "a/"}))
        .await
        .assert_problem(401, "credentials-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_answered_in_order_and_bad_items_with_their_reasons() {
    let (_folder, node) = fresh_dev();
    let (public, private) = seeded(&node);
    let key = node.api_key.as_str();
    let picture = std::fs::read(node.data.join("pictures/mug.jpg")).unwrap();
    let pending = upload::ticket(&node.api, key, "x.jpg", 5, json!({})).await;
    let deleted = upload::ready(&node.api, key, "x.jpg", &picture.into(), json!({})).await;
    let deleted = deleted["assetId"].as_str().unwrap();
    let url = format!("{}/media/v1/assets/{deleted}", node.api);
    assert!(send("DELETE", &url, &[("authorization", key)], "").await.status < 300);
    let pending = pending["assetId"].as_str().unwrap();
    let (root, alias) = (format!("{}/vivreal-demo/", node.edge), "https://media.vivreal.io/vivreal-demo/");
    let of = |name: &str, item: &str, outcome: Result<String, &str>| {
        (name.to_owned(), item.to_owned(), outcome.map_err(str::to_owned))
    };
    let expected = [
        of("id", &private, Ok(format!("{root}private/t_demo/{private}/stage.jpg"))),
        of("id", "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E", Err("unknown")),
        of("id", "nonsense", Err("unknown")),
        of("id", pending, Err("not_ready")),
        of("id", deleted, Err("deleted")),
        of("id", &public, Ok(format!("{root}t_demo/{public}/harbour.jpg"))),
        of("id", &private, Ok(format!("{root}private/t_demo/{private}/stage.jpg"))),
        of("key", &format!("{FOLDER}/mug.jpg"), Ok(format!("{root}{FOLDER}/mug.jpg"))),
        of("key", "we*ird?na me#1 ö%.jpg", Ok(format!("{root}we%2Aird%3Fna%20me%231%20%C3%B6%25.jpg"))),
        of("key", "../vivreal-other/x.jpg", Err("invalid_key")),
        of("key", "a//b.jpg", Err("invalid_key")),
        of("key", "/a.jpg", Err("invalid_key")),
        of("key", "", Err("invalid_key")),
        of("key", &"x".repeat(1_025), Err("invalid_key")),
        of(
            "url",
            &format!("{alias}a.jpg?v=3&Expires=1&Signature=x&Key-Pair-Id=K"),
            Ok(format!("{alias}a.jpg?v=3")),
        ),
        of("url", &format!("{root}{FOLDER}/mug.jpg"), Ok(format!("{root}{FOLDER}/mug.jpg"))),
        of("url", "https://media.vivreal.io/vivreal-other/a.jpg", Err("foreign")),
        of("url", &format!("{alias}%2e%2e/vivreal-other/a.jpg"), Err("foreign")),
        of("url", "https://example.com/vivreal-demo/a.jpg", Err("foreign")),
        of("url", &format!("{alias}*"), Err("invalid_url")),
        of("url", &format!("{alias}a b.jpg"), Err("invalid_url")),
        of("url", &format!("{alias}a%2fb.jpg"), Err("invalid_key")),
    ];
    let items = |kind: &str| -> Vec<&str> {
        expected.iter().filter(|(name, ..)| name == kind).map(|(_, item, _)| item.as_str()).collect()
    };
    let answer =
        call(&node, "links", json!({"urls": items("url"), "ids": items("id"), "keys": items("key")})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let rows = body["links"].as_array().unwrap();
    assert_eq!(rows.len(), expected.len());
    let public_key = public_key(node.facts["publicKey"].as_str().unwrap());
    let mut first = u64::MAX;
    for (row, (name, item, outcome)) in rows.iter().zip(&expected) {
        assert_eq!(row[name], *item, "{row}");
        match outcome {
            Ok(url) => {
                let link = row["link"].as_str().unwrap_or_else(|| panic!("{row}"));
                let end = assert_served(link, &public_key, now());
                first = first.min(end);
                assert_eq!(
                    (&unsigned(link), &row["expiresAt"]),
                    (url, &json!(signet::service::links::expiry_text(end)))
                );
                assert_eq!(row.as_object().unwrap().len(), 3, "{row}");
            }
            Err(reason) => assert_eq!(row, &json!({name: item, "reason": reason})),
        }
    }
    assert_eq!(rows[0]["link"], rows[6]["link"]);
    assert!((first - now() - 75..=first - now() - 70).contains(&max_age(&answer).unwrap()));
    for row in [0, 5, 7, 15] {
        assert_eq!(get(rows[row]["link"].as_str().unwrap(), &[]).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_at_most_a_thousand_items() {
    let (_folder, node) = fresh_dev();
    let many =
        call(&node, "links", json!({"ids": vec!["x"; 400], "keys": vec!["a"; 300], "urls": vec!["b"; 300]}))
            .await;
    assert_eq!((many.status, many.json()["links"].as_array().unwrap().len()), (200, 1_000));
    let body = json!({"ids": vec!["x"; 400], "keys": vec!["a"; 300], "urls": vec!["b"; 301]});
    let problem = call(&node, "links", body).await.assert_problem(422, "too-many-items");
    assert_eq!((&problem["limit"], &problem["found"]), (&json!(1_000), &json!(1_001)));
    let none = call(&node, "links", json!({})).await;
    assert_eq!((none.text().as_str(), max_age(&none)), ("{\"links\":[]}", None));
    for body in [json!({"id": ["x"]}), json!({"ids": "x"}), json!({"keys": [1]}), json!([])] {
        call(&node, "links", body).await.assert_problem(422, "invalid-field");
    }
}
