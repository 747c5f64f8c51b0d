//! From settings and stores to everything that answers.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;

use super::StartError;
use super::objects::s3;
use super::profiles::profiles;
use super::rules::{
    cache_terms, check_server, layout, periods, public_delivery, quota, rules, upload_policy, window,
};
use super::tenants::listed;
use super::tokens;
use crate::config::{AssetsSetting, GrantScopeSetting, OnFailureSetting, PrivateSetting, Settings};
use crate::http::openapi::describe;
use crate::http::{Cors, Readiness};
use crate::media::Tenant;
use crate::service::Services;
use crate::service::asset_cache::CachedAssets;
use crate::service::assets::{Assets, Views};
use crate::service::auth::Authenticator;
use crate::service::batch::BatchLinks;
use crate::service::cookies::FolderCookies;
use crate::service::cursor::Cursors;
use crate::service::delivery::{Delivery, PrivateDelivery};
use crate::service::documents::Documents;
use crate::service::edge::Edge;
use crate::service::key_ring::KeyRing;
use crate::service::layout::{Layout, Place};
use crate::service::lifecycle::{Lifecycle, LifecycleParts};
use crate::service::link_cache::LinkCache;
use crate::service::links::{GrantScope, Life, LinkService, LinkSettings, OnFailure};
use crate::service::lookup::Lookup;
use crate::service::metered::Metered;
use crate::service::ports::{
    AssetStore, Clock, LeaseStore, Meter, ObjectGate, ObjectStore, StoreMeter, SystemClock, TenantStore,
};
use crate::service::presigner::Presigner;
use crate::service::resolve::Resolver;
use crate::service::signature_budget::SignatureBudget;
use crate::service::signing_pool::SigningPool;
use crate::service::tenant_cache::CachedTenants;
use crate::service::uploads::Uploads;
use crate::store::embedded::{Embedded, Files};
use crate::store::jwks::RemoteKeys;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::requests::Requests;

/// Where a node keeps things, behind the ports.
pub struct Stores {
    /// Assets.
    pub assets: Arc<dyn AssetStore>,
    /// How long what the store has said of an asset is good, unless this process changes it.
    pub asset_fresh: Duration,
    /// Tenants.
    pub tenants: Arc<dyn TenantStore>,
    /// Objects.
    pub objects: Arc<dyn ObjectStore>,
    /// The way in to the objects, where Signet holds them itself.
    pub gate: Option<Arc<dyn ObjectGate>>,
    /// Which node does what is done once for all.
    pub leases: Arc<dyn LeaseStore>,
    /// The secret of cursors.
    pub cursor_secret: Vec<u8>,
    /// What is counted, of these stores and of all else.
    pub metrics: Arc<Metrics>,
}

/// Everything that answers.
pub struct Node {
    /// The API's use cases.
    pub services: Arc<Services>,
    /// The distribution in front of the object store.
    pub edge: Arc<Edge>,
    /// Looks at what is due.
    pub lifecycle: Arc<Lifecycle>,
    /// The way in to the objects, where Signet holds them itself.
    pub gate: Option<Arc<dyn ObjectGate>>,
    /// The description of the API.
    pub description: Arc<serde_json::Value>,
    /// Pages of which origins may call.
    pub cors: Cors,
    /// Whether the node wants requests.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is counted of requests.
    pub requests: Arc<Requests>,
    /// The keys of the tokens' issuer, where they are to be fetched while the node serves.
    pub token_keys: Option<Arc<RemoteKeys>>,
    /// What is known of tenants: whoever hears of changes tells it.
    pub known_tenants: Arc<CachedTenants>,
    /// What is known of assets: a feed of others' changes goes here.
    pub assets: CachedAssets,
    layout: Arc<Layout>,
}

/// Opens the embedded stores, and S3 in the place of local files where the settings say so. `upload_url` is
/// where clients reach the API.
///
/// # Errors
/// Where the folder can't be used.
pub async fn embedded(settings: &Settings, upload_url: &str) -> Result<(Embedded, Stores), StartError> {
    let path = settings.store.path.clone();
    let opened = tokio::task::spawn_blocking(move || Embedded::open(&path)).await;
    let embedded = opened.map_err(|error| StartError::system("opening the store", error))??;
    let forgotten = embedded.forget_calls(SystemClock.now()).await;
    forgotten.map_err(|error| StartError::system("tidying the store", error))?;
    let secret = async |name| {
        let secret = embedded.secret(name).await;
        secret.map_err(|error| StartError::system("reading a secret of the store", error))
    };
    let (objects, gate): (Arc<dyn ObjectStore>, Option<Arc<dyn ObjectGate>>) = match s3(settings).await? {
        Some(objects) => (Arc::new(objects), None),
        None => {
            let objects_url = format!("{}/objects", upload_url.trim_end_matches('/'));
            let files = Files::new(embedded.objects_dir(), &objects_url, &secret("uploads").await?)?;
            let files = Arc::new(files);
            (Arc::clone(&files) as Arc<dyn ObjectStore>, Some(files))
        }
    };
    let metrics = metrics()?;
    // It is at hand for as long as the process is, and all its changes are the process' own.
    metrics.server_known(true);
    metrics.feed(true);
    let stores = Stores {
        assets: Arc::new(embedded.clone()),
        asset_fresh: SOLE_WRITER_FRESH,
        tenants: Arc::new(embedded.clone()),
        objects,
        gate,
        leases: Arc::new(embedded.clone()),
        cursor_secret: secret("cursors").await?.as_bytes().to_vec(),
        metrics,
    };
    Ok((embedded, stores))
}

/// Metrics at zero.
///
/// # Errors
/// Where they can't be registered, which is a defect.
pub fn metrics() -> Result<Arc<Metrics>, StartError> {
    Metrics::new().map(Arc::new).map_err(unregistered)
}

fn unregistered(error: prometheus::Error) -> StartError {
    StartError::system("registering metrics", error)
}

/// Joins settings, keys and stores.
///
/// # Errors
/// The setting that can't be.
pub fn node(settings: &Settings, ring: Arc<KeyRing>, stores: Stores) -> Result<Node, StartError> {
    let stores = stores.counted();
    let metrics = Arc::clone(&stores.metrics);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    metrics.watch_keys(Arc::clone(&ring), Arc::clone(&clock));
    let layout = Arc::new(layout(settings)?);
    let meter = Arc::clone(&metrics) as Arc<dyn Meter>;
    let links = links(settings, Arc::clone(&ring), Arc::clone(&clock), &metrics)?;
    let cached = CachedAssets::new(
        stores.assets,
        Arc::clone(&clock),
        Arc::clone(&meter),
        &cache_terms(settings, stores.asset_fresh),
    );
    let assets: Arc<dyn AssetStore> = Arc::new(cached.clone());
    let lookup = Lookup::new(cached.clone());
    let delivery = delivery(settings, Arc::clone(&layout), links.clone(), &stores.objects)?;
    let views = Views::new(delivery.clone());
    let tokens = tokens::verifier(settings, &clock, &meter)?;
    let tenants = tokens::tenants(settings, stores.tenants)?;
    let known_tenants = known_tenants(settings, tenants, &clock)?;
    let tenants = Arc::clone(&known_tenants) as Arc<dyn TenantStore>;
    let (quota, periods) = (quota(settings), periods(settings));
    let parts = LifecycleParts {
        assets: Arc::clone(&assets),
        objects: Arc::clone(&stores.objects),
        tenants: Arc::clone(&tenants),
        leases: stores.leases,
        layout: Arc::clone(&layout),
        clock: Arc::clone(&clock),
        meter: Arc::clone(&meter),
        periods: periods.clone(),
    };
    if settings.lifecycle.interval_seconds == 0 {
        return Err(StartError::setting("lifecycle.interval_seconds", "must be at least 1"));
    }
    let per_second = NonZeroU32::new(settings.lifecycle.assets_per_second)
        .ok_or_else(|| StartError::setting("lifecycle.assets_per_second", "must be at least 1"))?;
    let lifecycle = Lifecycle::new(parts, per_second);
    let services = Services {
        auth: Authenticator::new(Arc::clone(&known_tenants), tokens.verifier),
        resolver: Resolver::new(
            cached.clone(),
            Arc::clone(&known_tenants),
            delivery.clone(),
            Arc::clone(&clock),
        ),
        batch: BatchLinks::new(cached.clone(), lookup.clone(), delivery.clone(), Arc::clone(&clock)),
        documents: Documents::new(
            profiles(settings, layout.origins())?,
            Some(lookup.clone()),
            delivery.clone(),
            Arc::clone(&meter),
        ),
        cookies: FolderCookies::new(Arc::clone(&layout), links, lookup),
        uploads: Uploads::new(
            Arc::clone(&assets),
            Arc::clone(&stores.objects),
            views.clone(),
            Arc::clone(&clock),
            upload_policy(settings)?,
            periods.clone(),
            quota,
            meter,
        ),
        assets: Assets::new(
            assets,
            Arc::clone(&stores.objects),
            views,
            Arc::clone(&clock),
            Cursors::new(&stores.cursor_secret),
            periods,
            quota,
        ),
    };
    let description = describe(&rules(settings, services.documents.profiles())?);
    let description = description.map_err(|error| StartError::system("describing the API", error))?;
    let requests = metrics.requests(&description).map_err(unregistered)?;
    check_server(settings)?;
    let cors = Cors::new(&settings.server.cors_origins);
    let cors = cors.map_err(|error| StartError::setting("server.cors_origins", error))?;
    let edge = Arc::new(Edge::new(ring, delivery, stores.objects, clock));
    Ok(Node {
        services: Arc::new(services),
        lifecycle: Arc::new(lifecycle),
        edge,
        gate: stores.gate,
        description: Arc::new(description),
        cors,
        readiness: Readiness::new(),
        metrics,
        requests: Arc::new(requests),
        token_keys: tokens.remote,
        known_tenants,
        assets: cached,
        layout,
    })
}

/// How long an asset is good where this process alone changes assets. It is told of each change; so this only bounds
/// how long a defect could last.
const SOLE_WRITER_FRESH: Duration = Duration::from_secs(3_600);

/// The tenants that are known, within the limits of the settings. Those of the settings are known from the start where
/// they are the embedded store's.
fn known_tenants(
    settings: &Settings,
    store: Arc<dyn TenantStore>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<CachedTenants>, StartError> {
    let known = CachedTenants::new(store, Arc::clone(clock));
    if settings.store.assets == AssetsSetting::Embedded {
        known.expect(&listed(settings)?);
    }
    Ok(Arc::new(match settings.limits.max_key_lookups {
        0 => known,
        most => known.bounded(most as usize),
    }))
}

/// The link service of the settings.
fn links(
    settings: &Settings,
    ring: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> Result<LinkService, StartError> {
    let (signing, most) = (&settings.signing, settings.limits.max_signing_requests);
    let settings = LinkSettings {
        life: Life::Window(window(signing.ttl_seconds, "signing.ttl_seconds")?),
        private_life: Life::Window(window(settings.delivery.private_ttl, "delivery.private_ttl")?),
        scope: match signing.grant_scope {
            GrantScopeSetting::Url => GrantScope::Url,
            GrantScopeSetting::Asset => GrantScope::Asset,
        },
        on_failure: match signing.on_failure {
            OnFailureSetting::Refuse => OnFailure::Refuse,
            OnFailureSetting::Unsigned => OnFailure::Unsigned,
        },
    };
    let cache = LinkCache::new(signing.cache_bytes, rand::rng().random());
    metrics.watch_links(cache.watch());
    let meter = Arc::clone(metrics) as Arc<dyn Meter>;
    let pool = signing_pool(signing.threads)?.metered(Arc::clone(&meter));
    let pool = if most == 0 { pool } else { pool.bounded(most as usize) };
    let budget = NonZeroU32::new(signing.signatures_per_second)
        .map_or_else(SignatureBudget::unlimited, SignatureBudget::per_second);
    Ok(LinkService::new(ring, cache, pool, budget, clock, meter, settings))
}

/// How files are delivered, by the settings.
fn delivery(
    settings: &Settings,
    layout: Arc<Layout>,
    links: LinkService,
    objects: &Arc<dyn ObjectStore>,
) -> Result<Delivery, StartError> {
    let private = match settings.delivery.private {
        PrivateSetting::CloudFront => PrivateDelivery::CloudFront,
        PrivateSetting::S3 => PrivateDelivery::Presigned(Presigner::new(
            Arc::clone(objects),
            window(settings.delivery.private_ttl, "delivery.private_ttl")?,
        )),
    };
    Ok(Delivery::new(layout, links, public_delivery(settings)?, private))
}

/// Signing threads; 0 is as many as the machine has cores.
///
/// # Errors
/// Where the system gives no threads.
pub fn signing_pool(threads: usize) -> Result<SigningPool, StartError> {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = NonZeroUsize::new(threads).unwrap_or_else(cores);
    SigningPool::start(threads).map_err(|error| StartError::system("starting the signing threads", error))
}

impl Stores {
    /// The stores, all that they are asked for counted.
    fn counted(self) -> Self {
        let meter = || Arc::clone(&self.metrics) as Arc<dyn StoreMeter>;
        Self {
            assets: Metered::new(self.assets, meter()),
            tenants: Metered::new(self.tenants, meter()),
            objects: Metered::new(self.objects, meter()),
            leases: Metered::new(self.leases, meter()),
            ..self
        }
    }
}

impl Node {
    /// Where a tenant's media lies.
    #[must_use]
    pub fn place(&self, tenant: &Tenant) -> Place {
        self.layout.place(tenant)
    }
}
