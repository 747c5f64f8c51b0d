//! A known outage of a store, so that requests don't have to run into a timeout.

use tokio::sync::watch;

/// Whether the store is known to answer nothing.
#[derive(Default)]
pub(super) struct Outage(watch::Sender<bool>);

impl Outage {
    /// Reports the beginning of an outage, or its end.
    pub(super) fn set(&self, begun: bool) {
        self.0.send_replace(begun);
    }

    /// Returns whether there is one.
    pub(super) fn is_on(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the store's answer. `None` if there is an outage, also one that begins meanwhile.
    pub(super) async fn interrupt<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let mut reports = self.0.subscribe();
        tokio::select! {
            biased;
            _ = reports.wait_for(|begun| *begun) => None,
            answer = answer => Some(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_the_store_is_interrupted_when_an_outage_begins() {
        let outage = Arc::new(Outage::default());
        assert_eq!(outage.interrupt(ready(1)).await, Some(1));
        let waiting = tokio::spawn({
            let outage = Arc::clone(&outage);
            async move { outage.interrupt(pending::<u8>()).await }
        });
        tokio::task::yield_now().await;
        outage.set(true);
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(outage.interrupt(ready(1)).await, None, "the store isn't asked at all");
        outage.set(false);
        assert_eq!((outage.interrupt(ready(2)).await, outage.is_on()), (Some(2), false));
    }
}
