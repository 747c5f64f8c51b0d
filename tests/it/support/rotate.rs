//! Key pairs that come and go while Signet serves.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use signet::cloudfront::{NewKey, PrivateKey};

use super::http::get;
use super::{Node, PATIENCE};

/// What stands above the key pairs in a file of settings, so that they can be put anew.
pub const KEYS: &str = "# keys\n";

/// Makes a pair: `{name}.pem` and `{name}-public.pem`. Gives the private PEM.
pub fn make_pair(folder: &Path, name: &str, kind: NewKey) -> String {
    let (key, pem) = PrivateKey::generate(kind).unwrap();
    fs::write(folder.join(format!("{name}.pem")), pem.as_bytes()).unwrap();
    fs::write(folder.join(format!("{name}-public.pem")), key.public_key().to_pem()).unwrap();
    pem.to_string()
}

/// The settings of a pair that [`make_pair`] made; `more` are further lines.
pub fn pair(name: &str, more: &str) -> String {
    format!(
        "[[signing.keys]]\nid = \"{name}\"\nprivate_key_file = \"{name}.pem\"\n\
         public_key_file = \"{name}-public.pem\"\n{more}\n"
    )
}

/// Settings with other key pairs.
pub fn with_keys(settings: &str, keys: &str) -> String {
    let (head, _) = settings.split_once(KEYS).unwrap();
    format!("{head}{KEYS}{keys}")
}

/// Puts a file in place of another at once, as editors do.
pub fn put(file: &Path, text: &str) {
    let draft = file.with_extension("draft");
    fs::write(&draft, text).unwrap();
    fs::rename(&draft, file).unwrap();
}

impl Node {
    /// Puts other key pairs into the settings of `signet serve`.
    pub fn put_keys(&self, keys: &str) {
        let file = self.data.join("signet.toml");
        put(&file, &with_keys(&fs::read_to_string(&file).unwrap(), keys));
    }

    /// SIGHUP.
    pub fn hang_up(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    }

    /// The value of a metric, by its name and labels as they are written; `None` where there is none.
    pub async fn metric(&self, name: &str) -> Option<u64> {
        let text = get(&format!("{}/metrics", self.admin), &[]).await.text();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until the keys were read again with an outcome at least so many times.
    pub async fn reloaded(&self, outcome: &str, times: u64) {
        let name = format!("signet_key_reloads_total{{outcome=\"{outcome}\"}}");
        let deadline = Instant::now() + PATIENCE;
        while self.metric(&name).await.unwrap() < times {
            assert!(Instant::now() < deadline, "{name} doesn't reach {times}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The key pair that signs.
    pub async fn signs(&self) -> String {
        let text = get(&format!("{}/metrics", self.admin), &[]).await.text();
        let line = text.lines().find_map(|line| {
            let (id, value) = line.strip_prefix("signet_key_active{key_pair_id=\"")?.split_once("\"} ")?;
            (value == "1").then(|| id.to_owned())
        });
        line.unwrap_or_default()
    }
}
