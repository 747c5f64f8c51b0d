//! Whatever happens, in whatever order, and wherever processes die: in the end each file is READY where its
//! asset says, or gone; nothing else lies anywhere; and usage is exact.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use signet::cloudfront::{KeyPairId, NewKey, PrivateKey};
use signet::media::{
    Asset, AssetId, ContentType, PartsPolicy, Periods, Placement, Quota, SizeLimits, Status, Tally, Tenant,
    TenantId, Timestamp, UploadPolicy, UploadRequest, Usage, Visibility,
};
use signet::service::assets::{AssetPatch, Assets, Expected, Views};
use signet::service::cursor::Cursors;
use signet::service::delivery::{Delivery, PrivateDelivery, PublicDelivery};
use signet::service::key_ring::{KeyRing, RingKey};
use signet::service::layout::{Layout, Template};
use signet::service::lifecycle::{Lifecycle, LifecycleParts};
use signet::service::links::LinkService;
use signet::service::ports::{
    AssetFilter, AssetStore, ByteStream, Clock, Completion, Due, InsertTerms, Inserted, LeaseStore,
    ListPosition, NoMeter, ObjectBody, ObjectGate, ObjectLocation, ObjectStore, PartTag, PartTerms, PartsId,
    Presigned, SignedRequest, StoreError, StoredPart, Update, UploadTerms,
};
use signet::service::uploads::Uploads;
use signet::service::{Caller, PartsQuery, Scopes, Sending};
use signet::store::embedded::{Embedded, Files};
use tempfile::TempDir;
use tokio::sync::{Notify, RwLock};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::links;
use crate::support::tokens::{Hand, NOW};
use crate::support::upload::picture;

const SEEDS: u64 = 16;
const ACTORS: usize = 6;
const DEEDS: usize = 20;
const DAY: u64 = 86_400;
/// Longer than all that happens: records are to be looked at in the end.
const RECORD_SECONDS: u64 = 100_000 * DAY;
const LENGTH: usize = 40;

/// Lets a process make so many calls to its stores; then it is dead, or the last one panics and the others go on.
struct Fuse {
    calls: AtomicI64,
    last_is_done: bool,
    last_panics: AtomicBool,
    blown: Notify,
}

impl Fuse {
    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        let left = self.calls.fetch_sub(1, Ordering::SeqCst);
        let panics = self.last_panics.load(Ordering::SeqCst);
        assert!(left != 1 || !panics, "a defect, for a test");
        if left > 1 || panics {
            return call.await;
        }
        if left == 1 && self.last_is_done {
            // It is done, and nobody hears of it.
            drop(call.await);
        }
        self.blown.notify_one();
        std::future::pending().await
    }
}

/// A store as a process that may die sees it.
#[derive(Clone)]
struct Frail {
    world: Arc<World>,
    fuse: Arc<Fuse>,
}

#[async_trait]
impl AssetStore for Frail {
    async fn insert(&self, asset: &Asset, terms: &InsertTerms) -> Result<Inserted, StoreError> {
        self.fuse.call(self.world.store.insert(asset, terms)).await
    }
    async fn find(&self, tenant: &TenantId, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.fuse.call(AssetStore::find(&self.world.store, tenant, id)).await
    }
    async fn find_many(&self, tenant: &TenantId, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        self.fuse.call(self.world.store.find_many(tenant, ids)).await
    }
    async fn find_anywhere(&self, id: AssetId) -> Result<Option<Asset>, StoreError> {
        self.fuse.call(self.world.store.find_anywhere(id)).await
    }
    async fn existing(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
        self.fuse.call(self.world.store.existing(ids)).await
    }
    async fn list(
        &self,
        tenant: &TenantId,
        filter: &AssetFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.fuse.call(self.world.store.list(tenant, filter, after, limit)).await
    }
    async fn update(&self, asset: &Asset) -> Result<Update, StoreError> {
        self.fuse.call(self.world.store.update(asset)).await
    }
    async fn remove(&self, asset: &Asset) -> Result<Update, StoreError> {
        self.fuse.call(self.world.store.remove(asset)).await
    }
    async fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        self.fuse.call(self.world.store.usage(tenant)).await
    }
    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.fuse.call(self.world.store.due(now, after, limit)).await
    }
    async fn forget_due(&self, due: &Due) -> Result<(), StoreError> {
        self.fuse.call(self.world.store.forget_due(due)).await
    }
}

#[async_trait]
impl ObjectStore for Frail {
    async fn presign_put(
        &self,
        location: &ObjectLocation,
        terms: &UploadTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        self.world.touched.lock().unwrap().insert(location.clone());
        self.fuse.call(self.world.files.presign_put(location, terms, now, expires_in_seconds)).await
    }
    async fn presign_get(
        &self,
        location: &ObjectLocation,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        self.fuse.call(self.world.files.presign_get(location, now, expires_in_seconds)).await
    }
    async fn head(&self, location: &ObjectLocation) -> Result<Option<signet::media::Stored>, StoreError> {
        self.fuse.call(self.world.files.head(location)).await
    }
    async fn get(
        &self,
        location: &ObjectLocation,
        range: Option<signet::service::ports::ByteRange>,
    ) -> Result<Option<ObjectBody>, StoreError> {
        self.fuse.call(self.world.files.get(location, range)).await
    }
    async fn delete(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        self.fuse.call(self.world.delete(location)).await
    }
    async fn put_tombstone(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        self.world.touched.lock().unwrap().insert(location.clone());
        self.fuse.call(self.world.put_tombstone(location)).await
    }
    async fn list(&self, bucket: &str, prefix: &str) -> Result<Option<Vec<String>>, StoreError> {
        self.fuse.call(self.world.files.list(bucket, prefix)).await
    }
    async fn keeps_versions(&self, bucket: &str) -> Result<bool, StoreError> {
        assert!(bucket.starts_with("vivreal-"));
        self.fuse.call(async { Ok(self.world.versions.is_some()) }).await
    }
    async fn restore_versions(&self, file: &ObjectLocation, prefix: &str) -> Result<(), StoreError> {
        assert!(file.key.starts_with(prefix));
        self.fuse.call(self.world.restore_version(file)).await
    }
    async fn delete_versions(&self, bucket: &str, prefix: &str) -> Result<(), StoreError> {
        self.fuse.call(self.world.delete_versions(bucket, prefix)).await
    }
    async fn copy(&self, from: &ObjectLocation, to: &ObjectLocation) -> Result<bool, StoreError> {
        self.world.touched.lock().unwrap().insert(to.clone());
        self.fuse.call(self.world.files.copy(from, to)).await
    }
    async fn begin_parts(
        &self,
        location: &ObjectLocation,
        content_type: &ContentType,
    ) -> Result<PartsId, StoreError> {
        self.world.touched.lock().unwrap().insert(location.clone());
        self.fuse.call(self.world.files.begin_parts(location, content_type)).await
    }
    async fn presign_part(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        part: PartTerms,
        now: Timestamp,
        expires_in_seconds: u64,
    ) -> Result<Presigned, StoreError> {
        self.fuse.call(self.world.files.presign_part(location, upload, part, now, expires_in_seconds)).await
    }
    async fn parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        self.fuse.call(self.world.files.parts(location, upload)).await
    }
    async fn complete_parts(
        &self,
        location: &ObjectLocation,
        upload: &PartsId,
        parts: &[PartTag],
    ) -> Result<Completion, StoreError> {
        self.fuse.call(self.world.files.complete_parts(location, upload, parts)).await
    }
    async fn abort_parts(&self, location: &ObjectLocation, upload: &PartsId) -> Result<(), StoreError> {
        self.fuse.call(self.world.files.abort_parts(location, upload)).await
    }
}

/// Gives every worker the lease, so that workers meet.
struct Anybody;

#[async_trait]
impl LeaseStore for Anybody {
    async fn take(&self, _: &str, _: &str, _: Timestamp, _: Timestamp) -> Result<bool, StoreError> {
        Ok(true)
    }
    async fn give_back(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What outlives processes.
struct World {
    _folder: TempDir,
    store: Embedded,
    files: Files,
    clock: Arc<Hand>,
    tenant: Tenant,
    links: LinkService,
    layout: Arc<Layout>,
    periods: Periods,
    /// Uploads of PUBLIC files come in elsewhere where their URLs are stable.
    public: PublicDelivery,
    /// Time stands still while anything is under way.
    still: RwLock<()>,
    touched: Mutex<HashSet<ObjectLocation>>,
    tickets: Mutex<Vec<Given>>,
    known: Mutex<HashMap<AssetId, Known>>,
    /// Files that were removed or replaced, oldest first, where the bucket keeps versions.
    versions: Option<tokio::sync::Mutex<HashMap<ObjectLocation, Vec<ObjectLocation>>>>,
}

/// A ticket in a client's hands.
#[derive(Clone)]
struct Given {
    id: AssetId,
    presigned: Presigned,
    length: usize,
    at: Timestamp,
}

/// What clients were told.
#[derive(Default)]
struct Known {
    ready: bool,
    delete_tried: bool,
}

/// A process: services on stores that may stop answering.
struct Process {
    world: Arc<World>,
    fuse: Arc<Fuse>,
    uploads: Uploads,
    assets: Assets,
    lifecycle: Lifecycle,
    caller: Caller,
}

impl World {
    async fn new(delivery: PublicDelivery, keeps_versions: bool) -> Arc<Self> {
        let folder = TempDir::new().unwrap();
        let store = Embedded::open(folder.path()).unwrap();
        let secret = store.secret("uploads").await.unwrap();
        let files = Files::new(store.objects_dir(), "http://127.0.0.1/objects", &secret).unwrap();
        let tenant = Tenant {
            id: "t_1".parse().unwrap(),
            key: "demo".into(),
            db_key: None,
            frozen: false,
            quota: Quota::NONE,
            profile: None,
            api_key: None,
        };
        assert!(store.put_tenant(&tenant).await.unwrap());
        let clock = Hand::new();
        let (private, _) = PrivateKey::generate(NewKey::EcdsaP256).unwrap();
        let (public, hash, id) =
            (private.public_key(), private.default_hash(), KeyPairId::new("K1").unwrap());
        let ring = KeyRing::new(vec![RingKey { id, private, public, hash, not_before: 0, retire_at: None }]);
        let links = links::windowed(Arc::new(ring.unwrap()), clock.clone(), 300);
        let template = || Template::parse("vivreal-{key}").unwrap();
        let layout = Arc::new(Layout::new("https://media.example", &[], template(), template()));
        let periods = Periods {
            ticket_seconds: 900,
            grace_seconds: 60,
            late_seconds: DAY,
            retention_seconds: 5 * DAY,
            record_seconds: RECORD_SECONDS,
        };
        Arc::new(Self {
            _folder: folder,
            store,
            files,
            clock,
            tenant,
            links,
            layout,
            periods,
            public: delivery,
            still: RwLock::new(()),
            touched: Mutex::default(),
            tickets: Mutex::default(),
            known: Mutex::default(),
            versions: keeps_versions.then(tokio::sync::Mutex::default),
        })
    }

    async fn delete(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        self.keep(location).await?;
        self.files.delete(location).await
    }

    async fn put_tombstone(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        self.keep(location).await?;
        self.files.put_tombstone(location).await
    }

    /// Keeps what is about to be removed or replaced, if anything.
    async fn keep(&self, location: &ObjectLocation) -> Result<(), StoreError> {
        let Some(versions) = &self.versions else { return Ok(()) };
        let mut versions = versions.lock().await;
        let kept = ObjectLocation { bucket: "versions".into(), key: ulid::Ulid::generate().to_string() };
        if self.files.copy(location, &kept).await? {
            versions.entry(location.clone()).or_default().push(kept);
        }
        Ok(())
    }

    async fn restore_version(&self, file: &ObjectLocation) -> Result<(), StoreError> {
        let mut versions = self.versions.as_ref().unwrap().lock().await;
        if self.files.head(file).await?.is_some() {
            return Ok(());
        }
        let Some(newest) = versions.get_mut(file).and_then(Vec::pop) else {
            return self.files.delete(file).await;
        };
        assert!(self.files.copy(&newest, file).await?);
        self.files.delete(&newest).await
    }

    async fn delete_versions(&self, bucket: &str, prefix: &str) -> Result<(), StoreError> {
        let Some(versions) = &self.versions else { return Ok(()) };
        let mut versions = versions.lock().await;
        let under = |location: &ObjectLocation| location.bucket == bucket && location.key.starts_with(prefix);
        for (_, kept) in versions.extract_if(|location, _| under(location)) {
            for version in kept {
                self.files.delete(&version).await?;
            }
        }
        Ok(())
    }

    /// A process that dies after so many calls; of the last one it never hears.
    fn process(self: &Arc<Self>, calls: i64, last_is_done: bool, alone: bool) -> Process {
        let (calls, last_panics, blown) = (AtomicI64::new(calls), AtomicBool::new(false), Notify::new());
        let fuse = Arc::new(Fuse { calls, last_is_done, last_panics, blown });
        let frail = Arc::new(Frail { world: self.clone(), fuse: fuse.clone() });
        let (assets, objects): (Arc<dyn AssetStore>, Arc<dyn ObjectStore>) = (frail.clone(), frail);
        let views = Views::new(Delivery::new(
            self.layout.clone(),
            self.links.clone(),
            self.public.clone(),
            PrivateDelivery::CloudFront,
        ));
        let clock: Arc<dyn Clock> = self.clock.clone();
        let policy = UploadPolicy {
            content_types: vec![ContentType::parse("image/jpeg").unwrap()],
            limits: SizeLimits::new(1_000),
            parts: PartsPolicy { threshold_bytes: LENGTH as u64, part_bytes: 1_000, seconds: 3_000 },
        };
        let leases: Arc<dyn LeaseStore> =
            if alone { Arc::new(self.store.clone()) } else { Arc::new(Anybody) };
        let parts = LifecycleParts {
            assets: assets.clone(),
            objects: objects.clone(),
            tenants: Arc::new(self.store.clone()),
            leases,
            layout: self.layout.clone(),
            clock: clock.clone(),
            meter: Arc::new(NoMeter),
            periods: self.periods.clone(),
        };
        Process {
            world: self.clone(),
            fuse,
            uploads: Uploads::new(
                assets.clone(),
                objects.clone(),
                views.clone(),
                clock.clone(),
                policy,
                self.periods.clone(),
                Quota::NONE,
                Arc::new(NoMeter),
            ),
            assets: Assets::new(
                assets,
                objects,
                views,
                clock,
                Cursors::new(&[1; 32]),
                self.periods.clone(),
                Quota::NONE,
            ),
            lifecycle: Lifecycle::new(parts, NonZeroU32::MAX),
            caller: Caller { tenant: Arc::new(self.tenant.clone()), scopes: Scopes::ALL },
        }
    }

    /// Sends a file as a ticket says, begun when the ticket was good.
    async fn put(&self, given: &Given, good: bool) {
        // No store takes a request that runs for longer than a day.
        let last = given.at.plus_seconds(self.periods.ticket_seconds + DAY);
        if self.clock.now() >= last {
            return;
        }
        let after_host = given.presigned.url.strip_prefix("http://127.0.0.1").unwrap().to_owned();
        let mut headers = given.presigned.headers.clone();
        headers.push(("content-length".to_owned(), given.length.to_string()));
        let request = SignedRequest { path_and_query: after_host, headers };
        let length = given.length;
        let bytes = if good { picture(length, 1) } else { Bytes::from(vec![b'x'; length]) };
        let body: ByteStream = Box::pin(stream::iter([Ok(bytes)]));
        // Taken, or there already.
        let _ = self.files.put(request, body, given.at).await;
    }

    fn some_ticket(&self, random: &mut StdRng) -> Option<Given> {
        let tickets = self.tickets.lock().unwrap();
        (!tickets.is_empty()).then(|| tickets[random.random_range(0..tickets.len())].clone())
    }
}

impl Process {
    /// Does something, unless it dies meanwhile.
    async fn run<T>(&self, deed: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = deed => Some(done),
            () = self.fuse.blown.notified() => None,
        }
    }

    async fn ticket(&self, visibility: Visibility, length: usize) -> Option<Given> {
        let request = UploadRequest {
            filename: "a.jpg".into(),
            content_type: "image/jpeg".into(),
            size_bytes: length as u64,
            visibility: Some(visibility),
            ..UploadRequest::default()
        };
        let at = self.world.clock.now();
        let ticket = self.run(self.uploads.ticket(&self.caller, request, None)).await?.ok()?;
        let presigned = match ticket.sending {
            Sending::Whole(presigned) => presigned,
            Sending::Parts { mut page, .. } => page.parts.remove(0).presigned.unwrap(),
        };
        let given = Given { id: ticket.asset_id, presigned, length, at };
        self.world.tickets.lock().unwrap().push(given.clone());
        Some(given)
    }

    /// Puts together what has come, as a client does that starts again.
    async fn complete(&self, id: AssetId) -> bool {
        let query = PartsQuery { after: 0, limit: 10, again: false };
        let Some(Ok(page)) = self.run(self.uploads.parts(&self.caller, id, query)).await else {
            return false;
        };
        let tag = |part: signet::service::Part| PartTag {
            number: part.number,
            etag: part.etag.unwrap_or_else(|| "none".into()),
        };
        let tags = page.parts.into_iter().map(tag).collect();
        matches!(self.run(self.uploads.complete(&self.caller, id, tags)).await, Some(Ok(_)))
    }

    /// Completes or finalizes, and notes what it was told.
    async fn finish(&self, given: &Given, complete: bool) {
        let done = if given.length > LENGTH && complete {
            self.complete(given.id).await
        } else {
            matches!(self.run(self.uploads.finalize(&self.caller, given.id)).await, Some(Ok(_)))
        };
        if done {
            self.world.known.lock().unwrap().entry(given.id).or_default().ready = true;
        }
    }

    async fn deed(&self, random: &mut StdRng) {
        let Some(given) = self.world.some_ticket(random) else {
            return drop(self.ticket(Visibility::Public, LENGTH).await);
        };
        let visibility = if random.random() { Visibility::Public } else { Visibility::Private };
        match random.random_range(0..24) {
            0..2 => drop(self.ticket(visibility, LENGTH).await),
            2..4 => {
                let Some(given) = self.ticket(visibility, LENGTH + 1).await else { return };
                if random.random() {
                    self.world.put(&given, true).await;
                    self.finish(&given, true).await;
                }
            }
            4..8 => self.world.put(&given, random.random_range(0..5) > 0).await,
            8..14 => self.finish(&given, random.random_range(0..6) > 0).await,
            14 => {
                self.world.known.lock().unwrap().entry(given.id).or_default().delete_tried = true;
                let deletion = self.run(self.assets.delete(&self.caller, given.id, &Expected::Any)).await;
                if let Some(Ok(deletion)) = deletion {
                    drop(self.run(deletion.finished(Duration::from_secs(10))).await);
                }
            }
            15 => drop(self.run(self.assets.restore(&self.caller, given.id)).await),
            16..19 => {
                let patch = AssetPatch { visibility: Some(visibility), metadata: None };
                self.run(self.assets.patch(&self.caller, given.id, &Expected::Any, patch)).await;
            }
            19 => drop(self.run(self.uploads.give_up(&self.caller, given.id)).await),
            _ => drop(self.run(self.lifecycle.pass()).await),
        }
    }
}

async fn act(world: Arc<World>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..DEEDS {
        if random.random_range(0..12) == 0 {
            let _still = world.still.write().await;
            let seconds = [1, 100, 1_000, 4_000, 7 * 3_600, DAY, 6 * DAY][random.random_range(0..7)];
            world.clock.set(world.clock.now().seconds() + seconds);
            continue;
        }
        let _moving = world.still.read().await;
        let calls = if random.random_range(0..3) == 0 { random.random_range(1..12) } else { i64::MAX };
        let process = world.process(calls, random.random(), random.random());
        // A client that waits for what a dead process holds hangs up; its process dies with it, so that nothing is
        // under way when time goes on.
        if timeout(Duration::from_millis(300), process.deed(&mut random)).await.is_err() {
            process.fuse.calls.store(0, Ordering::SeqCst);
        }
    }
}

async fn settle(world: &Arc<World>) {
    for _ in 0..12 {
        world.clock.set(world.clock.now().seconds() + DAY);
        let pass = world.process(i64::MAX, false, true).lifecycle.pass().await.unwrap();
        assert_eq!(pass.map(|pass| pass.failed), Some(0));
    }
}

async fn check(world: &Arc<World>, in_parts: &mut usize) {
    let tickets = world.tickets.lock().unwrap().clone();
    let known = std::mem::take(&mut *world.known.lock().unwrap());
    let place = world.layout.place(&world.tenant);
    let (mut ready, mut expected) = (Tally::default(), HashSet::new());
    for Given { id, .. } in &tickets {
        let told = known.get(id);
        let stays = told.is_some_and(|told| told.ready && !told.delete_tried);
        let Some(asset) = world.store.find_anywhere(*id).await.unwrap() else {
            assert!(told.is_some_and(|told| told.delete_tried), "{id} went by itself");
            continue;
        };
        assert!(asset.deleted_at.is_none() && !asset.purging, "{id} isn't purged: {asset:?}");
        assert_eq!((asset.placement, &asset.hold), (Placement::Key, &None), "{asset:?}");
        assert_eq!(asset.due_at, world.periods.forget_at(&asset), "{asset:?}");
        assert!(asset.status == Status::Ready || !stays, "{id} was READY: {asset:?}");
        match asset.status {
            Status::Ready => {
                let private = asset.visibility == Visibility::Private;
                assert_eq!(asset.key.is_private(), private, "{asset:?}");
                expected.insert(place.location(&asset.key));
                ready = ready.plus(Tally { count: 1, bytes: asset.size_bytes });
            }
            Status::Rejected | Status::Expired => {}
            Status::Pending => panic!("{asset:?} is forgotten"),
        }
    }
    // Tickets that nobody got are looked after as well, and no parts are left of any.
    let rest = world.store.list(&world.tenant.id, &AssetFilter::default(), None, 10_000).await.unwrap();
    let settled =
        |asset: &Asset| asset.status != Status::Pending && asset.due_at == world.periods.forget_at(asset);
    assert!(rest.iter().all(settled));
    for asset in &rest {
        if let Some(parts) = &asset.parts {
            let left = world.files.parts(&place.location(&asset.key), &parts.upload).await.unwrap();
            assert_eq!(left, None, "{asset:?}");
            *in_parts += usize::from(asset.status == Status::Ready);
        }
    }
    let touched = world.touched.lock().unwrap().clone();
    for location in touched {
        let there = world.files.head(&location).await.unwrap().is_some();
        let id = location.key.rsplit('/').nth(1).unwrap().parse().unwrap();
        let asset = world.store.find_anywhere(id).await.unwrap();
        assert_eq!(there, expected.contains(&location), "{location}: {asset:?}");
    }
    let kept = match &world.versions {
        Some(versions) => versions.lock().await.clone(),
        None => HashMap::new(),
    };
    for location in kept.keys() {
        assert!(!location.key.starts_with("trash/"), "nothing is copied: {location}");
        let id = location.key.rsplit('/').nth(1).unwrap().parse().unwrap();
        assert!(world.store.find_anywhere(id).await.unwrap().is_some(), "no version outlives its asset");
    }
    let kept: usize = kept.values().map(Vec::len).sum();
    assert_eq!(stored_files(world.store.objects_dir()), expected.len() + kept, "no tombstone is left");
    assert_eq!(
        world.store.usage(&world.tenant.id).await.unwrap(),
        Usage { ready, pending: Tally::default() }
    );
    assert_eq!(world.store.due(Timestamp::from_seconds(NOW * 2), None, 10).await.unwrap(), []);
}

/// How many files there are, tombstones among them.
fn stored_files(objects: &Path) -> usize {
    let files = |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let is_fan = |path: &Path| path.file_name().unwrap().len() == 2;
    files(objects).filter(|path| is_fan(path)).map(|fan| files(&fan).count()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_the_end_every_file_is_where_its_asset_says_or_gone() {
    let (mut ready, mut in_parts) = (0, 0);
    for seed in 0..SEEDS {
        let public = match seed % 2 {
            0 => PublicDelivery::Signed,
            _ => PublicDelivery::Stable("https://cdn.example".into()),
        };
        let world = World::new(public, seed % 4 >= 2).await;
        let mut actors = JoinSet::new();
        for actor in 0..ACTORS {
            actors.spawn(act(world.clone(), seed * 1_000 + actor as u64));
        }
        actors.join_all().await;
        settle(&world).await;
        check(&world, &mut in_parts).await;
        ready += world.store.usage(&world.tenant.id).await.unwrap().ready.count;
    }
    assert!(ready > SEEDS && in_parts > 4, "files came through: {ready}, in parts: {in_parts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_panics_holds_its_asset_no_longer() {
    let (mut panicked, mut held) = (0, 0);
    for call in 1..20 {
        let world = World::new(PublicDelivery::Signed, false).await;
        let process = world.process(i64::MAX, false, true);
        let given = process.ticket(Visibility::Public, LENGTH).await.unwrap();
        world.put(&given, true).await;
        process.finish(&given, false).await;
        let to = |visibility| AssetPatch { visibility: Some(visibility), metadata: None };
        let doomed = world.process(call, false, true);
        doomed.fuse.last_panics.store(true, Ordering::SeqCst);
        let outcome = tokio::spawn(async move {
            let patch = to(Visibility::Private);
            doomed.assets.patch(&doomed.caller, given.id, &Expected::Any, patch).await.map(drop)
        });
        let moved = matches!(outcome.await, Ok(Ok(())));
        panicked += usize::from(!moved);
        let left = world.store.find_anywhere(given.id).await.unwrap().unwrap();
        held += usize::from(left.hold.is_some());
        // Time stands still: a hold that nobody ends stays.
        let again = process.assets.patch(&process.caller, given.id, &Expected::Any, to(Visibility::Private));
        let view = again.await.unwrap_or_else(|error| panic!("after a panic at call {call}: {error}"));
        assert_eq!((view.asset.visibility, &view.asset.hold), (Visibility::Private, &None), "call {call}");
        let public = world.layout.place(&world.tenant).location(&view.asset.key.in_public());
        assert_eq!(world.files.head(&public).await.unwrap(), None, "call {call}");
    }
    assert!(panicked > 5 && held > 1, "{panicked} panicked, {held} left a hold");
}
