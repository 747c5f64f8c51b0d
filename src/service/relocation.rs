//! Moves an asset's objects to where its visibility wants them.
//!
//! 1. Hold the asset: nobody else moves or removes its objects, and whatever happens to this process, the
//!    lifecycle worker looks at the asset when the hold is over and removes what lies in the wrong place.
//! 2. Copy. 3. Point the asset at the copy. 4. Remove the original. 5. Release the asset.
//!
//! A hold ends with the attempt that took it. The attempt releases it, or lets it run out if there is work left, even
//! when it is dropped or panics ([`Attempt`]). An asset with a hold that has run out was moved only in part: the next
//! call for the same visibility finishes the move ([`Relocation::end_move`]), or the worker does.
//!
//! While the asset's ticket lets a file arrive, a tombstone replaces the original in step 4: the place is never empty,
//! so that the ticket can't fill it again. A move that has begun goes on when its caller gives up waiting.
//! [`trash`](super::trash) takes the objects of deleted assets out of reach by the same means.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use super::asset_files::{AssetFiles, Vacancy};
use super::assets::AssetError;
use super::layout::Place;
use super::ports::{AssetStore, Clock, ObjectStore, StoreError, Update};
use super::uploads::ATTEMPTS;
use crate::media::{
    Asset, AssetId, Hold, InvalidField, Metadata, ObjectKey, Periods, Placement, TenantId, Timestamp,
    Visibility,
};

/// How long a hold lasts, in seconds. After a crash, or a failure that the store couldn't be told of, nobody else can move
/// the asset for that long. A move that takes longer, such as the copy of a very large file, renews its hold. The clocks
/// of the nodes must agree to within a few seconds.
const HOLD_SECONDS: u64 = 20;
/// How often a move renews its hold. One renewal may fail.
const RENEWAL: Duration = Duration::from_secs(6);
/// How long a deletion in the background, a finalize or a cancelled upload waits for an asset to be released.
pub(super) const RELEASE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a call that moves an asset waits for the move before it. Most moves take less; after that its client is told
/// to try again.
pub(super) const MOVE_PATIENCE: Duration = Duration::from_secs(2);
/// The first pause between two looks at a held asset. Each one after it is twice as long, up to the longest.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// The longest pause: those who wait mustn't keep the store busy.
const LONGEST_LOOK: Duration = Duration::from_millis(500);

/// Moves assets. Cheap to clone.
#[derive(Clone)]
pub(super) struct Relocation {
    pub(super) store: Arc<dyn AssetStore>,
    pub(super) files: AssetFiles,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) periods: Periods,
}

/// Where an asset goes, and what else changes with it.
pub(super) struct Destination {
    pub(super) visibility: Visibility,
    pub(super) key: ObjectKey,
    /// A merge patch of its metadata, which others may change while its objects are copied.
    pub(super) metadata: Option<Map<String, Value>>,
}

impl Relocation {
    /// Moves assets whose objects are in a store.
    pub(super) fn new(
        store: Arc<dyn AssetStore>,
        objects: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
        periods: Periods,
    ) -> Self {
        Self { store, files: AssetFiles::new(objects), clock, periods }
    }

    /// Moves an asset that its caller holds; the asset, moved and released.
    pub(super) async fn run(&self, place: &Place, held: Asset, to: Destination) -> Result<Asset, AssetError> {
        let point = |asset: Asset, now| {
            let metadata = patched(&asset, to.metadata.as_ref())?;
            let mut moved = asset.described(metadata, now)?;
            moved.visibility = to.visibility;
            moved.key = to.key.clone();
            moved.moved = true;
            Ok(moved)
        };
        self.renewing(&held, self.relocate(place, &held, &to.key, point)).await
    }

    /// Moves the file of a PENDING asset, which its caller holds and has looked at, to where PUBLIC files lie; the
    /// asset, READY and released.
    pub(super) async fn publish(
        &self,
        place: &Place,
        held: Asset,
        dimensions: Option<(u32, u32)>,
    ) -> Result<Asset, AssetError> {
        let key = held.key.in_public();
        let point = |asset: Asset, now| {
            if asset.deleted_at.is_some() {
                return Err(AssetError::NotFound);
            }
            let mut ready = asset.ready(dimensions, now)?;
            ready.key = key.clone();
            ready.moved = true;
            Ok(ready)
        };
        self.renewing(&held, self.relocate(place, &held, &key, point)).await
    }

    async fn relocate(
        &self,
        place: &Place,
        held: &Asset,
        to: &ObjectKey,
        point: impl Fn(Asset, Timestamp) -> Result<Asset, AssetError>,
    ) -> Result<Asset, AssetError> {
        let moved = match self.files.copy(place, held, &held.key, to).await {
            Ok(true) => self.change(held, point).await?,
            Ok(false) => Err(StoreError::corrupt("the asset's object is gone").into()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = moved {
            // What was copied goes again; where that fails too, the worker does it.
            match self.files.vacate(place, held, to, self.vacancy_at(held, to)).await {
                Ok(()) => self.release(held).await?,
                Err(_) => self.end_hold(held).await?,
            };
            return Err(error);
        }
        if let Err(error) = self.files.vacate(place, held, &held.key, self.vacancy(held)).await {
            self.end_hold(held).await?;
            return Err(error.into());
        }
        self.release(held).await
    }

    /// Finishes a move that was cut off, of an asset that its caller holds: removes what the move has left elsewhere.
    /// Returns the asset, released.
    pub(super) async fn end_move(&self, place: &Place, held: &Asset) -> Result<Asset, AssetError> {
        let ending = async {
            if let Err(error) = self.clear_elsewhere(place, held).await {
                self.end_hold(held).await?;
                return Err(error.into());
            }
            self.release(held).await
        };
        self.renewing(held, ending).await
    }

    /// Lets a hold run out, so that the worker ends at its next pass what was begun under it.
    pub(super) async fn end_hold(&self, held: &Asset) -> Result<Asset, AssetError> {
        self.change(held, |asset, now| Ok(asset.renewed(now))).await?
    }

    /// Does work on an asset's objects that its caller holds, and renews the hold for as long as that takes. The work ends
    /// with the hold where that can't be renewed.
    pub(super) async fn renewing<T>(
        &self,
        held: &Asset,
        work: impl Future<Output = Result<T, AssetError>>,
    ) -> Result<T, AssetError> {
        let mut attempt = Attempt { relocation: self, held, is_over: false };
        let mut work = pin!(work);
        let mut until = held.hold.as_ref().map(|hold| hold.until);
        loop {
            if let Ok(done) = timeout(RENEWAL, &mut work).await {
                attempt.is_over = true;
                return done;
            }
            let hold = self.hold().until;
            match self.change(held, |asset, _| Ok(asset.renewed(hold))).await {
                Ok(_) => until = Some(hold),
                Err(AssetError::Store(_)) if until.is_some_and(|until| self.clock.now() < until) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes what lies where the asset's objects don't belong.
    pub(super) async fn clear_elsewhere(&self, place: &Place, asset: &Asset) -> Result<(), StoreError> {
        let here = match asset.placement {
            Placement::Hiding | Placement::Hidden => return self.hide_again(place, asset).await,
            Placement::Trash => asset.key.in_trash(),
            Placement::Key | Placement::Moving => asset.key.clone(),
        };
        for key in [asset.key.in_public(), asset.key.in_private()] {
            if key != here {
                self.files.vacate(place, asset, &key, self.vacancy_at(asset, &key)).await?;
            }
        }
        match here == asset.key.in_trash() {
            true => Ok(()),
            false => self.files.clear(place, asset, &asset.key.in_trash()).await,
        }
    }

    /// Removes all objects of an asset, wherever they lie.
    pub(super) async fn remove(&self, place: &Place, asset: &Asset) -> Result<(), StoreError> {
        self.files.abort_parts(place, asset).await?;
        for key in [asset.key.in_public(), asset.key.in_private(), asset.key.in_trash()] {
            self.files.erase(place, asset, &key).await?;
        }
        Ok(())
    }

    /// What is left at the asset's key when its file leaves.
    pub(super) fn vacancy(&self, asset: &Asset) -> Vacancy {
        match self.periods.may_arrive(asset, self.clock.now()) {
            true => Vacancy::Tombstone,
            false => Vacancy::Empty,
        }
    }

    /// The same of any of its places: a ticket is for the asset's key, or for a place that it has left.
    pub(super) fn vacancy_at(&self, asset: &Asset, key: &ObjectKey) -> Vacancy {
        let ticket = *key == asset.key || (asset.moved && *key != asset.key.in_trash());
        if ticket { self.vacancy(asset) } else { Vacancy::Empty }
    }

    /// Ends the hold of an asset.
    pub(super) async fn release(&self, held: &Asset) -> Result<Asset, AssetError> {
        self.change(held, |asset, now| Ok(asset.released(&self.periods, held.updated_at, now))).await?
    }

    /// Changes the asset, for as long as it is held by the same hand. The inner error is that of the change itself:
    /// the asset is as it was.
    pub(super) async fn change(
        &self,
        held: &Asset,
        change: impl Fn(Asset, Timestamp) -> Result<Asset, AssetError>,
    ) -> Result<Result<Asset, AssetError>, AssetError> {
        for _ in 0..ATTEMPTS {
            let asset = self.store.find(&held.tenant, held.id).await?.ok_or(AssetError::NotFound)?;
            let by = |asset: &Asset| asset.hold.as_ref().map(|hold| hold.by.clone());
            if by(&asset) != by(held) {
                return Err(AssetError::Contended);
            }
            let changed = match change(asset, self.clock.now()) {
                Ok(changed) => changed,
                Err(error) => return Ok(Err(error)),
            };
            if self.store.update(&changed).await? == Update::Done {
                return Ok(Ok(changed));
            }
        }
        Err(AssetError::Contended)
    }

    /// Waits at most `patience` until nobody holds the asset. Returns `false` if somebody still does.
    pub(super) async fn until_released(
        &self,
        tenant: &TenantId,
        id: AssetId,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        let (deadline, mut pause) = (Instant::now() + patience, FIRST_LOOK);
        loop {
            let asset = self.store.find(tenant, id).await?;
            if asset.is_none_or(|asset| !asset.is_held(self.clock.now())) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    /// Takes hold of an asset; `None` if it has been changed meanwhile.
    pub(super) async fn claim(&self, asset: Asset) -> Result<Option<Asset>, StoreError> {
        let held = asset.held(self.hold(), self.clock.now());
        Ok((self.store.update(&held).await? == Update::Done).then_some(held))
    }

    /// A hold of one's own.
    pub(super) fn hold(&self) -> Hold {
        Hold { by: ulid::Ulid::generate().to_string(), until: self.clock.now().plus_seconds(HOLD_SECONDS) }
    }
}

/// The metadata of an asset with a merge patch applied.
pub(super) fn patched(asset: &Asset, patch: Option<&Map<String, Value>>) -> Result<Metadata, InvalidField> {
    match patch {
        Some(patch) => asset.metadata.patched(patch.clone()),
        None => Ok(asset.metadata.clone()),
    }
    .map_err(|detail| InvalidField::new("/metadata", detail))
}

/// An attempt to work on a held asset. If it is dropped before its end, or panics, the hold runs out at once.
struct Attempt<'a> {
    relocation: &'a Relocation,
    held: &'a Asset,
    is_over: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Without a runtime the process is about to end, and the hold expires by itself.
        let Ok(runtime) = Handle::try_current() else { return };
        let (relocation, held) = (self.relocation.clone(), self.held.clone());
        runtime.spawn(async move {
            if let Err(error) = relocation.end_hold(&held).await {
                tracing::debug!(asset = %held.id, %error, "the hold of a cut-off attempt couldn't be ended early");
            }
        });
    }
}
