//! A real Prometheus: scrapes nodes, evaluates the alerts that are shipped, and answers queries.
//!
//! [`promtool`] checks; [`Prometheus`] runs; [`selectors`] says which series a query needs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;

use super::http::{get, status_blocking};
use super::program::run;
use super::{PATIENCE, STARTS, free_ports};

/// Starts the server and ends it when its own input ends: with the test's process at the latest.
const KEEPER: &str =
    r#"log=$1; shift; "$@" </dev/null >"$log" 2>&1 & child=$!; cat >/dev/null; kill -9 "$child"; wait"#;

/// A file of the project.
pub fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn tool(name: &str) -> PathBuf {
    let program = project(".tools/prometheus/usr/bin").join(name);
    assert!(program.exists(), "run `make tools`: {} isn't there", program.display());
    program
}

/// Runs promtool in `deploy/prometheus`; what it says, where it refuses.
pub fn promtool(args: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new(tool("promtool"));
    let ended = run(command.args(args).current_dir(project("deploy/prometheus")), input.as_bytes());
    if ended.status.success() { Ok(ended.said()) } else { Err(ended.said()) }
}

/// A running server. Killed when dropped.
pub struct Prometheus {
    keeper: Child,
    url: String,
    _folder: TempDir,
}

impl Prometheus {
    /// One that scrapes admin listeners as the job `signet`, each second, and has the alerts that are shipped.
    pub fn scraping(admins: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let targets: Vec<&str> = admins.iter().map(|url| url.strip_prefix("http://").unwrap()).collect();
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{:?}]\nscrape_configs:\n\
             - job_name: signet\n  static_configs: [{{ targets: {targets:?} }}]\n",
            project("deploy/prometheus/alerts.yml"),
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let started = (0..STARTS).find_map(|_| start(folder.path()));
        let (keeper, url) = started.expect("Prometheus starts");
        Self { keeper, url, _folder: folder }
    }

    /// What it answers; panics where it refuses the question.
    async fn ask(&self, path: &str, name: &str, query: &str) -> Value {
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let answer = get(&format!("{}/api/v1/{path}?{name}={query}", self.url), &[]).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()["data"].take()
    }

    /// How many series a query gives.
    pub async fn query(&self, query: &str) -> usize {
        self.ask("query", "query", query).await["result"].as_array().unwrap().len()
    }

    /// How many series a selector finds.
    pub async fn series(&self, selector: &str) -> usize {
        self.ask("series", "match[]", selector).await.as_array().unwrap().len()
    }

    /// Its rules, as it has evaluated them.
    pub async fn rules(&self) -> Vec<Value> {
        let groups = self.ask("rules", "type", "alert").await["groups"].take();
        groups
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap().clone())
            .collect()
    }

    /// Waits until a query gives something.
    pub async fn until(&self, query: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.query(query).await == 0 {
            assert!(Instant::now() < deadline, "Prometheus finds nothing for {query}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// `None` where its port was taken meanwhile.
fn start(folder: &Path) -> Option<(Child, String)> {
    let [port]: [u16; 1] = free_ports();
    let at = |name: &str| folder.join(name).display().to_string();
    let log = at("log");
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "keeper", &log]).arg(tool("prometheus"));
    command.arg(format!("--config.file={}", at("prometheus.yml")));
    command.arg(format!("--storage.tsdb.path={}", at(&format!("data-{port}"))));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut keeper =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let deadline = Instant::now() + PATIENCE;
    while status_blocking(&format!("{url}/-/ready")) != Some(200) {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let taken = said.contains("address already in use");
        if taken || Instant::now() > deadline {
            drop(keeper.stdin.take());
            keeper.wait().unwrap();
            assert!(taken, "Prometheus said: {said}");
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some((keeper, url))
}

/// The selectors of Signet's series in a query: a name, and its matchers in braces.
pub fn selectors(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            // Strings and matchers without a name hold no names.
            let skipped = match first {
                '"' => string(rest),
                '{' => matchers(rest),
                _ => first.len_utf8(),
            };
            rest = &rest[skipped..];
            continue;
        }
        rest = &rest[name.len()..];
        if name == "up" || ["signet_", "process_"].iter().any(|prefix| name.starts_with(prefix)) {
            let braces = if rest.starts_with('{') { matchers(rest) } else { 0 };
            found.push(format!("{name}{}", &rest[..braces]));
        }
    }
    found
}

/// The length of the string that a text begins with, its quotes included.
fn string(text: &str) -> usize {
    text[1..].find('"').expect("a string ends") + 2
}

/// The length of the braces that a text begins with: those in strings don't count.
fn matchers(text: &str) -> usize {
    let mut at = 1;
    loop {
        match text[at..].chars().next().expect("braces end") {
            '}' => return at + 1,
            '"' => at += string(&text[at..]),
            other => at += other.len_utf8(),
        }
    }
}
