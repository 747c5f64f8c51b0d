//! Threads that sign, apart from those that serve.
//!
//! An RSA signature takes a quarter of a millisecond: on the async threads a cold document would
//! hold up every other request. Tenants take turns: however much one has asked for, another waits
//! for no more than a job of each.
//!
//! What nobody waits for is done by threads of its own, half as many. On Linux they never put another one aside when
//! they are woken (`SCHED_BATCH`): it is the thread that serves a request which wakes them. They have their fair share
//! of the cores, no less (`SCHED_IDLE`), as others may wait for a lock that they hold.
//!
//! The queue is bounded where a request begins ([`SigningPool::admit`]): a tenant may have as many requests that wait
//! as there is room left, so that who fills it leaves as much to others. A request that was let in goes on: it waits
//! for its own jobs, and [`super::links`] has few of them under way at a time.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;
use tracing::Span;

use super::ports::{Meter, NoMeter};
use super::shares::{Share, Shares};

/// A fixed number of signing threads, and half as many for what nobody waits for; they end with the pool.
pub struct SigningPool {
    queue: Arc<Queue>,
    threads: NonZeroUsize,
    /// Requests that wait.
    waiting: Shares<Lane>,
    meter: Arc<dyn Meter>,
}

/// Whose turn it is: each tenant has a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lane(pub u64);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    change: Condvar,
    /// There is a job that nobody waits for.
    idle_change: Condvar,
}

#[derive(Default)]
struct State {
    lanes: HashMap<Lane, VecDeque<Job>>,
    /// The lanes that have jobs, the next one first.
    turns: VecDeque<Lane>,
    /// Jobs that nobody waits for.
    idle: VecDeque<Job>,
    closed: bool,
}

/// The pool's thread is gone, or the job has failed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing threads don't answer")]
pub struct PoolError;

/// A request that waits for its jobs, until this is dropped.
pub type Admitted = Share<Lane>;

/// A tenant has as many requests that wait as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many signatures are waited for")]
pub struct QueueFull;

impl SigningPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(threads: NonZeroUsize) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        for index in 0..threads.get() {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(format!("sign-{index}")).spawn(move || work(|| queue.next()))?;
        }
        for index in 0..threads.get().div_ceil(2) {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(format!("sign-ahead-{index}")).spawn(move || {
                give_way();
                work(|| queue.next_idle());
            })?;
        }
        Ok(Self { queue, threads, waiting: Shares::new(usize::MAX), meter: Arc::new(NoMeter) })
    }

    /// The pool, which tells a meter of its queue. Jobs that nobody waits for aren't told of.
    #[must_use]
    pub fn metered(mut self, meter: Arc<dyn Meter>) -> Self {
        self.meter = meter;
        self
    }

    /// The pool, for whose jobs no more than so many requests wait.
    #[must_use]
    pub fn bounded(mut self, requests: usize) -> Self {
        self.waiting = Shares::new(requests);
        self
    }

    /// Lets a request of a lane begin to have jobs done.
    ///
    /// # Errors
    /// Where as many of the lane wait as there is room left for others.
    pub fn admit(&self, lane: Lane) -> Result<Admitted, QueueFull> {
        let mut request = self.waiting.none(lane);
        if request.take(1) { Ok(request) } else { Err(QueueFull) }
    }

    /// How many threads sign what is waited for.
    #[must_use]
    pub fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// Does a job of a lane on one of the threads. Dropping the future takes the job out of the
    /// queue, unless it has begun.
    ///
    /// # Errors
    /// Where the job doesn't end.
    pub async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (answer, answered) = oneshot::channel();
        let (meter, queued) = (Arc::clone(&self.meter), Instant::now());
        meter.queued();
        let span = Span::current();
        let job = move || {
            let _within = span.enter();
            meter.taken(queued.elapsed());
            if !answer.is_closed() {
                // Where nobody waits any more, the request was cancelled meanwhile.
                let _ = answer.send(job());
            }
        };
        self.queue.push(lane, Box::new(job));
        answered.await.map_err(|_| PoolError)
    }

    /// Does a job that nobody waits for; not at all where [`MOST_IDLE`] of them are there.
    pub fn run_idle(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.queue.state();
        if state.idle.len() < MOST_IDLE {
            state.idle.push_back(Box::new(job));
            drop(state);
            self.queue.idle_change.notify_one();
        }
    }
}

impl Drop for SigningPool {
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.change.notify_all();
        self.queue.idle_change.notify_all();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, lane: Lane, job: Job) {
        let mut state = self.state();
        let jobs = state.lanes.entry(lane).or_default();
        jobs.push_back(job);
        if jobs.len() == 1 {
            state.turns.push_back(lane);
        }
        drop(state);
        self.change.notify_one();
    }

    /// The next job that is waited for: the first of the lane whose turn it is. `None` when the pool has gone.
    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(lane) = state.turns.pop_front() {
                let jobs = state.lanes.get_mut(&lane);
                let job = jobs.and_then(|jobs| jobs.pop_front().map(|job| (job, jobs.is_empty())));
                match job {
                    Some((_, true)) => drop(state.lanes.remove(&lane)),
                    _ => state.turns.push_back(lane),
                }
                if let Some((job, _)) = job {
                    return Some(job);
                }
            } else if state.closed {
                return None;
            } else {
                state = self.change.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// The next job that nobody waits for. `None` when the pool has gone.
    fn next_idle(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            match state.idle.pop_front() {
                Some(job) => return Some(job),
                None => {
                    state = self.idle_change.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

fn work(next: impl Fn() -> Option<Job>) {
    while let Some(job) = next() {
        // A job that panics answers nobody, which is an error to whom it belongs; the thread goes on.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

/// This thread waits for its turn on a core when it is woken. Where the system forbids that, it is one like others.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::{
            NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        use thread_priority::{ThreadPriority, ThreadPriorityOsValue};

        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        let nice = ThreadPriority::Os(ThreadPriorityOsValue::default());
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), nice, policy) {
            tracing::debug!(?error, "signing ahead is scheduled like all else");
        }
    }
}

/// How many jobs that nobody waits for may be there.
const MOST_IDLE: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn lanes_take_turns_however_long_they_are() {
        let pool = SigningPool::start(NonZeroUsize::MIN).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let closed = pool.run(Lane(9), move || gate.recv().unwrap());
        let noted = |lane, index| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap().push((lane, index))
        };
        let large = (0..100).map(|index| pool.run(Lane(1), noted(1, index)));
        let large = futures_util::future::join_all(large);
        let small = (0..2).map(|index| pool.run(Lane(2), noted(2, index)));
        let small = futures_util::future::join_all(small);
        let opened = async { open.send(()).unwrap() };
        let (done, ..) = futures_util::future::join4(closed, large, small, opened).await;
        done.unwrap();
        let order = order.lock().unwrap();
        assert_eq!((order.len(), &order[..4]), (102, &[(1, 0), (2, 0), (1, 1), (2, 1)][..]));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_keeps_nobody_waiting() {
        let pool = SigningPool::start(NonZeroUsize::MIN).unwrap();
        let (begun, began) = std::sync::mpsc::channel();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        pool.run_idle(move || {
            begun.send(std::fs::read_to_string("/proc/thread-self/stat")).unwrap();
            gate.recv().unwrap();
        });
        let stat = began.recv().unwrap();
        assert_eq!(pool.run(Lane(1), || 7).await, Ok(7), "while that isn't done");
        open.send(()).unwrap();
        if cfg!(target_os = "linux") {
            let stat = stat.unwrap();
            let policy = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38);
            assert_eq!(policy, Some("3"), "SCHED_BATCH: {stat}");
        }
    }

    #[test]
    fn half_as_many_threads_as_sign_do_what_nobody_waits_for() {
        let pool = SigningPool::start(NonZeroUsize::new(4).unwrap()).unwrap();
        let (begun, began) = std::sync::mpsc::channel();
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        for _ in 0..3 {
            let (begun, gate) = (begun.clone(), Arc::clone(&gate));
            pool.run_idle(move || {
                begun.send(()).unwrap();
                drop(gate.lock().unwrap());
            });
        }
        for _ in 0..2 {
            began.recv_timeout(Duration::from_secs(30)).expect("two at the same time");
        }
        assert!(began.recv_timeout(Duration::from_millis(100)).is_err(), "the third waits for one of them");
        drop(closed);
        began.recv_timeout(Duration::from_secs(30)).expect("its turn comes");
    }

    #[tokio::test]
    async fn what_is_cancelled_before_it_begins_is_not_done() {
        let pool = SigningPool::start(NonZeroUsize::MIN).unwrap();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let mut closed = Box::pin(pool.run(Lane(1), move || gate.recv().unwrap()));
        assert!(closed.as_mut().now_or_never().is_none());
        let done = Arc::new(Mutex::new(0));
        let job = || {
            let done = Arc::clone(&done);
            move || *done.lock().unwrap() += 1
        };
        assert!(pool.run(Lane(1), job()).now_or_never().is_none());
        open.send(()).unwrap();
        closed.await.unwrap();
        pool.run(Lane(1), job()).await.unwrap();
        assert_eq!(*done.lock().unwrap(), 1);
    }

    #[tokio::test]
    async fn a_job_that_panics_is_an_error_and_the_thread_goes_on() {
        let pool = SigningPool::start(NonZeroUsize::MIN).unwrap();
        let panicked = pool.run(Lane(1), || assert_eq!(1, 2, "a job of this test")).await;
        assert_eq!(panicked, Err(PoolError));
        assert_eq!(pool.run(Lane(1), || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn no_more_than_so_many_jobs_that_nobody_waits_for_are_kept() {
        let pool = SigningPool::start(NonZeroUsize::MIN).unwrap();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (begun, began) = std::sync::mpsc::channel();
        pool.run_idle(move || {
            begun.send(()).unwrap();
            gate.recv().unwrap();
        });
        began.recv().unwrap();
        let done = Arc::new(Mutex::new(0));
        let count = || {
            let done = Arc::clone(&done);
            pool.run_idle(move || *done.lock().unwrap() += 1);
        };
        for _ in 0..MOST_IDLE + 5 {
            count();
        }
        open.send(()).unwrap();
        while *done.lock().unwrap() < MOST_IDLE {
            tokio::task::yield_now().await;
        }
        count();
        while *done.lock().unwrap() <= MOST_IDLE {
            tokio::task::yield_now().await;
        }
        assert_eq!(*done.lock().unwrap(), MOST_IDLE + 1, "the five that were too many aren't done");
    }
}
