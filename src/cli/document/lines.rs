//! A document a line, in constant memory and on all cores.
//!
//! 1. A thread reads, and cuts what is there into batches: few lines, or a single long one.
//! 2. The lines of a batch are signed at the same time, while the next batch is read.
//! 3. Answers are written in the order of the lines, a batch at once.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesOrdered;
use serde_json::json;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinError;
use tokio::time::{MissedTickBehavior, interval};

use super::input::Input;
use super::progress::{Counts, PERIOD, Progress};
use super::totals::Totals;
use super::{Signed, Signer, tell_unsigned};
use crate::cli::{CliError, Output};
use crate::service::lines::{Content, Line, Lines};

/// Reads and signs documents, a line each. A line of more than `max_line` bytes is answered by a problem.
///
/// # Errors
/// Where the input can't be read, or any line couldn't be signed.
pub async fn sign(
    signer: Signer,
    input: Input,
    max_line: usize,
    progress: Progress,
    out: &mut Output,
) -> Result<(), CliError> {
    let (sender, batches) = channel(1);
    let counts = Arc::clone(progress.counts());
    // It is left behind where nobody takes its lines any more: a read of a terminal can't be ended.
    let reader = thread::Builder::new().name("read".to_owned());
    let reading = reader.spawn(move || read(input, Lines::new(max_line), &counts, &sender));
    reading.map_err(|error| CliError::about("starting a thread", error))?;
    let mut job = Job { signer, max_line, progress, out, totals: Totals::default(), lines: 0, failed: 0 };
    let read = job.run(batches).await?;
    job.finish(read)
}

/// Cuts the input into batches. Ends with it, with an error, or where nobody takes them any more.
fn read(mut input: Input, mut lines: Lines, counts: &Counts, batches: &Sender<io::Result<Vec<Line>>>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let batch = lines.batch();
        if !batch.is_empty() {
            if batches.blocking_send(Ok(batch)).is_err() {
                return;
            }
            continue;
        }
        match input.read(&mut chunk) {
            Ok(0) => {
                let last: Vec<Line> = lines.last().into_iter().collect();
                // Where nobody takes it, nobody needs it.
                let _ = batches.blocking_send(Ok(last));
                return;
            }
            Ok(length) => {
                counts.bytes.fetch_add(length as u64, Ordering::Relaxed);
                lines.push(chunk.get(..length).unwrap_or_default());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let _ = batches.blocking_send(Err(error));
                return;
            }
        }
    }
}

struct Job<'o> {
    signer: Signer,
    max_line: usize,
    progress: Progress,
    out: &'o mut Output,
    totals: Totals,
    lines: u64,
    failed: u64,
}

/// What becomes of a line, and whether `\n` follows.
struct Answer(Outcome, bool);

enum Outcome {
    Signed(Signed),
    Blank(Bytes),
    TooLong,
}

impl Job<'_> {
    /// Answers all batches. Gives the error that ended the reading, if one did.
    async fn run(
        &mut self,
        mut batches: Receiver<io::Result<Vec<Line>>>,
    ) -> Result<io::Result<()>, CliError> {
        let mut under_way = FuturesOrdered::new();
        let mut read = None;
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                batch = batches.recv(), if read.is_none() && under_way.len() < BATCHES => match batch {
                    Some(Ok(batch)) => under_way.push_back(join_all(batch.into_iter().map(|line| self.start(line)))),
                    Some(Err(error)) => read = Some(Err(error)),
                    None => read = Some(Ok(())),
                },
                Some(answers) = under_way.next() => self.write(answers)?,
                _ = tick.tick() => self.progress.show(self.out),
            }
            if under_way.is_empty()
                && let Some(read) = read.take()
            {
                return Ok(read);
            }
        }
    }

    /// Begins to sign a line.
    fn start(&self, line: Line) -> impl Future<Output = Result<Answer, JoinError>> + use<> {
        let signing = match line.content {
            Content::Document(document) => Ok(self.signer.start(document)),
            Content::Blank(bytes) => Err(Outcome::Blank(bytes)),
            Content::TooLong => Err(Outcome::TooLong),
        };
        async move {
            let outcome = match signing {
                Ok(signing) => Outcome::Signed(signing.await?),
                Err(outcome) => outcome,
            };
            Ok(Answer(outcome, line.ended))
        }
    }

    fn write(&mut self, answers: Vec<Result<Answer, JoinError>>) -> Result<(), CliError> {
        let mut block = Vec::new();
        for answer in answers {
            let Answer(outcome, ended) = answer.map_err(|error| CliError::about("signing", error))?;
            self.lines += 1;
            match outcome {
                Outcome::Signed(Ok(signed)) => {
                    self.totals.add(&signed);
                    self.signer.answer(&signed, &mut block);
                }
                Outcome::Signed(Err(error)) => {
                    tell_unsigned(&error, &format!("line {}: ", self.lines), self.out);
                    self.refuse(&error.to_string(), &mut block);
                }
                Outcome::Blank(bytes) => block.extend_from_slice(&bytes),
                Outcome::TooLong => {
                    self.refuse(&format!("it has more than {} bytes", self.max_line), &mut block);
                }
            }
            if ended {
                block.push(b'\n');
            }
        }
        self.progress.counts().lines.store(self.lines, Ordering::Relaxed);
        self.out.bytes(&block)
    }

    /// Answers a line by a problem.
    fn refuse(&mut self, detail: &str, block: &mut Vec<u8>) {
        self.failed += 1;
        self.out.diagnose(&format!("line {}: {detail}", self.lines));
        let title = "The document can't be signed";
        let problem = json!({"type": "about:blank", "title": title, "detail": detail});
        block.extend_from_slice(problem.to_string().as_bytes());
    }

    fn finish(self, read: io::Result<()>) -> Result<(), CliError> {
        let bytes = self.progress.counts().bytes.load(Ordering::Relaxed);
        self.totals.tell(bytes, self.progress.elapsed(), self.out);
        read.map_err(|error| CliError::about("input", error))?;
        match self.failed {
            0 => Ok(()),
            failed => Err(CliError::Failed(format!("{failed} of {} lines can't be signed", self.lines))),
        }
    }
}

/// Batches that are signed at the same time: while the last line of one is waited for, others go on.
const BATCHES: usize = 2;
/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;
