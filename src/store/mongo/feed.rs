//! The port [`ChangeFeed`]: a change stream on the cluster, of `media_assets` in every database and of the groups.
//!
//! 1. It takes one connection of the pool, which no request waits for.
//! 2. After a break it goes on where it ended, by its resume token, for as long as the server's log reaches back.
//! 3. Where that can't be, it begins anew and says so: what was changed meanwhile wasn't heard of.
//! 4. Between two tries it rests, longer each time, up to [`LONGEST_REST`].

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::{ChangeStreamEvent, ResumeToken};
use mongodb::error::{Error, ErrorKind};
use tokio::time::{sleep, timeout};

use super::Mongo;
use super::indexes::ASSETS;
use super::tenants::GROUPS;
use crate::media::TenantId;
use crate::service::ports::{Change, ChangeFeed};

/// How long the server waits for a change before it says that there is none.
const AWAIT: Duration = Duration::from_secs(1);
/// The rest after the first break.
const FIRST_REST: Duration = Duration::from_millis(100);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// The server's codes for a token from which it can't go on.
const TOKEN_LOST: [i32; 3] = [260, 280, 286];

type Stream = ChangeStream<ChangeStreamEvent<Document>>;

/// The changes in a cluster.
pub struct Feed {
    mongo: Mongo,
    stream: Option<Stream>,
    token: Option<ResumeToken>,
    rest: Duration,
    /// Whether the listener knows that nothing is heard of.
    lost: bool,
}

impl Mongo {
    /// The changes in the cluster, from now on.
    #[must_use]
    pub fn feed(&self) -> Feed {
        Feed { mongo: self.clone(), stream: None, token: None, rest: Duration::ZERO, lost: true }
    }
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn next(&mut self) -> Change {
        loop {
            let Some(stream) = &mut self.stream else {
                if let Some(change) = self.connect().await {
                    return change;
                }
                continue;
            };
            let cluster = &self.mongo.0.cluster;
            let patience = AWAIT.saturating_add(cluster.options().patience());
            let event = timeout(patience, stream.next_if_any()).await;
            self.token = stream.resume_token().or(self.token.take());
            match event {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(event))) => {
                    cluster.meter().change_heard();
                    match self.change(&event) {
                        Heard::Change(change) => return change,
                        Heard::Nothing => {}
                        // Collections were dropped or renamed: what of, can't be said.
                        Heard::TooMuch => {
                            self.token = None;
                            return self.lose();
                        }
                    }
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the changes in MongoDB are heard of no more; trying again");
                    self.forget_token_after(&error);
                    return self.lose();
                }
                Err(_) => {
                    tracing::warn!("MongoDB says nothing of changes any more; trying again");
                    return self.lose();
                }
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
    /// Tries once to be told of changes. What the listener must know of that.
    async fn connect(&mut self) -> Option<Change> {
        sleep(self.rest).await;
        self.rest = (self.rest * 2).clamp(FIRST_REST, LONGEST_REST);
        let cluster = &self.mongo.0.cluster;
        let control = cluster.control_database().name().to_owned();
        let of = doc! { "$match": { "$or": [
            { "ns.coll": ASSETS },
            { "ns.db": control, "ns.coll": GROUPS },
            { "operationType": { "$in": ["dropDatabase", "invalidate"] } },
        ] } };
        let alone = doc! { "$project": { "_id": 1, "operationType": 1, "ns": 1, "documentKey": 1, "updateDescription": 1 } };
        let resumed = self.token.is_some();
        let watch = cluster.client().watch().pipeline([of, alone]).max_await_time(AWAIT);
        let watch = match self.token.clone() {
            Some(token) => watch.resume_after(token),
            None => watch,
        };
        match timeout(cluster.options().patience(), async { watch.await }).await {
            Ok(Ok(stream)) => {
                self.stream = Some(stream);
                self.rest = Duration::ZERO;
                self.lost = false;
                cluster.meter().feed(true);
                Some(if resumed { Change::Resumed } else { Change::Connected })
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the changes in MongoDB can't be heard of; trying again");
                self.forget_token_after(&error);
                self.say_lost()
            }
            Err(_) => self.say_lost(),
        }
    }

    fn lose(&mut self) -> Change {
        self.stream = None;
        self.lost = true;
        self.mongo.0.cluster.meter().feed(false);
        Change::Lost
    }

    fn say_lost(&mut self) -> Option<Change> {
        (!self.lost).then(|| self.lose())
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
