//! Uploads in parts.
//!
//! 1. A ticket begins one at the object store: [`Uploads::ticket`] inserts the asset with its name.
//! 2. [`Uploads::parts`]: a page of requests for parts, those that are there marked.
//! 3. [`Uploads::complete`]: puts the parts together, then does what finalize does.
//! 4. [`Uploads::give_up`]: an upload, in parts or whole, that isn't wanted any more.

use std::sync::Arc;

use tracing::Instrument;

use super::assets::AssetView;
use super::auth::Caller;
use super::ports::{
    Completion, InsertTerms, Inserted, ObjectLocation, PartTag, PartTerms, Presigned, StoreError, StoredPart,
    TicketOutcome, Update,
};
use super::relocation::RELEASE_PATIENCE;
use super::uploads::{ATTEMPTS, FinalizeError, Uploads};
use crate::media::{Asset, AssetId, InvalidField, PartPlan, Parts, Status, StatusConflict, Timestamp};

/// A page of parts.
#[derive(Debug)]
pub struct PartsPage {
    /// The parts, ascending.
    pub parts: Vec<Part>,
    /// The last part's number; `None` where no part comes after it.
    pub next_after: Option<u16>,
}

/// A part of a file that is on its way.
#[derive(Debug)]
pub struct Part {
    /// Its number, from 1.
    pub number: u16,
    /// Its exact length in bytes.
    pub size_bytes: u64,
    /// The request that puts it in; for one that is there already only where that was asked for.
    pub presigned: Option<Presigned>,
    /// Its entity tag, where it is there.
    pub etag: Option<String>,
}

/// Which parts are asked for.
#[derive(Debug, Clone, Copy)]
pub struct PartsQuery {
    /// Those after this number.
    pub after: u16,
    /// At most so many.
    pub limit: usize,
    /// Requests also for parts that are there already.
    pub again: bool,
}

impl PartsQuery {
    /// The longest page.
    pub const MAX_PAGE: usize = 1_000;
    /// The page where nothing is said.
    pub const DEFAULT_PAGE: usize = 100;

    /// The first page.
    pub(super) fn first() -> Self {
        Self { after: 0, limit: Self::DEFAULT_PAGE, again: false }
    }
}

/// What became of parts that were to be one file, for all who asked.
#[derive(Debug, Clone)]
pub(super) enum Assembled {
    /// A file is there, or nothing can become one any more: the asset says which.
    Settled,
    /// A part isn't there, or isn't the one that was named.
    Wrong(InvalidField),
    /// The store couldn't answer.
    Failed(Arc<StoreError>),
}

impl Uploads {
    /// A page of an upload's parts: the requests that put in what is missing, and the tags of what is there.
    ///
    /// # Errors
    /// Where there is no such upload under way.
    pub async fn parts(
        &self,
        caller: &Caller,
        id: AssetId,
        query: PartsQuery,
    ) -> Result<PartsPage, PartsError> {
        let asset = self.upload(caller, id).await?;
        let parts = asset.parts.clone().ok_or(PartsError::Whole)?;
        let now = self.clock.now();
        match asset.status {
            Status::Pending if now < asset.ticket_expires_at => {}
            Status::Pending | Status::Expired => return Err(FinalizeError::Expired.into()),
            status @ (Status::Ready | Status::Rejected) => return Err(StatusConflict { status }.into()),
        }
        let location = self.views.place(&caller.tenant).location(&asset.key);
        let stored = self.stored(&location, &parts).await?.ok_or(PartsError::Gone)?;
        Ok(self.page(&location, (&asset, &parts), &stored, query, now).await?)
    }

    /// Puts the parts together, all of them, and makes the asset READY, or REJECTED for good. Safe to repeat
    /// and to race. The work goes on where nobody waits for it any more, and whoever asks again joins it.
    ///
    /// # Errors
    /// Where a part isn't there, isn't the one that is named, or finalize says so.
    pub async fn complete(
        &self,
        caller: &Caller,
        id: AssetId,
        tags: Vec<PartTag>,
    ) -> Result<AssetView, PartsError> {
        let asset = self.upload(caller, id).await?;
        let parts = asset.parts.clone().ok_or(PartsError::Whole)?;
        // The same tags are the same work, with or without their quotes.
        let bare = |tag: PartTag| PartTag { etag: tag.etag.trim_matches('"').to_owned(), ..tag };
        let tags: Vec<PartTag> = tags.into_iter().map(bare).collect();
        if asset.status == Status::Pending {
            all_of(&PartPlan::of(asset.size_bytes, &parts), &tags)?;
            let (this, caller, tags) = (self.clone(), caller.clone(), Arc::new(tags));
            let key = (id, Arc::clone(&tags));
            let work = async move { this.assemble(&caller, &asset, &parts, &tags).await };
            match self.assembly.run(key, work).await {
                Some(Assembled::Settled) => {}
                Some(Assembled::Wrong(field)) => return Err(field.into()),
                Some(Assembled::Failed(error)) => return Err(StoreError::shared(error).into()),
                None => return Err(StoreError::unavailable("putting the parts together broke down").into()),
            }
        }
        match self.finalize(caller, id).await {
            Ok(view) => Ok(view),
            Err(FinalizeError::NotCompleted) => Err(PartsError::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives an upload up, in parts or whole: what came of it goes, and what comes of it is gone too. It is
    /// no error if that was done before.
    ///
    /// # Errors
    /// Where the asset is READY, or a store can't answer.
    pub async fn give_up(&self, caller: &Caller, id: AssetId) -> Result<(), PartsError> {
        for _ in 0..ATTEMPTS {
            let asset = self.upload(caller, id).await?;
            let now = self.clock.now();
            match asset.status {
                Status::Ready => return Err(StatusConflict { status: Status::Ready }.into()),
                Status::Pending if asset.is_held(now) => {
                    // It is being made READY.
                    match self.relocation.until_released(&caller.tenant.id, id, RELEASE_PATIENCE).await? {
                        true => continue,
                        false => break,
                    }
                }
                Status::Pending => {
                    // First of all nobody makes it READY any more.
                    let expired = asset.clone().expired(&self.periods, now)?;
                    if self.assets.update(&expired).await? == Update::Stale {
                        continue;
                    }
                    self.meter.ticket(TicketOutcome::Aborted);
                }
                // An earlier call may have been cut off before all was removed.
                Status::Expired | Status::Rejected => {}
            }
            let place = self.views.place(&caller.tenant);
            self.relocation.files.abort_parts(&place, &asset).await?;
            self.give_place_up(&place, &asset).await?;
            return Ok(());
        }
        Err(StoreError::unavailable("the asset is being changed by others").into())
    }

    /// Inserts an asset for an upload in parts, which begins at the store with it. Where the asset isn't
    /// new, the upload doesn't stay. The work isn't cut off where nobody waits for it any more.
    pub(super) async fn begin(
        &self,
        location: &ObjectLocation,
        mut asset: Asset,
        plan: PartPlan,
        terms: &InsertTerms,
    ) -> Result<(Asset, Inserted), StoreError> {
        let (assets, objects) = (Arc::clone(&self.assets), Arc::clone(&self.objects));
        let (location, terms) = (location.clone(), terms.clone());
        let work = async move {
            let upload = objects.begin_parts(&location, &asset.content_type).await?;
            asset.parts = Some(Parts { upload: upload.clone(), part_bytes: plan.part_bytes() });
            let inserted = assets.insert(&asset, &terms).await;
            let is_in = match &inserted {
                Ok(inserted) => matches!(inserted, Inserted::New),
                // It may have been inserted all the same: only what is known not to be needed goes.
                Err(_) => !matches!(assets.find(&asset.tenant, asset.id).await, Ok(None)),
            };
            if !is_in {
                objects.abort_parts(&location, &upload).await?;
            }
            Ok((asset, inserted?))
        };
        tokio::spawn(work.in_current_span()).await.map_err(StoreError::unavailable)?
    }

    /// A page of an asset's parts, of which those that are stored are there.
    pub(super) async fn page(
        &self,
        location: &ObjectLocation,
        (asset, parts): (&Asset, &Parts),
        stored: &[StoredPart],
        query: PartsQuery,
        now: Timestamp,
    ) -> Result<PartsPage, StoreError> {
        let plan = PartPlan::of(asset.size_bytes, parts);
        let begins = Timestamp::from_seconds(now.seconds());
        let left = asset.ticket_expires_at.seconds().saturating_sub(begins.seconds());
        let lives = self.periods.ticket_seconds.min(left);
        let mut page = Vec::new();
        for number in (query.after.saturating_add(1)..=plan.count()).take(query.limit) {
            let size_bytes = plan.size_of(number);
            let there = stored.binary_search_by_key(&number, |part| part.number).ok();
            let there =
                there.and_then(|index| stored.get(index)).filter(|part| part.size_bytes == size_bytes);
            let presigned = if there.is_none() || query.again {
                let terms = PartTerms { number, size_bytes };
                Some(self.objects.presign_part(location, &parts.upload, terms, begins, lives).await?)
            } else {
                None
            };
            page.push(Part { number, size_bytes, presigned, etag: there.map(|part| part.etag.clone()) });
        }
        let last = page.last().map(|part| part.number);
        Ok(PartsPage { parts: page, next_after: last.filter(|last| *last < plan.count()) })
    }

    /// The parts that are there; not for too many at the same time, because a store may need ten calls.
    pub(super) async fn stored(
        &self,
        location: &ObjectLocation,
        parts: &Parts,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        let _slot = self.listings.acquire().await.map_err(StoreError::unavailable)?;
        self.objects.parts(location, &parts.upload).await
    }

    /// An asset that isn't deleted.
    async fn upload(&self, caller: &Caller, id: AssetId) -> Result<Asset, PartsError> {
        let asset = self.assets.find(&caller.tenant.id, id).await?;
        asset.filter(|asset| asset.deleted_at.is_none()).ok_or(FinalizeError::NotFound.into())
    }

    async fn assemble(&self, caller: &Caller, asset: &Asset, parts: &Parts, tags: &[PartTag]) -> Assembled {
        let place = self.views.place(&caller.tenant);
        let assembled = self.assemble_at(&place.location(&asset.key), asset, parts, tags).await;
        if !matches!(assembled, Ok(Assembled::Settled)) {
            return assembled.unwrap_or_else(|error| Assembled::Failed(Arc::new(error)));
        }
        // Here, where nothing cuts it off; whoever waits gets the answer from the asset.
        let settled = self.settle(&caller.tenant, asset.id).await;
        if matches!(settled, Err(FinalizeError::Expired)) {
            // It was given up while its parts were being put together.
            if let Err(error) = self.give_place_up(&place, asset).await {
                return Assembled::Failed(Arc::new(error));
            }
        }
        Assembled::Settled
    }

    async fn assemble_at(
        &self,
        location: &ObjectLocation,
        asset: &Asset,
        parts: &Parts,
        tags: &[PartTag],
    ) -> Result<Assembled, StoreError> {
        if let Some(stored) = self.stored(location, parts).await? {
            let plan = PartPlan::of(asset.size_bytes, parts);
            if let Some(wrong) = first_wrong(&plan, &stored, tags) {
                return Ok(Assembled::Wrong(wrong));
            }
        }
        Ok(match self.objects.complete_parts(location, &parts.upload, tags).await? {
            Completion::Done | Completion::Unknown => Assembled::Settled,
            Completion::Exists => {
                // Nothing but this upload writes here: it was completed, and its parts may be left.
                self.objects.abort_parts(location, &parts.upload).await?;
                Assembled::Settled
            }
            Completion::WrongParts(why) => Assembled::Wrong(InvalidField::new("/parts", why)),
        })
    }
}

/// Checks that tags are those of all parts, in their order.
fn all_of(plan: &PartPlan, tags: &[PartTag]) -> Result<(), InvalidField> {
    let count = plan.count();
    for (index, (number, tag)) in (1..=count).zip(tags).enumerate() {
        if tag.number != number {
            let detail = format!("must be {number}: all parts are named, in ascending order");
            return Err(InvalidField::new(format!("/parts/{index}/partNumber"), detail));
        }
    }
    if tags.len() != usize::from(count) {
        let detail = format!("must name all of the file's {count} parts, not {}", tags.len());
        return Err(InvalidField::new("/parts", detail));
    }
    Ok(())
}

/// The first tag that isn't one of a part that is there whole.
fn first_wrong(plan: &PartPlan, stored: &[StoredPart], tags: &[PartTag]) -> Option<InvalidField> {
    tags.iter().enumerate().find_map(|(index, tag)| {
        let number = tag.number;
        let there = stored.binary_search_by_key(&number, |part| part.number).ok();
        let there = there.and_then(|index| stored.get(index));
        let (member, why) = match there {
            Some(part) if part.size_bytes == plan.size_of(number) && tag.is(&part.etag) => return None,
            Some(part) if part.size_bytes == plan.size_of(number) => {
                ("etag", format!("part {number} has the ETag {} at the store", part.etag))
            }
            _ => ("partNumber", format!("part {number} isn't there: send it first")),
        };
        Some(InvalidField::new(format!("/parts/{index}/{member}"), why))
    })
}

/// Why nothing can be done with an upload's parts.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// The file is sent whole.
    #[error("the file is sent whole")]
    Whole,
    /// The store doesn't have the upload any more.
    #[error("the upload's parts aren't there any more")]
    Gone,
    /// The request has a member that is wrong.
    #[error(transparent)]
    Field(#[from] InvalidField),
    /// The asset's state doesn't allow it.
    #[error(transparent)]
    Status(#[from] StatusConflict),
    /// What finalize says too.
    #[error(transparent)]
    Finalize(#[from] FinalizeError),
    /// A store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: u64 = 5 * 1024 * 1024;

    fn tag(number: u16, etag: &str) -> PartTag {
        PartTag { number, etag: etag.into() }
    }

    #[test]
    fn all_parts_are_named_in_order() {
        let plan = PartPlan::new(PART + 1, PART);
        let pointer = |tags: &[PartTag]| all_of(&plan, tags).map_err(|error| error.pointer);
        assert_eq!(pointer(&[tag(1, "a"), tag(2, "b")]), Ok(()));
        for (tags, wrong) in [
            (&[][..], "/parts"),
            (&[tag(1, "a")], "/parts"),
            (&[tag(1, "a"), tag(2, "b"), tag(3, "c")], "/parts"),
            (&[tag(2, "b"), tag(1, "a")], "/parts/0/partNumber"),
            (&[tag(1, "a"), tag(1, "a")], "/parts/1/partNumber"),
        ] {
            assert_eq!(pointer(tags), Err(wrong.to_owned()), "{tags:?}");
        }
    }

    #[test]
    fn the_first_part_that_is_wrong_is_named() {
        let plan = PartPlan::new(PART + 1, PART);
        let stored = |number, size_bytes, etag: &str| StoredPart { number, size_bytes, etag: etag.into() };
        let tags = [tag(1, "\"a\""), tag(2, "b")];
        let pointer = |stored: &[StoredPart]| first_wrong(&plan, stored, &tags).map(|error| error.pointer);
        let first = stored(1, PART, "\"a\"");
        assert_eq!(pointer(&[first.clone(), stored(2, 1, "\"b\"")]), None);
        assert_eq!(pointer(&[]).unwrap(), "/parts/0/partNumber");
        assert_eq!(pointer(&[stored(1, PART - 1, "\"a\"")]).unwrap(), "/parts/0/partNumber", "its size");
        assert_eq!(pointer(&[stored(1, PART, "\"b\"")]).unwrap(), "/parts/0/etag");
        assert_eq!(pointer(&[first]).unwrap(), "/parts/1/partNumber");
    }
}
