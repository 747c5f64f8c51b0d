//! What the examples of the description show: one asset, seen from all sides.

use serde_json::{Value, json};

pub(in crate::http) const ID: &str = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E";
pub(in crate::http) const CHECKSUM: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
pub(in crate::http) const ETAG: &str = "\"med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E.2.5d41402abc4b2a76\"";
pub(in crate::http) const PART_ETAG: &str = "\"5d41402abc4b2a76b9719d911017c592\"";
pub(in crate::http) const TIME: &str = "2027-01-15T08:00:00Z";
pub(in crate::http) const LINK: &str = "https://media.vivreal.io/vivreal-demo/med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/harbour.jpg\
     ?Expires=1800000300&Signature=Tm90LWEtc2lnbmF0dXJl&Key-Pair-Id=K2JCJMDEHXQW5F";
/// A file that no asset stands for.
pub(in crate::http) const KEY: &str = "groupObjects/68bfac783bc7c024975c90cb/1757391992521/stage.jpg";

pub(in crate::http) const URL: &str = "https://media.vivreal.io/vivreal-demo/groupObjects/logo.png";

/// What is said of a picture.
pub(in crate::http) fn metadata() -> Value {
    json!({"alt": "Three boats in a harbour at dusk", "derivatives": [320, 640], "derivativeFormat": "jpg"})
}

/// A request for a ticket.
pub(in crate::http) fn upload() -> Value {
    json!({
        "filename": "harbour.jpg",
        "contentType": "image/jpeg",
        "sizeBytes": 183_204,
        "visibility": "PUBLIC",
        "metadata": metadata(),
    })
}

/// A ticket.
pub(in crate::http) fn ticket() -> Value {
    json!({
        "assetId": ID,
        "uploadUrl": "https://uploads.example.com/vivreal-demo/med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/harbour.jpg?X-Amz-Signature=00ff",
        "method": "PUT",
        "headers": {"content-type": "image/jpeg", "if-none-match": "*"},
        "storageKey": "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/harbour.jpg",
        "expiresInSeconds": 900,
    })
}

/// A ticket of a large file.
pub(in crate::http) fn large_ticket() -> Value {
    let mut page = parts();
    page["partSizeBytes"] = 67_108_864.into();
    page["partCount"] = 2.into();
    json!({
        "assetId": ID,
        "method": "PUT",
        "storageKey": "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/film.mp4",
        "expiresInSeconds": 86_400,
        "multipart": page,
    })
}

/// A page of parts.
pub(in crate::http) fn parts() -> Value {
    let url = "https://uploads.example.com/vivreal-demo/med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/film.mp4?partNumber=2&X-Amz-Signature=00ff";
    let there = json!({"partNumber": 1, "sizeBytes": 67_108_864, "uploaded": true, "etag": PART_ETAG});
    let missing = json!({
        "partNumber": 2,
        "sizeBytes": 41_943_040,
        "uploaded": false,
        "etag": null,
        "uploadUrl": url,
        "method": "PUT",
        "headers": {},
    });
    json!({"parts": [there, missing], "nextAfter": null})
}

/// All parts of a file.
pub(in crate::http) fn complete() -> Value {
    json!({"parts": [{"partNumber": 1, "etag": PART_ETAG}, {"partNumber": 2, "etag": PART_ETAG}]})
}

/// An asset that is READY.
pub(in crate::http) fn asset() -> Value {
    json!({
        "assetId": ID,
        "status": "READY",
        "visibility": "PUBLIC",
        "filename": "harbour.jpg",
        "contentType": "image/jpeg",
        "sizeBytes": 183_204,
        "checksum": null,
        "widthPx": 1280,
        "heightPx": 853,
        "storageKey": "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E/harbour.jpg",
        "metadata": metadata(),
        "createdAt": TIME,
        "updatedAt": TIME,
        "url": LINK,
        "expiresAt": TIME,
    })
}

/// A page of assets.
pub(in crate::http) fn page() -> Value {
    json!({"items": [asset()], "nextCursor": null})
}

/// A change of an asset.
pub(in crate::http) fn change() -> Value {
    json!({"visibility": "PRIVATE", "metadata": {"alt": "A harbour at dusk", "caption": null}})
}

/// How much there is.
pub(in crate::http) fn usage() -> Value {
    json!({
        "count": 2,
        "bytes": 244_113,
        "pending": {"count": 0, "bytes": 0},
        "quota": {"count": null, "bytes": 1_073_741_824},
    })
}

/// An asset that is being deleted.
pub(in crate::http) fn deleting() -> Value {
    json!({"assetId": ID, "deleting": true})
}

/// A batch of links.
pub(in crate::http) fn batch() -> Value {
    json!({"ids": [ID], "keys": [KEY]})
}

/// Its answer.
pub(in crate::http) fn links() -> Value {
    json!({"links": [{"id": ID, "reason": "unknown"}, {"key": KEY, "link": LINK, "expiresAt": TIME}]})
}

/// One link.
pub(in crate::http) fn link() -> Value {
    json!({"id": ID, "link": LINK, "expiresAt": TIME})
}

/// Cookies of a folder.
pub(in crate::http) fn cookies() -> Value {
    json!({
        "cookies": {
            "CloudFront-Policy": "eyJTdGF0ZW1lbnQiOltdfQ__",
            "CloudFront-Signature": "Tm90LWEtc2lnbmF0dXJl",
            "CloudFront-Key-Pair-Id": "K2JCJMDEHXQW5F",
        },
        "domain": "media.vivreal.io",
        "path": "/vivreal-demo/groupObjects/",
        "expiresAt": TIME,
    })
}

/// A document with one piece of media.
pub(in crate::http) fn document() -> Value {
    json!({"title": "Harbour nights", "hero": {"key": KEY, "name": "stage.jpg", "type": "image"}})
}

/// The same, signed.
pub(in crate::http) fn signed() -> Value {
    let current = json!({"name": "stage.jpg", "source": LINK});
    let hero = json!({"key": KEY, "name": "stage.jpg", "type": "image", "currentFile": current});
    json!({"title": "Harbour nights", "hero": hero})
}

/// The same with its report.
pub(in crate::http) fn report() -> Value {
    let row = json!({"pointer": "/hero", "kind": "descriptor", "key": KEY, "link": LINK, "expiresAt": TIME});
    json!({"document": signed(), "media": [row]})
}
