//! Other users of the machine can't read the data folder, which holds the secrets by which uploads and reads are
//! signed.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::multipart::{InParts, SMALL_PARTS, three_parts};
use crate::support::program::run;
use crate::support::upload::{picture, ready, ticket};
use crate::support::{Node, SIGNET};

/// The user `nobody`.
const NOBODY: u32 = 65_534;

/// `signet dev`, started under an umask that takes nothing away. Killed when dropped.
struct Loose {
    child: Child,
    facts: Value,
}

impl Loose {
    fn start(data: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "umask 0; exec \"$@\"",
            "sh",
            SIGNET,
            "dev",
            "--listen",
            "127.0.0.1:0",
            "--data",
        ]);
        command.arg(data).env_clear().envs(SMALL_PARTS).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.starts_with("Signet is up"), "{first}");
        std::thread::spawn(move || lines.for_each(drop));
        let facts = serde_json::from_str(&fs::read_to_string(data.join("dev.json")).unwrap()).unwrap();
        Self { child, facts }
    }

    fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All that lies in a folder, itself included, without following links: path and mode.
fn modes(path: &Path) -> Vec<(PathBuf, u32)> {
    let found = fs::symlink_metadata(path).unwrap();
    let mut all = vec![(path.to_owned(), found.permissions().mode() & 0o7777)];
    if found.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            all.extend(modes(&entry.unwrap().path()));
        }
    }
    all
}

/// That folders are 0700 and files 0600; gives how many there are.
fn assert_closed(folder: &Path) -> usize {
    let all = modes(folder);
    for (path, mode) in &all {
        let right = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(*mode, right, "{}: {mode:o}", path.display());
    }
    all.len()
}

/// A folder that every user of the machine can look into, as the parents of a data folder mostly are.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Whether `nobody` can read a file. Only root can be `nobody`.
fn nobody_reads(file: &Path) -> bool {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "cat"]).arg(file);
    run(&mut command, b"").status.success()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_that_others_can_open_whatever_the_umask() {
    let folder = open_folder();
    let data = folder.path().join("above/data");
    let node = Loose::start(&data);
    let (api, key) = (node.fact("api"), node.fact("apiKey"));
    ready(api, key, "a.jpg", &picture(1_000, 1), json!({"visibility": "PUBLIC"})).await;
    ready(api, key, "b.jpg", &picture(1_000, 2), json!({"visibility": "PRIVATE"})).await;
    ticket(api, key, "never-sent.jpg", 1_000, json!({})).await;
    let content = three_parts();
    let large = InParts::begin(api, key, &content).await;
    large.send(&large.ticket["multipart"]["parts"][0], &content).await;
    // 256 folders of objects, the database, keys, pictures, the parts of an upload, files for scripts.
    assert!(assert_closed(&data) > 280);
    assert_closed(&folder.path().join("above"));
    let parts = modes(&data.join("objects/parts"));
    assert!(parts.len() >= 4, "an upload in parts is among it: {parts:?}");
    if is_root() {
        let control = folder.path().join("open");
        fs::write(&control, "x").unwrap();
        assert!(nobody_reads(&control), "the folder is reached");
        for (path, _) in modes(&data) {
            assert!(path.is_dir() || !nobody_reads_some(&path), "{}", path.display());
        }
    }
}

/// As [`nobody_reads`], of the files that give most away; a process for each of hundreds would take long.
fn nobody_reads_some(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    let telling = ["signet.redb", "api-key", "jwt.pem", "private.pem", "dev.json", "env", "content.json"];
    telling.contains(&name) && nobody_reads(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_is_closed_at_start_and_the_log_says_so() {
    let folder = open_folder();
    let data = folder.path().join("data");
    let node = Node::dev(&data, &[]);
    let asset = ready(&node.api, &node.api_key, "a.jpg", &picture(1_000, 1), json!({})).await;
    assert!(!node.log().contains("open to other users"), "{}", node.log());
    assert_eq!(node.terminate(), Some(0));
    // As versions before this one made it, and as `cp -r` may leave it.
    let mut opened = 0;
    for (path, _) in modes(&data) {
        let mode = if path.is_dir() { 0o777 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        opened += 1;
    }
    if is_root() {
        assert!(nobody_reads(&data.join("signet.redb")), "it is open now");
    }
    let node = Node::dev(&data, &[]);
    assert_closed(&data);
    let line = node.log();
    let line =
        line.lines().find(|line| line.contains("open to other users")).expect("a line in the log").to_owned();
    assert!(line.contains(data.to_str().unwrap()), "{line}");
    assert!(line.contains(&opened.to_string()), "all {opened} of them: {line}");
    if is_root() {
        assert!(!nobody_reads(&data.join("signet.redb")));
    }
    let url = format!("{}/media/v1/assets/{}", node.api, asset["assetId"].as_str().unwrap());
    assert_eq!(crate::support::http::get_as(&url, &node.api_key).await.status, 200, "it is served as before");
    assert_eq!(node.terminate(), Some(0));
    // One folder that somebody opens again, with a file in it.
    let fan = data.join("objects/a0");
    fs::write(fan.join("file"), "x").unwrap();
    for (path, mode) in [(&fan, 0o755), (&fan.join("file"), 0o644)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let node = Node::dev(&data, &[]);
    assert_closed(&data);
    assert!(node.log().contains("objects/a0"), "{}", node.log());
}

/// The settings of `signet serve` on a data folder.
fn settings(folder: &Path) -> PathBuf {
    let file = folder.join("signet.toml");
    let key = crate::support::program::file("vectors/rsa");
    let id = crate::support::program::ID;
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[store]\npath = \"data\"\n\
         [[signing.keys]]\nid = \"{id}\"\nprivate_key_file = \"{key}\"\n"
    );
    fs::write(&file, text).unwrap();
    file
}

fn assert_refused(config: &Path, reasons: &[&str]) {
    for command in ["check", "serve"] {
        let run = crate::support::program::signet(&[command, "--config", config.to_str().unwrap()], b"");
        assert_eq!(run.code, 1, "{command}: {}{}", run.answer, run.diagnostics);
        assert_eq!(run.diagnostics.lines().count(), 1, "{}", run.diagnostics);
        for reason in reasons {
            assert!(run.diagnostics.contains(reason), "{command}, {reason}: {}", run.diagnostics);
        }
    }
}

/// A link leads out of what the data folder's mode protects: to files of others, or to where others read.
#[test]
fn links_out_of_the_data_folder_are_not_followed() {
    for (name, target) in
        [("objects", "elsewhere"), ("signet.redb", "elsewhere/file"), ("objects/drafts", "elsewhere")]
    {
        let folder = TempDir::new().unwrap();
        let config = settings(folder.path());
        let data = folder.path().join("data");
        fs::create_dir_all(data.join(name).parent().unwrap()).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("file"), "").unwrap();
        fs::set_permissions(&elsewhere, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(elsewhere.join("file"), Permissions::from_mode(0o644)).unwrap();
        symlink(folder.path().join(target), data.join(name)).unwrap();
        assert_refused(&config, &[name, "is a symbolic link", "mount the other disk"]);
        let after: Vec<u32> = modes(&elsewhere).into_iter().map(|(_, mode)| mode).collect();
        assert_eq!(after, [0o755, 0o644], "{name}: what it leads to is as it was");
        assert_eq!(fs::read(elsewhere.join("file")).unwrap(), b"", "{name}");
    }
    // Whatever else lies there may be a link, and is left alone; so may the folder that the settings name.
    let folder = TempDir::new().unwrap();
    let config = settings(folder.path());
    fs::create_dir(folder.path().join("real")).unwrap();
    fs::write(folder.path().join("public"), "x").unwrap();
    fs::set_permissions(folder.path().join("public"), Permissions::from_mode(0o644)).unwrap();
    symlink(folder.path().join("real"), folder.path().join("data")).unwrap();
    symlink(folder.path().join("public"), folder.path().join("real/public")).unwrap();
    let run = crate::support::program::signet(&["check", "--config", config.to_str().unwrap()], b"");
    assert_eq!(run.code, 0, "{}", run.diagnostics);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&folder.path().join("real")), 0o700);
    assert_eq!(mode(&folder.path().join("public")), 0o644);
}

/// Whoever owns a folder can open it to anybody. Only root can make one that is another user's.
#[test]
fn a_folder_of_another_user_is_refused() {
    let folder = TempDir::new().unwrap();
    let config = settings(folder.path());
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&data, Some(NOBODY), None).unwrap();
        assert_refused(&config, &["data", "belongs to user 65534, and this process is user 0", "chown"]);
        assert!(fs::read_dir(&data).unwrap().next().is_none(), "nothing was made in it");
    } else {
        // The root folder of the system is somebody else's.
        let text = fs::read_to_string(&config).unwrap().replace("path = \"data\"", "path = \"/usr\"");
        fs::write(&config, text).unwrap();
        assert_refused(&config, &["/usr", "belongs to user 0", "chown"]);
    }
}
