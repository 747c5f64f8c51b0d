//! The list over HTTP, page by page, while other clients make and delete assets.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::fresh_dev;
use crate::support::http::{get_as, moment, send};
use crate::support::upload::ticket;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_all_the_time_is_on_one_page_exactly() {
    let (_folder, node) = fresh_dev();
    let (api, key) = (node.api.clone(), node.api_key.clone());
    let id = |asset: &Value| asset["assetId"].as_str().unwrap().to_owned();
    let mut staying = HashSet::new();
    for _ in 0..30 {
        staying.insert(id(&ticket(&api, &key, "stays.jpg", 10, json!({})).await));
    }
    let (over, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let others: Vec<_> = (0..3)
        .map(|_| {
            let (api, key, over, turns) = (api.clone(), key.clone(), over.clone(), turns.clone());
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    mine.push(id(&ticket(&api, &key, "goes.jpg", 10, json!({})).await));
                    if mine.len() > 3 {
                        let url = format!("{api}/media/v1/assets/{}", mine.remove(0));
                        let deleted = send("DELETE", &url, &[("authorization", &key)], "").await;
                        assert_eq!(deleted.status, 204, "{}", deleted.text());
                    }
                    turns.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for limit in [1, 4, 200] {
        let (mut seen, mut query) = (Vec::new(), format!("limit={limit}&status=PENDING"));
        loop {
            let before = turns.load(Ordering::SeqCst);
            let page = get_as(&format!("{api}/media/v1/assets?{query}"), &key).await;
            assert_eq!(page.status, 200, "{}", page.text());
            let page = page.json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            seen.extend(items.iter().map(|asset| (moment(&asset["createdAt"]), id(asset))));
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            query = format!("limit={limit}&status=PENDING&cursor={cursor}");
            let waiting = Instant::now();
            while turns.load(Ordering::SeqCst) == before {
                assert!(waiting.elapsed() < Duration::from_secs(90), "the others have ended");
                tokio::task::yield_now().await;
            }
        }
        let ids: Vec<&String> = seen.iter().map(|(_, id)| id).collect();
        let distinct: HashSet<String> = ids.iter().map(|id| (*id).clone()).collect();
        assert_eq!(distinct.len(), ids.len(), "none twice, by pages of {limit}");
        assert!(staying.is_subset(&distinct), "by pages of {limit}");
        assert!(seen.is_sorted_by(|one, next| one > next), "newest first, by time and then by id");
    }
    over.store(true, Ordering::SeqCst);
    for other in others {
        other.await.unwrap();
    }
}
