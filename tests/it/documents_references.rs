//! Asset ids in documents: in place of them stand links, objects, or what they were.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::http::{Answer, get, max_age, post, send};
use crate::support::splices::{Change, changes};
use crate::support::verify::{assert_served, now, public_key};
use crate::support::{Node, fresh_dev, upload};

const UNKNOWN: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";

/// Ids of assets in every state.
struct Assets {
    public: String,
    private: String,
    pending: String,
    deleted: String,
}

impl Assets {
    async fn put(node: &Node, bytes: &Bytes) -> Self {
        let (api, key) = (node.api.as_str(), node.api_key.as_str());
        let id = |asset: &Value| asset["assetId"].as_str().unwrap().to_owned();
        let ready = async |visibility| {
            id(&upload::ready(api, key, "a b.jpg", bytes, json!({"visibility": visibility})).await)
        };
        let ticket = async || upload::ticket(api, key, "x.jpg", bytes.len(), json!({})).await;
        let deleted = ready("PUBLIC").await;
        let url = format!("{api}/media/v1/assets/{deleted}");
        assert!(send("DELETE", &url, &[("authorization", key)], "").await.status < 300);
        Self {
            public: ready("PUBLIC").await,
            private: ready("PRIVATE").await,
            pending: id(&ticket().await),
            deleted,
        }
    }
}

async fn sign(node: &Node, query: &str, document: &str) -> Answer {
    let answer = post(&format!("{}/media/v1/documents{query}", node.api), &node.api_key, document).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn references_become_links_or_objects_or_stay_as_they_are() {
    let (_folder, node) = fresh_dev();
    let bytes = Bytes::from(std::fs::read(node.data.join("pictures/mug.jpg")).unwrap());
    let ids = Assets::put(&node, &bytes).await;
    let document = json!({
        "hero": ids.public,
        "assetId": ids.public,
        "_id": ids.public,
        "images": [[ids.private, ids.pending], [[ids.deleted, UNKNOWN, ids.public]]],
        "id": ids.private,
        "note": format!("see {}", ids.public),
    })
    .to_string();
    let key = public_key(node.facts["publicKey"].as_str().unwrap());
    let places = ["/hero", "/images/0/0", "/images/1/0/2"];

    for query in ["", "?references=inline"] {
        let answer = sign(&node, query, &document).await;
        assert_eq!(answer.header("signet-media"), "found=6, signed=3, unsigned=3");
        assert!(max_age(&answer).is_some());
        let changes = changes(document.as_bytes(), &answer.body);
        assert_eq!(changes.iter().map(|change| change.pointer.as_str()).collect::<Vec<_>>(), places);
        let links: Vec<String> = changes.iter().flat_map(Change::links).collect();
        assert_eq!(links[0], links[2]);
        assert!(
            links[0].contains(&format!("/vivreal-demo/t_demo/{}/a%20b.jpg?", ids.public)),
            "{}",
            links[0]
        );
        assert!(links[1].contains(&format!("/vivreal-demo/private/t_demo/{}/a%20b.jpg?", ids.private)));
        for link in &links {
            assert_served(link, &key, now());
            let picture = get(link, &[]).await;
            assert_eq!((picture.status, &picture.body), (200, &bytes));
        }
    }

    let objects = sign(&node, "?references=object", &document).await;
    let changed = changes(document.as_bytes(), &objects.body);
    assert_eq!(changed.iter().map(|change| change.pointer.as_str()).collect::<Vec<_>>(), places);
    for change in &changed {
        let object: Value = serde_json::from_str(&change.after).unwrap();
        let id = if change.pointer == places[1] { &ids.private } else { &ids.public };
        assert_eq!(&object["id"], id);
        let end = assert_served(object["url"].as_str().unwrap(), &key, now());
        assert_eq!(object["expiresAt"], signet::service::links::expiry_text(end));
    }
    // Such an object is one reference, renewed whole: nothing changes but links.
    let renewed = sign(&node, "?references=object&report=true", &objects.text()).await.json();
    let pointers: Vec<&str> =
        renewed["media"].as_array().unwrap().iter().map(|row| row["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers.len(), 6);
    assert_eq!([pointers[0], pointers[1], pointers[5]], places);
    for place in places {
        let object = &renewed["document"].pointer(place).unwrap();
        assert_served(object["url"].as_str().unwrap(), &key, now());
    }

    let left = sign(&node, "?references=leave", &document).await;
    assert_eq!((left.text(), left.header("signet-media")), (document, "found=0, signed=0, unsigned=0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reference_that_stays_unsigned_says_why() {
    let (_folder, node) = fresh_dev();
    let bytes = Bytes::from(std::fs::read(node.data.join("pictures/mug.jpg")).unwrap());
    let ids = Assets::put(&node, &bytes).await;
    let document = json!([ids.pending, ids.deleted, UNKNOWN, ids.public]).to_string();
    let report = sign(&node, "?report=true", &document).await.json();
    let row = |place: usize, id: &str, reason: &str| json!({"pointer": format!("/{place}"), "kind": "reference", "id": id, "reason": reason});
    let mut rows = report["media"].as_array().unwrap().clone();
    let signed = rows.pop().unwrap();
    let expected =
        [row(0, &ids.pending, "not_ready"), row(1, &ids.deleted, "deleted"), row(2, UNKNOWN, "unknown")];
    assert_eq!(rows, expected);
    assert_eq!((&signed["id"], &signed["link"]), (&json!(ids.public), &report["document"][3]));
    assert!(signed["expiresAt"].as_str().unwrap().ends_with('Z'));
    let url = format!("{}/media/v1/documents?strict=true", node.api);
    let strict = post(&url, &node.api_key, &document).await.assert_problem(422, "unsigned-media");
    assert_eq!(strict["unsigned"], json!(expected));
}
