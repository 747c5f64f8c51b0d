//! From whether requests can get a connection to MongoDB to whether the node is ready.

use tokio::sync::watch::{self, Receiver};

use crate::http::Readiness;
use crate::store::mongo::{Access, Mongo};

const UNPROVEN: &str = "no connection to MongoDB has been had for requests yet";
const DENIED: &str = "requests get no connection to MongoDB, though it is alive";

/// Probes a cluster for as long as the node serves, and makes the node ready or not by what comes of it. The node isn't
/// ready from the call on, until that is known.
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
