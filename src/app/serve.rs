//! `signet serve`: settings from a file, until a signal.

use std::path::Path;
use std::sync::Arc;

use super::build::node;
use super::changes::hear;
use super::databases;
use super::keys::reload::Reloader;
use super::listen::bind;
use super::run::{Listeners, run};
use super::{StartError, listen::Bound};
use crate::config::{Environment, ObjectsSetting, Settings, load};
use crate::telemetry::logging;

/// Serves until SIGTERM or SIGINT, then drains. Keys are read again meanwhile, see [`super::keys::reload`].
///
/// # Errors
/// Why it doesn't start.
pub async fn serve(file: &Path, environment: &Environment) -> Result<(), StartError> {
    let settings = load(file, environment)?;
    logging::start(&settings.log).map_err(|detail| StartError::setting("log", detail))?;
    let api = bind(&settings.server.listen, "server.listen").await?;
    let admin = bind(&settings.server.admin_listen, "server.admin_listen").await?;
    let edge = match &settings.edge.listen {
        Some(address) => Some(bind(address, "edge.listen").await?),
        None => None,
    };
    let upload_url = upload_url(&settings, &api)?;
    let databases = databases::open(&settings, &upload_url).await?;
    let reloader = Reloader::new(file, environment, &settings)?;
    let ring = reloader.loader().ring(&settings.signing).await?;
    let node = node(&settings, Arc::clone(&ring), databases.stores)?;
    tracing::info!(
        api = %api.url(),
        admin = %admin.url(),
        edge = edge.as_ref().map(Bound::url),
        version = env!("CARGO_PKG_VERSION"),
        "signet is serving"
    );
    let reloading = tokio::spawn(reloader.run(ring, node.metrics.keys().clone()));
    let (assets, tenants) = (node.assets.clone(), Arc::clone(&node.known_tenants));
    let hearing = databases.mongo.map(|mongo| tokio::spawn(hear(mongo.feed(), assets, tenants)));
    let done = run(&settings, node, Listeners { api, admin, edge }, || {}).await;
    reloading.abort();
    if let Some(hearing) = hearing {
        hearing.abort();
    }
    done
}

/// Where clients send their uploads.
fn upload_url(settings: &Settings, api: &Bound) -> Result<String, StartError> {
    match &settings.store.upload_url {
        Some(url) => Ok(url.clone()),
        // Uploads go to S3.
        None if settings.store.objects == ObjectsSetting::S3 => Ok(String::new()),
        None if api.address.ip().is_unspecified() => {
            let detail =
                format!("is needed, as {} is no address that a client can send uploads to", api.address);
            Err(StartError::setting("store.upload_url", detail))
        }
        None => Ok(api.url()),
    }
}
