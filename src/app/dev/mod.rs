//! `signet dev`: everything embedded in one process and one folder.
//!
//! ```text
//! DIR/keys/            a CloudFront-style key pair: private.pem, public.pem
//! DIR/api-key          the demo tenant's
//! DIR/jwt.pem, jwks.json   the issuer of the demo tenant's token
//! DIR/signet.redb, objects/   the embedded stores
//! DIR/pictures/, content.json   what there is to try
//! DIR/dev.json, env    where everything is, for scripts and for shells
//! ```
//!
//! 1. `identity`: key pair, tenant, API key and token, made once.
//! 2. `seed`: a few pictures and a document that uses them.
//! 3. `session`: what is printed and written about it. `file`: how secrets are written.

mod file;
mod identity;
mod seed;
mod session;

use std::path::Path;

use super::build::{embedded, node};
use super::keys::KeyLoader;
use super::listen::{Bound, bind};
use super::run::{Listeners, run};
use super::{StartError, tenants, traces};
use crate::config::{Environment, LimitSettings, LogFormat, ObjectsSetting, parse};

use identity::Identity;
use session::Session;

/// Further origin whose URLs are signed: so that documents of Vivreal's can be tried as they are.
const VIVREAL: &str = "https://media.vivreal.io";

/// Serves from a folder until SIGTERM or SIGINT. `say` prints the session once everything is up.
///
/// # Errors
/// Why it doesn't start.
pub async fn dev(
    data: &Path,
    listen: &str,
    environment: &Environment,
    say: impl FnOnce(&str),
) -> Result<(), StartError> {
    let mut settings = parse("", environment, "the environment")?;
    settings.log.format = LogFormat::Pretty;
    if environment.is_unset("SIGNET__LOG__LEVEL") {
        settings.log.level = "warn".into();
    }
    let traces = traces::start(&settings)?;

    let api = bind(listen, "--listen").await?;
    let edge = bind(&beside(&api, listen, 1), "--listen, one port up, for the edge").await?;
    let admin = bind(&beside(&api, listen, 2), "--listen, two ports up, for metrics").await?;

    settings.store.path = data.to_owned();
    settings.store.objects = ObjectsSetting::Embedded;
    settings.server.listen = api.address.to_string();
    settings.server.admin_listen = admin.address.to_string();
    if environment.is_unset("SIGNET__SERVER__CORS_ORIGINS") {
        // Whoever develops a page serves it from anywhere; callers are known by a header, never by cookies.
        settings.server.cors_origins = vec!["*".to_owned()];
    }
    if environment.is_unset("SIGNET__SERVER__LAME_DUCK_SECONDS") {
        // No load balancer has to see that it ends.
        settings.server.lame_duck_seconds = 0;
    }
    no_limits(&mut settings.limits, environment);
    settings.cdn.base_url = edge.url();
    settings.cdn.aliases = vec![VIVREAL.to_owned()];
    settings.delivery.public_base_url.get_or_insert(edge.url());
    let (store, stores) = embedded(&settings, &api.url()).await?;
    // An earlier start's addresses may be others': no script is to read them now.
    Session::forget(data)?;
    let identity = Identity::open_or_create(data)?;
    identity.configure(&mut settings);
    tenants::put(&settings, &store).await?;
    let objects = std::sync::Arc::clone(&stores.objects);
    let ring = KeyLoader::default().ring(&settings.signing).await?;
    let node = node(&settings, ring, stores)?;
    seed::seed(data, &node, &*objects, &identity).await?;

    let session = Session::new(data, &api, &edge, &admin, &identity, node.place(&identity.tenant()).bucket());
    session.write(data)?;
    let listeners = Listeners { api, tls: None, admin, edge: Some(edge) };
    run(&settings, node, listeners, traces, || say(&session.text()), || {}).await
}

/// Whoever tries things out isn't kept from trying them often, unless that is what is to be tried.
fn no_limits(limits: &mut LimitSettings, environment: &Environment) {
    for (name, limit) in [
        ("TENANT_PER_SECOND", &mut limits.tenant_per_second),
        ("CLIENT_PER_SECOND", &mut limits.client_per_second),
        ("MAX_TENANT_REQUESTS", &mut limits.max_tenant_requests),
    ] {
        if environment.is_unset(&format!("SIGNET__LIMITS__{name}")) {
            *limit = 0;
        }
    }
}

/// The address of another listener: some ports up where a port was asked for, else a free one.
fn beside(api: &Bound, asked: &str, up: u16) -> String {
    let free = asked.ends_with(":0");
    let port = if free { 0 } else { api.address.port().saturating_add(up) };
    std::net::SocketAddr::new(api.address.ip(), port).to_string()
}
