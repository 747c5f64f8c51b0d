//! Compressed bodies that grow to more than a document may have.

use std::time::Instant;

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use super::Stage;
use crate::support::http::send;

/// What each bomb would grow to: sixteen times the largest document.
const PLAIN: u64 = 256 * 1024 * 1024;
const AT_ONCE: usize = 2;

async fn bomb(encoding: &str) -> Vec<u8> {
    let zeros = tokio::io::BufReader::new(tokio::io::repeat(b' ').take(PLAIN));
    let mut out = Vec::new();
    match encoding {
        "gzip" => GzipEncoder::with_quality(zeros, Level::Fastest).read_to_end(&mut out).await.unwrap(),
        "br" => BrotliEncoder::with_quality(zeros, Level::Fastest).read_to_end(&mut out).await.unwrap(),
        _ => ZstdEncoder::with_quality(zeros, Level::Fastest).read_to_end(&mut out).await.unwrap(),
    };
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_bombs_are_given_up_at_the_limit_of_a_document() {
    let mut bombs = Vec::new();
    for encoding in ["gzip", "br", "zstd"] {
        bombs.push((encoding, bytes::Bytes::from(bomb(encoding).await)));
    }
    let stage = Stage::new(&[]).await;
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for (encoding, bomb) in bombs {
        for _ in 0..AT_ONCE {
            let (url, key, bomb) =
                (format!("{}/media/v1/documents", stage.node.api), stage.node.api_key.clone(), bomb.clone());
            senders.spawn(async move {
                let headers = [
                    ("authorization", key.as_str()),
                    ("content-type", "application/json"),
                    ("content-encoding", encoding),
                ];
                send("POST", &url, &headers, bomb).await.assert_problem(413, "body-too-large");
            });
        }
    }
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    let did = format!("{} of 256 MiB at once, refused after {} ms", 3 * AT_ONCE, began.elapsed().as_millis());
    // Each may hold a document, twice while its buffer grows.
    stage.end("compression bombs", &did, 3 * AT_ONCE as u64 * 3 * 16);
}
