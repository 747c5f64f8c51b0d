//! The embedded store: the contract, and what is its own.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use signet::media::{Quota, Tally, Tenant, Usage};
use signet::service::ports::{
    ApiKey, AssetFilter, AssetStore, ByteStream, Clock, GetError, ObjectGate, ObjectStore, PutError,
    SignedRequest, SystemClock, TenantStore, Update, api_key_digest,
};
use signet::store::embedded::{Embedded, Files, OpenError};
use tempfile::{TempDir, tempdir};

use crate::contract::objects::{Door, Sent, Upload};
use crate::contract::{self, PERIODS, fresh_tenant, insert, pending, ready};

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_assets() {
    let (_dir, store) = open_fresh();
    let store = Arc::new(store);
    contract::assets::all(store.clone()).await;
    contract::leases::all(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_tenants() {
    let (_dir, store) = open_fresh();
    let tenants = contract::tenants::samples();
    for (tenant, _) in &tenants {
        assert!(store.put_tenant(tenant).await.unwrap());
    }
    contract::tenants::all(Arc::new(store), &tenants).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_objects() {
    for base in ["http://127.0.0.1:1", "http://[::1]:1/objects", "https://media.example/a/b/"] {
        let (dir, store) = open_fresh();
        let files = files(&store, base).await;
        contract::objects::all(Arc::new(files.clone()), Arc::new(Gate(files))).await;
        assert_eq!(drafts(dir.path()), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_parts() {
    let (dir, store) = open_fresh();
    let files = files(&store, BASE).await;
    contract::parts::all(Arc::new(files.clone()), Arc::new(Gate(files))).await;
    assert_eq!(drafts(dir.path()), 0);
    assert_eq!(fs::read_dir(dir.path().join("objects/parts")).unwrap().count(), 0, "all were cleared away");
}

#[tokio::test]
async fn finds_everything_again_after_reopening() {
    let (dir, store) = open_fresh();
    let tenant = Tenant { api_key: Some(api_key_digest("k")), ..sample_tenant() };
    let (first, second) = (ready(&tenant.id, 1_000), pending(&tenant.id, 2_000));
    assert!(store.put_tenant(&tenant).await.unwrap());
    assert!(insert(&store, &first).await && insert(&store, &second).await);
    let deleted = first.clone().deleted(&PERIODS, SystemClock.now());
    assert_eq!(store.update(&deleted).await.unwrap(), Update::Done);
    let secret = *store.secret("objects").await.unwrap().as_bytes();
    let other = *store.secret("cursors").await.unwrap().as_bytes();
    assert_ne!(secret, other);
    let (place, content) = (contract::objects::fresh_place("a.png"), noise());
    let files = files(&store, BASE).await;
    let (objects, door) = doors(&files);
    contract::objects::put(&objects, &door, &place, &content).await;
    drop((store, files));

    let store = Embedded::open(dir.path()).unwrap();
    assert_eq!(AssetStore::find(&store, &tenant.id, first.id).await.unwrap(), Some(deleted));
    let listed = store.list(&tenant.id, &AssetFilter::default(), None, 10).await.unwrap();
    assert_eq!(listed, [second]);
    let usage = Usage { pending: Tally { count: 1, bytes: 10 }, ..Usage::default() };
    assert_eq!(store.usage(&tenant.id).await.unwrap(), usage);
    assert_eq!(TenantStore::find(&store, &tenant.id).await.unwrap(), Some(tenant));
    assert_eq!(*store.secret("objects").await.unwrap().as_bytes(), secret);
    let (objects, _) = doors(&self::files(&store, BASE).await);
    assert_eq!(contract::objects::bytes_of(&objects, &place, None).await, Some((None, content)));
}

/// The files of a process that is killed are those of a process that is still running.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_outlives_a_kill() {
    let (dir, store) = open_fresh();
    let tenant = fresh_tenant();
    let mut answered = Vec::new();
    for round in 0..5 {
        let mut inserts = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (store, asset) = (store.clone(), ready(&tenant, 1_000));
            inserts.spawn(async move { insert(&store, &asset).await.then_some(asset.id) });
        }
        answered.extend(inserts.join_all().await.into_iter().flatten());
        let killed = tempdir().unwrap();
        fs::copy(dir.path().join("signet.redb"), killed.path().join("signet.redb")).unwrap();
        let store = Embedded::open(killed.path()).unwrap();
        let found = store.find_many(&tenant, &answered).await.unwrap();
        assert_eq!(found.len(), (round + 1) * 40);
        let counted = u64::try_from(found.len()).unwrap();
        assert_eq!(store.usage(&tenant).await.unwrap().ready, Tally { count: counted, bytes: counted * 10 });
    }
}

#[tokio::test]
async fn a_new_api_key_ends_the_old_one_and_none_is_taken_from_another_tenant() {
    let (_dir, store) = open_fresh();
    let (old_key, new_key) = ("old key", "new key");
    let [old, new] = [old_key, new_key].map(|key| Some(api_key_digest(key)));
    let owner = |key: &str| {
        let (store, key) = (store.clone(), ApiKey::new(key));
        async move { store.find_by_api_key(&key).await.unwrap().map(|tenant| tenant.id) }
    };
    let first = Tenant { api_key: old, ..sample_tenant() };
    assert!(store.put_tenant(&first).await.unwrap());
    let thief = Tenant { api_key: old, ..sample_tenant() };
    assert!(!store.put_tenant(&thief).await.unwrap());
    assert_eq!(TenantStore::find(&store, &thief.id).await.unwrap(), None);
    assert_eq!(owner(old_key).await, Some(first.id.clone()));

    let renewed = Tenant { api_key: new, frozen: true, ..first.clone() };
    assert!(store.put_tenant(&renewed).await.unwrap());
    assert!(store.put_tenant(&renewed).await.unwrap(), "the same once more");
    assert_eq!((owner(old_key).await, owner(new_key).await), (None, Some(first.id.clone())));
    assert_eq!(TenantStore::find(&store, &first.id).await.unwrap(), Some(renewed.clone()));
    assert!(store.put_tenant(&Tenant { api_key: None, ..renewed }).await.unwrap());
    assert_eq!(owner(new_key).await, None);
}

#[test]
fn a_folder_in_use_is_refused_with_the_remedy() {
    let (dir, _store) = open_fresh();
    let error = Embedded::open(dir.path()).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }));
    let message = error.to_string();
    assert!(message.contains(&dir.path().display().to_string()) && message.contains("stop that one"));
}

#[test]
fn a_file_where_a_folder_should_be_is_refused() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("data");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Embedded::open(&path).err().unwrap();
        assert!(matches!(error, OpenError::NotAFolder { .. }), "{error}");
    }
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("signet.redb")).unwrap();
    assert!(matches!(Embedded::open(dir.path()).err().unwrap(), OpenError::Folder { .. }));
    assert!(matches!(Embedded::open(Path::new("/proc/signet")).err().unwrap(), OpenError::Folder { .. }));
}

#[tokio::test]
async fn a_corrupt_database_is_refused_and_left_as_it_is() {
    let (dir, store) = open_fresh();
    for number in 0..200 {
        assert!(insert(&store, &ready(&fresh_tenant(), number)).await);
    }
    drop(store);
    let file = dir.path().join("signet.redb");
    let whole = fs::read(&file).unwrap();
    let zeroed_head = [&[0; 4_096], &whole[4_096..]].concat();
    let mut cases =
        vec![b"not a database".to_vec(), vec![0xff; 100_000], whole[..5_000].to_vec(), zeroed_head];
    // All pages but the first: redb meets some of these with a panic.
    cases.push([&whole[..4_096], &vec![0; whole.len() - 4_096]].concat());
    for bytes in cases {
        fs::write(&file, &bytes).unwrap();
        let error = Embedded::open(dir.path()).err().unwrap();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("signet.redb"));
        assert!(fs::read(&file).unwrap() == bytes);
    }
    fs::write(&file, &whole).unwrap();
    Embedded::open(dir.path()).unwrap();
}

#[tokio::test]
async fn an_object_is_whole_or_an_error_never_a_part() {
    let (dir, store) = open_fresh();
    let files = files(&store, BASE).await;
    let (objects, door) = doors(&files);
    let place = contract::objects::fresh_place("a.png");
    contract::objects::put(&objects, &door, &place, &noise()).await;
    let file = object_files(dir.path()).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    for bytes in [vec![], whole[..5].to_vec(), whole[..whole.len() - 1].to_vec(), whole[1..].to_vec()] {
        fs::write(&file, bytes).unwrap();
        assert!(files.head(&place).await.is_err());
        assert!(files.get(&place, None).await.is_err());
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_no_draft_and_a_crash_s_are_swept() {
    let (dir, store) = open_fresh();
    let files = files(&store, BASE).await;
    let (objects, _) = doors(&files);
    let content = noise();
    let place = contract::objects::fresh_place("a.png");
    let presigned = contract::objects::presign(&objects, &place, &content, false).await;
    let upload = contract::objects::upload(&presigned, &content);
    let stalled: ByteStream = Box::pin(stream::iter([Ok(content.slice(..100))]).chain(stream::pending()));
    let put = files.put(request(&upload), stalled, SystemClock.now());
    assert!(tokio::time::timeout(Duration::from_millis(200), put).await.is_err());
    assert_eq!(drafts(dir.path()), 0);
    assert_eq!(object_files(dir.path()).len(), 0);

    fs::write(dir.path().join("objects/drafts/left"), "x").unwrap();
    self::files(&store, BASE).await;
    assert_eq!(drafts(dir.path()), 0);
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong() {
    let (_dir, store) = open_fresh();
    let files = files(&store, BASE).await;
    let (objects, _) = doors(&files);
    let content = noise();
    let place = contract::objects::fresh_place("a.png");
    let presigned = contract::objects::presign(&objects, &place, &content, false).await;
    let good = request(&contract::objects::upload(&presigned, &content));
    let refusal = async |request: SignedRequest| {
        let body: ByteStream = Box::pin(stream::empty());
        files.put(request, body, SystemClock.now()).await.unwrap_err()
    };
    let mut request = good.clone();
    request.headers.retain(|(name, _)| name != "content-length");
    assert!(refusal(request).await.to_string().contains("Content-Length must be sent"));
    let mut request = good.clone();
    request.headers.push(("content-type".into(), "image/png".into()));
    assert!(refusal(request).await.to_string().contains("twice"));
    let mut request = good.clone();
    request.headers.push(("x-amz-checksum-sha256".into(), "x".into()));
    assert!(refusal(request).await.to_string().contains("isn't signed"));
    let outside = SignedRequest { path_and_query: format!("/x{}", good.path_and_query), ..good.clone() };
    assert!(matches!(refusal(outside).await, PutError::Denied(_)));
    assert!(matches!(refusal(good).await, PutError::BadBody("the body is shorter than what was signed")));
}

const BASE: &str = "http://127.0.0.1:1/objects";

fn open_fresh() -> (TempDir, Embedded) {
    let dir = tempdir().unwrap();
    let store = Embedded::open(&dir.path().join("data")).unwrap();
    drop(store);
    let store = Embedded::open(dir.path()).unwrap();
    (dir, store)
}

async fn files(store: &Embedded, base: &str) -> Files {
    Files::new(store.objects_dir(), base, &store.secret("objects").await.unwrap()).unwrap()
}

fn doors(files: &Files) -> (Arc<dyn ObjectStore>, Arc<dyn Door>) {
    (Arc::new(files.clone()), Arc::new(Gate(files.clone())))
}

fn sample_tenant() -> Tenant {
    Tenant {
        id: fresh_tenant(),
        key: "demo".into(),
        db_key: None,
        frozen: false,
        quota: Quota::NONE,
        profile: None,
        api_key: None,
    }
}

fn noise() -> Bytes {
    Bytes::from_iter((0..100_000).map(|_| rand::random::<u8>()))
}

fn drafts(dir: &Path) -> usize {
    fs::read_dir(dir.join("objects/drafts")).unwrap().count()
}

fn object_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(dir.join("objects")).unwrap().map(|folder| folder.unwrap());
    let folders = folders.filter(|folder| folder.file_name() != "drafts");
    folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap()).map(|file| file.unwrap().path()).collect()
}

/// Stands in for the HTTP layer in front of the gate.
struct Gate(Files);

#[async_trait]
impl Door for Gate {
    async fn send(&self, upload: Upload) -> Sent {
        let mut chunks: Vec<std::io::Result<Bytes>> =
            upload.body.chunks(70_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        if upload.cut {
            chunks.push(Err(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let body: ByteStream = Box::pin(stream::iter(chunks));
        match self.0.put(request(&upload), body, SystemClock.now()).await {
            Ok(_) => Sent::Stored,
            // Something is there, or about to be.
            Err(PutError::Exists | PutError::Busy) => Sent::Exists,
            Err(PutError::Cut(_)) => {
                assert!(upload.cut);
                Sent::Refused
            }
            Err(PutError::Denied(_) | PutError::BadBody(_) | PutError::NoUpload) => {
                assert!(!upload.cut);
                Sent::Refused
            }
            Err(PutError::Store(error)) => panic!("{error}"),
        }
    }

    async fn read(&self, url: &str) -> Option<Bytes> {
        match self.0.open(target(url), None, SystemClock.now()).await {
            Ok(object) => Some(object.bytes.try_collect::<Vec<Bytes>>().await.unwrap().concat().into()),
            Err(GetError::Denied(_) | GetError::NotFound) => None,
            Err(GetError::Store(error)) => panic!("{error}"),
        }
    }
}

fn request(upload: &Upload) -> SignedRequest {
    SignedRequest { path_and_query: target(&upload.url).to_owned(), headers: upload.headers.clone() }
}

fn target(url: &str) -> &str {
    let after_scheme = url.split_once("://").unwrap().1;
    &after_scheme[after_scheme.find('/').unwrap()..]
}
