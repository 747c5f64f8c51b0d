//! Request headers that say under which conditions a call is made.

use aws_lc_rs::digest::{SHA256, digest};
use hyper::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};

use super::problem::{Kind, Problem};
use crate::media::{Asset, AssetId, IdempotencyKey};
use crate::service::Expected;

/// `Idempotency-Key`, where it is given.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    const NAME: &str = "idempotency-key";
    let mut values = headers.get_all(NAME).iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => IdempotencyKey::parse(value.as_bytes()),
        _ => None,
    };
    let wrong = || {
        let detail = "Idempotency-Key must be there once, with 1 to 255 visible ASCII characters";
        Problem::new(Kind::InvalidHeader, detail).with("header", "Idempotency-Key")
    };
    key.ok_or_else(wrong).map(Some)
}

/// The entity tag of an asset's answer: `"{id}.{revision}.{digest of the body}"`, strong.
///
/// A body holds a link, which changes with its window while the asset stays as it is. So the tag as a
/// whole is for `If-None-Match`, and its revision alone for `If-Match`: a change that was begun with an
/// old link isn't refused.
pub(super) fn entity_tag(asset: &Asset, body: &[u8]) -> String {
    format!("\"{}.{}.{}\"", asset.id, asset.revision, short_digest(body))
}

/// The entity tag of content that is nothing but itself, strong.
pub(super) fn content_tag(body: &[u8]) -> String {
    format!("\"{}\"", short_digest(body))
}

fn short_digest(body: &[u8]) -> String {
    digest(&SHA256, body).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `If-None-Match` names a tag, by weak comparison, or any.
pub(super) fn none_match_names(headers: &HeaderMap, tag: &str) -> bool {
    let mut tags = list(headers.get_all(IF_NONE_MATCH).iter());
    tags.any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

/// The revisions of an asset that `If-Match` allows to be changed. A tag that is weak, another asset's
/// or none at all allows nothing.
pub(super) fn if_match(headers: &HeaderMap, id: AssetId) -> Expected {
    if !headers.contains_key(IF_MATCH) {
        return Expected::Any;
    }
    let mut revisions = Vec::new();
    for tag in list(headers.get_all(IF_MATCH).iter()) {
        if tag == "*" {
            return Expected::Any;
        }
        revisions.extend(revision(tag, id));
    }
    Expected::Revisions(revisions)
}

fn revision(tag: &str, id: AssetId) -> Option<u64> {
    let tag = tag.strip_prefix('"')?.strip_suffix('"')?;
    let rest = tag.strip_prefix(&id.to_string())?.strip_prefix('.')?;
    rest.split('.').next()?.parse().ok()
}

/// The members of a list that may be spread over several headers. No tag of ours holds a comma.
fn list<'a>(values: impl Iterator<Item = &'a hyper::header::HeaderValue>) -> impl Iterator<Item = &'a str> {
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_change_needs_a_strong_tag_of_the_asset() {
        let (id, other) = (AssetId::generate(), AssetId::generate());
        let expected = |values: &[&str]| if_match(&headers(IF_MATCH, values), id);
        assert_eq!(expected(&[]), Expected::Any);
        assert_eq!(expected(&["*"]), Expected::Any);
        let tag = |id: AssetId, revision: u64| format!("\"{id}.{revision}.00ff\"");
        assert_eq!(expected(&[&tag(id, 3)]), Expected::Revisions(vec![3]));
        let many = format!("\"x\", {}", tag(id, 3));
        assert_eq!(expected(&[&many, &tag(id, 4)]), Expected::Revisions(vec![3, 4]));
        let weak = format!("W/{}", tag(id, 3));
        for none in ["", "x", &weak, &tag(other, 3), &format!("\"{id}\""), &format!("{id}.3")] {
            assert_eq!(expected(&[none]), Expected::Revisions(vec![]), "{none}");
        }
    }

    #[test]
    fn a_known_body_is_found_by_its_whole_tag() {
        let names = |values: &[&str]| none_match_names(&headers(IF_NONE_MATCH, values), "\"a.1.f\"");
        for values in
            [&["*"][..], &["\"a.1.f\""], &["W/\"a.1.f\""], &["\"b\", \"a.1.f\""], &["\"b\"", "\"a.1.f\""]]
        {
            assert!(names(values), "{values:?}");
        }
        for values in [&[][..], &[""], &["\"a.1.e\""], &["a.1.f"]] {
            assert!(!names(values), "{values:?}");
        }
    }
}
