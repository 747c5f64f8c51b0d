//! What ends connections, and what keeps them waiting, is counted.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{House, until};
use crate::support::http::get_as;
use crate::support::settings::ANNA;

/// How HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `:method GET`, `:path /`, `:scheme http`, `:authority x`.
const GET: &[u8] = b"\x82\x84\x86\x41\x01x";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_connections_meet_are_counted() {
    let house =
        House::with(&[], &[("SIGNET__SERVER__HEAD_SECONDS", "1"), ("SIGNET__SERVER__MAX_CONNECTIONS", "2")]);
    let connect = || TcpStream::connect(house.node.api.strip_prefix("http://").unwrap()).unwrap();
    let mut rest = Vec::new();

    let mut large = connect();
    let _ = large.write_all(format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(40_000)).as_bytes());
    let _ = large.read_to_end(&mut rest);
    assert!(rest.starts_with(b"HTTP/1.1 431 "));
    drop(large);

    // HTTP/2: a value of 4,000 bytes goes into the table, and is named 12,000 times.
    let value = [b"\x40\x01x\x7f\xa1\x1e", &[b'y'; 4_000][..]].concat();
    let head = [GET, &value, &[0xbe; 12_000]].concat();
    let mut unfolding = connect();
    let length = u32::try_from(head.len()).unwrap().to_be_bytes();
    let frame = [&length[1..], b"\x01\x05\0\0\0\x01", &head].concat();
    unfolding.write_all(&[PREFACE, b"\0\0\0\x04\0\0\0\0\0", &frame].concat()).unwrap();
    let _ = unfolding.read_to_end(&mut rest);
    drop(unfolding);

    let mut slow = connect();
    slow.write_all(b"GET / HT").unwrap();
    let _ = slow.read_to_end(&mut rest);
    until_met(&house, "head_time").await;
    assert_eq!([house.met("head_bytes").await, house.met("http2_flood").await], [1, 1]);

    // The two that have ended may still have had their places when the next was waited for: that counts as well.
    let held = [connect(), connect()];
    let asked = tokio::spawn({
        let url = house.url("/media/v1/usage");
        async move { get_as(&url, ANNA.2).await.status }
    });
    until_met(&house, "connections").await;
    drop(held);
    assert_eq!(asked.await.unwrap(), 200, "it has waited for a place");
}

async fn until_met(house: &House, limit: &str) {
    let metrics = format!("{}/metrics", house.node.admin);
    until(200, async || {
        let mut answer = crate::support::http::get(&metrics, &[]).await;
        if house.met(limit).await == 0 {
            answer.status = 0;
        }
        answer
    })
    .await;
}
