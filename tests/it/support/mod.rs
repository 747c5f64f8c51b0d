//! Real processes on free ports, and a client for them.
//!
//! - [`Node`]: `signet dev` or `signet serve` as a child process, ended by its process id.
//! - [`http`]: requests over real sockets.
//! - [`program`]: commands that end.
//! - [`rotate`]: key pairs that come and go. [`vault`]: a stand-in for AWS Secrets Manager.
//! - [`verify`]: links, checked by the independent implementation.

pub mod http;
pub mod program;
pub mod rotate;
pub mod vault;
pub mod verify;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub const SIGNET: &str = env!("CARGO_BIN_EXE_signet");
/// How long a process may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Signet. Killed when dropped.
pub struct Node {
    child: Child,
    /// The base URL of the API, without a slash at its end.
    pub api: String,
    /// The base URL of the edge.
    pub edge: String,
    /// The base URL of the admin listener.
    pub admin: String,
    /// An API key of the first tenant.
    pub api_key: String,
    /// What `dev.json` says; null for `serve`.
    pub facts: Value,
    /// The data folder.
    pub data: PathBuf,
}

impl Node {
    /// `signet dev` on a data folder, with further environment variables.
    pub fn dev(data: &Path, environment: &[(&str, &str)]) -> Self {
        let facts = data.join("dev.json");
        let _ = fs::remove_file(&facts);
        let mut command = Command::new(SIGNET);
        command.args(["dev", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        let mut child = start(&mut command, environment);
        // The session is printed once everything answers.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap_or_else(|| panic!("signet dev said: {}", ended(&mut child))).unwrap();
        assert!(first.starts_with("Signet is up"), "{first}");
        std::thread::spawn(move || lines.for_each(drop));
        let facts: Value = serde_json::from_str(&fs::read_to_string(facts).unwrap()).unwrap();
        let text = |name: &str| facts[name].as_str().unwrap().to_owned();
        Self {
            child,
            api: text("api"),
            edge: text("edge"),
            admin: text("admin"),
            api_key: text("apiKey"),
            data: data.to_owned(),
            facts,
        }
    }

    /// `signet serve` with settings to which listeners on free ports are added; `settings` must not
    /// name `[server]` or `[edge]`. Its `[cdn] base_url` is the edge's.
    pub fn serve(folder: &Path, settings: &str, environment: &[(&str, &str)]) -> Self {
        let [api, edge, admin] = free_ports().map(|port| format!("127.0.0.1:{port}"));
        let file = folder.join("signet.toml");
        let listeners = format!(
            "[server]\nlisten = \"{api}\"\nadmin_listen = \"{admin}\"\n[edge]\nlisten = \"{edge}\"\n\
             [cdn]\nbase_url = \"http://{edge}\"\n{settings}"
        );
        fs::write(&file, listeners).unwrap();
        let mut command = Command::new(SIGNET);
        command.args(["serve", "--config"]).arg(&file);
        let mut child = start(&mut command, environment);
        let ready = format!("http://{admin}/readyz");
        let deadline = Instant::now() + PATIENCE;
        while http::status_blocking(&ready) != Some(200) {
            assert!(child.try_wait().unwrap().is_none(), "signet serve said: {}", ended(&mut child));
            assert!(Instant::now() < deadline, "signet serve isn't ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            api: format!("http://{api}"),
            edge: format!("http://{edge}"),
            admin: format!("http://{admin}"),
            api_key: String::new(),
            facts: Value::Null,
            data: folder.to_owned(),
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; gives the exit code once it has ended.
    pub fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it doesn't end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a fresh `signet dev` in it.
pub fn fresh_dev() -> (TempDir, Node) {
    let folder = TempDir::new().unwrap();
    let node = Node::dev(&folder.path().join("data"), &[]);
    (folder, node)
}

/// Three ports that were free a moment ago.
fn free_ports() -> [u16; 3] {
    let sockets = [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

fn start(command: &mut Command, environment: &[(&str, &str)]) -> Child {
    command.env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a process that has ended, or is to end now, wrote to stderr.
fn ended(child: &mut Child) -> String {
    let _ = child.kill();
    let mut text = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_string(&mut text);
    }
    text
}
