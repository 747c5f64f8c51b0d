//! Where private keys come from: file, environment, AWS Secrets Manager.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::setting;
use crate::app::StartError;
use crate::config::{KeySettings, KeySource};
use crate::service::ports::{SecretBytes, SecretSource};
use crate::store::secrets::SecretsManager;

/// What PEM is read from. The client of Secrets Manager is made when the first key names a secret.
#[derive(Default)]
pub struct Sources {
    secrets: OnceCell<Arc<dyn SecretSource>>,
}

/// One reading of all keys: each secret is asked for once, however many keys lie in it.
pub struct Pass<'a> {
    sources: &'a Sources,
    read: HashMap<String, SecretBytes>,
}

impl Sources {
    /// Begins a reading.
    pub fn pass(&self) -> Pass<'_> {
        Pass { sources: self, read: HashMap::new() }
    }

    async fn secrets(&self) -> &Arc<dyn SecretSource> {
        self.secrets.get_or_init(async || Arc::new(SecretsManager::connect().await) as _).await
    }
}

impl Pass<'_> {
    /// The PEM of a private key.
    ///
    /// # Errors
    /// Where it can't be had from where the settings say.
    pub async fn private_pem(&mut self, key: &KeySettings) -> Result<Zeroizing<Vec<u8>>, StartError> {
        let source =
            key.source().map_err(|detail| StartError::setting(setting(key, "private key"), detail))?;
        match source {
            KeySource::Environment(secret) => Ok(Zeroizing::new(secret.expose().as_bytes().to_vec())),
            KeySource::File(path) => file(path, &setting(key, "private_key_file")).await,
            KeySource::Secret { name, field } => {
                let named = |field: &str| setting(key, field);
                let secret = self.secret(name, &named("private_key_secret")).await?;
                match field {
                    None => Ok(Zeroizing::new(secret.expose().to_vec())),
                    Some(field) => member(secret.expose(), field)
                        .map_err(|detail| StartError::setting(named("private_key_secret_field"), detail)),
                }
            }
        }
    }

    /// The id of a key pair, by the settings or by the secret.
    ///
    /// # Errors
    /// As [`Pass::private_pem`].
    pub async fn id(&mut self, key: &KeySettings) -> Result<String, StartError> {
        let (Some(field), Some(name)) = (&key.id_secret_field, &key.private_key_secret) else {
            return Ok(key.id.clone());
        };
        let setting = setting(key, "id_secret_field");
        let secret = self.secret(name, &setting).await?;
        let id = member(secret.expose(), field).map_err(|detail| StartError::setting(&setting, detail))?;
        let id = std::str::from_utf8(&id).map_err(|error| StartError::setting(&setting, error))?;
        Ok(id.to_owned())
    }

    async fn secret(&mut self, name: &str, setting: &str) -> Result<SecretBytes, StartError> {
        if let Some(secret) = self.read.get(name) {
            return Ok(secret.clone());
        }
        let secret = self.sources.secrets().await.read(name).await;
        let secret = secret.map_err(|error| StartError::setting(setting, error))?;
        self.read.insert(name.to_owned(), secret.clone());
        Ok(secret)
    }
}

/// Reads a file; `setting` is what names it.
///
/// # Errors
/// Where it can't be read.
pub async fn file(path: &Path, setting: &str) -> Result<Zeroizing<Vec<u8>>, StartError> {
    let read = tokio::fs::read(path).await;
    read.map(Zeroizing::new)
        .map_err(|error| StartError::setting(setting, format!("can't read {}: {error}", path.display())))
}

/// A member of a JSON object that is a text. The object's other members are passed over, so that no
/// copies of other secrets stay in memory.
fn member(json: &[u8], name: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut parser = serde_json::Deserializer::from_slice(json);
    match (Member { name }).deserialize(&mut parser).and_then(|found| parser.end().map(|()| found)) {
        Ok(Some(text)) => Ok(Zeroizing::new(text.as_bytes().to_vec())),
        Ok(None) => Err(format!("the secret has no member {name:?}")),
        // The parser's own words could quote the secret.
        Err(_) => Err(format!("the secret isn't a JSON object in which {name:?} is a text")),
    }
}

struct Member<'a> {
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<Zeroizing<String>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<Zeroizing<String>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.name {
                found = Some(Zeroizing::new(map.next_value::<String>()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_a_json_secret_is_found_and_nothing_of_it_is_told() {
        let json = br#"{"OTHER":{"deep":[1]},"KEY":"-----BEGIN\nx","N":1}"#;
        assert_eq!(member(json, "KEY").unwrap().as_slice(), b"-----BEGIN\nx");
        assert_eq!(member(json, "key").unwrap_err(), "the secret has no member \"key\"");
        for (json, name) in
            [(&json[..], "N"), (b"hush", "KEY"), (b"[]", "KEY"), (b"{\"KEY\":\"hush\"} x", "KEY")]
        {
            let error = member(json, name).unwrap_err();
            assert!(error.contains("isn't a JSON object") && !error.contains("hush"), "{error}");
        }
    }
}
