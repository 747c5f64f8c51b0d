//! The threads that connections live on: one a core, each with a runtime of its own.
//!
//! A connection stays on its thread, so its wake-ups move no task between cores and take no lock that others take.
//! What can be answered at once is answered there; all other work goes to the runtime that the server runs on, whose
//! threads share it (`connection`). So nothing that takes long keeps a connection waiting that has no part in it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle, RuntimeMetrics};
use tokio::sync::oneshot;

/// Threads for connections; they end when this is dropped.
pub struct Workers {
    first: Worker,
    others: Vec<Worker>,
}

struct Worker {
    runtime: Handle,
    /// How many connections live here.
    connections: Arc<AtomicUsize>,
    /// The thread ends when this is dropped.
    _alive: oneshot::Sender<()>,
}

/// A place on one of the threads, until it is dropped.
pub(super) struct Placed {
    connections: Arc<AtomicUsize>,
}

impl Workers {
    /// A thread for each core.
    ///
    /// # Errors
    /// Where the system gives no thread, or nothing to wait for sockets with.
    pub fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let others = (1..cores).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Self { first: Worker::start(0)?, others })
    }

    /// What their runtimes say of themselves.
    pub fn metrics(&self) -> impl Iterator<Item = RuntimeMetrics> {
        std::iter::once(&self.first).chain(&self.others).map(|worker| worker.runtime.metrics())
    }

    /// Where the next connection shall live: the thread that has fewest.
    pub(super) fn place(&self) -> (Handle, Option<Placed>) {
        let count = |worker: &Worker| worker.connections.load(Ordering::Relaxed);
        let fewest = |one, other| if count(other) < count(one) { other } else { one };
        let worker = self.others.iter().fold(&self.first, fewest);
        worker.connections.fetch_add(1, Ordering::Relaxed);
        (worker.runtime.clone(), Some(Placed { connections: Arc::clone(&worker.connections) }))
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel();
        thread::Builder::new().name(format!("signet-io-{number}")).spawn(move || {
            // An error is that the sender is gone, which is the sign.
            let _ = runtime.block_on(ended);
        })?;
        Ok(Self { runtime: handle, connections: Arc::default(), _alive: alive })
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_gets_a_thread_that_has_fewest() {
        let workers = Workers { first: Worker::start(0).unwrap(), others: vec![Worker::start(1).unwrap()] };
        let there = || {
            let all = std::iter::once(&workers.first).chain(&workers.others);
            all.map(|worker| worker.connections.load(Ordering::Relaxed)).collect::<Vec<_>>()
        };
        let (_, first) = workers.place();
        let _others = [workers.place(), workers.place(), workers.place()];
        assert_eq!(there(), [2, 2]);
        drop(first);
        assert_eq!(there(), [1, 2]);
        let _last = workers.place();
        assert_eq!(there(), [2, 2]);
    }
}
