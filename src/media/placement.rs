//! Where an asset's objects lie, and which of them belong to it.

use serde::{Deserialize, Serialize};

use super::{Asset, Derivatives, Metadata, Periods, Timestamp, Visibility};

/// Most derivatives that are remembered of an asset whose metadata names them no longer.
const MAX_FORMER_DERIVATIVES: usize = 256;

/// An asset's metadata has named more derivatives over time than are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "has named more than {MAX_FORMER_DERIVATIVES} other derivatives over time, whose files are still kept; upload the \
     file once more as another asset"
)]
pub struct TooManyDerivatives;

/// Where an asset's objects lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Placement {
    /// At the asset's key.
    #[default]
    Key,
    /// On their way from the key to the trash, or back.
    Moving,
    /// In the trash.
    Trash,
    /// At the asset's key, in a bucket that keeps versions: about to be hidden under delete markers and tombstones, or to
    /// come back.
    Hiding,
    /// Hidden there.
    Hidden,
}

impl Asset {
    /// The deleted asset, whose objects are about to be hidden where they lie.
    #[must_use]
    pub fn hiding(mut self, now: Timestamp) -> Self {
        self.placement = Placement::Hiding;
        self.touched(now)
    }

    /// The deleted asset, whose objects are about to come back from where they are.
    #[must_use]
    pub fn returning(mut self) -> Self {
        self.placement = match self.placement {
            Placement::Hiding | Placement::Hidden => Placement::Hiding,
            Placement::Key | Placement::Moving | Placement::Trash => Placement::Moving,
        };
        self
    }

    /// The deleted asset, whose objects are out of reach. It is released as by [`Asset::released`].
    #[must_use]
    pub fn discarded(mut self, periods: &Periods, held_at: Timestamp, now: Timestamp) -> Self {
        self.placement = match self.placement {
            Placement::Hiding | Placement::Hidden => Placement::Hidden,
            Placement::Key | Placement::Moving | Placement::Trash => Placement::Trash,
        };
        self.released(periods, held_at, now)
    }

    /// The restored asset, which is no longer held. The worker looks at it once more.
    #[must_use]
    pub fn released_and_due(mut self, periods: &Periods, now: Timestamp) -> Self {
        self.hold = None;
        self.touched(now).due_again(periods, now)
    }

    /// Whether it is deleted and its objects are still on their way out of reach.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.deleted_at.is_some() && matches!(self.placement, Placement::Moving | Placement::Hiding)
    }

    /// Whether its file lies apart from where it will be served, until it has been looked at.
    #[must_use]
    pub fn is_staged(&self) -> bool {
        self.visibility == Visibility::Public && self.key.is_private()
    }

    /// The asset with other metadata, one revision on. Derivatives that are named no longer are remembered.
    ///
    /// # Errors
    /// Where more derivatives were named over time than are remembered.
    pub fn described(mut self, metadata: Metadata, now: Timestamp) -> Result<Self, TooManyDerivatives> {
        let names = |set: Option<Derivatives>| set.map(|set| set.names()).unwrap_or_default();
        let named = names(self.derivatives());
        self.metadata = metadata;
        let still = names(self.derivatives());
        self.former_derivatives.extend(named);
        self.former_derivatives.retain(|name| !still.contains(name));
        self.former_derivatives.sort_unstable();
        self.former_derivatives.dedup();
        if self.former_derivatives.len() > MAX_FORMER_DERIVATIVES {
            return Err(TooManyDerivatives);
        }
        Ok(self.touched(now))
    }
}
