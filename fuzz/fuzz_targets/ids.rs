//! Ids, object keys, file names and paths, as strangers might write them.
//!
//! 1. An id has one spelling.
//! 2. A file name that was cleaned is clean, and one segment of a key.
//! 3. Whatever is signed lies under the tenant's root, and the edge finds it in the tenant's bucket,
//!    nowhere else.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use signet::cloudfront::SignableUrl;
use signet::media::{AssetId, Filename, ObjectKey, Quota, Tenant, TenantId, Visibility};
use signet::service::layout::{Layout, Place, Template};

const ORIGINS: [&str; 2] = ["https://m.io", "http://127.0.0.1:8081"];
const ID: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";

static TENANT: LazyLock<Tenant> = LazyLock::new(|| Tenant {
    id: "t_1".parse().expect("an id"),
    key: "demo".into(),
    db_key: None,
    frozen: false,
    quota: Quota::NONE,
    profile: None,
    api_key: None,
});

/// A bucket a tenant, and one for all.
static LAYOUTS: LazyLock<[Layout; 2]> = LazyLock::new(|| {
    [("vivreal-{key}", "vivreal-{key}"), ("{tenant}", "media")].map(|(path, bucket)| {
        let template = |text| Template::parse(text).expect("a template");
        Layout::new(ORIGINS[0], &[ORIGINS[1].to_owned()], template(path), template(bucket))
    })
});

// An id, a key, a name, or what follows an origin.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<AssetId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<TenantId>() {
        assert_eq!(id.to_string(), text);
    }
    let name = Filename::clean(text);
    if let Some(name) = &name {
        assert_eq!(Filename::clean(name.as_str()).as_ref(), Some(name), "cleaning changes a clean name");
    }
    for layout in LAYOUTS.iter() {
        let place = layout.place(&TENANT);
        if let Some(name) = &name {
            let key = place.asset_key(&TENANT, ID.parse().expect("an id"), name, Visibility::Private);
            let key = key.expect("a short key");
            assert!(key.is_private());
            key_is_found(layout, &place, &key);
        }
        if let Ok(key) = ObjectKey::parse(text) {
            key_is_found(layout, &place, &key);
        }
        let _ = layout.locate(text);
        let mut urls = vec![text.to_owned(), format!("{}{text}", place.root())];
        urls.extend(ORIGINS.iter().map(|origin| format!("{origin}{text}")));
        for url in urls {
            url_is_found(layout, &place, &url);
        }
    }
});

fn key_is_found(layout: &Layout, place: &Place, key: &ObjectKey) {
    let url = place.url(key);
    assert!(SignableUrl::parse(&url).is_ok(), "{url} can't be signed");
    assert_eq!(layout.locate(path(&url)), Some(place.location(key)), "{url}");
    let own = place.own_url(&url).expect("a tenant's own URL");
    assert_eq!((own.url.as_str(), &own.key), (url.as_str(), key));
}

fn url_is_found(layout: &Layout, place: &Place, url: &str) {
    let Ok(own) = place.own_url(url) else { return };
    let found = layout.locate(path(own.url.as_str())).expect("an object of the layout");
    assert_eq!(found.bucket, place.bucket(), "{url}");
    assert_eq!(found, place.location(&own.key), "{url}");
    let root = path(place.root());
    assert!(path(own.url.as_str()).starts_with(root), "{url} is not under {root}");
}

/// The path of an absolute URL.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or_default()
}
