//! One question for all who ask it at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::Instrument;

use crate::media::{Asset, AssetId};
use crate::service::ports::StoreError;

type Found = Result<Option<Arc<Asset>>, Arc<StoreError>>;

/// Questions under way. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Flights {
    under_way: Arc<Mutex<HashMap<AssetId, Flight>>>,
}

/// A question, and the mark of its id when it was asked.
#[derive(Clone)]
struct Flight {
    mark: u64,
    answer: watch::Receiver<Option<Found>>,
}

impl Flights {
    /// Waits for the answer to a question that was asked at this mark, or asks it: to its end, whoever waits for it.
    /// An older question isn't joined: the asset may have changed since.
    pub(super) async fn join(
        &self,
        id: AssetId,
        mark: u64,
        ask: impl Future<Output = Result<Option<Arc<Asset>>, StoreError>> + Send + 'static,
    ) -> Result<Option<Arc<Asset>>, StoreError> {
        let mut answer = self.board(id, mark, ask);
        let found = answer.wait_for(Option::is_some).await.map(|found| found.clone());
        match found {
            Ok(Some(Ok(asset))) => Ok(asset),
            Ok(Some(Err(error))) => Err(StoreError::shared(error)),
            Ok(None) | Err(_) => Err(StoreError::unavailable("the look-up was cut off")),
        }
    }

    fn board(
        &self,
        id: AssetId,
        mark: u64,
        ask: impl Future<Output = Result<Option<Arc<Asset>>, StoreError>> + Send + 'static,
    ) -> watch::Receiver<Option<Found>> {
        let mut under_way = self.lock();
        // One whose task is gone gives no answer any more.
        let joined = under_way.get(&id).filter(|it| it.mark == mark && it.answer.has_changed().is_ok());
        if let Some(flight) = joined {
            return flight.answer.clone();
        }
        let (sender, answer) = watch::channel(None);
        under_way.insert(id, Flight { mark, answer: answer.clone() });
        let flights = self.clone();
        let flight = async move {
            let found = ask.await.map_err(Arc::new);
            let mut under_way = flights.lock();
            if under_way.get(&id).is_some_and(|flight| flight.mark == mark) {
                under_way.remove(&id);
            }
            drop(under_way);
            sender.send_replace(Some(found));
        };
        tokio::spawn(flight.in_current_span());
        answer
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AssetId, Flight>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
