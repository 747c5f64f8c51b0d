//! Real processes on free ports, and a client for them.
//!
//! - [`Node`]: `signet dev` or `signet serve` as a child process, ended by its process id.
//! - [`backed`]: `signet serve` on MongoDB and S3, each by a wire that can be cut.
//! - [`collector`]: a stand-in for what takes spans. [`recorder`]: for anything that speaks HTTP.
//! - [`faulty`]: a store of assets that can be slow, or down.
//! - [`http`]: requests over real sockets.
//! - [`hush`]: what nobody may read who reads along.
//! - [`issuer`]: a stand-in for the endpoint of an issuer's keys.
//! - [`links`]: links without a server around them.
//! - [`load`]: clients of two tenants that go on whatever happens, and judge each answer.
//! - [`mongo`]: a MongoDB server, and stores on it.
//! - [`multipart`]: files that are sent in parts.
//! - [`program`]: commands that end.
//! - [`prometheus`]: a Prometheus that scrapes nodes, its rules and its queries.
//! - [`proxy`]: a wire to a server that can be cut, slow, silent, or narrow.
//! - [`rotate`]: key pairs that come and go. [`vault`]: a stand-in for AWS Secrets Manager.
//! - [`s3`]: a real S3 server.
//! - [`settings`]: `signet serve` with two tenants.
//! - [`settled`]: tenants that come to be when they are named.
//! - [`splices`]: what signing did to a document, byte by byte.
//! - [`stage`]: a picture at the edge, and whether links to it are refused.
//! - [`tls`]: certificates, and clients that speak TLS.
//! - [`tokens`]: keys of an issuer, and tokens that they sign.
//! - [`upload`]: from a ticket to a READY asset.
//! - [`verify`]: links, checked by the independent implementation.

pub mod backed;
pub mod collector;
pub mod faulty;
pub mod http;
pub mod http2;
pub mod hush;
pub mod issuer;
pub mod links;
pub mod load;
pub mod mongo;
pub mod multipart;
pub mod program;
pub mod prometheus;
pub mod proxy;
pub mod recorder;
pub mod rotate;
pub mod s3;
pub mod settings;
pub mod settled;
pub mod splices;
pub mod stage;
pub mod tls;
pub mod tokens;
pub mod upload;
pub mod vault;
pub mod verify;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub const SIGNET: &str = env!("CARGO_BIN_EXE_signet");
/// How long a process may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a start is tried: a port that was free may be another test's by then.
const STARTS: usize = 5;

/// A running Signet. Killed when dropped.
pub struct Node {
    child: Child,
    log: Log,
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
        let mut command = Command::new(SIGNET);
        command.args(["dev", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        let (mut child, log) = start(&mut command, environment);
        // The session is printed once everything answers.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap_or_else(|| panic!("signet dev said: {}", log.text())).unwrap();
        assert!(first.starts_with("Signet is up"), "{first}");
        std::thread::spawn(move || lines.for_each(drop));
        let facts: Value = serde_json::from_str(&fs::read_to_string(facts).unwrap()).unwrap();
        let text = |name: &str| facts[name].as_str().unwrap().to_owned();
        Self {
            child,
            log,
            api: text("api"),
            edge: text("edge"),
            admin: text("admin"),
            api_key: text("apiKey"),
            data: data.to_owned(),
            facts,
        }
    }

    /// `signet serve` with settings to which listeners on free ports are added; `settings` must not
    /// name `[server]` or `[edge]`, and begins within `[cdn]`, whose `base_url` is the edge's. It accepts nothing after
    /// a signal to end, unless the environment names `lame_duck_seconds`.
    pub fn serve(folder: &Path, settings: &str, environment: &[(&str, &str)]) -> Self {
        let mut said = String::new();
        for _ in 0..STARTS {
            match Self::try_serve(folder, settings, environment) {
                Ok(node) => return node,
                Err(text) if text.contains("can't listen") => said = text,
                Err(text) => panic!("signet serve said: {text}"),
            }
        }
        panic!("signet serve said: {said}");
    }

    fn try_serve(folder: &Path, settings: &str, environment: &[(&str, &str)]) -> Result<Self, String> {
        let [api, edge, admin] = free_ports().map(|port| format!("127.0.0.1:{port}"));
        let file = folder.join("signet.toml");
        let listeners = format!(
            "[server]\nlisten = \"{api}\"\nadmin_listen = \"{admin}\"\nlame_duck_seconds = 0\n\
             [edge]\nlisten = \"{edge}\"\n[cdn]\nbase_url = \"http://{edge}\"\n{settings}"
        );
        fs::write(&file, listeners).unwrap();
        let mut command = Command::new(SIGNET);
        command.args(["serve", "--config"]).arg(&file);
        let (child, log) = Self::until_ready(&mut command, environment, &admin)?;
        Ok(Self {
            child,
            log,
            api: format!("http://{api}"),
            edge: format!("http://{edge}"),
            admin: format!("http://{admin}"),
            api_key: String::new(),
            facts: Value::Null,
            data: folder.to_owned(),
        })
    }

    /// `signet serve` with a file as it is; the environment says the rest. It plays no edge.
    pub fn preset(config: &Path, environment: &[(&str, &str)]) -> Self {
        let mut said = String::new();
        for _ in 0..STARTS {
            let [api, admin] = free_ports().map(|port| format!("127.0.0.1:{port}"));
            let quick = [("SIGNET__SERVER__LAME_DUCK_SECONDS", "0")];
            let listen = [("SIGNET_LISTEN", api.as_str()), ("SIGNET_ADMIN_LISTEN", admin.as_str())];
            let mut command = Command::new(SIGNET);
            command.args(["serve", "--config"]).arg(config);
            match Self::until_ready(&mut command, &[&quick, environment, &listen].concat(), &admin) {
                Ok((child, log)) => {
                    return Self {
                        child,
                        log,
                        api: format!("http://{api}"),
                        edge: String::new(),
                        admin: format!("http://{admin}"),
                        api_key: String::new(),
                        facts: Value::Null,
                        data: PathBuf::new(),
                    };
                }
                Err(text) if text.contains("can't listen") => said = text,
                Err(text) => panic!("signet serve said: {text}"),
            }
        }
        panic!("signet serve said: {said}");
    }

    /// Starts a process and waits until it is ready; what it said where it ended instead.
    fn until_ready(
        command: &mut Command,
        environment: &[(&str, &str)],
        admin: &str,
    ) -> Result<(Child, Log), String> {
        let (mut child, log) = start(command, environment);
        let ready = format!("http://{admin}/readyz");
        let deadline = Instant::now() + PATIENCE;
        while http::status_blocking(&ready) != Some(200) {
            if child.try_wait().unwrap().is_some() {
                return Err(log.text());
            }
            assert!(Instant::now() < deadline, "signet serve isn't ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok((child, log))
    }

    /// What it has written to stderr so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The id of its process.
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
        self.signal("TERM");
        self.exit_code()
    }

    /// A signal such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(format!("-{name}")).arg(&id).status().unwrap().success());
    }

    /// The exit code, once it has ended by itself.
    pub fn exit_code(&mut self) -> Option<i32> {
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

/// A `signet dev` that tests share which change nothing that others look at. It ends with the last of them.
pub fn shared_dev() -> Arc<(TempDir, Node)> {
    static SHARED: Mutex<Weak<(TempDir, Node)>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let fresh = Arc::new(fresh_dev());
        *shared = Arc::downgrade(&fresh);
        fresh
    })
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let sockets = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

fn start(command: &mut Command, environment: &[(&str, &str)]) -> (Child, Log) {
    command.env_clear().envs(environment.iter().copied());
    let log = Log(tempfile::tempfile().unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.0.try_clone().unwrap());
    (command.spawn().unwrap(), log)
}

/// What a process writes to stderr: a file without a name, so that the process never waits for a reader, and all that
/// it has written is there to be read.
struct Log(File);

impl Log {
    /// All of it so far.
    fn text(&self) -> String {
        let mut bytes = vec![0; usize::try_from(self.0.metadata().unwrap().len()).unwrap()];
        // The process writes where this file's position is: that isn't moved.
        self.0.read_exact_at(&mut bytes, 0).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
