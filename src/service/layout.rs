//! Where a tenant's media lies.
//!
//! Two templates say it: `path` is the first segment of its URLs, `bucket` is where S3 has it.
//! - A bucket a tenant (`bucket = "vivreal-{key}"`): `{base}/vivreal-demo/a.jpg` is the key
//!   `a.jpg` of the bucket `vivreal-demo`.
//! - One bucket (`bucket = "media"`): `{base}/t_1/a.jpg` is its key `t_1/a.jpg`; the path is a
//!   prefix.
//!
//! Either way `private/` comes first under the root, so that one rule keeps folder grants out.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use memchr::{memchr, memchr2};
use percent_encoding::percent_decode_str;

use super::ports::ObjectLocation;
use super::signing_pool::Lane;
use crate::cloudfront::{SignableUrl, strip_signing_parameters};
use crate::document::Reason;
use crate::media::{AssetId, Filename, InvalidKey, ObjectKey, Tenant, TenantId, Visibility};

/// Bases and templates; gives each tenant its [`Place`].
#[derive(Debug, Clone)]
pub struct Layout {
    origins: Vec<String>,
    path: Template,
    bucket: Template,
}

impl Layout {
    /// A layout.
    ///
    /// `base` is the origin that links are made for, such as `https://media.vivreal.io`, without
    /// a slash at its end; `aliases` are further origins of the same distribution.
    #[must_use]
    pub fn new(base: &str, aliases: &[String], path: Template, bucket: Template) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let mut origins = vec![base];
        for alias in aliases {
            if !origins.contains(alias) {
                origins.push(alias.clone());
            }
        }
        Self { origins, path, bucket }
    }

    /// The origins on which media lies, the one that links are made for first.
    #[must_use]
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// The bucket that all tenants share, if there is one.
    #[must_use]
    pub fn one_bucket(&self) -> Option<String> {
        self.bucket.is_shared().then(|| self.bucket.to_string())
    }

    /// The bucket of a tenant that is known by its slug alone, or by slug and id. `None` where the id is needed.
    #[must_use]
    pub fn bucket(&self, key: &str, id: Option<&TenantId>) -> Option<String> {
        let id = id.map(TenantId::as_str);
        if self.bucket.placeholder == Some(Placeholder::Tenant) && id.is_none() {
            return None;
        }
        Some(self.bucket.fill_with(|placeholder| match placeholder {
            Placeholder::Key => key,
            Placeholder::Tenant => id.unwrap_or_default(),
        }))
    }

    /// Where a tenant's media lies.
    #[must_use]
    pub fn place(&self, tenant: &Tenant) -> Place {
        self.place_of(&self.path.fill(tenant), &self.bucket.fill(tenant))
    }

    /// A place by the first segment of its URLs and its bucket.
    #[must_use]
    pub fn place_of(&self, path: &str, bucket: &str) -> Place {
        let roots = self.origins.iter().map(|origin| root(origin, path)).collect();
        let prefix = if self.bucket.is_shared() { format!("{path}/") } else { String::new() };
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let (path, bucket) = (path.to_owned(), bucket.to_owned());
        Place { roots, path, bucket, prefix, lane: Lane(hasher.finish()) }
    }

    /// The object behind a URL's path, as the distribution's routing finds it: the first segment
    /// chooses the bucket. `None` where the path can't be one of the layout's.
    #[must_use]
    pub fn locate(&self, path: &str) -> Option<ObjectLocation> {
        self.find(path).map(|(place, key)| place.location(&key))
    }

    /// The place that a URL's path leads to, and the key there.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<(Place, ObjectKey)> {
        let (first, rest) = path.strip_prefix('/')?.split_once('/')?;
        let key = decode(rest).ok()?;
        let (name, value) = self.path.extract(first)?;
        let bucket = self.bucket.fill_with(|placeholder| if placeholder == name { value } else { "" });
        Some((self.place_of(first, &bucket), ObjectKey::parse(key).ok()?))
    }
}

/// Where one tenant's media lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    roots: Vec<String>,
    path: String,
    bucket: String,
    prefix: String,
    lane: Lane,
}

impl Place {
    /// The URL prefix under which all of the tenant's media lies, ending in `/`.
    #[must_use]
    pub fn root(&self) -> &str {
        self.roots.first().map_or("", String::as_str)
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What is this place's alone: its root, and its bucket with the prefix in it. Two places whose files could be
    /// taken for each other's have one of them in common, since both end where a segment does.
    #[must_use]
    pub fn claims(&self) -> [String; 2] {
        // Names of buckets are names of hosts, for which upper and lower case are the same.
        let objects = format!("{}/{}", self.bucket.to_ascii_lowercase(), self.prefix);
        [self.root().to_owned(), objects]
    }

    /// The tenant's turn among those that have signatures made.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// The URL of a file, unsigned.
    #[must_use]
    pub fn url(&self, key: &ObjectKey) -> String {
        format!("{}{}", self.root(), key.encoded())
    }

    /// The same on an origin, which has no slash at its end.
    #[must_use]
    pub fn url_on(&self, origin: &str, key: &ObjectKey) -> String {
        format!("{}{}", root(origin, &self.path), key.encoded())
    }

    /// The full key of a file in its bucket.
    #[must_use]
    pub fn storage_key(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Where a file lies in the object store.
    #[must_use]
    pub fn location(&self, key: &ObjectKey) -> ObjectLocation {
        ObjectLocation { bucket: self.bucket.clone(), key: self.storage_key(key) }
    }

    /// Where an asset's file belongs: `{tenant}/{assetId}/{filename}` in the bucket, and the same
    /// under `private/` for a PRIVATE one.
    ///
    /// # Errors
    /// Where the tenant's id and the name together are too long for a key.
    pub fn asset_key(
        &self,
        tenant: &Tenant,
        id: AssetId,
        filename: &Filename,
        visibility: Visibility,
    ) -> Result<ObjectKey, InvalidKey> {
        let folder = match visibility {
            Visibility::Public => "",
            Visibility::Private => "private/",
        };
        let name = filename.as_str();
        if self.prefix.is_empty() {
            ObjectKey::parse(format!("{folder}{}/{id}/{name}", tenant.id))
        } else {
            ObjectKey::parse(format!("{folder}{id}/{name}"))
        }
    }

    /// Whether a key leads to where the files of PUBLIC assets lie, whosever they are.
    #[must_use]
    pub fn is_public_asset(&self, key: &ObjectKey) -> bool {
        let segments: Vec<&str> = key.as_str().split('/').collect();
        let id = match segments[..] {
            [_, id, _] if self.prefix.is_empty() => id,
            [id, _] if !self.prefix.is_empty() => id,
            _ => return false,
        };
        !key.is_private() && id.parse::<AssetId>().is_ok()
    }

    /// Returns the asset to whose files a key belongs, by the key's shape alone, and whichever tenant's the asset is:
    /// everything in a folder that is named by its id, where [`Place::asset_key`] puts such folders. The key needn't be
    /// checked yet.
    #[must_use]
    pub fn asset_of(&self, key: &str) -> Option<AssetId> {
        let folder = |key: &str| {
            let key = if self.prefix.is_empty() { key.split_once('/')?.1 } else { key };
            // Most keys are no asset's, and this is asked of each key in a document.
            let id = key.starts_with(AssetId::PREFIX).then(|| key.split_once('/')).flatten();
            id?.0.parse().ok()
        };
        // A tenant may be called `private` too.
        key.strip_prefix(ObjectKey::PRIVATE_FOLDER).and_then(folder).or_else(|| folder(key))
    }

    /// Returns the key that the path of a URL names, decoded but not checked. `None` where it isn't under the root, or
    /// isn't UTF-8: [`Place::own_url`] says what is wrong then.
    #[must_use]
    pub fn key_of_url<'u>(&self, url: &'u str) -> Option<Cow<'u, str>> {
        decode(self.under_root(url)?).ok()
    }

    /// What of a URL's path follows the root, as it is written.
    fn under_root<'u>(&self, url: &'u str) -> Option<&'u str> {
        let rest = self.roots.iter().find_map(|root| url.strip_prefix(root.as_str()))?;
        rest.get(..memchr2(b'?', b'#', rest.as_bytes()).unwrap_or(rest.len()))
    }

    /// Checks a URL that somebody has written: old signing parameters are dropped, the rest is
    /// kept byte for byte.
    ///
    /// # Errors
    /// [`Reason::Foreign`] where it leads, dot segments and encoded slashes followed, anywhere but
    /// under the root; [`Reason::InvalidKey`] where its path breaks the rules of keys;
    /// [`Reason::InvalidUrl`] where it can't be signed.
    pub fn own_url(&self, url: &str) -> Result<OwnUrl, Reason> {
        let bare = strip_signing_parameters(url);
        let rest = self.under_root(&bare).ok_or(Reason::Foreign)?;
        let decoded = decode(rest).map_err(|()| Reason::InvalidKey)?;
        if leaves_root(&decoded) {
            return Err(Reason::Foreign);
        }
        let url = SignableUrl::parse(&bare).map_err(|_| Reason::InvalidUrl)?;
        let encoded_slash = rest.split('/').count() != decoded.split('/').count();
        let key = ObjectKey::parse(decoded).map_err(|_| Reason::InvalidKey)?;
        if encoded_slash {
            return Err(Reason::InvalidKey);
        }
        Ok(OwnUrl { url, key })
    }
}

/// A URL under a tenant's root, without a signature.
#[derive(Debug, Clone)]
pub struct OwnUrl {
    /// The URL.
    pub url: SignableUrl,
    /// The key that its path names.
    pub key: ObjectKey,
}

fn root(origin: &str, path: &str) -> String {
    format!("{origin}/{path}/")
}

fn decode(path: &str) -> Result<Cow<'_, str>, ()> {
    match memchr(b'%', path.as_bytes()) {
        Some(_) => percent_decode_str(path).decode_utf8().map_err(drop),
        None => Ok(path.into()),
    }
}

/// Whether a decoded path climbs out of the folder in which it begins, with `\` read as `/`.
fn leaves_root(path: &str) -> bool {
    let mut depth = 0_i64;
    for segment in path.split(['/', '\\']) {
        match segment {
            ".." => depth -= 1,
            "." | "" => {}
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// A text with at most one placeholder, `{key}` or `{tenant}`: one path segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    before: String,
    placeholder: Option<Placeholder>,
    after: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Key,
    Tenant,
}

impl Template {
    /// Parses a template such as `vivreal-{key}`, `{tenant}` or `media`.
    ///
    /// # Errors
    /// Why it can't be one.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let found = [("{key}", Placeholder::Key), ("{tenant}", Placeholder::Tenant)]
            .into_iter()
            .find_map(|(name, placeholder)| Some((text.split_once(name)?, placeholder)));
        let (before, placeholder, after) = match found {
            Some(((before, after), placeholder)) => (before, Some(placeholder), after),
            None => (text, None, ""),
        };
        let plain =
            |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let dots = placeholder.is_none() && text.bytes().all(|byte| byte == b'.');
        if !plain(before) || !plain(after) || dots {
            return Err(InvalidTemplate { text: text.to_owned() });
        }
        Ok(Self { before: before.to_owned(), placeholder, after: after.to_owned() })
    }

    /// Whether the text is the same for all tenants.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.placeholder.is_none()
    }

    /// Whether the tenant's id stands in it, which no two tenants share.
    #[must_use]
    pub fn names_tenant(&self) -> bool {
        self.placeholder == Some(Placeholder::Tenant)
    }

    /// The text for a tenant.
    #[must_use]
    pub fn fill(&self, tenant: &Tenant) -> String {
        self.fill_with(|placeholder| match placeholder {
            Placeholder::Key => &tenant.key,
            Placeholder::Tenant => tenant.id.as_str(),
        })
    }

    fn fill_with<'a>(&self, value: impl Fn(Placeholder) -> &'a str) -> String {
        let value = self.placeholder.map_or("", value);
        format!("{}{value}{}", self.before, self.after)
    }

    fn extract<'a>(&self, text: &'a str) -> Option<(Placeholder, &'a str)> {
        let value = text.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let dots = text.bytes().all(|byte| byte == b'.');
        (!value.is_empty() && plain && !dots).then_some((self.placeholder?, value))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.placeholder {
            Some(Placeholder::Key) => "{key}",
            Some(Placeholder::Tenant) => "{tenant}",
            None => "",
        };
        write!(f, "{}{name}{}", self.before, self.after)
    }
}

/// A text that can't be a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no template: it is one path segment of A-Z a-z 0-9 - _ . with at most one {{key}} or {{tenant}}"
)]
pub struct InvalidTemplate {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Quota;

    fn tenant() -> Tenant {
        Tenant {
            id: "t_1".parse().unwrap(),
            key: "demo".into(),
            db_key: None,
            frozen: false,
            quota: Quota::NONE,
            profile: None,
            api_key: None,
        }
    }

    fn layout(path: &str, bucket: &str) -> Layout {
        let (path, bucket) = (Template::parse(path).unwrap(), Template::parse(bucket).unwrap());
        Layout::new("https://media.vivreal.io", &[], path, bucket)
    }

    #[test]
    fn both_layouts_put_private_first_under_the_root() {
        let id: AssetId = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E".parse().unwrap();
        let name = Filename::clean("a b.jpg").unwrap();
        for (path, bucket, public, private) in [
            ("vivreal-{key}", "vivreal-{key}", "t_1/{id}/a b.jpg", "private/t_1/{id}/a b.jpg"),
            ("{tenant}", "media", "t_1/{id}/a b.jpg", "t_1/private/{id}/a b.jpg"),
        ] {
            let layout = layout(path, bucket);
            let place = layout.place(&tenant());
            for (visibility, expected) in [(Visibility::Public, public), (Visibility::Private, private)] {
                let key = place.asset_key(&tenant(), id, &name, visibility).unwrap();
                assert_eq!(place.storage_key(&key), expected.replace("{id}", &id.to_string()));
                assert_eq!(key.is_private(), visibility == Visibility::Private);
                assert_eq!(place.is_public_asset(&key), visibility == Visibility::Public);
                assert_eq!(place.is_public_asset(&key.derivative(320, "jpg").unwrap()), !key.is_private());
                let path = place.url(&key).replace("https://media.vivreal.io", "");
                assert_eq!(layout.locate(&path), Some(place.location(&key)));
            }
        }
    }

    #[test]
    fn no_other_key_is_taken_for_an_asset_s() {
        let id = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
        for (path, bucket, keys) in [
            ("vivreal-{key}", "vivreal-{key}", ["{id}/a.jpg", "private/{id}/a.jpg", "t_1/{id}/b/a.jpg"]),
            ("{tenant}", "media", ["t_1/{id}/a.jpg", "private/{id}/a.jpg", "{id}/b/a.jpg"]),
        ] {
            let place = layout(path, bucket).place(&tenant());
            for key in
                keys.into_iter().chain(["groupObjects/68bf/logo.png", "med_x/a.jpg", "t_1/med_x/a.jpg"])
            {
                let key = ObjectKey::parse(key.replace("{id}", id)).unwrap();
                assert!(!place.is_public_asset(&key), "{key}");
            }
        }
    }

    #[test]
    fn a_url_is_signed_only_under_the_root() {
        let place = layout("vivreal-{key}", "vivreal-{key}").place(&tenant());
        let base = "https://media.vivreal.io";
        for (path, outcome) in [
            ("/vivreal-demo/a.jpg", Ok("a.jpg")),
            ("/vivreal-demo/a%20b.jpg?v=1&Expires=1&Signature=x&Key-Pair-Id=K", Ok("a b.jpg")),
            ("/vivreal-other/a.jpg", Err(Reason::Foreign)),
            ("/vivreal-demo", Err(Reason::Foreign)),
            ("/vivreal-demo2/a.jpg", Err(Reason::Foreign)),
            ("/vivreal-demo/../vivreal-other/a.jpg", Err(Reason::Foreign)),
            ("/vivreal-demo/%2e%2e/vivreal-other/a.jpg", Err(Reason::Foreign)),
            ("/vivreal-demo/x/%2e%2E%2f..%5cvivreal-other/a.jpg", Err(Reason::Foreign)),
            ("/vivreal-demo/x/../a.jpg", Err(Reason::InvalidKey)),
            ("/vivreal-demo/x%2fa.jpg", Err(Reason::InvalidKey)),
            ("/vivreal-demo/x%5ca.jpg", Err(Reason::InvalidKey)),
            ("/vivreal-demo//a.jpg", Err(Reason::InvalidKey)),
            ("/vivreal-demo/a%00.jpg", Err(Reason::InvalidKey)),
            ("/vivreal-demo/%ff.jpg", Err(Reason::InvalidKey)),
            ("/vivreal-demo/*", Err(Reason::InvalidUrl)),
            ("/vivreal-demo/a.jpg?b?c", Err(Reason::InvalidUrl)),
            ("/vivreal-demo/a.jpg#top", Err(Reason::InvalidUrl)),
        ] {
            let found = place.own_url(&format!("{base}{path}"));
            assert_eq!(
                found.as_ref().map(|own| own.key.as_str()).map_err(|reason| *reason),
                outcome,
                "{path}"
            );
        }
        assert_eq!(place.own_url("https://other.example/vivreal-demo/a.jpg").unwrap_err(), Reason::Foreign);
    }

    #[test]
    fn what_the_edge_can_not_route_is_nowhere() {
        let layout = layout("vivreal-{key}", "vivreal-{key}");
        for path in
            ["", "/", "/vivreal-demo", "/vivreal-/a", "/other/a", "/vivreal-a*b/c", "/vivreal-demo/a//b"]
        {
            assert_eq!(layout.locate(path), None, "{path}");
        }
        let one_bucket = self::layout("{tenant}", "media");
        for path in ["/../a", "/./a", "/a%2e/a", "//a"] {
            assert_eq!(one_bucket.locate(path), None, "{path}");
        }
    }

    #[test]
    fn templates_are_one_segment() {
        for text in ["a/b", "{type}", "..", "a b", "{key}{tenant}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert_eq!(Template::parse("vivreal-{key}").unwrap().to_string(), "vivreal-{key}");
    }
}
