//! Buckets of S3 that keep versions: what hides a file, and what brings it back.

use std::time::Duration;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use signet::service::ports::{ObjectLocation, ObjectStore};
use signet::store::s3::S3;

use crate::contract::objects::bytes_of;
use crate::support::s3::{client, server};

/// A bucket, and a folder in it.
struct Bucket {
    name: String,
    client: aws_sdk_s3::Client,
    store: std::sync::Arc<dyn ObjectStore>,
}

impl Bucket {
    async fn new() -> Self {
        let name = format!("versions-{}", ulid::Ulid::generate().to_string().to_lowercase());
        server().make_bucket(&name).await;
        let store: S3 = server().store().await;
        let bucket = Self { name, client: client().await, store: std::sync::Arc::new(store) };
        assert!(!bucket.store.keeps_versions(&bucket.name).await.unwrap(), "not yet");
        bucket.set(BucketVersioningStatus::Enabled).await;
        assert!(bucket.store.keeps_versions(&bucket.name).await.unwrap());
        bucket
    }

    async fn set(&self, status: BucketVersioningStatus) {
        let versioning = VersioningConfiguration::builder().status(status).build();
        let call = self.client.put_bucket_versioning().bucket(&self.name);
        call.versioning_configuration(versioning).send().await.unwrap();
    }

    fn at(&self, key: &str) -> ObjectLocation {
        ObjectLocation { bucket: self.name.clone(), key: key.into() }
    }

    async fn put(&self, key: &str, bytes: &'static [u8]) {
        let call = self.client.put_object().bucket(&self.name).key(key);
        call.body(bytes.to_vec().into()).send().await.unwrap();
    }

    async fn remove(&self, key: &str) {
        self.store.delete(&self.at(key)).await.unwrap();
    }

    async fn bury(&self, key: &str) {
        self.store.put_tombstone(&self.at(key)).await.unwrap();
    }

    /// Brings back what is hidden in the folder of the file `f/a`.
    async fn restore(&self) {
        self.store.restore_versions(&self.at("f/a"), "f/").await.unwrap();
    }

    async fn read(&self, key: &str) -> Option<bytes::Bytes> {
        bytes_of(&self.store, &self.at(key), None).await.map(|(_, bytes)| bytes)
    }

    /// How many versions and markers there are.
    async fn count(&self, prefix: &str) -> usize {
        let listed =
            self.client.list_object_versions().bucket(&self.name).prefix(prefix).send().await.unwrap();
        listed.versions().len() + listed.delete_markers().len()
    }
}

/// Longer than S3's times are rounded, and its clocks are taken to be apart.
async fn a_while() {
    tokio::time::sleep(Duration::from_secs(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_hidden_with_a_file_comes_back_with_it_and_nothing_else() {
    let bucket = Bucket::new().await;
    bucket.put("f/a", b"old").await;
    bucket.bury("f/a").await;
    bucket.put("f/a", b"new").await;
    for (key, bytes) in
        [("f/a.1", &b"1"[..]), ("f/a.2", b"2"), ("f/empty", b""), ("f/shown", b"s"), ("g/a", b"g")]
    {
        bucket.put(key, bytes).await;
    }
    bucket.remove("f/a.2").await;
    a_while().await;

    // A repeat puts more of the same on top.
    for _ in 0..2 {
        bucket.bury("f/a").await;
        for key in ["f/a.1", "f/empty", "g/a"] {
            bucket.remove(key).await;
        }
    }
    bucket.remove("f/a").await;
    for key in ["f/a", "f/a.1", "f/empty"] {
        assert_eq!(bucket.read(key).await, None, "{key}");
    }
    for _ in 0..2 {
        bucket.restore().await;
        for (key, bytes) in [("f/a", &b"new"[..]), ("f/a.1", b"1"), ("f/empty", b""), ("f/shown", b"s")] {
            assert_eq!(bucket.read(key).await.as_deref(), Some(bytes), "{key}");
        }
        assert_eq!(bucket.read("f/a.2").await, None, "it was removed before");
        assert_eq!(bucket.read("g/a").await, None, "it lies elsewhere");
    }
    bucket.store.delete_versions(&bucket.name, "f/").await.unwrap();
    assert_eq!(bucket.count("f/").await, 0);
    assert!(bucket.count("g/").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_cut_off_is_done_by_a_repeat() {
    let bucket = Bucket::new().await;
    bucket.put("f/a", b"a").await;
    bucket.put("f/a.1", b"1").await;
    bucket.put("f/a.2", b"2").await;
    bucket.bury("f/a").await;
    bucket.remove("f/a.1").await;
    bucket.remove("f/a.2").await;
    // As if it had come so far: the file is the last one.
    let listed =
        bucket.client.list_object_versions().bucket(&bucket.name).prefix("f/a.1").send().await.unwrap();
    let marker = listed.delete_markers()[0].version_id.clone();
    let call = bucket.client.delete_object().bucket(&bucket.name).key("f/a.1");
    call.set_version_id(marker).send().await.unwrap();
    assert_eq!(bucket.read("f/a").await, None);
    // The worker hides what has come back, and time has passed since.
    a_while().await;
    bucket.bury("f/a").await;
    bucket.remove("f/a.1").await;
    bucket.restore().await;
    for (key, bytes) in [("f/a", &b"a"[..]), ("f/a.1", b"1"), ("f/a.2", b"2")] {
        assert_eq!(bucket.read(key).await.as_deref(), Some(bytes), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_versioning_is_suspended_nothing_is_kept_and_what_was_hidden_comes_back() {
    let bucket = Bucket::new().await;
    bucket.put("f/a", b"a").await;
    bucket.remove("f/a").await;
    bucket.set(BucketVersioningStatus::Suspended).await;
    assert!(!bucket.store.keeps_versions(&bucket.name).await.unwrap());
    bucket.restore().await;
    assert_eq!(bucket.read("f/a").await.as_deref(), Some(&b"a"[..]));
    bucket.store.delete_versions(&bucket.name, "f/").await.unwrap();
    assert_eq!(bucket.count("f/").await, 0);
}
