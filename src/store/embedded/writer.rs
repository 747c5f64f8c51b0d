//! One thread that commits many writes at once.
//!
//! A commit costs an fsync, whatever it holds. So writers queue, and the thread
//! 1. takes all that wait, up to [`BATCH`];
//! 2. runs them one after the other in one transaction: each sees what those before it did;
//! 3. commits;
//! 4. answers. Whoever has an answer has it durable.
//!
//! Where the database fails, the whole batch is undone and each of its callers told so.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use redb::{Database, WriteTransaction};
use tokio::sync::oneshot;

use crate::service::ports::StoreError;

/// The most writes in a transaction: bounds its memory, and how long the first of them waits.
const BATCH: usize = 512;

/// Does its work in a transaction; gives back what is to be called once that is committed.
type Job = Box<dyn FnOnce(&WriteTransaction) -> Result<Answer, redb::Error> + Send>;
type Answer = Box<dyn FnOnce() + Send>;

/// The queue of writes. Waits for its thread when dropped.
pub struct Writer {
    queue: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(database: Arc<Database>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel();
        let thread =
            thread::Builder::new().name("signet-writer".into()).spawn(move || run(&database, &jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs work in a transaction and answers when it is durable. An error undoes what others asked
    /// for too, so it is for failures of the database alone.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let value = work(transaction)?;
            // Nobody listens any more where the caller was cancelled; the write holds all the same.
            Ok(Box::new(move || drop(answer.send(value))))
        });
        let queued = self.queue.as_ref().is_some_and(|queue| queue.send(job).is_ok());
        if !queued {
            return Err(StoreError::unavailable("the embedded database is closed"));
        }
        answered.await.map_err(|_| StoreError::unavailable("the embedded database failed to write"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }
}

fn run(database: &Database, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let batch = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1));
        match commit(database, batch) {
            Ok(answers) => answers.into_iter().for_each(|answer| answer()),
            Err(error) => tracing::error!(%error, "the embedded database failed to write"),
        }
    }
}

fn commit(database: &Database, batch: impl Iterator<Item = Job>) -> Result<Vec<Answer>, redb::Error> {
    // Durability::Immediate is the default: commit answers after the fsync.
    let transaction = database.begin_write()?;
    let answers = batch.map(|job| job(&transaction)).collect::<Result<Vec<_>, _>>()?;
    transaction.commit()?;
    Ok(answers)
}
