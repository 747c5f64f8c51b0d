//! A stranger can't exhaust a node's memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use axum::http::Request;
use bytes::Bytes;
use h2::client::SendRequest;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::Node;
use crate::support::http::{get, get_as};
use crate::support::settings::{ANNA, two_tenants};
use crate::support::upload::{picture, ready};

/// As the audit did it.
const CONNECTIONS: usize = 16;
const STREAMS: usize = 100;
/// What may be taken for all of them, in KiB.
const MOST_KIB: u64 = 64 * 1024;
/// How long anything may take on a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// Behind a proxy, so that each attack has an address of its own; limits are the default ones.
const BEHIND_A_PROXY: (&str, &str) = ("SIGNET__SERVER__TRUSTED_HOPS", "1");
/// PRIVATE files are read at `/objects`, without credentials.
const PRESIGNED: (&str, &str) = ("SIGNET__DELIVERY__PRIVATE", "s3");

/// A node with a PUBLIC file, whose permalink is ready, and a PRIVATE one.
struct House {
    node: Node,
    permalink: String,
    /// What reads the PRIVATE file, without an origin.
    presigned: String,
    /// The same of the PUBLIC one, at the edge.
    link: String,
    _folder: TempDir,
}

impl House {
    async fn new(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
        let environment = [environment, &[BEHIND_A_PROXY, PRESIGNED]].concat();
        let node = tokio::task::block_in_place(|| Node::serve(folder.path(), &settings, &environment));
        let file = picture(1_500_000, 9);
        let public = ready(&node.api, ANNA.2, "a.jpg", &file, json!({"visibility": "PUBLIC"})).await;
        let private = ready(&node.api, ANNA.2, "b.jpg", &file, json!({"visibility": "PRIVATE"})).await;
        let permalink = format!("/m/{}", public["assetId"].as_str().unwrap());
        let redirect = get(&format!("{}{permalink}", node.api), &[("x-forwarded-for", "192.0.2.200")]).await;
        let link = redirect.header("location").strip_prefix(&node.edge).unwrap().to_owned();
        let presigned = private["url"].as_str().unwrap().strip_prefix(&node.api).unwrap().to_owned();
        assert!(presigned.starts_with("/objects/"), "{presigned}");
        Self { node, permalink, presigned, link, _folder: folder }
    }

    fn rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.node.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    async fn met(&self, limit: &str) -> u64 {
        let text = get(&format!("{}/metrics", self.node.admin), &[]).await.text();
        let series = format!("signet_limits_hit_total{{limit=\"{limit}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    }

    async fn status(&self, path: &str, headers: &[(&str, &str)]) -> u16 {
        get(&format!("{}{path}", self.node.api), headers).await.status
    }
}

/// HTTP/2 connections whose client never reads an answer's body.
struct Hoard {
    connections: Vec<(SendRequest<Bytes>, Vec<h2::RecvStream>)>,
    /// How often each status was answered; 0 where the connection was ended instead.
    statuses: BTreeMap<u16, usize>,
    /// Headers of the last 429.
    refusal: Option<axum::http::HeaderMap>,
    /// How many 429s had a body.
    refusals_with_body: usize,
}

impl Hoard {
    /// Asks for a path on so many streams of so many connections, whose windows stay as they are.
    async fn of(
        base: &str,
        [connections, streams]: [usize; 2],
        window: u32,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let mut hoard =
            Self { connections: Vec::new(), statuses: BTreeMap::new(), refusal: None, refusals_with_body: 0 };
        for _ in 0..connections {
            let socket = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap();
            let mut builder = h2::client::Builder::new();
            let (mut send, connection) =
                builder.initial_window_size(window).handshake::<_, Bytes>(socket).await.unwrap();
            tokio::spawn(connection);
            let (mut asked, mut held) = (Vec::new(), Vec::new());
            for _ in 0..streams {
                let mut request = Request::builder().uri(format!("{base}{path}"));
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                match timeout(PATIENCE, send.clone().ready()).await.unwrap() {
                    Ok(ready) => send = ready,
                    Err(_) => break,
                }
                asked.extend(
                    send.send_request(request.body(()).unwrap(), true).ok().map(|(answer, _)| answer),
                );
            }
            *hoard.statuses.entry(0).or_default() += streams - asked.len();
            for answer in asked {
                let Ok(answer) = timeout(PATIENCE, answer).await.expect("an answer's head in time") else {
                    *hoard.statuses.entry(0).or_default() += 1;
                    continue;
                };
                let (head, body) = answer.into_parts();
                *hoard.statuses.entry(head.status.as_u16()).or_default() += 1;
                if head.status == 429 {
                    hoard.refusals_with_body += usize::from(!body.is_end_stream());
                    hoard.refusal = Some(head.headers);
                }
                held.push(body);
            }
            hoard.connections.push((send, held));
        }
        hoard
    }

    fn count(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_take_little_memory_on_every_route() {
    let house = House::new(&[]).await;
    let unknown = format!("/m/med_{}", "0".repeat(26));
    let long = format!("/{}", "x".repeat(20_000));
    let (api, edge) = (house.node.api.as_str(), house.node.edge.as_str());
    // A client whose window is one byte has a whole piece of each answer lie in HTTP/2's queue.
    let attacks = [
        (api, "/docs/swagger-ui-bundle.js", 0, None),
        (api, "/docs/swagger-ui-bundle.js", 0, Some("x")),
        (api, "/docs/swagger-ui-bundle.js", 1, None),
        (api, "/docs/", 0, None),
        (api, "/openapi.json", 0, None),
        (api, &house.permalink, 0, None),
        (api, &unknown, 0, None),
        (api, "/m/not-an-id", 0, Some("x")),
        (api, "/objects/vivreal-anna/a.jpg", 0, None),
        (api, &house.presigned, 0, None),
        (api, &house.presigned, 1, Some("x")),
        (api, "/media/v1/usage", 1, Some("x")),
        (api, &long, 1, None),
        (edge, &house.link, 1, None),
        (edge, "/vivreal-anna/a.jpg", 0, None),
    ];
    let before = house.rss_kib();
    let (mut number, mut rows) = (0, Vec::new());
    for (base, path, window, credentials) in attacks {
        number += 1;
        let address = format!("192.0.2.{number}");
        let mut headers = vec![("x-forwarded-for", address.as_str())];
        headers.extend(credentials.map(|credentials| ("authorization", credentials)));
        let hoard = Hoard::of(base, [CONNECTIONS, STREAMS], window, path, &headers).await;
        let grown = house.rss_kib().saturating_sub(before);
        let short: String = path.chars().take(40).collect();
        rows.push(format!("{grown:>7} KiB  window {window}  {short} {credentials:?} {:?}", hoard.statuses));
        assert!(grown < MOST_KIB, "{}", rows.join("\n"));
        assert!(hoard.count(0) < CONNECTIONS * STREAMS, "nothing was answered: {}", rows.join("\n"));
    }
    fs::write(format!("{}/memory.txt", env!("CARGO_TARGET_TMPDIR")), rows.join("\n") + "\n").unwrap();
    assert_eq!(house.status(&house.permalink, &[("x-forwarded-for", "192.0.2.250")]).await, 302);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_so_much_under_way_and_unread_and_nobody_else_is_kept_out() {
    const MOST: (&str, &str) = ("SIGNET__LIMITS__MAX_CLIENT_BYTES", "1048576");
    // 1 MiB by 8 KiB a request, some bytes for the path of each.
    const FIT: usize = 127;
    let house = House::new(&[MOST]).await;
    let (api, usage) = (house.node.api.as_str(), format!("{}/media/v1/usage", house.node.api));
    let (mut met, mut number) = (0, 0);
    for (path, status, window, credentials, fit) in [
        ("/nowhere", 404, 0, None, 100..=FIT),
        ("/nowhere", 404, 1, Some("sk_guess"), 100..=FIT),
        ("/docs/swagger-ui-bundle.js", 200, 0, Some("sk_guess"), 100..=FIT),
        ("/openapi.json", 200, 1, None, 100..=FIT),
        ("/m/not-an-id", 404, 0, Some("Bearer x"), 100..=FIT),
        ("/objects/vivreal-anna/a.jpg", 403, 1, None, 100..=FIT),
        ("/media/v1/usage", 401, 0, None, 100..=FIT),
        ("/media/v1/usage", 401, 1, Some("sk_guess"), 100..=FIT),
        // 128 KiB of each may lie in HTTP/2's queue. All of them are under way at first, and few find so much room.
        (&house.presigned, 200, 0, None, 1..=7),
        (&house.presigned, 200, 1, Some("sk_guess"), 1..=7),
    ] {
        number += 1;
        let address = format!("192.0.2.{number}");
        let forwarded = ("x-forwarded-for", address.as_str());
        let mut headers = vec![forwarded];
        headers.extend(credentials.map(|credentials| ("authorization", credentials)));
        let hoard = Hoard::of(api, [3, 100], window, path, &headers).await;
        let told = format!("{path} window {window} {headers:?}: {:?}", hoard.statuses);
        assert!(fit.contains(&hoard.count(status)), "{told}");
        assert_eq!(hoard.count(status) + hoard.count(429) + hoard.count(0), 300, "{told}");
        let refusal = hoard.refusal.as_ref().expect(&told);
        assert_eq!(refusal["retry-after"], "1", "{told}");
        // Refusals without end would lie there as well. One that finds room a moment later is charged as answers are.
        assert!(hoard.refusals_with_body < 20, "{} had a body: {told}", hoard.refusals_with_body);
        let now = house.met("client_bytes").await;
        assert!(now > met, "{told}");
        met = now;
        // Others go on: another address, and tenants at the same one; so does a permalink that is ready.
        assert_eq!(house.status("/nowhere", &[("x-forwarded-for", "192.0.2.200")]).await, 404);
        for credentials in [ANNA.2, &ANNA.token(&house.node.data)] {
            let known = get(&usage, &[forwarded, ("authorization", credentials)]).await;
            assert_eq!(known.status, 200, "{told}: {}", known.text());
        }
        assert_eq!(house.status(&house.permalink, &[forwarded]).await, 302, "{told}");
        drop(hoard);
        let began = Instant::now();
        while house.status("/nowhere", &[forwarded]).await != 404 {
            assert!(began.elapsed() < PATIENCE, "nothing is given back: {told}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_too_much_unread_is_told_so_and_its_connection_is_closed() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, &[("SIGNET__LIMITS__MAX_CLIENT_BYTES", "1048576")]);
    let hoard = Hoard::of(&node.api, [2, 100], 0, "/nowhere", &[]).await;
    assert!(hoard.count(429) > 0, "{:?}", hoard.statuses);
    let refused = get(&format!("{}/nowhere", node.api), &[]).await;
    let problem = refused.assert_problem(429, "too-many-requests");
    assert!(problem["detail"].as_str().unwrap().contains("read them"), "{problem}");
    assert_eq!((refused.header("retry-after"), refused.header("connection")), ("1", "close"));
    drop(hoard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_where_the_settings_say_and_nowhere_else() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    for (docs, at_api, at_admin) in [(None, 200, 404), (Some("admin"), 404, 200), (Some("off"), 404, 404)] {
        let environment: Vec<_> = docs.iter().map(|docs| ("SIGNET__SERVER__DOCS", *docs)).collect();
        let node = Node::serve(folder.path(), &settings, &environment);
        for path in ["/docs/", "/docs/swagger-ui-bundle.js", "/openapi.json"] {
            let [api, admin] = [&node.api, &node.admin].map(|base| format!("{base}{path}"));
            assert_eq!(get(&api, &[]).await.status, at_api, "{docs:?} {path}");
            let admin = get(&admin, &[]).await;
            assert_eq!(admin.status, at_admin, "{docs:?} {path}");
            assert_eq!(admin.header("access-control-allow-origin"), "");
        }
        if docs == Some("admin") {
            // There is no API on that listener to send anything to.
            let start = get(&format!("{}/docs/swagger-initializer.js", node.admin), &[]).await.text();
            assert!(start.contains("\"supportedSubmitMethods\": []"), "{start}");
        }
        assert_eq!(get_as(&format!("{}/media/v1/usage", node.api), ANNA.2).await.status, 200);
    }
    let refused = crate::support::program::signet(
        &["check", "--config", folder.path().join("signet.toml").to_str().unwrap()],
        b"",
    );
    assert_eq!(refused.code, 0, "{}", refused.diagnostics);
    let text = fs::read_to_string(folder.path().join("signet.toml")).unwrap();
    fs::write(folder.path().join("signet.toml"), text.replacen("[server]", "[server]\ndocs = \"on\"", 1))
        .unwrap();
    let refused = crate::support::program::signet(
        &["check", "--config", folder.path().join("signet.toml").to_str().unwrap()],
        b"",
    );
    assert!(refused.code != 0 && refused.diagnostics.contains("docs"), "{}", refused.diagnostics);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_page_come_compressed_to_those_who_take_that() {
    let folder = TempDir::new().unwrap();
    let settings = two_tenants(folder.path(), "", "vectors/rsa", false);
    let node = Node::serve(folder.path(), &settings, &[]);
    for (path, least) in [("/docs/swagger-ui-bundle.js", 1_000_000), ("/openapi.json", 50_000)] {
        let url = format!("{}{path}", node.api);
        let (plain, gzip) = (get(&url, &[]).await, get(&url, &[("accept-encoding", "br, gzip")]).await);
        assert_eq!((plain.header("content-encoding"), gzip.header("content-encoding")), ("", "gzip"));
        assert!(plain.body.len() > least && gzip.body.len() * 3 < plain.body.len(), "{path}");
        let mut unpacked = Vec::new();
        let mut decoder = async_compression::tokio::bufread::GzipDecoder::new(&*gzip.body);
        tokio::io::AsyncReadExt::read_to_end(&mut decoder, &mut unpacked).await.unwrap();
        assert!(unpacked == plain.body, "{path}");
        for (answer, headers) in [(&plain, vec![]), (&gzip, vec![("accept-encoding", "gzip")])] {
            assert_eq!(answer.header("vary"), "Accept-Encoding", "{path}");
            let tag = [("if-none-match", answer.header("etag"))];
            let again = get(&url, &[&headers[..], &tag].concat()).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        }
        assert_ne!(plain.header("etag"), gzip.header("etag"), "{path}");
    }
}
