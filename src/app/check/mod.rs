//! `signet check`: would `signet serve` start, and what does CloudFront have to know?
//!
//! 1. The settings themselves, and the profiles of documents in them. `tls`: the listener's certificate.
//! 2. Each key pair: read from where it lies, matched with its public key, one link signed and verified
//!    by the independent implementation. `rotation`: what to register, and in which order.
//! 3. The stores, and the keys of the tokens' issuer. `objects`: S3. `tenants`: each of them, on demand.

mod objects;
mod rotation;
mod tenants;
mod tls;

use std::fmt::Write;

use super::StartError;
use super::build::node;
use super::databases;
use super::keys::KeyLoader;
use super::profiles;
use super::rules::{layout, public_delivery, upload_url};
use super::traces;
use crate::cloudfront::{Grant, Policy, Resource, SignableUrl};
use crate::config::{AssetsSetting, ObjectsSetting, PrivateSetting, Settings, time};
use crate::service::delivery::PublicDelivery;
use crate::service::key_ring::RingKey;
use crate::store::embedded::OpenError;

/// The result of a check.
pub struct Report {
    /// The report, for people.
    pub text: String,
    /// How many tenants can't be served; 0 if they weren't checked.
    pub unservable: usize,
}

/// Checks settings, key pairs, stores and addresses; with `of_tenants`, each tenant too.
///
/// # Errors
/// The first thing that would keep `signet serve` from starting, or CloudFront from serving.
pub async fn check(settings: &Settings, of_tenants: bool) -> Result<Report, StartError> {
    let (mut report, mut unservable) = (String::new(), 0);
    let mut say = |line: String| {
        // Writing to a String can't fail.
        let _ = writeln!(report, "{line}");
    };
    say("settings    ok".to_owned());
    say(tls::report(&settings.server.tls, time::now()).await?);

    say(match traces::export(&settings.telemetry)? {
        Some(export) => format!("traces      ok  sent to {}", export.collector.as_uri()),
        None => "traces      none are sent".to_owned(),
    });
    let layout = layout(settings)?;
    say(delivery(settings, &public_delivery(settings)?));
    say(profiles::report(&profiles::profiles(settings, layout.origins())?));
    let ring = KeyLoader::default().ring(&settings.signing).await?;
    let host = layout.origins().first().map_or("", String::as_str);
    for key in ring.keys() {
        prove(&key, host)?;
    }
    say(rotation::report(&ring, settings, time::now()));

    let one_bucket = layout.one_bucket();
    let upload_url = upload_url(settings, &settings.server.listen)?;
    match databases::open(settings, &upload_url).await {
        Ok(databases) => {
            let node = node(settings, ring, databases.stores)?;
            if let Some(keys) = node.token_keys {
                // An issuer that is away doesn't keep a node from starting.
                say(match keys.refresh().await {
                    Ok(()) => "tokens      ok  the issuer's keys can be fetched".to_owned(),
                    Err(error) => format!("tokens      not accepted for now: {error}"),
                });
            }
            say(format!("stores      ok  {}", stores(settings)));
            if settings.store.assets == AssetsSetting::Mongodb {
                say(databases::budget(&settings.store.mongodb));
            }
            if of_tenants {
                let tenants = tenants::report(settings, databases.mongo.as_ref()).await?;
                unservable = tenants.unservable;
                say(tenants.text);
            }
        }
        // A node that is serving holds its folder: that is no fault of the settings.
        Err(StartError::Store(error @ OpenError::InUse { .. })) => {
            say(format!("stores      not checked: {error}"));
            if of_tenants {
                say("tenants     not checked: that needs the stores".to_owned());
            }
        }
        Err(error) => return Err(error),
    }
    if let Some(line) = objects::report(settings, &one_bucket).await? {
        say(line);
    }
    Ok(Report { text: report, unservable })
}

/// Names where assets are kept, and files unless they are in S3.
fn stores(settings: &Settings) -> String {
    let folder = settings.store.path.display();
    match (settings.store.assets, settings.store.objects) {
        (AssetsSetting::Embedded, _) => folder.to_string(),
        (AssetsSetting::Mongodb, objects) => {
            let assets = format!("MongoDB, control plane {}", settings.store.mongodb.control_database);
            match objects {
                ObjectsSetting::S3 => assets,
                ObjectsSetting::Embedded => format!("{assets}; files in {folder}"),
            }
        }
    }
}

/// How assets are delivered.
fn delivery(settings: &Settings, public: &PublicDelivery) -> String {
    let public = match public {
        PublicDelivery::Signed => "signed links".to_owned(),
        PublicDelivery::Stable(base) => format!("stable URLs on {base}"),
    };
    let private = match settings.delivery.private {
        PrivateSetting::CloudFront => "signed links",
        PrivateSetting::S3 => "presigned by the object store",
    };
    let seconds = settings.delivery.private_ttl;
    format!("delivery    ok  PUBLIC assets: {public}; PRIVATE ones: {private}, {seconds} s")
}

/// Signs a link, and has it verified.
fn prove(key: &RingKey, origin: &str) -> Result<(), StartError> {
    let url = SignableUrl::parse(&format!("{origin}/check.jpg"))
        .map_err(|error| StartError::setting("cdn.base_url", error))?;
    let policy = Policy::canned(Resource::exact(&url), 4_102_444_800)
        .map_err(|error| StartError::system("writing a policy", error))?;
    let grant = Grant::sign(policy, &key.private, key.id.clone(), key.hash)
        .map_err(|error| StartError::system(format!("signing with {}", key.id), error))?;
    let message = grant.policy().to_json();
    if !key.public.verify(message.as_bytes(), grant.signature().as_bytes(), key.hash) {
        let detail = "its own public key doesn't verify what it signs";
        return Err(StartError::setting(format!("signing.keys, {:?}", key.id.as_str()), detail));
    }
    Ok(())
}
