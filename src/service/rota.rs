//! So much work at a time, and tenants in turn.
//!
//! Who wants a place while none is free waits in its tenant's lane. A place that becomes free goes to the lane whose
//! turn it is: however many wait in one, another's first waits for no more than one of each.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::signing_pool::Lane;

/// Places for work.
pub struct Rota(Arc<Places>);

#[derive(Default)]
struct Places(Mutex<State>);

#[derive(Default)]
struct State {
    free: usize,
    waiting: HashMap<Lane, VecDeque<oneshot::Sender<Place>>>,
    /// The lanes in which somebody waits, the next one first.
    turns: VecDeque<Lane>,
}

/// A place, until it is dropped.
#[must_use]
pub struct Place(Option<Arc<Places>>);

impl Rota {
    /// So many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        let state = State { free: places, ..State::default() };
        Self(Arc::new(Places(Mutex::new(state))))
    }

    /// Waits for a place.
    pub async fn enter(&self, lane: Lane) -> Place {
        let waiting = {
            let mut state = self.0.state();
            if state.free > 0 {
                state.free -= 1;
                None
            } else {
                let (give, given) = oneshot::channel();
                let others = state.waiting.entry(lane).or_default();
                others.push_back(give);
                if others.len() == 1 {
                    state.turns.push_back(lane);
                }
                Some(given)
            }
        };
        match waiting {
            None => Place(Some(Arc::clone(&self.0))),
            // The sender is kept until it has sent.
            Some(given) => given.await.unwrap_or(Place(None)),
        }
    }
}

impl Places {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first of the lane whose turn it is. Where nobody waits, a place is free.
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        while let Some(lane) = self.turns.pop_front() {
            let Some(waiting) = self.waiting.get_mut(&lane) else { continue };
            let first = waiting.pop_front();
            if waiting.is_empty() {
                self.waiting.remove(&lane);
            } else {
                self.turns.push_back(lane);
            }
            if first.is_some() {
                return first;
            }
        }
        self.free += 1;
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(places) = self.0.take() else { return };
        loop {
            let next = places.state().next();
            match next.map(|next| next.send(Self(Some(Arc::clone(&places))))) {
                // Whoever doesn't wait any more has given it back unused.
                Some(Err(mut unused)) => unused.0 = None,
                Some(Ok(())) | None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn lanes_take_turns_however_many_wait_in_one() {
        let rota = Rota::new(1);
        let order = Mutex::new(Vec::new());
        let held = rota.enter(Lane(0)).await;
        let visit = async |lane: u64| {
            let _place = rota.enter(Lane(lane)).await;
            order.lock().unwrap().push(lane);
        };
        let visits = join_all([1, 1, 1, 1, 2, 2].map(visit));
        let open = async { drop(held) };
        futures_util::future::join(visits, open).await;
        assert_eq!(*order.lock().unwrap(), [1, 2, 1, 2, 1, 1]);
    }

    #[tokio::test]
    async fn who_does_not_wait_any_more_takes_no_place() {
        let rota = Rota::new(1);
        let held = rota.enter(Lane(0)).await;
        let mut first = Box::pin(rota.enter(Lane(1)));
        let mut second = Box::pin(rota.enter(Lane(1)));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(first);
        drop(held);
        // The place is given before the one that waited looks: so it is lost with it, unless it goes back.
        drop(second);
        assert!(rota.enter(Lane(2)).now_or_never().is_some());
        let state = rota.0.state();
        assert_eq!((state.free, state.waiting.len(), state.turns.len()), (1, 0, 0));
    }

    #[tokio::test]
    async fn no_more_than_so_many_are_in() {
        let rota = Rota::new(2);
        let (one, _two) = (rota.enter(Lane(1)).await, rota.enter(Lane(1)).await);
        assert!(rota.enter(Lane(2)).now_or_never().is_none());
        drop(one);
        assert!(rota.enter(Lane(2)).now_or_never().is_some());
    }
}
