//! The objects of an asset: its file, its derivatives and whatever else lies in its folder, and parts of a file that
//! isn't there yet.
//!
//! They lie beside the asset's key. There are two other places where some may be, while a move is under way or after
//! one that was cut off: that of the other visibility, and the trash. Each place is a folder of the asset's own, and
//! what belongs to the asset is found in two ways:
//!
//! 1. A store that can list its keys is asked for all that lies in the folder: others put derivatives there.
//! 2. Otherwise Signet alone puts objects in, under the names that the asset's metadata has now or had before.
//!
//! **Tombstones.** For as long as the asset's ticket lets a file arrive, the place of the file isn't left empty: a
//! tombstone takes it, so that the ticket can't fill it again.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::layout::Place;
use super::ports::{ObjectLocation, ObjectStore, StoreError};
use crate::media::{Asset, ObjectKey};

/// How many objects of an asset are copied or removed at a time.
const AT_ONCE: usize = 4;

/// Copies and removes the objects of assets. Cheap to clone.
#[derive(Clone)]
pub struct AssetFiles {
    objects: Arc<dyn ObjectStore>,
}

/// What is left where an asset's file was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vacancy {
    /// Nothing.
    Empty,
    /// A tombstone, which keeps uploads out.
    Tombstone,
}

impl AssetFiles {
    /// The objects in a store.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// Whether a file lies at a key.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn is_there(&self, place: &Place, key: &ObjectKey) -> Result<bool, StoreError> {
        Ok(self.objects.head(&place.location(key)).await?.is_some())
    }

    /// Copies an asset's objects from one key to another. `false` where its file isn't at the first one; nothing is
    /// copied then but what else lies there.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn copy(
        &self,
        place: &Place,
        asset: &Asset,
        from: &ObjectKey,
        to: &ObjectKey,
    ) -> Result<bool, StoreError> {
        let (source, target) = (Folder::of(place, from), Folder::of(place, to));
        let copied = self.objects.copy(&source.at(&source.file), &target.at(&target.file)).await?;
        let rest = self.beside(&source, asset).await?;
        let pairs: Vec<_> = rest.into_iter().map(|name| (source.at(&name), target.at(&name))).collect();
        let copies = pairs.into_iter().map(|(from, to)| async move { self.objects.copy(&from, &to).await });
        let copies = stream::iter(copies).buffer_unordered(AT_ONCE);
        copies.try_for_each(|_| std::future::ready(Ok(()))).await?;
        Ok(copied)
    }

    /// Removes an asset's objects from a key, and leaves something in the place of its file or not.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn vacate(
        &self,
        place: &Place,
        asset: &Asset,
        from: &ObjectKey,
        leave: Vacancy,
    ) -> Result<(), StoreError> {
        let folder = Folder::of(place, from);
        self.vacate_file(place, from, leave).await?;
        let rest = self.beside(&folder, asset).await?;
        let locations: Vec<_> = rest.into_iter().map(|name| folder.at(&name)).collect();
        let removals =
            locations.into_iter().map(|location| async move { self.objects.delete(&location).await });
        stream::iter(removals).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Removes an asset's objects from a key where any may lie. Elsewhere a bucket that keeps versions would keep a marker
    /// of nothing.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn clear(&self, place: &Place, asset: &Asset, from: &ObjectKey) -> Result<(), StoreError> {
        let folder = Folder::of(place, from);
        if self.is_there(place, from).await? || !self.beside(&folder, asset).await?.is_empty() {
            self.vacate(place, asset, from, Vacancy::Empty).await?;
        }
        Ok(())
    }

    /// Returns whether an asset's objects at a key can be hidden where they lie: the store keeps a version of all that is
    /// removed or replaced there.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn can_hide(&self, place: &Place, asset: &Asset, key: &ObjectKey) -> Result<bool, StoreError> {
        let folder = Folder::of(place, key);
        Ok(folder.is_own(asset) && self.objects.keeps_versions(&folder.bucket).await?)
    }

    /// Brings back what was hidden at a key since the asset's file was.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn unhide(&self, place: &Place, asset: &Asset, key: &ObjectKey) -> Result<(), StoreError> {
        let folder = Folder::of(place, key);
        match folder.is_own(asset) {
            true => self.objects.restore_versions(&folder.at(&folder.file), &folder.prefix).await,
            false => Ok(()),
        }
    }

    /// Removes an asset's objects from a key for good, with all versions that a bucket has kept of them.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn erase(&self, place: &Place, asset: &Asset, from: &ObjectKey) -> Result<(), StoreError> {
        self.vacate(place, asset, from, Vacancy::Empty).await?;
        let folder = Folder::of(place, from);
        match folder.is_own(asset) {
            true => self.objects.delete_versions(&folder.bucket, &folder.prefix).await,
            false => Ok(()),
        }
    }

    /// Removes an asset's file from a key, and nothing else, and leaves something in its place or not.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn vacate_file(
        &self,
        place: &Place,
        from: &ObjectKey,
        leave: Vacancy,
    ) -> Result<(), StoreError> {
        let location = place.location(from);
        match leave {
            Vacancy::Empty => self.objects.delete(&location).await,
            Vacancy::Tombstone => self.objects.put_tombstone(&location).await,
        }
    }

    /// Forgets the parts that came of an asset's file and became no file.
    ///
    /// # Errors
    /// Where the store can't answer.
    pub async fn abort_parts(&self, place: &Place, asset: &Asset) -> Result<(), StoreError> {
        match &asset.parts {
            Some(parts) => self.objects.abort_parts(&place.location(&asset.key), &parts.upload).await,
            None => Ok(()),
        }
    }

    /// The names of what lies in a folder of the asset's beside its file.
    async fn beside(&self, folder: &Folder, asset: &Asset) -> Result<BTreeSet<String>, StoreError> {
        let listed = match folder.is_own(asset) {
            true => self.objects.list(&folder.bucket, &folder.prefix).await?,
            false => None,
        };
        let mut names: BTreeSet<String> = match listed {
            Some(keys) => {
                keys.iter().filter_map(|key| key.strip_prefix(&folder.prefix)).map(str::to_owned).collect()
            }
            None => {
                let named = asset.derivatives().map(|set| set.names()).unwrap_or_default();
                let suffixes = named.iter().chain(&asset.former_derivatives);
                let names = suffixes.map(|suffix| format!("{}.{suffix}", folder.file));
                // One that no key can name was never stored.
                names.filter(|name| folder.prefix.len() + name.len() <= ObjectKey::MAX_BYTES).collect()
            }
        };
        names.remove(&folder.file);
        names.remove("");
        Ok(names)
    }
}

/// A folder in the object store, and the file in it that a key names.
struct Folder {
    bucket: String,
    /// Ends in `/`, unless it is the bucket itself.
    prefix: String,
    file: String,
}

impl Folder {
    fn of(place: &Place, key: &ObjectKey) -> Self {
        let ObjectLocation { bucket, key } = place.location(key);
        let (prefix, file) = key.split_at(key.rfind('/').map_or(0, |slash| slash + 1));
        Self { bucket, prefix: prefix.to_owned(), file: file.to_owned() }
    }

    /// Where an object of this name lies.
    fn at(&self, name: &str) -> ObjectLocation {
        ObjectLocation { bucket: self.bucket.clone(), key: format!("{}{name}", self.prefix) }
    }

    /// Whether the folder is that of one asset: all that lies in it is the asset's.
    fn is_own(&self, asset: &Asset) -> bool {
        self.prefix.trim_end_matches('/').rsplit('/').next() == Some(asset.id.to_string().as_str())
    }
}
