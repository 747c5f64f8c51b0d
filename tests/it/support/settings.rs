//! Settings of `signet serve` with two tenants, known by API keys and by tokens.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use signet::media::Timestamp;
use signet::store::jwks::Issuer;

use super::program::{ID, file};
use super::verify;

/// A tenant of the settings: id, URL slug and API key.
pub struct Tenant(pub &'static str, pub &'static str, pub &'static str);

pub const ANNA: Tenant = Tenant("t_anna", "anna", "sk_anna_0123456789abcdef");
pub const BEN: Tenant = Tenant("t_ben", "ben", "sk_ben_0123456789abcdef0");

impl Tenant {
    /// `Authorization` with a token of the folder's issuer.
    pub fn token(&self, folder: &Path) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let issuer = Issuer::open_or_create(folder).unwrap();
        let token = issuer.token(&self.0.parse().unwrap(), Timestamp::from_seconds(now), 3_600);
        format!("Bearer {}", token.unwrap())
    }

    /// The same with further claims; the folder has had an issuer.
    pub fn token_with(&self, folder: &Path, claims: Value) -> String {
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let keys: Value = serde_json::from_slice(&read("jwks.json")).unwrap();
        let kid = keys["keys"][0]["kid"].as_str().unwrap().to_owned();
        let mut all = json!({
            "iss": Issuer::ISSUER, "aud": Issuer::AUDIENCE, "tenantId": self.0, "exp": verify::now() + 3_600,
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let header = Header { kid: Some(kid), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_pem(&read("jwt.pem")).unwrap();
        format!("Bearer {}", jsonwebtoken::encode(&header, &all, &key).unwrap())
    }

    fn settings(&self, frozen: bool) -> String {
        let Self(id, key, api_key) = self;
        format!("[[tenants]]\nid = \"{id}\"\nkey = \"{key}\"\napi_key = \"{api_key}\"\nfrozen = {frozen}\n")
    }
}

/// Both tenants on a layout such as `path = "{tenant}"`, with the key pair of a PEM file (`vectors/rsa`).
pub fn two_tenants(folder: &Path, layout: &str, key: &str, frozen: bool) -> String {
    let jwks = Issuer::open_or_create(folder).unwrap().jwks_path().to_owned();
    let (jwks, key) = (jwks.display(), file(key));
    let (issuer, audience) = (Issuer::ISSUER, Issuer::AUDIENCE);
    format!(
        "{layout}\n[auth]\njwks_file = \"{jwks}\"\nissuer = \"{issuer}\"\naudience = \"{audience}\"\n\
         [store]\npath = \"data\"\n[[signing.keys]]\nid = \"{ID}\"\nprivate_key_file = \"{key}\"\n{}{}",
        ANNA.settings(frozen),
        BEN.settings(false)
    )
}
