//! The port [`ChangeFeed`]: a change stream on the cluster, of `media_assets` in every database and of the groups.
//!
//! 1. It takes one connection of the pool, which no request waits for.
//! 2. After a break it goes on where it ended, by its resume token, for as long as the server's log reaches back.
//! 3. Where that can't be, it begins anew and says so: what was changed meanwhile wasn't heard of.
//! 4. It backs off between attempts, up to [`LONGEST_REST`], or [`LONGEST_REFUSED_REST`] if the server refuses.
//! 5. The server answers at least every [`AWAIT`]. If it doesn't for [`SILENCE`], the listener is told that the feed is
//!    lost, or, if other operations aren't answered either ([`Pulse`](super::pulse::Pulse)), that the store is
//!    unresponsive. The stream is kept: if the server was only slow, it continues without a gap.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use mongodb::bson::{Bson, Document, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::{ChangeStreamEvent, ResumeToken};
use mongodb::error::{Error, ErrorKind};
use tokio::time::{Instant, sleep, timeout};

use super::Mongo;
use super::error::is_answer;
use super::indexes::ASSETS;
use super::pulse::SILENCE;
use super::tenants::GROUPS;
use crate::media::TenantId;
use crate::service::ports::{Change, ChangeFeed};

/// How long the server waits for a change before it says that there is none.
const AWAIT: Duration = Duration::from_millis(500);
/// The interval of the checks for silence.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// If two checks are this far apart, the process was suspended.
const STANDSTILL: Duration = Duration::from_millis(1_000);
/// The rest after the first break.
const FIRST_REST: Duration = Duration::from_millis(100);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// The longest rest if the server refuses the stream, which won't change soon.
const LONGEST_REFUSED_REST: Duration = Duration::from_secs(5);
/// The server's codes for a token from which it can't go on.
const TOKEN_LOST: [i32; 3] = [260, 280, 286];

type Stream = ChangeStream<ChangeStreamEvent<Document>>;

/// The changes in a cluster.
pub struct Feed {
    mongo: Mongo,
    stream: Option<Stream>,
    token: Option<ResumeToken>,
    rest: Duration,
    /// The step in progress. It must be polled to completion: the driver's streams aren't cancel-safe.
    step: Option<BoxFuture<'static, Step>>,
    /// The last state that the listener was told.
    told: Told,
    /// When the stream was last answered.
    answered: Instant,
    /// When silence was last checked for.
    looked: Instant,
    /// An event to report after another one.
    next: Option<Change>,
}

/// The result of a step.
enum Step {
    /// The attempt to open a stream.
    Opened(Result<Stream, Error>),
    /// The stream's next event, if there was one.
    Asked(Stream, Result<Option<Box<ChangeStreamEvent<Document>>>, Error>),
    /// No answer within the time of an operation.
    Late,
}

/// The state of the feed, as the listener knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Changes are received.
    Heard,
    /// Changes aren't received. The cluster may answer.
    Lost,
    /// The cluster answers nothing.
    Unresponsive,
}

impl Mongo {
    /// The changes in the cluster, from now on.
    #[must_use]
    pub fn feed(&self) -> Feed {
        Feed {
            mongo: self.clone(),
            stream: None,
            token: None,
            rest: Duration::ZERO,
            step: None,
            told: Told::Lost,
            answered: Instant::now(),
            looked: Instant::now(),
            next: None,
        }
    }
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.next.take() {
                return change;
            }
            self.discount_suspension();
            let step = match &mut self.step {
                Some(step) => step,
                None => {
                    let step = self.begin();
                    self.step.insert(step)
                }
            };
            let change = tokio::select! {
                biased;
                outcome = step => {
                    self.step = None;
                    self.take(outcome)
                }
                () = sleep(LOOK_EVERY) => self.look(),
            };
            if let Some(change) = change {
                return change;
            }
        }
    }
}

/// What an event means.
enum Heard {
    Change(Change),
    Nothing,
    TooMuch,
}

impl Feed {
    /// Starts the next step: reads from the stream, or opens one.
    fn begin(&mut self) -> BoxFuture<'static, Step> {
        match self.stream.take() {
            Some(stream) => self.ask(stream),
            None => self.open(),
        }
    }

    /// Reads from a stream.
    fn ask(&self, mut stream: Stream) -> BoxFuture<'static, Step> {
        let patience = AWAIT.saturating_add(self.mongo.0.cluster.options().patience());
        Box::pin(async move {
            match timeout(patience, stream.next_if_any()).await {
                Ok(event) => Step::Asked(stream, event.map(|event| event.map(Box::new))),
                Err(_) => Step::Late,
            }
        })
    }

    /// Opens a stream, after a rest.
    fn open(&mut self) -> BoxFuture<'static, Step> {
        let rest = self.rest;
        self.rest = (self.rest * 2).clamp(FIRST_REST, LONGEST_REFUSED_REST);
        let (mongo, token) = (self.mongo.clone(), self.token.clone());
        Box::pin(async move {
            sleep(rest).await;
            let cluster = &mongo.0.cluster;
            let control = cluster.control_database().name().to_owned();
            let of = doc! { "$match": { "$or": [
                { "ns.coll": ASSETS },
                { "ns.db": control, "ns.coll": GROUPS },
                { "operationType": { "$in": ["dropDatabase", "invalidate"] } },
            ] } };
            let alone = doc! { "$project": { "_id": 1, "operationType": 1, "ns": 1, "documentKey": 1, "updateDescription": 1 } };
            let watch = cluster.client().watch().pipeline([of, alone]).max_await_time(AWAIT);
            let watch = match token {
                Some(token) => watch.resume_after(token),
                None => watch,
            };
            match timeout(cluster.options().patience(), async { watch.await }).await {
                Ok(opened) => Step::Opened(opened),
                Err(_) => Step::Late,
            }
        })
    }

    /// Handles the result of a step. Returns what to report.
    fn take(&mut self, step: Step) -> Option<Change> {
        let pulse = self.mongo.0.cluster.pulse();
        match step {
            Step::Opened(opened) => {
                pulse.feed_was_tried();
                match opened {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        self.rest = Duration::ZERO;
                        let change = if self.token.is_some() { Change::Resumed } else { Change::Connected };
                        self.hear();
                        Some(change)
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the changes in MongoDB can't be heard of; trying again");
                        self.rest_after(&error);
                        self.lose()
                    }
                }
            }
            Step::Asked(stream, Ok(event)) => {
                self.token = stream.resume_token().or(self.token.take());
                self.stream = Some(stream);
                let resumed = (!self.hear()).then_some(Change::Resumed);
                let change = event.and_then(|event| self.take_event(&event));
                if resumed.is_some() {
                    self.next = change;
                    return resumed;
                }
                change
            }
            Step::Asked(stream, Err(error)) => {
                self.token = stream.resume_token().or(self.token.take());
                tracing::warn!(%error, "the changes in MongoDB are heard of no more; trying again");
                self.rest_after(&error);
                self.lose()
            }
            Step::Late => {
                pulse.feed_was_tried();
                self.rest = self.rest.min(LONGEST_REST);
                tracing::warn!("MongoDB says nothing of changes any more; trying again");
                self.lose()
            }
        }
    }

    fn take_event(&mut self, event: &ChangeStreamEvent<Document>) -> Option<Change> {
        self.mongo.0.cluster.meter().change_heard();
        match self.change(event) {
            Heard::Change(change) => Some(change),
            Heard::Nothing => None,
            // Collections were dropped or renamed, so it's unknown which assets are affected.
            Heard::TooMuch => {
                self.token = None;
                self.stream = None;
                self.lose()
            }
        }
    }

    /// Makes sure that a suspension of this process isn't mistaken for silence of the cluster.
    fn discount_suspension(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.looked) > STANDSTILL {
            self.answered = now;
            self.mongo.0.cluster.pulse().stood_still();
        }
        self.looked = now;
    }

    /// Checks for silence while a step is in progress.
    fn look(&mut self) -> Option<Change> {
        let silent = self.mongo.0.cluster.pulse().silent_for() >= SILENCE;
        match self.told {
            Told::Heard if self.answered.elapsed() < SILENCE => None,
            Told::Heard | Told::Lost if silent => {
                tracing::warn!("MongoDB answers nothing; what is known is answered from memory");
                Some(self.tell(Told::Unresponsive))
            }
            Told::Heard => {
                tracing::warn!("MongoDB says nothing of changes, though it answers");
                Some(self.tell(Told::Lost))
            }
            Told::Unresponsive if !silent => {
                tracing::info!("MongoDB answers again");
                Some(self.tell(Told::Lost))
            }
            Told::Lost | Told::Unresponsive => None,
        }
    }

    /// Records an answer to the stream. Returns whether the listener knew already that the feed works.
    fn hear(&mut self) -> bool {
        let cluster = &self.mongo.0.cluster;
        cluster.pulse().feed_answered();
        self.answered = Instant::now();
        let before = std::mem::replace(&mut self.told, Told::Heard);
        if before == Told::Unresponsive {
            tracing::info!("MongoDB answers again");
        }
        if before != Told::Heard {
            cluster.pulse().set_feed_heard(true);
            cluster.meter().feed(true);
        }
        before == Told::Heard
    }

    /// Records that there is no stream.
    fn lose(&mut self) -> Option<Change> {
        (self.told == Told::Heard).then(|| self.tell(Told::Lost))
    }

    fn tell(&mut self, told: Told) -> Change {
        self.told = told;
        let (cluster, heard) = (&self.mongo.0.cluster, told == Told::Heard);
        cluster.pulse().set_feed_heard(heard);
        cluster.meter().feed(heard);
        match told {
            Told::Heard => Change::Resumed,
            Told::Lost => Change::Lost,
            Told::Unresponsive => Change::Unresponsive,
        }
    }

    /// Decides where to resume after an error, and how long to rest before that.
    fn rest_after(&mut self, error: &Error) {
        if is_answer(error) {
            self.mongo.0.cluster.pulse().feed_answered();
        } else {
            self.rest = self.rest.min(LONGEST_REST);
        }
        self.forget_token_after(error);
    }

    fn forget_token_after(&mut self, error: &Error) {
        let code = match &*error.kind {
            ErrorKind::Command(command) => Some(command.code),
            _ => None,
        };
        let missing = matches!(*error.kind, ErrorKind::MissingResumeToken);
        if missing || code.is_some_and(|code| TOKEN_LOST.contains(&code)) {
            self.token = None;
        }
    }

    fn change(&self, event: &ChangeStreamEvent<Document>) -> Heard {
        let id = event.document_key.as_ref().and_then(|key| key.get("_id"));
        let collection = event.ns.as_ref().and_then(|ns| ns.coll.as_deref());
        match (collection, id) {
            (Some(ASSETS), Some(Bson::String(id))) => {
                id.parse().map_or(Heard::Nothing, |id| Heard::Change(Change::Asset(id)))
            }
            // Each change of usage changes the group: that is nothing about the tenant.
            (Some(GROUPS), Some(_)) if of_usage_alone(event) => Heard::Nothing,
            (Some(GROUPS), Some(id)) => tenant(id).map_or(Heard::Nothing, |tenant| {
                self.mongo.0.databases.forget(&tenant);
                Heard::Change(Change::Tenant(tenant))
            }),
            _ => Heard::TooMuch,
        }
    }
}

fn of_usage_alone(event: &ChangeStreamEvent<Document>) -> bool {
    event.update_description.as_ref().is_some_and(|change| {
        let of_usage = |name: &String| name == "mediaUsage" || name.starts_with("mediaUsage.");
        change.updated_fields.keys().all(of_usage) && change.removed_fields.iter().all(of_usage)
    })
}

fn tenant(id: &Bson) -> Option<TenantId> {
    match id {
        Bson::ObjectId(id) => id.to_hex().parse().ok(),
        Bson::String(id) => id.parse().ok(),
        _ => None,
    }
}
