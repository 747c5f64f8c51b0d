//! How many requests are under way: on the node, and of each tenant.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::media::TenantId;

/// The node's places.
pub(super) struct Places {
    most: usize,
    taken: Arc<AtomicUsize>,
}

/// One of them, until it is dropped.
pub(super) struct Place(Arc<AtomicUsize>);

impl Places {
    /// So many; `None` for any number.
    pub(super) fn new(most: Option<NonZeroU32>) -> Self {
        Self { most: most.map_or(usize::MAX, |most| most.get() as usize), taken: Arc::default() }
    }

    /// A place, where one is free.
    pub(super) fn take(&self) -> Option<Place> {
        // Only a number is shared: nothing has to be seen in its order.
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.taken));
        (before < self.most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The places of each tenant.
pub(super) struct TenantPlaces {
    most: Option<NonZeroU32>,
    taken: Arc<Taken>,
}

/// Of each tenant that has taken any, how many.
#[derive(Default)]
struct Taken(Mutex<HashMap<TenantId, u32>>);

/// A tenant's place, until it is dropped.
pub(super) struct TenantPlace(Option<(TenantId, Arc<Taken>)>);

impl TenantPlaces {
    /// So many for each; `None` for any number.
    pub(super) fn new(most: Option<NonZeroU32>) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// A place of a tenant, where it has one left.
    pub(super) fn take(&self, tenant: &TenantId) -> Option<TenantPlace> {
        let Some(most) = self.most else { return Some(TenantPlace(None)) };
        let mut taken = self.taken.lock();
        match taken.get_mut(tenant) {
            Some(count) if *count >= most.get() => return None,
            Some(count) => *count += 1,
            None => drop(taken.insert(tenant.clone(), 1)),
        }
        Some(TenantPlace(Some((tenant.clone(), Arc::clone(&self.taken)))))
    }
}

impl Taken {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TenantPlace {
    fn drop(&mut self) {
        let Some((tenant, taken)) = self.0.take() else { return };
        let mut taken = taken.lock();
        match taken.get_mut(&tenant) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&tenant)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_is_free_again() {
        let places = Places::new(NonZeroU32::new(2));
        let first = places.take().unwrap();
        let second = places.take().unwrap();
        assert!(places.take().is_none() && places.take().is_none());
        drop(first);
        assert!(places.take().is_some());
        drop(second);
        assert_eq!(places.taken.load(Ordering::Relaxed), 0, "what was refused takes none");
        assert!(Places::new(None).take().is_some());
    }

    #[test]
    fn each_tenant_has_its_own_and_is_forgotten_without_any() {
        let places = TenantPlaces::new(NonZeroU32::new(2));
        let (anna, ben) = ("t_anna".parse().unwrap(), "t_ben".parse().unwrap());
        let held = [places.take(&anna), places.take(&anna)];
        assert!(held.iter().all(Option::is_some) && places.take(&anna).is_none());
        assert!(places.take(&ben).is_some());
        drop(held);
        assert!(places.take(&anna).is_some());
        assert!(places.taken.lock().is_empty());
    }
}
