//! From sockets and a node to answers, until a signal.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::StartError;
use super::build::Node;
use super::files;
use super::lifecycle::work;
use super::listen::Bound;
use super::rules::load_limits;
use super::tls::ServedTls;
use super::tokens::keep_fresh;
use crate::config::{DocsSetting, Settings};
use crate::http::{
    AdminContext, ApiContext, EdgeContext, HttpLimits, RequestMeter, RequestTracer, Server, ServerLimits,
    Workers, admin, api, edge,
};
use crate::service::ports::SystemClock;
use crate::telemetry::tls::TlsMetrics;
use crate::telemetry::traces::Traces;

/// The sockets of a process.
pub struct Listeners {
    /// The API.
    pub api: Bound,
    /// The API's certificate, where it speaks TLS.
    pub tls: Option<ServedTls>,
    /// Metrics and health.
    pub admin: Bound,
    /// The distribution, where Signet plays it.
    pub edge: Option<Bound>,
}

/// Serves until SIGTERM or SIGINT. Then readiness goes off, and for the seconds of the lame duck all goes on; then
/// listeners close and what is under way ends, within a bound. Readiness is answered until all else has ended. A second
/// signal, a second or more after the first, ends what is left at once. `up` is called once everything answers, `down`
/// when the end begins.
///
/// # Errors
/// Where the system gives no signals.
pub async fn run(
    settings: &Settings,
    node: Node,
    listeners: Listeners,
    traces: Arc<Traces>,
    up: impl FnOnce(),
    down: impl FnOnce(),
) -> Result<(), StartError> {
    let signals = |error| StartError::system("waiting for signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let limits = limits(settings);
    files::allow(limits.connections);
    let readiness = node.readiness.clone();
    node.metrics.watch_readiness(readiness.clone());
    node.metrics.watch_spans(traces.passage());
    let meter: Arc<dyn RequestMeter> = Arc::clone(&node.requests) as Arc<dyn RequestMeter>;
    let metrics = Arc::clone(&node.metrics);
    let tls_metrics = TlsMetrics::register(metrics.registry());
    let tls_metrics = tls_metrics.map_err(|error| StartError::system("registering metrics", error))?;
    let tls = listeners.tls.as_ref().map(ServedTls::tls);
    let tracer = Arc::clone(&traces) as Arc<dyn RequestTracer>;
    let client_bytes = load_limits(settings).client_bytes;
    let routers = [
        Some((listeners.api, api(api_context(settings, &node, &meter, &tracer)), tls)),
        listeners.edge.map(|bound| {
            (bound, edge(EdgeContext { edge: node.edge, client_bytes, meter: meter.clone(), tracer }), None)
        }),
    ];
    let admin = admin(AdminContext {
        metrics: Arc::new(move || metrics.render()),
        readiness: readiness.clone(),
        description: (settings.server.docs == DocsSetting::Admin).then_some(node.description),
    });

    let (stop, stopping) = watch::channel(false);
    let stopped = |mut stopping: watch::Receiver<bool>| async move {
        // An error means that the sender is gone, which is as good a sign.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    let workers = Workers::start().map_err(|error| StartError::system("starting threads", error))?;
    let workers = Arc::new(workers);
    let here = tokio::runtime::Handle::current().metrics();
    node.metrics.watch_runtimes(workers.metrics().chain([here]).collect());
    let mut servers = JoinSet::new();
    for (bound, router, tls) in routers.into_iter().flatten() {
        let server = Server::new(bound.listener, router, limits.clone());
        let server = server.with_tls(tls).metered(Arc::clone(&meter)).on(Arc::clone(&workers));
        servers.spawn(server.run(stopped(stopping.clone())));
    }
    // Health is answered for as long as anything else is.
    let (quit, quitting) = watch::channel(false);
    let limits = ServerLimits {
        connections: ADMIN_CONNECTIONS.min(limits.connections),
        client_connections: None,
        lame_duck: Duration::ZERO,
        ..limits
    };
    let admin = Server::new(listeners.admin.listener, admin, limits);
    let admin = tokio::spawn(admin.run(stopped(quitting)));

    let every = Duration::from_secs(settings.auth.jwks_refresh_seconds);
    let fetching = node.token_keys.map(|keys| tokio::spawn(keep_fresh(keys, every)));
    let certifying = listeners.tls.map(|tls| tokio::spawn(tls.run(tls_metrics)));
    let rest = Duration::from_secs(settings.lifecycle.interval_seconds);
    let mut working = tokio::spawn(work(Arc::clone(&node.lifecycle), rest));
    readiness.set(true);
    up();
    let mut signalled = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    signalled().await;
    tracing::info!("stopping: finishing what is under way");
    down();
    readiness.set(false);
    let _ = stop.send(true);
    let again = async {
        // One that is sent to a whole group of processes comes twice where a parent hands it on.
        let _ = timeout(SAME_SIGNAL, async {
            loop {
                signalled().await
            }
        })
        .await;
        signalled().await;
    };
    tokio::select! {
        () = async { while servers.join_next().await.is_some() {} } => {}
        () = again => {
            tracing::warn!("stopping at once: a second signal has come");
            servers.shutdown().await;
        }
    }
    node.lifecycle.end();
    if timeout(WORKER_TIMEOUT, &mut working).await.is_err() {
        working.abort();
        tracing::warn!("the lifecycle worker is cut off; another node goes on with its assets");
    }
    let given_back = timeout(LEASE_TIMEOUT, node.lifecycle.give_back()).await;
    if !matches!(given_back, Ok(Ok(()))) {
        tracing::warn!("the lease of the lifecycle worker can't be given back; it runs out by itself");
    }
    for task in [fetching, certifying].into_iter().flatten() {
        task.abort();
    }
    traces.end().await;
    let _ = quit.send(true);
    admin.await.map_err(|error| StartError::system("stopping the admin listener", error))
}

/// Limits of connections.
fn limits(settings: &Settings) -> ServerLimits {
    let server = &settings.server;
    let client_connections = NonZeroUsize::new(server.max_connections_per_client);
    ServerLimits {
        connections: server.max_connections,
        // All clients come by a few proxies.
        client_connections: client_connections.filter(|_| server.trusted_hops == 0),
        streams: server.max_streams,
        head_time: Duration::from_secs(server.head_seconds),
        idle_time: Duration::from_secs(server.idle_seconds),
        lame_duck: Duration::from_secs(server.lame_duck_seconds),
        drain_time: Duration::from_secs(server.drain_seconds),
        ..ServerLimits::default()
    }
}

fn api_context(
    settings: &Settings,
    node: &Node,
    meter: &Arc<dyn RequestMeter>,
    tracer: &Arc<dyn RequestTracer>,
) -> ApiContext {
    ApiContext {
        services: Arc::clone(&node.services),
        objects: node.gate.clone(),
        clock: Arc::new(SystemClock),
        limits: HttpLimits {
            document_bytes: usize::try_from(settings.documents.max_bytes).unwrap_or(usize::MAX),
            body_idle: Duration::from_secs(settings.server.body_idle_seconds),
            answer_time: Duration::from_secs(settings.server.answer_seconds),
            trusted_hops: settings.server.trusted_hops,
            load: load_limits(settings),
            ..HttpLimits::default()
        },
        cors: node.cors.clone(),
        description: (settings.server.docs == DocsSetting::Api).then(|| Arc::clone(&node.description)),
        meter: Arc::clone(meter),
        tracer: Arc::clone(tracer),
    }
}

/// How long the lifecycle worker may take to finish the assets that it has started.
const WORKER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long releasing the worker's lease may take.
const LEASE_TIMEOUT: Duration = Duration::from_millis(300);
/// Most connections to the admin listener, which scrapers and probes use.
const ADMIN_CONNECTIONS: usize = 256;
/// Signals that come so soon after the first are that one.
const SAME_SIGNAL: Duration = Duration::from_secs(1);
