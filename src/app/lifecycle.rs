//! The lifecycle worker of a node, for as long as it serves.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::service::lifecycle::Lifecycle;

/// Makes one pass after the other, with a rest between them, until the worker is told to end.
pub async fn work(lifecycle: Arc<Lifecycle>, rest: Duration) {
    loop {
        match lifecycle.pass().await {
            Ok(Some(pass)) if pass.looked_at > 0 => {
                tracing::info!(looked_at = pass.looked_at, failed = pass.failed, "looked at what was due");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "what is due can't be found out"),
        }
        if lifecycle.unless_ending(sleep(rest)).await.is_none() {
            return;
        }
    }
}
