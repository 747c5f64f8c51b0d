//! The lifecycle worker of a node, for as long as it serves.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::service::lifecycle::Lifecycle;

/// Works and rests by turns, until `ending` is cancelled. What is being settled then is settled first.
pub async fn work(lifecycle: Arc<Lifecycle>, rest: Duration, ending: CancellationToken) {
    loop {
        match lifecycle.pass().await {
            Ok(Some(pass)) if pass.looked_at > 0 => {
                tracing::info!(looked_at = pass.looked_at, failed = pass.failed, "looked at what was due");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "what is due can't be found out"),
        }
        if ending.run_until_cancelled(sleep(rest)).await.is_none() {
            return;
        }
    }
}
