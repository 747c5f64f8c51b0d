//! Readiness: whether requests can get a connection to MongoDB.

use tokio::sync::watch::{self, Receiver};

use crate::http::Readiness;
use crate::store::mongo::{Access, Mongo};

const UNPROVEN: &str = "no connection to MongoDB has been had for requests yet";
const DENIED: &str = "requests get no connection to MongoDB, though it is alive";

/// Probes the cluster, and keeps the node's readiness up to date. The node counts as not ready from this call until the
/// first result. The future never completes by itself.
pub fn watch(mongo: Mongo, readiness: Readiness) -> impl Future<Output = ()> + Send {
    let (sender, access) = watch::channel(Access::Unproven);
    readiness.set_obstacle(Some(UNPROVEN));
    async move {
        tokio::select! {
            () = mongo.probe(sender) => {}
            () = follow(access, &readiness) => {}
        }
    }
}

async fn follow(mut access: Receiver<Access>, readiness: &Readiness) {
    let mut before = Access::Unproven;
    while access.changed().await.is_ok() {
        let now = *access.borrow_and_update();
        match now {
            Access::Unproven => readiness.set_obstacle(Some(UNPROVEN)),
            Access::Granted => {
                readiness.set_obstacle(None);
                if before == Access::Denied {
                    tracing::info!(
                        "ready: requests get a connection to MongoDB again, or it is away as a whole"
                    );
                }
            }
            Access::Denied => {
                readiness.set_obstacle(Some(DENIED));
                tracing::warn!("not ready: {DENIED}; see whether it has reached its connection limit");
            }
        }
        before = now;
    }
}
