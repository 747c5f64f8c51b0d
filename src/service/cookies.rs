//! Cookies that open a folder.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::auth::Caller;
use super::layout::{Layout, Place};
use super::links::{LinkError, LinkService};
use super::lookup::Lookup;
use crate::cloudfront::Resource;
use crate::document::Reason;
use crate::media::{InvalidField, ObjectKey};

/// The longest folder that cookies are made for, in characters: what browsers let a cookie have isn't passed.
pub const MAX_FOLDER: usize = 256;

/// Makes cookies for folders.
pub struct FolderCookies {
    layout: Arc<Layout>,
    links: LinkService,
    lookup: Lookup,
}

/// Cookies, and where they belong.
#[derive(Debug)]
pub struct CookieGrant {
    /// Names and values, as CloudFront wants them.
    pub cookies: Vec<(&'static str, String)>,
    /// The media host.
    pub domain: String,
    /// The path of the folder's URLs.
    pub path: String,
    /// When they end, in seconds since the Unix epoch.
    pub expires: u64,
    /// Whether the media host is reached by https.
    pub secure: bool,
}

impl FolderCookies {
    /// Joins the parts.
    #[must_use]
    pub fn new(layout: Arc<Layout>, links: LinkService, lookup: Lookup) -> Self {
        Self { layout, links, lookup }
    }

    /// Cookies for all that lies in a folder under the caller's root, such as `groupObjects/`.
    ///
    /// # Errors
    /// Where the folder is the root itself, reaches `private/`, or is no folder; or where it is that of an asset whose
    /// file may not be served.
    pub async fn grant(&self, caller: &Caller, folder: &str) -> Result<CookieGrant, CookieError> {
        let folder = folder_key(folder)?;
        let place = self.layout.place(&caller.tenant);
        self.check_asset(caller, &place, &folder).await?;
        let prefix = format!("{}/", place.url(&folder));
        let resource = Resource::pattern(&format!("{prefix}*"))
            .map_err(|error| InvalidField::new("/folder", error.to_string()))?;
        let grant = self.links.folder_grant(&place, resource).await?;
        let (scheme, rest) = prefix.split_once("://").unwrap_or(("https", &prefix));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(CookieGrant {
            cookies: grant.cookies(),
            domain: authority.split(':').next().unwrap_or(authority).to_owned(),
            path: format!("/{path}"),
            expires: grant.expires(),
            secure: scheme == "https",
        })
    }
}

impl FolderCookies {
    /// Checks the asset in whose folder this is, if it is in one: what no link may be made for isn't opened by cookies
    /// either.
    async fn check_asset(
        &self,
        caller: &Caller,
        place: &Place,
        folder: &ObjectKey,
    ) -> Result<(), CookieError> {
        let inside = format!("{folder}/");
        let Some(id) = place.asset_of(&inside) else { return Ok(()) };
        let assets = self.lookup.servable(&caller.tenant.id, [id]).await.map_err(LinkError::from)?.value;
        let reason = match assets.get(id) {
            Ok(asset) if asset.key.as_str().starts_with(&inside) => return Ok(()),
            Ok(_) => Reason::Unknown,
            Err(reason) => reason,
        };
        let detail = format!(
            "is a folder of the asset {id}, whose file can't be served from there ({}): GET /media/v1/assets/{id} says why",
            reason.as_str()
        );
        Err(InvalidField::new("/folder", detail).into())
    }
}

fn folder_key(folder: &str) -> Result<ObjectKey, InvalidField> {
    let wrong = |detail: &str| InvalidField::new("/folder", detail);
    let name = folder
        .strip_suffix('/')
        .ok_or_else(|| wrong("must name a folder under the root and end in `/`, such as `groupObjects/`"))?;
    if folder.chars().count() > MAX_FOLDER {
        return Err(wrong(&format!("has at most {MAX_FOLDER} characters")));
    }
    let key = ObjectKey::parse(name).map_err(|error| wrong(&error.to_string()))?;
    if percent_decode_str(name).ne(name.bytes()) {
        return Err(wrong("must be named as its keys have it, not percent-encoded"));
    }
    let first = name.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("private") {
        return Err(wrong("must not be `private/`: private files are linked one by one"));
    }
    Ok(key)
}

/// Why there are no cookies.
#[derive(Debug, thiserror::Error)]
pub enum CookieError {
    /// A folder that can't be opened.
    #[error(transparent)]
    Folder(#[from] InvalidField),
    /// No signature can be made.
    #[error(transparent)]
    Link(#[from] LinkError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_root_nor_private_can_be_opened() {
        for folder in [
            "",
            "/",
            "groupObjects",
            "private/",
            "private/x/",
            "Private/",
            "%70rivate/",
            "../",
            "a/../",
            "a//",
            "./",
            "a\\b/",
            "%2e%2e/",
            "a%2f..%2f/",
            "a%20b/",
            &format!("{}/", "a".repeat(256)),
        ] {
            assert!(folder_key(folder).is_err(), "{folder}");
        }
        for folder in ["groupObjects/", "a/b/", "privately/", "a/private/", "a%b/", "a*b/"] {
            assert!(folder_key(folder).is_ok(), "{folder}");
        }
    }
}
