//! Whether what a caller names may be signed: the one place that decides it, for batches and documents.
//!
//! 1. An id names an asset.
//! 2. So does a key, or a URL under the tenant's root, that lies where an asset's files lie: its shape alone says so.
//!    It gets the asset's answer, or a deleted file would go on being linked by its key.
//! 3. Every other key or URL is a file of no asset. No store is asked for it.
//!
//! The state of an asset is looked at each time, also where the links are ready.

use std::borrow::Cow;
use std::sync::Arc;

use super::layout::Place;
use super::lookup::Servable;
use crate::document::{Reason, Want};
use crate::media::{Asset, AssetId, ObjectKey, Visibility};

/// What a caller names a file by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    /// An asset's id; not yet checked.
    Id(&'a str),
    /// An object key; not yet checked.
    Key(&'a str),
    /// A URL; not yet checked.
    Url(&'a str),
}

impl<'a> Name<'a> {
    /// Returns what a document wants a link for; `None` where the document itself was refused it.
    pub(super) fn of(want: &'a Want<'_>) -> Option<Self> {
        match want {
            Want::Asset { id } => Some(Self::Id(id)),
            Want::File { key, .. } => Some(Self::Key(key)),
            Want::Url { url } => Some(Self::Url(url)),
            Want::Refused { .. } => None,
        }
    }

    /// Returns the asset that has to be looked up, if there is one.
    pub(super) fn asset(self, place: &Place) -> Option<AssetId> {
        match self {
            Self::Id(id) => id.parse().ok(),
            Self::Key(key) => place.asset_of(key),
            Self::Url(url) => place.asset_of(&place.key_of_url(url)?),
        }
    }
}

/// What of a tenant's files may be signed in one call.
pub(super) struct Eligibility<'a> {
    /// Where the tenant's media lies.
    pub(super) place: &'a Place,
    /// The assets that the call names.
    pub(super) assets: &'a Servable,
    /// PRIVATE assets, and all else under `private/`, stay unsigned.
    pub(super) public_only: bool,
}

impl<'a> Eligibility<'a> {
    /// Checks a name. `asset` is what [`Name::asset`] returned for it, and is among those that were looked up. Returns
    /// the asset whose file it is; `None` where it is a file of no asset.
    ///
    /// # Errors
    /// Why it stays unsigned.
    pub(super) fn check(
        &self,
        name: Name<'_>,
        asset: Option<AssetId>,
    ) -> Result<Option<&'a Arc<Asset>>, Reason> {
        let key: Cow<'_, str> = match name {
            Name::Id(_) => {
                let asset = self.assets.get(asset.ok_or(Reason::Unknown)?)?;
                return self.permit(asset.visibility == Visibility::Private).map(|()| Some(asset));
            }
            Name::Key(key) => key.into(),
            Name::Url(url) if asset.is_some() || self.public_only => match self.place.key_of_url(url) {
                Some(key) => key,
                // What is wrong with it is found when its link is to be made.
                None => return Ok(None),
            },
            Name::Url(_) => return Ok(None),
        };
        let in_private = key.starts_with(ObjectKey::PRIVATE_FOLDER);
        let Some(id) = asset else { return self.permit(in_private).map(|()| None) };
        let asset = self.assets.get(id)?;
        if !asset.key.covers(&key) {
            // It was moved, or this never was its file.
            return Err(ObjectKey::parse(key).map_or(Reason::InvalidKey, |_| Reason::Unknown));
        }
        self.permit(in_private || asset.visibility == Visibility::Private).map(|()| Some(asset))
    }

    /// Checks the visibility that the caller has asked for.
    fn permit(&self, private: bool) -> Result<(), Reason> {
        if self.public_only && private { Err(Reason::Private) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;
    use crate::service::layout::{Layout, Template};

    const ID: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
    const BASE: &str = "https://m.example";
    const ALIAS: &str = "https://alias.example";

    fn place(path: &str, bucket: &str) -> Place {
        let template = |text| Template::parse(text).unwrap();
        Layout::new(BASE, &[ALIAS.to_owned()], template(path), template(bucket)).place_of("v", "b")
    }

    fn places() -> [Place; 2] {
        [place("{key}", "v-{key}"), place("{key}", "media")]
    }

    #[test]
    fn what_lies_in_a_folder_of_an_asset_is_the_asset_s() {
        let [own_bucket, shared] = places();
        let names = |place: &Place, key: &str| Name::Key(&key.replace("{id}", ID)).asset(place).is_some();
        for key in ["{id}/a.jpg", "{id}/x/a.jpg", "{id}/", "private/{id}/a.jpg", "{id}//"] {
            assert!(names(&shared, key), "{key}");
        }
        for key in ["t/{id}/a.jpg", "t/{id}/x/a.jpg", "private/t/{id}/a.jpg", "private/{id}/a.jpg", "/{id}/a"]
        {
            assert!(names(&own_bucket, key), "{key}");
        }
        for key in [
            "{id}",
            "t/{id}",
            "groupObjects/68bf/logo.png",
            "groupObjects/x/{id}/a.jpg",
            "med_x/a.jpg",
            "t/med_x/a.jpg",
            "",
            "/",
            "private/",
            "private",
            "T/x{id}/a.jpg",
        ] {
            assert!(!names(&shared, key) && !names(&own_bucket, key), "{key}");
        }
        assert!(!names(&own_bucket, "{id}/a.jpg") && !names(&shared, "t/{id}/a.jpg"));
    }

    proptest! {
        /// Whatever URL is signed, its asset was found beforehand: by the same key that its path names.
        #[test]
        fn a_url_names_the_asset_of_its_key(
            path in "(private/)?(t/)?(%6Ded_|med_|Med_)01JC8Z3V5N7Q9R1T3W5Y7A9C1E/[a%20.?#/é]{0,6}",
            alias: bool,
            hex: bool,
        ) {
            let path = if hex {
                utf8_percent_encode(&path, NON_ALPHANUMERIC).to_string().replace("%2F", "/").replace("%25", "%")
            } else {
                path
            };
            let url = format!("{}/v/{path}", if alias { ALIAS } else { BASE });
            for place in places() {
                if let Ok(own) = place.own_url(&url) {
                    prop_assert_eq!(Name::Url(&url).asset(&place), Name::Key(own.key.as_str()).asset(&place));
                    let key = place.key_of_url(&url);
                    prop_assert_eq!(key.as_deref(), Some(own.key.as_str()));
                }
            }
        }
    }
}
