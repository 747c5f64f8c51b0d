//! What the driver tells of its pool and of the servers, for the meter.

use std::sync::Arc;

use mongodb::event::EventHandler;
use mongodb::event::cmap::{CmapEvent, ConnectionCheckoutFailedReason, ConnectionClosedReason};
use mongodb::event::sdam::SdamEvent;

use super::pulse::Pulse;
use crate::service::ports::{CheckoutEnd, ConnectionEnd, StoreMeter};

/// Counts connections and check-outs, and says which connections can be used.
pub fn pool(meter: Arc<dyn StoreMeter>, pulse: Arc<Pulse>) -> EventHandler<CmapEvent> {
    EventHandler::callback(move |event| match event {
        CmapEvent::ConnectionCreated(_) => meter.connection_opened(),
        CmapEvent::ConnectionReady(ready) => pulse.opened(ready.address.to_string(), ready.connection_id),
        CmapEvent::ConnectionClosed(closed) => {
            pulse.closed(closed.address.to_string(), closed.connection_id);
            meter.connection_closed(match closed.reason {
                ConnectionClosedReason::Idle => ConnectionEnd::Idle,
                ConnectionClosedReason::Stale => ConnectionEnd::Stale,
                ConnectionClosedReason::PoolClosed => ConnectionEnd::PoolClosed,
                _ => ConnectionEnd::Error,
            });
        }
        CmapEvent::ConnectionCheckedOut(out) => meter.checked_out(out.duration, CheckoutEnd::Done),
        CmapEvent::ConnectionCheckoutFailed(failed) => {
            let end = match failed.reason {
                ConnectionCheckoutFailedReason::Timeout => CheckoutEnd::Timeout,
                _ => CheckoutEnd::Error,
            };
            meter.checked_out(failed.duration, end);
        }
        CmapEvent::PoolCleared(_) => meter.pool_cleared(),
        _ => {}
    })
}

/// Says whether a server can be written to, and when such a one answers the driver's monitor.
pub fn topology(meter: Arc<dyn StoreMeter>, pulse: Arc<Pulse>) -> EventHandler<SdamEvent> {
    EventHandler::callback(move |event| match event {
        SdamEvent::TopologyDescriptionChanged(changed) => {
            meter.server_known(changed.new_description.has_writable_server());
        }
        SdamEvent::ServerHeartbeatSucceeded(heartbeat) => {
            // The second is its name in older servers' answers.
            let writable = ["isWritablePrimary", "ismaster"];
            if writable.iter().any(|name| heartbeat.reply.get_bool(name).unwrap_or(false)) {
                pulse.primary_heard();
            }
        }
        _ => {}
    })
}
