//! A bound for all, of which each may take as much as there is left.
//!
//! Who is alone can take half of it; who comes then, half of what is left. So nobody has a part that lies idle while
//! others need more, and whatever one takes, it leaves as much to others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What there is to be shared.
pub struct Shares<K>(Arc<Pot<K>>);

struct Pot<K> {
    most: usize,
    taken: Mutex<Taken<K>>,
}

/// What is taken, by each that has taken anything, and in all.
struct Taken<K> {
    by: HashMap<K, usize>,
    all: usize,
}

/// What one has taken for one thing, until it is dropped.
#[must_use]
pub struct Share<K: Eq + Hash> {
    pot: Arc<Pot<K>>,
    whose: K,
    size: usize,
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// So much for all.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Pot { most, taken: Mutex::new(Taken { by: HashMap::new(), all: 0 }) }))
    }

    /// Nothing yet, for somebody.
    pub fn none(&self, whose: K) -> Share<K> {
        Share { pot: Arc::clone(&self.0), whose, size: 0 }
    }
}

impl<K: Eq + Hash + Clone> Share<K> {
    /// Takes so much in the place of what it had. False, and it stays as it was, where as much isn't left to others.
    #[must_use]
    pub fn take(&mut self, size: usize) -> bool {
        if size > self.size {
            let more = size - self.size;
            let mut taken = self.pot.taken();
            let own = taken.by.get(&self.whose).copied().unwrap_or_default();
            if own.saturating_add(more) > self.pot.most.saturating_sub(taken.all) {
                return false;
            }
            taken.all += more;
            taken.by.insert(self.whose.clone(), own + more);
        } else {
            self.give_back(self.size - size);
        }
        self.size = size;
        true
    }
}

impl<K: Eq + Hash> Share<K> {
    fn give_back(&self, size: usize) {
        if size == 0 {
            return;
        }
        let mut taken = self.pot.taken();
        taken.all -= size;
        match taken.by.get_mut(&self.whose) {
            Some(own) if *own > size => *own -= size,
            _ => drop(taken.by.remove(&self.whose)),
        }
    }
}

impl<K> Pot<K> {
    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        self.give_back(self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_much_leaves_as_much_to_others() {
        let shares = Shares::new(8);
        let mut held = Vec::new();
        let mut fill = |whose| {
            let before = held.len();
            held.extend(std::iter::from_fn(|| {
                let mut share = shares.none(whose);
                share.take(1).then_some(share)
            }));
            held.len() - before
        };
        assert_eq!(["a", "b", "c", "d", "a"].map(&mut fill), [4, 2, 1, 1, 0]);
        drop(held);
        let taken = shares.0.taken();
        assert_eq!((taken.all, taken.by.len()), (0, 0));
    }

    #[test]
    fn a_share_grows_and_shrinks_and_stays_where_it_can_not() {
        let shares = Shares::new(100);
        let (mut one, mut two) = (shares.none(1), shares.none(1));
        assert!(one.take(30) && two.take(20) && !one.take(31));
        let mut other = shares.none(2);
        assert!(!other.take(51) && other.take(25));
        assert!(two.take(0) && !one.take(46) && one.take(45));
        drop(other);
        let taken = shares.0.taken();
        assert_eq!((taken.all, taken.by[&1]), (45, 45));
        drop(taken);
        drop((one, two));
        assert!(shares.0.taken().by.is_empty());
    }
}
