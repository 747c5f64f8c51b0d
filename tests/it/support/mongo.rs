//! A MongoDB server: SecantusDB in a process of its own, or the one that `SIGNET_TEST_MONGODB_URI` names.
//!
//! - [`MongoServer`]: a server of a test's own, which may be stopped, killed and started again.
//! - [`shared`]: one for all tests of this process that change nothing that others look at.
//! - [`Stand`]: the stores under test on databases of their own, and a client beside them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use mongodb::event::EventHandler;
use mongodb::event::command::{CommandEvent, CommandStartedEvent};
use mongodb::{Client, Collection};
use signet::media::{Tenant, TenantId};
use signet::service::ports::{NoMeter, StoreMeter, SystemClock};
use signet::store::mongo::{Mongo, MongoOptions};
use ulid::Ulid;

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server, says its process id, and ends it when its own input ends: with the test's process at the
/// latest, however that ends.
const KEEPER: &str = r#""$@" </dev/null & child=$!; echo "$child"; cat >/dev/null; kill -9 "$child"; wait"#;

/// A running server. Killed when dropped.
pub struct MongoServer {
    keeper: Child,
    process: String,
    port: u16,
}

impl MongoServer {
    /// A server that forgets everything when it ends.
    pub fn fresh() -> Self {
        Self::start(0, &["--storage-path", ":memory:"])
    }

    /// A server on a folder that answers writes once they are on the disk. `port` may be 0 for any.
    pub fn durable(folder: &Path, port: u16) -> Self {
        Self::start(port, &["--storage-path", folder.to_str().unwrap(), "--sync-on-commit"])
    }

    fn start(port: u16, args: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]).arg(program());
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--log-level", "INFO"]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper = command.spawn().unwrap();
        let mut process = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut process).unwrap();
        let mut log = BufReader::new(keeper.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let Some(line) = log.next() else { panic!("the MongoDB server said: {}", said.join("\n")) };
            let line = line.unwrap();
            if let Some((_, address)) = line.split_once("listening on 127.0.0.1:") {
                break address.trim().to_owned();
            }
            said.push(line);
        };
        std::thread::spawn(move || log.for_each(drop));
        Self { keeper, process: process.trim().to_owned(), port: address.parse().unwrap() }
    }

    /// How clients reach it.
    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}", self.port)
    }

    /// A signal such as `STOP` or `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(&self.process).status().unwrap();
        assert!(sent.success());
        let stat = format!("/proc/{}/stat", self.process);
        let deadline = Instant::now() + PATIENCE;
        // Until it stands still it may answer. Its state comes after its name, which is in brackets.
        while name == "STOP" && !std::fs::read_to_string(&stat).unwrap().contains(") T ") {
            assert!(Instant::now() < deadline, "the MongoDB server doesn't stand still");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// SIGKILL, at once; gives the port back once it is free.
    pub fn kill(mut self) -> u16 {
        self.signal("KILL");
        self.end();
        self.port
    }

    fn end(&mut self) {
        drop(self.keeper.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while self.keeper.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the MongoDB server doesn't end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        if self.keeper.stdin.is_some() {
            self.end();
        }
    }
}

fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/venv/bin/secantusd-py");
    assert!(program.exists(), "run `make tools`: {} isn't there", program.display());
    program
}

/// How a server is reached that all tests of this process share.
pub fn shared() -> String {
    // It is ended by its keeper when this process ends.
    static SHARED: OnceLock<MongoServer> = OnceLock::new();
    std::env::var("SIGNET_TEST_MONGODB_URI").unwrap_or_else(|_| SHARED.get_or_init(MongoServer::fresh).uri())
}

/// The stores under test, on databases that nobody else has.
pub struct Stand {
    pub mongo: Mongo,
    /// Another client, for what isn't the stores' to do.
    pub client: Client,
    uri: String,
    /// The control plane's database.
    pub control: String,
    /// A tenants' database.
    pub tenants: String,
    /// The commands that the stores have sent.
    pub commands: Commands,
}

/// Commands in the order in which they were sent.
#[derive(Clone, Default)]
pub struct Commands(Arc<Mutex<Vec<CommandStartedEvent>>>);

impl Commands {
    /// Takes what was sent since the last time.
    pub fn take(&self) -> Vec<CommandStartedEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Hears of commands.
    pub fn handler(&self) -> EventHandler<CommandEvent> {
        let commands = self.clone();
        EventHandler::callback(move |event| {
            if let CommandEvent::Started(started) = event {
                commands.0.lock().unwrap().push(started);
            }
        })
    }
}

impl Stand {
    /// Stores on the shared server.
    pub async fn shared() -> Self {
        Self::on(&shared(), MongoOptions::default(), Arc::new(NoMeter)).await
    }

    /// Stores on a server.
    pub async fn on(uri: &str, options: MongoOptions, meter: Arc<dyn StoreMeter>) -> Self {
        let mark = Ulid::generate().to_string().to_lowercase();
        let options = MongoOptions { control_database: format!("control_{mark}"), ..options };
        let (control, commands) = (options.control_database.clone(), Commands::default());
        let handler = Some(commands.handler());
        let mongo = Mongo::connect(uri, options, Arc::new(SystemClock), meter, handler).await.unwrap();
        commands.take();
        let client = Client::with_uri_str(uri).await.unwrap();
        let uri = uri.to_owned();
        Self { mongo, client, uri, control, tenants: format!("tenants_{mark}"), commands }
    }

    /// The stores of another node, on the same databases.
    pub async fn another_node(&self) -> Mongo {
        let options = MongoOptions { control_database: self.control.clone(), ..MongoOptions::default() };
        Mongo::connect(&self.uri, options, Arc::new(SystemClock), Arc::new(NoMeter), None).await.unwrap()
    }

    /// The groups.
    pub fn groups(&self) -> Collection<Document> {
        self.client.database(&self.control).collection("groups")
    }

    /// A collection of the tenants' database.
    pub fn collection(&self, name: &str) -> Collection<Document> {
        self.client.database(&self.tenants).collection(name)
    }

    /// Puts a tenant in whose assets lie in the tenants' database.
    pub async fn put_tenant(&self, tenant: &TenantId) {
        // A slug of its own: no two groups have one.
        let key = Ulid::generate().to_string().to_lowercase();
        self.put_group(doc! { "_id": tenant.as_str(), "key": key, "tier": "free", "dbKey": &self.tenants })
            .await;
    }

    /// Puts a group in.
    pub async fn put_group(&self, group: Document) {
        self.groups().insert_one(group).await.unwrap();
    }
}

/// The group that a tenant is, with its API key.
pub fn group_of(tenant: &Tenant, api_key: Option<&str>) -> Document {
    let mut group = doc! { "_id": tenant.id.as_str(), "key": &tenant.key, "frozen": tenant.frozen };
    match &tenant.db_key {
        Some(name) => group.insert("dbKey", name),
        None => group.insert("tier", "basic"),
    };
    if let Some(profile) = &tenant.profile {
        group.insert("mediaProfile", profile);
    }
    if let Some(key) = api_key {
        group.insert("apiKey", key);
    }
    group
}
