//! The tenants of the settings, each with a place of its own: no two share an id, a slug, an API key, a root or a place
//! in the object store.
//!
//! 1. [`listed`]: what the settings say by themselves. `signet check`, `serve` and `dev` ask for it first.
//! 2. [`put`]: the same with those that the embedded store still has of earlier settings.
//! 3. [`watch`]: the groups in MongoDB, which belong to the control plane and may change at any time. It checks all of
//!    them every ten minutes, so that operators hear of a broken group before its tenant does.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::StartError;
use super::profiles::check_known;
use super::rules::layout;
use super::tokens::check_nameable;
use crate::config::{Settings, TenantSettings};
use crate::media::{Quota, Tenant, TenantId};
use crate::service::layout::Layout;
use crate::service::ports::{LEAST_API_KEY_BYTES, StoreMeter, api_key_digest};
use crate::store::embedded::Embedded;
use crate::store::mongo::Mongo;

/// A tenant, and what it is called where something is wrong with it.
struct Named {
    /// `tenants[0]`, or where else it comes from.
    name: String,
    tenant: Tenant,
}

/// The tenants of the settings.
///
/// # Errors
/// The tenant that can't be, or the two that can't be together, and what to do about it.
pub fn listed(settings: &Settings) -> Result<Vec<Tenant>, StartError> {
    let layout = layout(settings)?;
    check_nameable(settings)?;
    let tenants = named(settings)?;
    check_names(&tenants)?;
    check_apart(&layout, &tenants)?;
    Ok(tenants.into_iter().map(|named| named.tenant).collect())
}

/// Puts the tenants of the settings into the embedded store.
///
/// # Errors
/// Where a tenant can't be, has the API key of another one, or would share a place with one that the store has of
/// earlier settings.
pub async fn put(settings: &Settings, embedded: &Embedded) -> Result<(), StartError> {
    let tenants = listed(settings)?;
    let kept = embedded.tenants().await;
    let kept = kept.map_err(|error| StartError::system("reading the tenants of the store", error))?;
    let known: HashSet<&TenantId> = tenants.iter().map(|tenant| &tenant.id).collect();
    let left = kept.into_iter().filter(|tenant| !known.contains(&tenant.id));
    let left = left.map(|tenant| {
        let name = format!(
            "{}, a tenant that has left the settings and is still in {}",
            tenant.id,
            settings.store.path.display()
        );
        Named { name, tenant }
    });
    let all: Vec<Named> = named(settings)?.into_iter().chain(left).collect();
    check_apart(&layout(settings)?, &all)?;
    for tenant in tenants {
        let put = embedded.put_tenant(&tenant).await;
        let put =
            put.map_err(|error| StartError::system(format!("putting the tenant {} in", tenant.id), error))?;
        if !put {
            let detail = format!(
                "the tenant {} has the API key of another tenant, which the data folder has of earlier \
                         settings: give it another",
                tenant.id
            );
            return Err(StartError::setting("tenants", detail));
        }
    }
    Ok(())
}

/// Checks all groups every ten minutes, for as long as the node serves: counts those that can't be served, and logs the
/// reason for each once.
pub async fn watch(mongo: Mongo, meter: Arc<dyn StoreMeter>) {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    loop {
        match mongo.survey().await {
            Ok(survey) => {
                meter.unservable(survey.unservable.len());
                let new = survey.unservable.iter().filter(|(group, why)| known.get(*group) != Some(why));
                for (_, why) in new.take(MOST_SAID) {
                    tracing::warn!("{why}");
                }
                known = survey.unservable;
            }
            Err(error) => {
                tracing::debug!(%error, "the groups can't be checked");
                sleep(SURVEY_RETRY).await;
                continue;
            }
        }
        sleep(SURVEY_REST).await;
    }
}

fn named(settings: &Settings) -> Result<Vec<Named>, StartError> {
    settings.tenants.iter().enumerate().map(|(index, of)| tenant(settings, index, of)).collect()
}

fn tenant(settings: &Settings, index: usize, tenant: &TenantSettings) -> Result<Named, StartError> {
    let name = |field: &str| format!("tenants[{index}].{field}");
    let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if tenant.key.is_empty() || tenant.key.len() > 64 || !tenant.key.bytes().all(slug) {
        return Err(StartError::setting(name("key"), "must be 1 to 64 of a-z 0-9 -"));
    }
    let api_key = tenant.api_key.as_ref().map(|key| key.expose());
    if api_key.is_some_and(|key| key.len() < LEAST_API_KEY_BYTES) {
        let detail = format!("must have at least {LEAST_API_KEY_BYTES} characters");
        return Err(StartError::setting(name("api_key"), detail));
    }
    if let Some(profile) = &tenant.profile {
        check_known(settings, profile).map_err(|detail| StartError::setting(name("profile"), detail))?;
    }
    let tenant = Tenant {
        id: tenant.id.parse().map_err(|error| StartError::setting(name("id"), error))?,
        key: tenant.key.clone(),
        db_key: tenant.db_key.clone(),
        frozen: tenant.frozen,
        profile: tenant.profile.clone(),
        quota: Quota { count: tenant.quota_count, bytes: tenant.quota_bytes },
        api_key: api_key.map(api_key_digest),
    };
    Ok(Named { name: format!("tenants[{index}]"), tenant })
}

/// Checks that each tenant has names of its own.
fn check_names(tenants: &[Named]) -> Result<(), StartError> {
    let (mut ids, mut keys, mut api_keys) = (HashMap::new(), HashMap::new(), HashMap::new());
    for later in tenants {
        let Named { name, tenant } = later;
        let twice = |field: &str, earlier: &Named, detail: String| {
            Err(StartError::setting(format!("{}.{field} and {name}.{field}", earlier.name), detail))
        };
        if let Some(earlier) = ids.insert(&tenant.id, later) {
            let detail = format!("both are {:?}: give each tenant an id of its own", tenant.id.as_str());
            return twice("id", earlier, detail);
        }
        if let Some(earlier) = keys.insert(&tenant.key, later) {
            let detail = format!(
                "both are {:?}, by which {} and {} could read and sign each other's files: give each a key of its own",
                tenant.key, earlier.tenant.id, tenant.id
            );
            return twice("key", earlier, detail);
        }
        if let Some(digest) = &tenant.api_key
            && let Some(earlier) = api_keys.insert(digest, later)
        {
            let detail = format!(
                "{} has the API key of another tenant, {}: give each an API key of its own",
                tenant.id, earlier.tenant.id
            );
            return twice("api_key", earlier, detail);
        }
    }
    Ok(())
}

/// Checks that the files of no two tenants lie in the same place.
fn check_apart(layout: &Layout, tenants: &[Named]) -> Result<(), StartError> {
    let mut claims: HashMap<String, &Named> = HashMap::new();
    for later in tenants {
        for claim in layout.place(&later.tenant).claims() {
            if let Some(earlier) = claims.get(&claim) {
                let detail = format!(
                    "both have {claim}, where each could read and sign the other's files: give one of them another key \
                     (id, where cdn.path or cdn.bucket has {{tenant}}). A tenant that has left the settings keeps its \
                     place: list it again, with another key and frozen = true"
                );
                return Err(StartError::setting(format!("{} and {}", earlier.name, later.name), detail));
            }
            claims.insert(claim, later);
        }
    }
    Ok(())
}

/// The pause between two checks of all groups.
const SURVEY_REST: Duration = Duration::from_secs(600);
/// The same after a check that failed.
const SURVEY_RETRY: Duration = Duration::from_secs(30);
/// How many groups one check adds to the log. The metric counts all of them, and `signet check --tenants` names them.
const MOST_SAID: usize = 20;
