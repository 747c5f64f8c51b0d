//! Requests at a time, and what they hold.

use futures_util::future::join_all;
use serde_json::json;

use super::{House, LONG, cold, until};
use crate::support::http::{get, get_as};
use crate::support::settings::{ANNA, BEN};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_full_says_so_at_once_and_permalinks_that_are_ready_go_on() {
    let house = House::new(&[("max_requests", 2)]);
    let permalink = house.permalink(ANNA.2).await;
    let usage = house.url("/media/v1/usage");
    let held = [house.unfinished(ANNA.2), house.unfinished(BEN.2)];
    let refused = until(503, async || get_as(&usage, ANNA.2).await).await;
    refused.assert_problem(503, "overloaded");
    assert_eq!(refused.header("retry-after"), "2");
    for _ in 0..5 {
        assert_eq!(get(&permalink, &[]).await.status, 302);
    }
    assert_eq!(get(&format!("{}/readyz", house.node.admin), &[]).await.status, 200);
    assert!(house.met("concurrency").await >= 1);
    drop(held);
    until(200, async || get_as(&usage, ANNA.2).await).await;
    assert!(!house.node.log().contains("\"ERROR\""), "{}", house.node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_so_many_requests_under_way_and_another_has_its_own() {
    let house = House::new(&[("max_tenant_requests", 2)]);
    let usage = house.url("/media/v1/usage");
    let held = [house.unfinished(ANNA.2), house.unfinished(ANNA.2)];
    let refused = until(429, async || get_as(&usage, ANNA.2).await).await;
    refused.assert_problem(429, "too-many-requests");
    assert_eq!(refused.header("ratelimit-policy"), "\"tenant-concurrency\";q=2;qu=\"concurrent-requests\"");
    assert_eq!(refused.header("ratelimit"), "\"tenant-concurrency\";r=0");
    assert_eq!(refused.header("retry-after"), "1");
    for _ in 0..5 {
        assert_eq!(get_as(&usage, BEN.2).await.status, 200);
    }
    assert!(house.met("tenant_concurrency").await >= 1);
    drop(held);
    until(200, async || get_as(&usage, ANNA.2).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_taken_keeps_its_place() {
    let house = House::new(&[("max_tenant_requests", 1)]);
    // More than lies in the buffers of two sockets.
    let body = cold("long", 15_000).to_string();
    assert_eq!(house.document(ANNA.2, &cold("long", 15_000)).await.status, 200);
    let host = house.node.api.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!(
        "POST /media/v1/documents HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        ANNA.2,
        body.len()
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    // Its answer has begun.
    let mut begun = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    for _ in 0..10 {
        assert_eq!(get_as(&house.url("/media/v1/usage"), ANNA.2).await.status, 429);
    }
    drop(stream);
    until(200, async || get_as(&house.url("/media/v1/usage"), ANNA.2).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_for_signatures_that_is_full_refuses_new_links_and_ready_ones_go_on() {
    let house = House::with(&[("max_signing_requests", 6)], &[LONG, ("SIGNET__SIGNING__THREADS", "1")]);
    let warm = cold("warm", 50);
    assert_eq!(house.document(ANNA.2, &warm).await.status, 200);
    let floods = join_all((0..12).map(async |number| {
        let answer = house.document(ANNA.2, &cold(&format!("flood-{number}"), 500)).await;
        if answer.status == 503 {
            answer.assert_problem(503, "overloaded");
            assert_eq!(answer.header("retry-after"), "2");
        }
        answer.status
    }));
    let others = async {
        until(503, async || house.document(ANNA.2, &cold(&rand::random::<u64>().to_string(), 1)).await).await;
        assert_eq!(house.document(ANNA.2, &warm).await.status, 200, "what is ready");
        assert_eq!(house.document(BEN.2, &cold("ben", 3)).await.status, 200, "another tenant has room left");
    };
    let (floods, ()) = tokio::join!(floods, others);
    assert!(floods.contains(&200) && floods.contains(&503), "{floods:?}");
    assert!(house.met("signing_queue").await >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_bodies_fill_the_memory_leaves_as_much_to_another() {
    let house = House::with(&[("max_body_bytes", 2 << 20)], &[("SIGNET__DOCUMENTS__MAX_BYTES", "1048576")]);
    let host = house.node.api.strip_prefix("http://").unwrap();
    let mut held = std::net::TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /media/v1/documents HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\n\
         content-type: application/json\r\ncontent-length: 1000000\r\n\r\n",
        ANNA.2
    );
    std::io::Write::write_all(&mut held, head.as_bytes()).unwrap();
    std::io::Write::write_all(&mut held, &[b' '; 990_000]).unwrap();
    let large = json!("x".repeat(600_000));
    let refused = until(503, async || house.document(ANNA.2, &large).await).await;
    refused.assert_problem(503, "overloaded");
    assert_eq!(house.document(ANNA.2, &json!("small")).await.status, 200);
    assert_eq!(house.document(BEN.2, &large).await.status, 200);
    assert!(house.met("body_memory").await >= 1);
    drop(held);
    until(200, async || house.document(ANNA.2, &large).await).await;
}
