//! The liveness probe: sends a `ping` if no other traffic shows that the cluster answers and that requests can get a
//! connection.
//!
//! 1. It has no connection of its own: it waits in the pool's queue like any operation. While requests are answered, it
//!    sends nothing.
//! 2. [`Feed`](super::Feed) uses the answers to detect that the cluster is silent ([`SILENCE`](super::pulse::SILENCE)).
//! 3. [`Access`] tells whether requests can get a connection.

use std::time::Duration;

use mongodb::bson::doc;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Mongo;
use super::error::is_answer;

/// The interval of the checks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The interval at startup, until the first answer.
const LOOK_AT_START_EVERY: Duration = Duration::from_millis(10);
/// A ping is sent after this time without any answer: half the time after which the cluster counts as silent.
const SILENT: Duration = Duration::from_millis(750);
/// A ping is sent after this time without an answered request.
const UNSERVED: Duration = Duration::from_secs(2);
/// The same while requests get no connection.
const UNSERVED_AND_DENIED: Duration = Duration::from_secs(1);
/// How long startup waits for the change stream, which takes the first connection.
const FEED_FIRST: Duration = Duration::from_secs(2);
/// The primary counts as alive until a heartbeat interval plus this margin after its last answer.
const HEARTBEAT_MARGIN: Duration = Duration::from_secs(1);
/// The node becomes unready after a heartbeat interval plus this time without a connection for requests.
const DENIED_AFTER: Duration = Duration::from_secs(5);
/// The node becomes ready again after this time with answers. A single answer proves little: even with too few
/// connections, one of them is sometimes free.
const STEADY: Duration = Duration::from_secs(2);

/// Whether requests can get a connection to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// There hasn't been one yet since startup, besides that of the change stream.
    Unproven,
    /// They can, or the whole cluster is down.
    Granted,
    /// They can't, although the primary is alive.
    Denied,
}

impl Mongo {
    /// Probes the cluster forever, and reports to `access` whether requests can get a connection.
    pub async fn probe(self, access: watch::Sender<Access>) {
        let (pulse, options) = (self.0.cluster.pulse(), self.0.cluster.options());
        let mut judge = Judge::new(*access.borrow(), options.heartbeat.saturating_add(DENIED_AFTER));
        let began = Instant::now();
        loop {
            let starting = judge.access == Access::Unproven && began.elapsed() < FEED_FIRST;
            sleep(if starting { LOOK_AT_START_EVERY } else { LOOK_EVERY }).await;
            if !pulse.feed_tried() && starting {
                continue;
            }
            let unserved = match judge.access {
                Access::Unproven => Duration::ZERO,
                Access::Granted => UNSERVED,
                Access::Denied => UNSERVED_AND_DENIED,
            };
            let outcome = if pulse.silent_for() >= SILENT || pulse.unserved_for() >= unserved {
                self.ping().await
            } else {
                Outcome::Answered
            };
            let judged = judge.take(outcome, Instant::now());
            access.send_if_modified(|access| std::mem::replace(access, judged) != judged);
        }
    }

    /// Sends a ping over a connection of the pool.
    async fn ping(&self) -> Outcome {
        let cluster = &self.0.cluster;
        let (pulse, options) = (cluster.pulse(), cluster.options());
        let database = cluster.control_database();
        let answer = timeout(options.ping, database.run_command(doc! { "ping": 1 })).await;
        // The change stream, if there is one, occupies one of them.
        let beside_the_feed = pulse.connections() > 1 || !pulse.feed_heard();
        match answer {
            Ok(answer) if answer.as_ref().map_or_else(is_answer, |_| true) => {
                pulse.served();
                if beside_the_feed {
                    return Outcome::Answered;
                }
            }
            Ok(_) => {}
            Err(_) if beside_the_feed => return Outcome::Busy,
            Err(_) => {}
        }
        if pulse.primary_unheard_for() < options.heartbeat.saturating_add(HEARTBEAT_MARGIN) {
            Outcome::Denied
        } else {
            Outcome::Away
        }
    }
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// A request or a ping was answered.
    Answered,
    /// There are connections, but none became free for a ping.
    Busy,
    /// Nothing was answered, except over the change stream's connection, although the primary is alive.
    Denied,
    /// Nothing was answered, and the primary isn't heard.
    Away,
}

/// Derives [`Access`] from the outcomes over time.
struct Judge {
    access: Access,
    patience: Duration,
    answered_since: Option<Instant>,
    denied_since: Option<Instant>,
}

impl Judge {
    fn new(access: Access, patience: Duration) -> Self {
        Self { access, patience, answered_since: None, denied_since: None }
    }

    fn take(&mut self, outcome: Outcome, now: Instant) -> Access {
        let lasts = |since: &mut Option<Instant>| now.duration_since(*since.get_or_insert(now));
        if outcome == Outcome::Answered {
            if lasts(&mut self.answered_since) >= STEADY || self.access == Access::Unproven {
                self.denied_since = None;
                self.access = Access::Granted;
            }
            return self.access;
        }
        self.answered_since = None;
        match outcome {
            Outcome::Denied => {
                if lasts(&mut self.denied_since) >= self.patience && self.access == Access::Granted {
                    self.access = Access::Denied;
                }
            }
            Outcome::Away => {
                self.denied_since = None;
                if self.access == Access::Denied {
                    self.access = Access::Granted;
                }
            }
            Outcome::Busy | Outcome::Answered => {}
        }
        self.access
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// The states that outcomes at intervals of a second lead to.
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
    fn access_is_denied_after_some_time_and_granted_once_answers_are_steady() {
        use Outcome::{Answered, Busy, Denied};
        let (granted, denied) = (Access::Granted, Access::Denied);
        assert_eq!(judged(granted, &[(Denied, 10)]), [granted]);
        assert_eq!(judged(granted, &[(Denied, 11)]), [granted, denied]);
        assert_eq!(judged(granted, &[(Denied, 11), (Answered, 3)]), [granted, denied, granted]);
        // Single answers change nothing, in either state.
        assert_eq!(judged(granted, &[(Denied, 5), (Answered, 1), (Denied, 5)]), [granted, denied]);
        assert_eq!(judged(granted, &[(Denied, 11), (Answered, 2), (Denied, 1)]), [granted, denied]);
        // Neither do occasional refusals, nor a busy pool.
        assert_eq!(judged(granted, &[(Denied, 9), (Answered, 3), (Denied, 9), (Answered, 3)]), [granted]);
        assert_eq!(judged(granted, &[(Busy, 60)]), [granted]);
    }

    #[test]
    fn a_cluster_that_is_away_is_no_denial_nor_is_its_return() {
        use Outcome::{Away, Denied};
        // The monitor's last answer is still recent when the cluster goes down, and recent again when it is back.
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
