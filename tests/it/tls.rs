//! TLS where the API listens: what is agreed, certificates that come and go, the end.

use std::fs;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::support::Node;
use crate::support::http::{get, status_blocking};
use crate::support::program::{ID, file, signet};
use crate::support::settings::ANNA;
use crate::support::tls::{Client, HOST, Pair, agreed, connect, read, serve};

/// How long anything may take, on a machine under load.
const PATIENCE: Duration = Duration::from_secs(30);

async fn metric(node: &Node, name: &str) -> u64 {
    let text = get(&format!("{}/metrics", node.admin), &[]).await.text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "it doesn't come to be so");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_http_are_spoken_over_both_versions_of_tls() {
    let (folder, pair) = (TempDir::new().unwrap(), Pair::until(2055));
    let node = serve(folder.path(), &pair, &[]);
    for (version, named) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for (protocols, chosen) in [
            (&["h2", "http/1.1"][..], "h2"),
            (&["http/1.1", "h2"], "h2"),
            (&["http/1.1"], "http/1.1"),
            (&[], ""),
        ] {
            let stream = connect(&node.api, &[&pair], &[version], protocols).await.unwrap();
            assert_eq!(agreed(stream.get_ref().1), (named, chosen.to_owned()));
            let mut client = Client::new(stream).await;
            for _ in 0..2 {
                client.get("/m/x").await.unwrap().assert_problem(404, "asset-not-found");
            }
        }
    }
    // Other protocols, and no TLS at all, come to nothing; the others go on.
    assert!(connect(&node.api, &[&pair], &[&TLS13], &["spdy/3"]).await.is_err());
    assert_eq!(tokio::task::block_in_place(|| status_blocking(&format!("{}/m/x", node.api))), None);
    assert_eq!(get(&format!("{}/readyz", node.admin), &[]).await.status, 200, "the admin listener is plain");
    assert_eq!(metric(&node, "signet_tls_certificate_not_after_seconds").await, 2_682_374_400);
    assert_eq!(node.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_to_new_connections_and_a_bad_one_is_not() {
    let (folder, first) = (TempDir::new().unwrap(), Pair::until(2055));
    let node = serve(folder.path(), &first, &[]);
    let shows = async |pair: &Pair| connect(&node.api, &[pair], &[&TLS13], &[]).await.is_ok();
    let mut clients = Vec::new();
    for protocol in ["h2", "http/1.1"] {
        let stream = connect(&node.api, &[&first], &[&TLS13], &[protocol]).await.unwrap();
        clients.push(Client::new(stream).await);
    }
    let second = Pair::until(2050);
    second.write(folder.path());
    until(async || shows(&second).await).await;
    assert!(!shows(&first).await);
    for client in &mut clients {
        assert_eq!(client.get("/m/x").await.unwrap().status, 404, "what was connected goes on");
    }
    until(async || metric(&node, "signet_tls_reloads_total{outcome=\"applied\"}").await == 1).await;
    assert_eq!(metric(&node, "signet_tls_certificate_not_after_seconds").await, 2_524_608_000);

    let key_of_another = || fs::write(folder.path().join("tls.key"), &first.private_key).unwrap();
    let ended = || Pair::until(2021).write(folder.path());
    let gone = || fs::remove_file(folder.path().join("tls.crt")).unwrap();
    for (times, spoil) in [&key_of_another as &dyn Fn(), &ended, &gone].into_iter().enumerate() {
        spoil();
        let refused = "signet_tls_reloads_total{outcome=\"refused\"}";
        until(async || metric(&node, refused).await == times as u64 + 1).await;
        assert!(shows(&second).await, "the old pair stays");
    }
    let log = node.log();
    for reason in ["can't be used together", "the certificate ended at 2021-01-01", "can't read"] {
        assert!(log.contains(reason), "{reason}: {log}");
    }
    second.write(folder.path());
    node.signal("HUP");
    until(async || metric(&node, "signet_tls_reloads_total{outcome=\"unchanged\"}").await >= 1).await;
    for client in &mut clients {
        assert_eq!(client.get("/m/x").await.unwrap().status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_requests_in_flight_are_answered_over_tls_and_nothing_new_begins() {
    let (folder, pair) = (TempDir::new().unwrap(), Pair::until(2055));
    let mut node = serve(folder.path(), &pair, &[]);
    let mut flights = Vec::new();
    for protocol in ["h2", "http/1.1"] {
        let stream = connect(&node.api, &[&pair], &[&TLS13], &[protocol]).await.unwrap();
        let mut client = Client::new(stream).await;
        let (pieces, body) = mpsc::channel::<Bytes>(1);
        let body = stream::unfold(body, |mut body| async {
            body.recv().await.map(|piece| (Ok::<_, std::convert::Infallible>(Frame::data(piece)), body))
        });
        let target = match protocol {
            "h2" => format!("https://{HOST}/media/v1/links"),
            _ => "/media/v1/links".to_owned(),
        };
        let request = Request::post(target)
            .header("host", HOST)
            .header("authorization", ANNA.2)
            .header("content-type", "application/json")
            .body(StreamBody::new(body).boxed())
            .unwrap();
        let answer = tokio::spawn(client.send(request));
        pieces.send(Bytes::from_static(b"{\"keys\":[")).await.unwrap();
        flights.push((client, pieces, answer));
    }
    // One that has been used and rests, one that is shaking hands.
    let mut resting = Client::new(connect(&node.api, &[&pair], &[&TLS13], &["h2"]).await.unwrap()).await;
    assert_eq!(resting.get("/m/x").await.unwrap().status, 404);
    let address = node.api.strip_prefix("http://").unwrap().to_owned();
    let shaking = TcpStream::connect(&address).await.unwrap();

    node.signal("TERM");
    until(async || TcpStream::connect(&address).await.is_err()).await;
    assert_eq!(get(&format!("{}/readyz", node.admin), &[]).await.status, 503);
    let closed = tokio::time::timeout(PATIENCE, resting.connection).await.unwrap().unwrap();
    assert!(closed.is_ok(), "by GOAWAY: {closed:?}");
    for (client, pieces, answer) in flights {
        pieces.send(Bytes::from_static(b"\"a/b.jpg\"]}")).await.unwrap();
        drop(pieces);
        let answer = read(answer.await.unwrap().unwrap()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.json()["links"][0]["link"].as_str().unwrap().contains("Signature="));
        let closed = tokio::time::timeout(PATIENCE, client.connection).await.unwrap().unwrap();
        assert!(closed.is_ok(), "{closed:?}");
    }
    drop(shaking);
    assert_eq!(tokio::task::block_in_place(|| node.exit_code()), Some(0));
}

#[test]
fn check_looks_at_the_certificate() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("signet.toml");
    let settings = |tls: &str| {
        format!(
            "[server.tls]\n{tls}\n[store]\nupload_url = \"https://signet.example\"\n[[signing.keys]]\n\
             id = \"{ID}\"\nprivate_key_file = \"{}\"\n",
            file("vectors/rsa")
        )
    };
    let both = "certificate_file = \"tls.crt\"\nprivate_key_file = \"tls.key\"";
    let check = |settings: &str| {
        fs::write(&config, settings).unwrap();
        signet(&["check", "--config", config.to_str().unwrap()], b"")
    };
    let plain = check(&settings(""));
    assert!(plain.code == 0 && plain.answer.contains("tls         off"), "{}", plain.answer);
    let pair = Pair::until(2055);
    pair.write(folder.path());
    let good = check(&settings(both));
    let line = "tls         ok  signet.example, the private key matches, until 2055-01-01T00:00:00Z\n";
    assert!(good.code == 0 && good.answer.contains(line), "{}{}", good.answer, good.diagnostics);
    let refused = |settings: &str, reason: &str| {
        let run = check(settings);
        assert!(run.code == 1 && run.diagnostics.contains(reason), "{reason}: {}", run.diagnostics);
    };
    refused(&settings("certificate_file = \"tls.crt\""), "server.tls: certificate_file and private_key_file");
    refused(&settings(both).replace("upload_url", "#"), "store.upload_url: is needed");
    fs::write(folder.path().join("tls.key"), Pair::until(2055).private_key).unwrap();
    refused(&settings(both), "can't be used together");
    Pair::until(2025).write(folder.path());
    refused(&settings(both), "the certificate ended at 2025-01-01T00:00:00Z");
}
