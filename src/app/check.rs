//! `signet check`: would `signet serve` start, and what does CloudFront have to know?

use std::fmt::Write;

use super::build::{embedded, layout, node, put_tenants};
use super::{StartError, keys::key_ring};
use crate::cloudfront::{Grant, Policy, Resource, SignableUrl};
use crate::config::Settings;
use crate::store::embedded::OpenError;

/// Checks settings, key pairs, stores and addresses; gives a report for people.
///
/// # Errors
/// The first thing that would keep `signet serve` from starting, or CloudFront from serving.
pub async fn check(settings: &Settings) -> Result<String, StartError> {
    let mut report = String::new();
    let mut say = |line: String| {
        // Writing to a String can't fail.
        let _ = writeln!(report, "{line}");
    };
    say("settings    ok".to_owned());

    let ring = key_ring(&settings.signing)?;
    let place = layout(settings)?;
    for key in ring.keys() {
        let url = format!("{}/check.jpg", place.origins().first().map_or("", String::as_str));
        let url = SignableUrl::parse(&url).map_err(|error| StartError::setting("cdn.base_url", error))?;
        let grant = Policy::canned(Resource::exact(&url), 4_102_444_800)
            .map_err(|error| StartError::system("writing a policy", error))
            .and_then(|policy| {
                Grant::sign(policy, &key.private, key.id.clone(), key.hash)
                    .map_err(|error| StartError::system(format!("signing with {}", key.id), error))
            })?;
        let message = grant.policy().to_json();
        if !key.public.verify(message.as_bytes(), grant.signature().as_bytes(), key.hash) {
            let detail = "its own public key doesn't verify what it signs";
            return Err(StartError::setting(format!("signing.keys, {}", key.id), detail));
        }
        let warning = key.private.warning().map(|text| format!(" ({text})")).unwrap_or_default();
        say(format!("key pair    ok  {} {} {}{warning}", key.id, key.private.algorithm(), key.hash));
        say(format!(
            "            register this public key with CloudFront under that id:\n{}",
            key.public.to_pem().trim_end()
        ));
    }

    let upload_url = format!("http://{}", settings.server.listen);
    match embedded(settings, &upload_url).await {
        Ok((store, stores)) => {
            put_tenants(settings, &store).await?;
            node(settings, stores)?;
            say(format!("stores      ok  {}", settings.store.path.display()));
        }
        // A node that is serving holds its folder: that is no fault of the settings.
        Err(StartError::Store(error @ OpenError::InUse { .. })) => {
            say(format!("stores      not checked: {error}"))
        }
        Err(error) => return Err(error),
    }
    Ok(report)
}
