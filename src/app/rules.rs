//! From settings to the rules of the services: each is checked on its way.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::StartError;
use crate::cloudfront::Window;
use crate::config::{ObjectsSetting, PublicSetting, Settings};
use crate::http::LoadLimits;
use crate::http::openapi::ApiRules;
use crate::media::{
    ContentType, MAX_FILE_BYTES, MAX_PART_BYTES, MIN_PART_BYTES, PartsPolicy, Periods, Quota, SizeLimits,
    UploadPolicy,
};
use crate::service::Profiles;
use crate::service::asset_cache::CacheTerms;
use crate::service::delivery::PublicDelivery;
use crate::service::layout::{Layout, Template};
use crate::service::rates::Rate;

pub(super) fn cache_terms(settings: &Settings, fresh: Duration) -> CacheTerms {
    CacheTerms {
        max_bytes: settings.cache.asset_bytes,
        fresh,
        absent: Duration::from_secs(settings.cache.absent_seconds),
        stale: Duration::from_secs(settings.cache.stale_seconds),
    }
}

/// How files of PUBLIC assets are delivered, by the settings.
///
/// # Errors
/// The setting that can't be.
pub fn public_delivery(settings: &Settings) -> Result<PublicDelivery, StartError> {
    const BASE: &str = "delivery.public_base_url";
    let base = settings.delivery.public_base_url.as_deref();
    if let Some(base) = base {
        check_origin(base).map_err(|detail| StartError::setting(BASE, detail))?;
    }
    match (settings.delivery.public, base) {
        (PublicSetting::Signed, _) => Ok(PublicDelivery::Signed),
        (PublicSetting::Stable, Some(base)) => {
            Ok(PublicDelivery::Stable(base.trim_end_matches('/').to_owned()))
        }
        (PublicSetting::Stable, None) => {
            let detail = "is needed where delivery.public is \"stable\": the origin that serves PUBLIC assets to \
                          anybody, such as https://cdn.example.com (or MEDIA_PUBLIC_BASE_URL)";
            Err(StartError::setting(BASE, detail))
        }
    }
}

/// Where clients send their uploads: by the settings, or to the API at its address.
///
/// # Errors
/// Where they couldn't.
pub(super) fn upload_url(settings: &Settings, address: &str) -> Result<String, StartError> {
    let needed = |why: String| {
        let detail = format!("is needed, as {why}: such as https://signet.example.com");
        Err(StartError::setting("store.upload_url", detail))
    };
    let unspecified = |address: &str| address.parse().is_ok_and(|at: SocketAddr| at.ip().is_unspecified());
    match &settings.store.upload_url {
        Some(url) => Ok(url.clone()),
        // Uploads go to S3.
        None if settings.store.objects == ObjectsSetting::S3 => Ok(String::new()),
        None if settings.server.tls.certificate_file.is_some() => {
            needed("clients reach the API by a name of its certificate".to_owned())
        }
        None if unspecified(address) => {
            needed(format!("{address} is no address that a client can send uploads to"))
        }
        None => Ok(format!("http://{address}")),
    }
}

pub(super) fn window(seconds: u64, setting: &str) -> Result<Window, StartError> {
    if !(60..=604_800).contains(&seconds) {
        return Err(StartError::setting(setting, format!("must be 60 to 604,800 seconds, not {seconds}")));
    }
    Window::new(seconds).map_err(|error| StartError::setting(setting, error))
}

/// Where media lies, by the settings.
///
/// # Errors
/// The setting that can't be.
pub fn layout(settings: &Settings) -> Result<Layout, StartError> {
    let cdn = &settings.cdn;
    check_origin(&cdn.base_url).map_err(|detail| StartError::setting("cdn.base_url", detail))?;
    for alias in &cdn.aliases {
        check_origin(alias).map_err(|detail| StartError::setting("cdn.aliases", detail))?;
    }
    let path = Template::parse(&cdn.path).map_err(|error| StartError::setting("cdn.path", error))?;
    let bucket = Template::parse(&cdn.bucket).map_err(|error| StartError::setting("cdn.bucket", error))?;
    if path.is_shared() {
        let detail = "needs {key} or {tenant}: without it all tenants would share one root";
        return Err(StartError::setting("cdn.path", detail));
    }
    Ok(Layout::new(&cdn.base_url, &cdn.aliases, path, bucket))
}

/// Checks an origin: scheme, host in lower case, perhaps a port, nothing else.
pub(super) fn check_origin(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.ok_or_else(|| format!("{text:?} must begin with https:// (or http://)"))?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:".contains(&byte);
    if authority.is_empty() || !authority.bytes().all(plain) {
        return Err(format!("{text:?} must be an origin such as https://media.example.com, without a path"));
    }
    Ok(())
}

pub(super) fn upload_policy(settings: &Settings) -> Result<UploadPolicy, StartError> {
    let parse = |text: &String| {
        ContentType::parse(text).ok_or_else(|| {
            StartError::setting("uploads.content_types", format!("{text:?} is no type/subtype"))
        })
    };
    let content_types = settings.uploads.content_types.iter().map(parse).collect::<Result<_, _>>()?;
    let uploads = &settings.uploads;
    let within = |name: &str, value: u64, least: u64, most: u64| {
        let wrong = || StartError::setting(name, format!("must be {least} to {most}, not {value}"));
        (least..=most).contains(&value).then_some(value).ok_or_else(wrong)
    };
    let largest = |name: &str, bytes: u64| {
        if bytes > MAX_FILE_BYTES {
            let detail = format!("must be at most {MAX_FILE_BYTES} bytes (5 TiB): S3 takes no larger file");
            return Err(StartError::setting(name, detail));
        }
        Ok(bytes)
    };
    let all = SizeLimits::new(largest("uploads.max_bytes", uploads.max_bytes)?);
    let limits = uploads.limits_by_type().into_iter().try_fold(all, |limits, (name, bytes)| {
        let setting = format!("uploads.max_bytes_by_type.{name:?}");
        limits.with(name, largest(&setting, bytes)?).map_err(|error| StartError::setting(setting, error))
    })?;
    let part_of_s3 = |name: &str, value| within(name, value, MIN_PART_BYTES, MAX_PART_BYTES);
    let parts = PartsPolicy {
        threshold_bytes: part_of_s3("uploads.multipart_threshold_bytes", uploads.multipart_threshold_bytes)?,
        part_bytes: part_of_s3("uploads.part_bytes", uploads.part_bytes)?,
        seconds: within("uploads.multipart_seconds", uploads.multipart_seconds, 1, 30 * 86_400)?,
    };
    Ok(UploadPolicy { content_types, limits, parts })
}

/// What the description of the API says of the settings.
///
/// # Errors
/// The setting that can't be.
pub fn rules(settings: &Settings, profiles: &Profiles) -> Result<ApiRules, StartError> {
    let profiles = profiles.all().map(|(name, _, _)| name.to_owned()).collect();
    Ok(ApiRules { uploads: upload_policy(settings)?, profiles })
}

/// Limits of connections, and of bodies. A connection that is silent for longer than `idle_seconds` is closed: an
/// answer has to begin before.
pub(super) fn check_server(settings: &Settings) -> Result<(), StartError> {
    let server = &settings.server;
    let within = server.idle_seconds.saturating_sub(5);
    for (setting, value, least, most) in [
        ("trusted_hops", server.trusted_hops as u64, 0, 8),
        ("max_streams", u64::from(server.max_streams), 1, 1_000),
        ("head_seconds", server.head_seconds, 1, 60),
        ("idle_seconds", server.idle_seconds, 10, 4_000),
        ("answer_seconds", server.answer_seconds, 1, within),
        ("body_idle_seconds", server.body_idle_seconds, 1, within),
        ("lame_duck_seconds", server.lame_duck_seconds, 0, 300),
    ] {
        if !(least..=most).contains(&value) {
            let detail = format!("must be {least} to {most}, not {value}");
            return Err(StartError::setting(format!("server.{setting}"), detail));
        }
    }
    let (memory, largest) = (settings.limits.max_body_bytes as u64, settings.documents.max_bytes);
    if memory > 0 && memory / 2 < largest {
        let detail = format!("must be 0, or at least twice documents.max_bytes, which is {largest}");
        return Err(StartError::setting("limits.max_body_bytes", detail));
    }
    let client_bytes = settings.limits.max_client_bytes;
    if client_bytes > 0 && client_bytes < LEAST_CLIENT_BYTES {
        let detail = format!("must be 0, or at least {LEAST_CLIENT_BYTES} (1 MiB), not {client_bytes}");
        return Err(StartError::setting("limits.max_client_bytes", detail));
    }
    Ok(())
}

/// What one address may have under way and unread at least, in bytes: some files at a time.
const LEAST_CLIENT_BYTES: usize = 1024 * 1024;

/// How often, and how much at a time.
pub(super) fn load_limits(settings: &Settings) -> LoadLimits {
    let limits = &settings.limits;
    let rate = |per_second, burst| {
        let per_second = NonZeroU32::new(per_second)?;
        Some(Rate { per_second, burst: NonZeroU32::new(burst).unwrap_or(per_second) })
    };
    LoadLimits {
        tenant: rate(limits.tenant_per_second, limits.tenant_burst),
        client: rate(limits.client_per_second, limits.client_burst),
        client_bytes: NonZeroUsize::new(limits.max_client_bytes),
        in_flight: NonZeroU32::new(limits.max_requests),
        tenant_in_flight: NonZeroU32::new(limits.max_tenant_requests),
        body_bytes: NonZeroUsize::new(limits.max_body_bytes),
    }
}

/// How much a tenant may store that has no quota of its own.
pub(super) fn quota(settings: &Settings) -> Quota {
    Quota { count: settings.uploads.quota_count, bytes: settings.uploads.quota_bytes }
}

/// The stages of a file's life.
pub(super) fn periods(settings: &Settings) -> Periods {
    let uploads = &settings.uploads;
    Periods {
        ticket_seconds: uploads.ticket_seconds,
        grace_seconds: uploads.grace_seconds,
        late_seconds: uploads.late_seconds,
        retention_seconds: u64::from(uploads.retention_days) * 86_400,
        record_seconds: u64::from(uploads.record_days) * 86_400,
    }
}
