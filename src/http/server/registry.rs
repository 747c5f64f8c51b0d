//! The connections that are open: how many of each network, and which has been idle longest.
//!
//! It is asked when a connection begins, and told when one ends; requests leave it alone. What a connection does is
//! read from its `Activity`.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::activity::Activity;
use crate::service::rates::ClientNet;

/// All open connections of a listener.
#[derive(Default)]
pub(super) struct Registry(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    next: u64,
    networks: HashMap<ClientNet, Connections>,
    /// Those that have been idle longest when all were last looked at, the longest at the end.
    idle: Vec<(Instant, Weak<Activity>)>,
}

type Connections = HashMap<u64, Arc<Activity>>;

/// An open connection, until it is dropped.
pub(super) struct Open {
    registry: Arc<Registry>,
    network: ClientNet,
    number: u64,
}

/// A network has as many connections as it may have, and none of them is idle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Registry {
    /// A connection from a network begins. Where that has as many as it may have, the one that has been idle longest
    /// is asked to end. Tells whether that was so.
    ///
    /// # Errors
    /// Where none of them is idle: the new one is too many.
    pub(super) fn enter(
        self: &Arc<Self>,
        network: ClientNet,
        activity: &Arc<Activity>,
        most: Option<NonZeroUsize>,
    ) -> Result<(Open, bool), TooMany> {
        let mut inner = self.lock();
        let number = inner.next;
        inner.next += 1;
        let others = inner.networks.entry(network).or_default();
        let full = most.is_some_and(|most| others.len() >= most.get());
        if full && !most.is_some_and(|most| make_room(others, most.get())) {
            return Err(TooMany);
        }
        others.insert(number, Arc::clone(activity));
        Ok((Open { registry: Arc::clone(self), network, number }, full))
    }

    /// Asks the connection to end that has been idle longest; where all are at work, none.
    ///
    /// All connections are looked at for one in a hundred that end so: among those the order is that of the last look.
    pub(super) fn end_longest_idle(&self) {
        let (mut inner, now) = (self.lock(), Instant::now());
        while let Some((since, activity)) = inner.idle.pop() {
            let still = activity.upgrade().filter(|activity| activity.idle_since(now) == Some(since));
            if still.is_some_and(|activity| activity.ask_to_end()) {
                return;
            }
        }
        let all = inner.networks.values().flat_map(HashMap::values);
        let idle = |activity: &Arc<Activity>| Some((activity.idle_since(now)?, Arc::downgrade(activity)));
        let mut idle: Vec<_> = all.filter(|activity| !activity.is_asked_to_end()).filter_map(idle).collect();
        let some = idle.len().div_ceil(100);
        if some < idle.len() {
            idle.select_nth_unstable_by_key(some, |(since, _)| *since);
            idle.truncate(some);
        }
        idle.sort_unstable_by_key(|(since, _)| std::cmp::Reverse(*since));
        if let Some((_, activity)) = idle.pop() {
            activity.upgrade().map(|activity| activity.ask_to_end());
        }
        inner.idle = idle;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether one of these ends, so that another may begin. One that was asked may have got a request meanwhile and stay:
/// it counts as long as it is there, and [`LEAVING`] is how many may be there over the bound.
fn make_room(others: &Connections, most: usize) -> bool {
    if others.len() >= most.saturating_add(LEAVING) {
        return false;
    }
    let asked = others.values().filter(|activity| activity.is_asked_to_end()).count();
    if others.len() - asked < most {
        return true;
    }
    let now = Instant::now();
    let staying = others.values().filter(|activity| !activity.is_asked_to_end());
    let idle = staying.filter_map(|activity| Some((activity.idle_since(now)?, activity)));
    idle.min_by_key(|(since, _)| *since).is_some_and(|(_, activity)| activity.ask_to_end())
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        let Some(others) = inner.networks.get_mut(&self.network) else { return };
        others.remove(&self.number);
        if others.is_empty() {
            inner.networks.remove(&self.network);
        }
    }
}

/// Connections of a network that were asked to end, and are still there.
const LEAVING: usize = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::server::activity::InFlight;

    fn net(last: u8) -> ClientNet {
        ClientNet::of([192, 0, 2, last].into())
    }

    /// A connection that has moved no byte for some milliseconds, with its first request.
    fn asking(millis: u64) -> (Arc<Activity>, InFlight) {
        let activity = Activity::since(Instant::now() - Duration::from_millis(millis));
        let request = activity.request();
        (activity, request)
    }

    /// The same, whose request is answered.
    fn rested(millis: u64) -> Arc<Activity> {
        asking(millis).0
    }

    #[test]
    fn a_network_has_so_many_and_the_longest_idle_makes_room() {
        let (registry, most) = (Arc::new(Registry::default()), NonZeroUsize::new(2));
        let enter = |network, activity: &Arc<Activity>, most| registry.enter(net(network), activity, most);
        let ((first, first_asks), (second, _second_asks)) = (asking(10_000), asking(20_000));
        let (_first, first_met) = enter(1, &first, most).ok().unwrap();
        let (_second, second_met) = enter(1, &second, most).ok().unwrap();
        assert_eq!([first_met, second_met], [false, false]);
        assert_eq!(enter(1, &rested(0), most).err(), Some(TooMany));
        assert!(enter(2, &rested(0), most).is_ok(), "others have their own");
        assert!(enter(1, &rested(0), None).is_ok(), "no bound");
        drop(first_asks);
        let (third, third_met) = enter(1, &rested(0), most).ok().unwrap();
        assert!(third_met && first.is_asked_to_end() && !second.is_asked_to_end());
        drop(third);
    }

    #[test]
    fn no_more_are_there_than_a_few_that_leave() {
        let (registry, most) = (Arc::new(Registry::default()), NonZeroUsize::new(4));
        // None of these heeds what it is asked.
        let mut open = Vec::new();
        let taken = (0..100).take_while(|_| {
            let entered = registry.enter(net(1), &rested(5), most);
            entered.map(|(guard, _)| open.push(guard)).is_ok()
        });
        assert_eq!(taken.count(), 4 + LEAVING);
        drop(open);
        assert!(registry.lock().networks.is_empty(), "nothing is kept of closed connections");
    }

    #[test]
    fn the_longest_idle_end_first_and_those_at_work_never() {
        let registry = Arc::new(Registry::default());
        let mut all = Vec::new();
        for n in 0..300_u16 {
            let (activity, request) = asking(100_000 - u64::from(n) * 10);
            let (open, _) = registry.enter(net((n % 7) as u8), &activity, None).ok().unwrap();
            // Each third works on.
            all.push((activity, (n % 3 == 0).then_some(request), open));
        }
        for ended in 1..=200 {
            registry.end_longest_idle();
            let asked = all.iter().filter(|(activity, ..)| activity.is_asked_to_end()).count();
            assert_eq!(asked, ended);
            let stays = |activity: &Activity| !activity.is_asked_to_end();
            let first = all.iter().position(|(activity, request, _)| request.is_none() && stays(activity));
            let last = all.iter().rposition(|(activity, ..)| activity.is_asked_to_end());
            assert!(first.is_none() || first > last, "{first:?} was idle longer than {last:?}");
        }
        registry.end_longest_idle();
        assert!(all.iter().all(|(activity, request, _)| request.is_none() || !activity.is_asked_to_end()));
    }
}
