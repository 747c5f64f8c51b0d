//! The liveness probe: a `ping` where nothing else shows whether the cluster answers, or whether requests can get a
//! connection.
//!
//! 1. It takes no connection of its own: it waits in the pool's queue as operations do. Where requests are answered it
//!    sends nothing.
//! 2. [`Feed`](super::Feed) says by its answers that the cluster is silent ([`SILENCE`](super::pulse::SILENCE)).
//! 3. [`Access`] says whether requests can get a connection.

use std::time::Duration;

use mongodb::bson::doc;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Mongo;
use super::error::is_answer;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A ping is sent where nothing was heard for so long: half of the time after which the cluster counts as silent.
const SILENT: Duration = Duration::from_millis(750);
/// A ping is sent where no request was answered for so long.
const UNSERVED: Duration = Duration::from_secs(2);
/// The same where none can be.
const UNSERVED_AND_DENIED: Duration = Duration::from_secs(1);
/// How long the change stream is waited for at the start: it takes a connection first.
const FEED_FIRST: Duration = Duration::from_secs(2);
/// The primary counts as alive for a heartbeat and so long after it was heard.
const HEARTBEAT_MARGIN: Duration = Duration::from_secs(1);
/// Requests fail for a heartbeat and so long, without one that is answered, before it is said.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether requests can get a connection to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// None has been had since the start, beside that of the change stream.
    Unproven,
    /// One can be had, or the whole cluster is away.
    Granted,
    /// None can be had, though the primary is alive.
    Denied,
}

impl Mongo {
    /// Probes the cluster for as long as the node serves, and says by `access` whether requests can get a connection.
    pub async fn probe(self, access: watch::Sender<Access>) {
        let cluster = &self.0.cluster;
        let (pulse, options) = (cluster.pulse(), cluster.options());
        let mut judge = Judge::new(*access.borrow(), options.heartbeat.saturating_add(PATIENCE));
        let alive_for = options.heartbeat.saturating_add(HEARTBEAT_MARGIN);
        let began = Instant::now();
        loop {
            sleep(LOOK_EVERY).await;
            if !pulse.feed_tried() && began.elapsed() < FEED_FIRST {
                continue;
            }
            let unserved = match judge.access {
                Access::Unproven => Duration::ZERO,
                Access::Granted => UNSERVED,
                Access::Denied => UNSERVED_AND_DENIED,
            };
            let outcome = if pulse.silent_for() >= SILENT || pulse.unserved_for() >= unserved {
                let ping = cluster.control_database();
                let ping = timeout(options.ping, ping.run_command(doc! { "ping": 1 })).await;
                if ping.is_ok_and(|ping| ping.as_ref().map_or_else(is_answer, |_| true)) {
                    pulse.served();
                    Outcome::Answered
                } else if pulse.primary_unheard_for() < alive_for {
                    Outcome::Denied
                } else {
                    Outcome::Away
                }
            } else {
                Outcome::Answered
            };
            let judged = judge.take(outcome, Instant::now());
            access.send_if_modified(|access| std::mem::replace(access, judged) != judged);
        }
    }
}

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// A request was answered, or a ping.
    Answered,
    /// None was, though the primary is alive.
    Denied,
    /// None was, and nobody hears the primary.
    Away,
}

/// From outcomes to [`Access`].
struct Judge {
    access: Access,
    patience: Duration,
    denied_since: Option<Instant>,
}

impl Judge {
    fn new(access: Access, patience: Duration) -> Self {
        Self { access, patience, denied_since: None }
    }

    fn take(&mut self, outcome: Outcome, now: Instant) -> Access {
        match outcome {
            Outcome::Answered => {
                self.denied_since = None;
                self.access = Access::Granted;
            }
            Outcome::Away => {
                self.denied_since = None;
                if self.access == Access::Denied {
                    self.access = Access::Granted;
                }
            }
            Outcome::Denied => {
                let since = *self.denied_since.get_or_insert(now);
                if self.access == Access::Granted && now.duration_since(since) >= self.patience {
                    self.access = Access::Denied;
                }
            }
        }
        self.access
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// What is judged of outcomes that come a second after each other.
    fn judged(from: Access, outcomes: &[(Outcome, usize)]) -> Vec<Access> {
        let (mut judge, began) = (Judge::new(from, PATIENCE), Instant::now());
        let all = outcomes.iter().flat_map(|(outcome, times)| std::iter::repeat_n(*outcome, *times));
        let mut judged = vec![from];
        for (second, outcome) in (0..).zip(all) {
            let now = judge.take(outcome, began + Duration::from_secs(second));
            if judged.last() != Some(&now) {
                judged.push(now);
            }
        }
        judged
    }

    #[test]
    fn access_is_denied_after_some_time_without_an_answer_and_granted_by_the_next() {
        use Outcome::{Answered, Denied};
        assert_eq!(judged(Access::Granted, &[(Denied, 10)]), [Access::Granted]);
        let (granted, denied) = (Access::Granted, Access::Denied);
        assert_eq!(judged(granted, &[(Denied, 11), (Answered, 1)]), [granted, denied, granted]);
        // One answer among many refusals is an answer: a node under load is no node without access.
        assert_eq!(judged(granted, &[(Denied, 9), (Answered, 1), (Denied, 9), (Answered, 1)]), [granted]);
    }

    #[test]
    fn a_cluster_that_is_away_is_no_denial_nor_is_its_return() {
        use Outcome::{Away, Denied};
        // Its monitors' last answers are seconds old when it goes, and new when it is back.
        assert_eq!(judged(Access::Granted, &[(Denied, 6), (Away, 60), (Denied, 6)]), [Access::Granted]);
        let (granted, denied) = (Access::Granted, Access::Denied);
        assert_eq!(judged(granted, &[(Denied, 11), (Away, 1)]), [granted, denied, granted]);
    }

    #[test]
    fn at_the_start_nothing_but_an_answer_proves_access() {
        use Outcome::{Answered, Away, Denied};
        let unproven = Access::Unproven;
        assert_eq!(judged(unproven, &[(Denied, 60), (Away, 60)]), [unproven]);
        assert_eq!(judged(unproven, &[(Away, 5), (Answered, 1)]), [unproven, Access::Granted]);
    }
}
