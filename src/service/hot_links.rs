//! What permalinks are answered with that are asked for most, kept by each thread for itself.
//!
//! The caches that all threads share are read under locks and count who holds what: for one asset that everybody asks
//! for, cores spend more on taking turns at that than on all the rest of a redirect. What is here is read without
//! writing to anything that another thread touches.
//!
//! Whoever asks says whether it is still good. One in [`SHARED_TURN`] requests is answered as if nothing were here, so
//! that the shared caches know what is wanted, too.

use std::cell::RefCell;

use thread_local::ThreadLocal;

/// Something for each link of each thread, by the target that asks for it: path and query, as they came.
pub struct HotLinks<T: Send> {
    threads: ThreadLocal<RefCell<Table<T>>>,
}

/// A target has one place.
type Table<T> = Box<[Option<Place<T>>]>;

struct Place<T> {
    target: Box<str>,
    kept: T,
    /// How often it may be passed over before another one takes its place.
    credit: u8,
    /// Requests since one was answered by the shared caches.
    turn: u8,
}

impl<T: Send> Default for HotLinks<T> {
    fn default() -> Self {
        Self { threads: ThreadLocal::new() }
    }
}

impl<T: Send> HotLinks<T> {
    /// What `still` makes of what is kept for a target, if anything is.
    pub fn get<R>(&self, target: &str, still: impl FnOnce(&mut T) -> Option<R>) -> Option<R> {
        let mut table = self.threads.get()?.borrow_mut();
        let place = table[index(target)].as_mut()?;
        if *place.target != *target {
            return None;
        }
        place.turn = (place.turn + 1) % SHARED_TURN;
        if place.turn == 0 {
            return None;
        }
        place.credit = MOST_CREDIT;
        still(&mut place.kept)
    }

    /// Keeps something for a target, unless that is a long one, or its place is taken by one that is asked for more.
    pub fn keep(&self, target: &str, kept: impl FnOnce() -> T) {
        if target.len() > LONGEST {
            return;
        }
        let mut table =
            self.threads.get_or(|| RefCell::new((0..PLACES).map(|_| None).collect())).borrow_mut();
        let place = &mut table[index(target)];
        let (mut credit, mut turn) = (0, 0);
        match place {
            Some(place) if *place.target == *target => (credit, turn) = (place.credit, place.turn),
            Some(place) if place.credit > 0 => {
                place.credit -= 1;
                return;
            }
            _ => {}
        }
        *place = Some(Place { target: target.into(), kept: kept(), credit, turn });
    }
}

/// The place of a target, by the last bytes of its id, which are random ones, and its last bytes of all, which are a
/// query's where there is one.
fn index(target: &str) -> usize {
    let end =
        |text: Option<&[u8]>| text.and_then(<[u8]>::last_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let (id, all) = (target.as_bytes().get(..PERMALINK), target.as_bytes());
    let mixed = (end(id) ^ end(Some(all)).rotate_left(32)).wrapping_mul(GOLDEN);
    (mixed >> 32) as usize % PLACES
}

/// 2^64 divided by the golden ratio: the upper half of a product with it depends on all bits of the other number.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// The bytes of a permalink without a query: `/m/med_` and a ULID.
const PERMALINK: usize = 33;
/// The longest target that is kept, in bytes: a query for a width has 8.
const LONGEST: usize = 64;
/// Links that a thread keeps at most: with their texts, about a megabyte.
const PLACES: usize = 1_024;
/// Of so many requests for a link, one is answered by the shared caches.
const SHARED_TURN: u8 = 64;
/// Others that may want the place of a link before they get it, after each time that it was asked for.
const MOST_CREDIT: u8 = 8;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Permalinks that share a place, all of them.
    fn target(number: u8) -> String {
        format!("/m/med_{number:018}Q9R1T3W5")
    }

    #[test]
    fn what_is_kept_is_given_to_who_asks_for_just_that_but_for_each_shared_turn() {
        let links = HotLinks::default();
        let one = target(1);
        links.keep(&one, || "a");
        let given =
            |target: &str| (0..128).filter(|_| links.get(target, |kept| Some(*kept)).is_some()).count();
        assert_eq!(given(&one), 126);
        assert_eq!((given(&format!("{one}?w=320")), given(&target(2)), given("/"), given("")), (0, 0, 0, 0));
        assert_eq!(links.get(&one, |_| None::<()>), None);
    }

    #[test]
    fn a_link_that_is_asked_for_keeps_its_place_against_those_that_are_asked_for_once() {
        let links = HotLinks::default();
        links.keep(&target(1), || 1);
        assert_eq!(links.get(&target(1), |kept| Some(*kept)), Some(1));
        for other in 2..10 {
            links.keep(&target(other), || other);
        }
        assert_eq!(links.get(&target(1), |kept| Some(*kept)), Some(1), "eight were passed over");
        for other in 2..11 {
            links.keep(&target(other), || other);
        }
        assert_eq!(links.get(&target(10), |kept| Some(*kept)), Some(10), "then the ninth gets it");
    }

    #[test]
    fn each_thread_keeps_its_own() {
        let links = HotLinks::default();
        let one = target(1);
        links.keep(&one, || 1);
        let other =
            std::thread::scope(|scope| scope.spawn(|| links.get(&one, |kept| Some(*kept))).join().unwrap());
        assert_eq!(other, None);
    }

    #[test]
    fn long_targets_are_not_kept() {
        let links = HotLinks::default();
        let long = format!("{}?{}", target(1), "x".repeat(LONGEST));
        links.keep(&long, || 1);
        assert_eq!(links.get(&long, |kept| Some(*kept)), None);
    }

    #[test]
    fn places_are_spread() {
        let taken = |query: &str| {
            let targets = (0..PLACES).map(|_| format!("/m/med_{}{query}", ulid::Ulid::generate()));
            targets.map(|target| index(&target)).collect::<HashSet<_>>().len()
        };
        // Of so many thrown at as many places, 63 % are hit.
        for taken in [taken(""), taken("?w=320")] {
            assert!((PLACES / 2..PLACES * 3 / 4).contains(&taken), "{taken}");
        }
    }
}
