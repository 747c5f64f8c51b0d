//! Threads that sign, apart from those that serve.
//!
//! An RSA signature takes a quarter of a millisecond: on the async threads a cold document would
//! hold up every other request. The queue is bounded by its users: each waits for its own
//! signatures, and [`super::links`] has few of them under way at a time for one request.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::key_ring::RingKey;
use crate::cloudfront::{SignError, Signature};

/// A fixed number of signing threads, which end with the pool.
pub struct SigningPool {
    jobs: Sender<Job>,
}

struct Job {
    key: Arc<RingKey>,
    message: String,
    answer: oneshot::Sender<Result<Signature, SignError>>,
}

impl SigningPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(threads: NonZeroUsize) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for index in 0..threads.get() {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(format!("sign-{index}")).spawn(move || work(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Signs a policy. Dropping the future takes the job out of the queue, unless it has begun.
    ///
    /// # Errors
    /// Where the key can't sign it.
    pub async fn sign(&self, key: Arc<RingKey>, message: String) -> Result<Signature, SignError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { key, message, answer }).map_err(|_| SignError::Crypto)?;
        answered.await.map_err(|_| SignError::Crypto)?
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if job.answer.is_closed() {
            continue;
        }
        let signature = job.key.private.sign(job.message.as_bytes(), job.key.hash);
        // Nobody waits any more: the request was cancelled meanwhile.
        let _ = job.answer.send(signature);
    }
}
