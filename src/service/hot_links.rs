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

use crate::media::AssetId;

/// Something for each link, by asset and width, of each thread.
pub struct HotLinks<T: Send> {
    threads: ThreadLocal<RefCell<Table<T>>>,
}

/// A place for each; an id has one place.
type Table<T> = Box<[Option<Place<T>>]>;

struct Place<T> {
    id: AssetId,
    width: Option<u32>,
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
    /// What `still` makes of what is kept for a link, if anything is.
    pub fn get<R>(
        &self,
        id: AssetId,
        width: Option<u32>,
        still: impl FnOnce(&mut T) -> Option<R>,
    ) -> Option<R> {
        let mut table = self.threads.get()?.borrow_mut();
        let place = table[index(id, width)].as_mut()?;
        if (place.id, place.width) != (id, width) {
            return None;
        }
        place.turn = (place.turn + 1) % SHARED_TURN;
        if place.turn == 0 {
            return None;
        }
        place.credit = MOST_CREDIT;
        still(&mut place.kept)
    }

    /// Keeps something for a link, unless its place is taken by one that is asked for more.
    pub fn keep(&self, id: AssetId, width: Option<u32>, kept: impl FnOnce() -> T) {
        let mut table =
            self.threads.get_or(|| RefCell::new((0..PLACES).map(|_| None).collect())).borrow_mut();
        let place = &mut table[index(id, width)];
        let (mut credit, mut turn) = (0, 0);
        match place {
            Some(place) if (place.id, place.width) == (id, width) => {
                (credit, turn) = (place.credit, place.turn)
            }
            Some(place) if place.credit > 0 => {
                place.credit -= 1;
                return;
            }
            _ => {}
        }
        *place = Some(Place { id, width, kept: kept(), credit, turn });
    }
}

fn index(id: AssetId, width: Option<u32>) -> usize {
    // The last bytes of a ULID are random.
    let [.., a, b, c, d] = id.to_bytes();
    (u32::from_be_bytes([a, b, c, d]) ^ width.unwrap_or_default()) as usize % PLACES
}

/// Links that a thread keeps at most: with their texts, about a megabyte.
const PLACES: usize = 1_024;
/// Of so many requests for a link, one is answered by the shared caches.
const SHARED_TURN: u8 = 32;
/// Others that may want the place of a link before they get it, after each time that it was asked for.
const MOST_CREDIT: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(first: u8) -> AssetId {
        AssetId::from_bytes([first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7])
    }

    #[test]
    fn what_is_kept_is_given_to_who_asks_for_just_that_but_for_each_shared_turn() {
        let links = HotLinks::default();
        links.keep(id(1), Some(320), || "a");
        let given =
            |id, width| (0..64).filter(|_| links.get(id, width, |kept| Some(*kept)).is_some()).count();
        assert_eq!(given(id(1), Some(320)), 62);
        assert_eq!((given(id(1), None), given(id(2), Some(320))), (0, 0));
        assert_eq!(links.get(id(1), Some(320), |_| None::<()>), None);
    }

    #[test]
    fn a_link_that_is_asked_for_keeps_its_place_against_those_that_are_asked_for_once() {
        let links = HotLinks::default();
        links.keep(id(1), None, || 1);
        assert_eq!(links.get(id(1), None, |kept| Some(*kept)), Some(1));
        for other in 2..10 {
            links.keep(id(other), None, || other);
        }
        assert_eq!(links.get(id(1), None, |kept| Some(*kept)), Some(1), "eight were passed over");
        for other in 2..11 {
            links.keep(id(other), None, || other);
        }
        assert_eq!(links.get(id(10), None, |kept| Some(*kept)), Some(10), "then the ninth gets it");
    }

    #[test]
    fn each_thread_keeps_its_own() {
        let links = HotLinks::default();
        links.keep(id(1), None, || 1);
        let other = std::thread::scope(|scope| {
            scope.spawn(|| links.get(id(1), None, |kept| Some(*kept))).join().unwrap()
        });
        assert_eq!(other, None);
    }
}
