//! Documents that are made to make work: what they cost is bounded by their size, and ends when their client does.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::Node;
use crate::support::http::{Answer, send};
use crate::support::settings::{ANNA, BEN, two_tenants};

const MIB: usize = 1024 * 1024;
const LIMIT: usize = 16 * MIB;
/// How long something may take that is to happen soon.
const PATIENCE: Duration = Duration::from_secs(60);

struct House {
    _folder: TempDir,
    node: Node,
}

impl House {
    fn new(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = two_tenants(folder.path(), "path = \"{tenant}\"", "vectors/ecdsa", false);
        let node = Node::serve(folder.path(), &settings, environment);
        Self { _folder: folder, node }
    }

    /// A URL of the first tenant's.
    fn url(&self) -> String {
        format!("{}/{}/a.jpg", self.node.edge, ANNA.0)
    }

    async fn document(&self, credentials: &str, query: &str, body: String) -> Answer {
        let url = format!("{}/media/v1/documents{query}", self.node.api);
        let headers = [("authorization", credentials), ("content-type", "application/json")];
        send("POST", &url, &headers, body).await
    }

    /// Sends a document and doesn't wait for the answer.
    fn send(&self, credentials: &str, body: &str) -> TcpStream {
        let host = self.node.api.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "POST /media/v1/documents HTTP/1.1\r\nhost: {host}\r\nauthorization: {credentials}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream
    }

    /// Processor time that the process has used, in hundredths of a second.
    fn cpu(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.node.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// The same once it has done nothing for a moment.
    async fn cpu_at_rest(&self) -> u64 {
        let begun = Instant::now();
        loop {
            let before = self.cpu();
            tokio::time::sleep(Duration::from_millis(500)).await;
            if self.cpu() <= before + 2 {
                return self.cpu();
            }
            assert!(begun.elapsed() < 3 * PATIENCE, "it goes on working");
        }
    }

    /// The most memory that the process has had, in bytes.
    fn peak(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.node.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// What an answer costs, and it.
    async fn cost(&self, body: String) -> (u64, Answer) {
        let before = self.cpu();
        let answer = self.document(ANNA.2, "", body).await;
        (self.cpu() - before, answer)
    }

    /// A document of tags without media, which takes long.
    fn long(&self) -> String {
        filled(&format!("\"{} ", self.url()), "<b>x</b>&amp; ", "\"", 6 * MIB)
    }
}

/// Something repeated, to so many bytes in all.
fn filled(before: &str, unit: &str, after: &str, size: usize) -> String {
    format!("{before}{}{after}", unit.repeat((size - before.len() - after.len()) / unit.len()))
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_hosts_without_end_are_refused_for_what_a_document_of_their_size_costs() {
    let house = House::new(&[]);
    let url = house.url();
    let host = house.node.edge.strip_prefix("http://").unwrap().to_owned();
    let prose = filled("[\"<p>", "All that is solid melts into air. ", "</p>\"]", LIMIT);
    let (benign, answer) = house.cost(prose).await;
    assert_eq!(answer.header("signet-media"), "found=0, signed=0, unsigned=0");
    for (name, body) in [
        ("links in one string", filled("\"", &format!("<a href={url}/>"), "\"", LIMIT)),
        ("links and hosts", filled("\"", &format!("<a href={url}/>{host}"), "\"", LIMIT)),
        ("hosts in one string", filled("\"", &host, "\"", LIMIT)),
        ("hosts in one string with a tag", filled("\"<b>", &host, "\"", LIMIT)),
        ("hosts in strings", filled("[0", &format!(",\"{host}\""), "]", LIMIT)),
        ("a srcset", filled("\"<img srcset='", &format!("{url} 1x, "), "'>\"", LIMIT)),
        ("media keys", filled("\"", "<img data-media-key=a/b.jpg>", "\"", LIMIT)),
        ("URLs", filled("[0", &format!(",\"{url}\""), "]", LIMIT)),
        ("descriptors", filled("[0", ",{\"key\":\"a/b.jpg\",\"type\":\"image\"}", "]", LIMIT)),
    ] {
        let (cost, answer) = house.cost(body).await;
        let problem = answer.assert_problem(422, "too-many-links");
        assert_eq!(problem["limit"], 20_000, "{name}");
        // As much again for the links that are found until then, and for what else the process does.
        assert!(cost < 4 * benign + 300, "{name}: {cost} against {benign} hundredths of a second");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_any_length_are_not_repeated_for_each_site_below_them() {
    let house = House::new(&[]);
    let foreign = format!("{}/{}/a.jpg", house.node.edge, BEN.0);
    let name = "n".repeat(MIB / 4);
    let urls = filled("[0", &format!(",\"{foreign}\""), "]", MIB / 2);
    let body = format!("{{\"{name}\":{urls}}}");
    let before = house.peak();
    let plain = house.document(ANNA.2, "", body.clone()).await;
    let found = plain.header("signet-media").to_owned();
    assert!(plain.status == 200 && plain.body == body && found.contains("signed=0"), "{found}");
    let report = house.document(ANNA.2, "?report=true", body.clone()).await;
    let strict = house.document(ANNA.2, "?strict=true", body).await;
    strict.assert_problem(422, "unsigned-media");
    let rows = report.json()["media"].as_array().unwrap().clone();
    assert!(rows.len() > 5_000 && found.starts_with(&format!("found={},", rows.len())), "{found}");
    let pointer = rows[0]["pointer"].as_str().unwrap();
    assert_eq!((pointer.len(), pointer.ends_with("n…")), (1_024 + '…'.len_utf8(), true));
    // Each of them has a quarter of a mebibyte above it.
    let grown = house.peak() - before;
    assert!(grown < 400 * MIB, "{grown} bytes more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scan_of_a_client_that_hangs_up_ends_and_another_tenant_has_its_turn() {
    let house = House::new(&[]);
    let (whole, answer) = house.cost(house.long()).await;
    assert_eq!((answer.status, answer.header("signet-media")), (200, "found=1, signed=0, unsigned=1"));
    // More than there are places for large documents.
    let long = house.long();
    for _ in 0..3 {
        let before = house.cpu_at_rest().await;
        let clients: Vec<TcpStream> = (0..8).map(|_| house.send(ANNA.2, &long)).collect();
        let begun = Instant::now();
        // All have been read, and some are being scanned.
        while house.cpu() - before < whole {
            assert!(begun.elapsed() < 3 * PATIENCE, "nothing is scanned");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let under_way = house.cpu();
        drop(clients);
        let short = filled("\"<p>", "All that is solid melts into air. ", "\"", MIB);
        assert_eq!(house.document(BEN.2, "", short).await.status, 200);
        let after = house.cpu_at_rest().await - under_way;
        assert!(after < whole / 2, "{after} hundredths of a second for nobody; one takes {whole}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_takes_too_long_is_answered_in_time_and_ends() {
    let patient = House::new(&[]);
    let long = |house: &House| filled(&format!("\"{} ", house.url()), "<b>x</b>&amp; ", "\"", LIMIT);
    let (whole, _) = patient.cost(long(&patient)).await;
    let hasty = House::new(&[("SIGNET__SERVER__ANSWER_SECONDS", "1")]);
    let before = hasty.cpu_at_rest().await;
    let answer = hasty.document(ANNA.2, "", long(&hasty)).await;
    // A release build may be done by then.
    if answer.status != 200 {
        answer.assert_problem(503, "timed-out");
        let cost = hasty.cpu_at_rest().await - before;
        assert!(cost < whole * 3 / 4, "{cost} hundredths of a second, and {whole} where it isn't given up");
    }
}
