//! `deploy/systemd/signet.service` is what systemd understands, and Signet does what it relies on.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::{env::consts::ARCH, fs, path::PathBuf, time::Duration};

use tempfile::TempDir;

use crate::support::http::get;
use crate::support::program::{ID, file, run};
use crate::support::prometheus::project;
use crate::support::{Node, SIGNET};

const SETTINGS: &str = "[store]\npath = \"data\"\n";

fn unit() -> String {
    fs::read_to_string(project("deploy/systemd/signet.service")).unwrap()
}

/// Runs systemd-analyze on a unit; what it says, where it refuses or has to say anything about the unit.
fn analyze(args: &[&str], unit: &str) -> Result<(), String> {
    let tools = project(".tools/systemd");
    let program = tools.join("usr/bin/systemd-analyze");
    assert!(program.exists(), "run `make tools`: {} isn't there", program.display());
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("signet.service");
    // The program stands where it is installed on no machine that tests it.
    fs::write(&file, unit.replace("/usr/local/bin/signet", SIGNET)).unwrap();
    let libraries: Vec<String> = ["lib", "usr/lib"]
        .map(|lib| tools.join(lib).join(format!("{ARCH}-linux-gnu")))
        .iter()
        .flat_map(|folder| [folder.clone(), folder.join("systemd")])
        .map(|folder: PathBuf| folder.display().to_string())
        .collect();
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", libraries.join(":"));
    command.env("SYSTEMD_UNIT_PATH", tools.join("lib/systemd/system"));
    let ended = run(command.args(args).arg(file), b"");
    // A setting that it doesn't know is a warning to it.
    if ended.status.success() && ended.stderr.is_empty() { Ok(()) } else { Err(ended.said()) }
}

#[test]
fn systemd_knows_every_setting_of_the_unit() {
    let verify = ["verify", "--man=no"];
    analyze(&verify, &unit()).unwrap_or_else(|said| panic!("{said}"));
    let unit = unit().replace("/usr/local/bin/signet", SIGNET);
    for (good, wrong, named) in [
        ("LockPersonality=", "LockPersonalities=", "LockPersonalities"),
        ("@system-service", "@system-services", "@system-services"),
        ("TimeoutStopSec=40", "TimeoutStopSec=soon", "soon"),
        (SIGNET, "/usr/local/bin/cygnet", "cygnet"),
    ] {
        assert!(unit.contains(good), "{good}");
        let said = analyze(&verify, &unit.replace(good, wrong)).unwrap_err();
        assert!(said.contains(named), "{wrong}: {said}");
    }
}

/// `systemd-analyze security` gives 0 to what may do nothing, 10 to what may do anything.
#[test]
fn the_unit_may_do_little() {
    let security = ["security", "--offline=true", "--no-pager", "--threshold=12"];
    analyze(&security, &unit()).unwrap_or_else(|said| panic!("{said}"));
    let looser = unit().replace("SystemCallFilter", "# SystemCallFilter");
    assert!(analyze(&security, &looser).is_err());
}

/// What `/proc/stat` says is needed for `process_start_time_seconds`, by which an alert counts restarts.
#[test]
fn the_unit_hides_nothing_that_metrics_need() {
    assert!(!unit().contains("\nProcSubset=pid"));
    let alerts = fs::read_to_string(project("deploy/prometheus/alerts.yml")).unwrap();
    assert!(alerts.contains("process_start_time_seconds"));
}

/// Where the unit says that systemd waits to be told.
fn supervisor(folder: &TempDir) -> (UnixDatagram, String) {
    assert!(unit().contains("\nType=notify\n"));
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    (socket, path.display().to_string())
}

#[tokio::test]
async fn systemd_is_told_once_everything_answers() {
    let folder = TempDir::new().unwrap();
    let (socket, path) = supervisor(&folder);
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let settings = format!(
        "{SETTINGS}[[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{}\"\n",
        file("vectors/rsa")
    );
    let node = Node::serve(folder.path(), &settings, &[("NOTIFY_SOCKET", &path)]);
    let mut message = [0; 1024];
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(std::str::from_utf8(&message[..length]).unwrap().trim_end(), "READY=1");
    assert_eq!(get(&format!("{}/readyz", node.admin), &[]).await.status, 200);
    assert_eq!(node.terminate(), Some(0));
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(std::str::from_utf8(&message[..length]).unwrap().trim_end(), "STOPPING=1");
}

#[test]
fn systemd_is_told_nothing_by_one_that_does_not_start() {
    let folder = TempDir::new().unwrap();
    let (socket, path) = supervisor(&folder);
    let settings = folder.path().join("signet.toml");
    let listeners = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
    fs::write(&settings, format!("{listeners}{SETTINGS}")).unwrap();
    let mut command = Command::new(SIGNET);
    command.args(["serve", "--config"]).arg(settings).env("NOTIFY_SOCKET", path);
    let ended = run(&mut command, b"");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said());
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 1024]).is_err());
}
