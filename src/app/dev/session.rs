//! What is printed and written about a running `signet dev`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Value, json};

use super::file::write_private;
use super::identity::Identity;
use crate::app::StartError;
use crate::app::listen::Bound;

/// Where everything is.
pub struct Session {
    facts: Value,
    data: String,
    api: String,
    edge: String,
    api_key: String,
}

impl Session {
    /// The facts of a process.
    pub fn new(
        data: &Path,
        api: &Bound,
        edge: &Bound,
        admin: &Bound,
        identity: &Identity,
        bucket: &str,
    ) -> Self {
        let public_key =
            fs::canonicalize(&identity.public_key).unwrap_or_else(|_| identity.public_key.clone());
        let facts = json!({
            "api": api.url(),
            "edge": edge.url(),
            "admin": admin.url(),
            "apiKey": identity.api_key,
            "token": identity.token,
            "tenant": identity.tenant().id,
            "bucket": bucket,
            "keyPairId": identity.key_pair_id,
            "publicKey": public_key,
        });
        Self {
            facts,
            data: data.display().to_string(),
            api: api.url(),
            edge: edge.url(),
            api_key: identity.api_key.clone(),
        }
    }

    /// Removes what an earlier process has written.
    ///
    /// # Errors
    /// Where it can't be removed.
    pub fn forget(data: &Path) -> Result<(), StartError> {
        for name in ["dev.json", "env"] {
            match fs::remove_file(data.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(StartError::system(format!("removing {name} in {}", data.display()), error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes `dev.json` for scripts and `env` for shells.
    ///
    /// # Errors
    /// Where they can't be written.
    pub fn write(&self, data: &Path) -> Result<(), StartError> {
        let failed = |error| StartError::system(format!("writing to {}", data.display()), error);
        // Both hold the API key.
        let put = |name: &str, text: String| write_private(&data.join(name), &text).map_err(failed);
        put("dev.json", format!("{:#}\n", self.facts))?;
        put("env", format!("API={}\nEDGE={}\nKEY={}\n", self.api, self.edge, self.api_key))
    }

    /// What there is to try.
    pub fn text(&self) -> String {
        let Self { data, api, edge, .. } = self;
        let script = SCRIPT.replace(".signet", data);
        format!(
            "Signet is up: the API on {api}, an edge that verifies links as CloudFront does on {edge}.\n\n\
             To try it, in another shell and this folder:\n\n{script}\n\
             The whole API, to be tried in a browser with the key in {data}/env: {api}/docs\n\
             Facts for scripts are in {data}/dev.json. Ctrl-C stops it; the next start finds everything again.\n"
        )
    }
}

/// The session of the README, which a test runs.
const SCRIPT: &str = include_str!("session.sh");
