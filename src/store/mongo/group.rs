//! A group of the control plane as a tenant.
//!
//! | member | means | where it is missing |
//! |---|---|---|
//! | `_id` | the tenant's id: an ObjectId (its 24 hexadecimal digits), or a string | an error |
//! | `key` | the slug | an error |
//! | `dbKey` | the name of its database; what is written there wins | `tier` says it |
//! | `tier` | `free`, `basic`, `pro`: `general_shared`; `proplus`: `pro_plus` | an error, without `dbKey` |
//! | `frozen` | a flag | `false` |
//! | `apiKey` | the API key, raw | none opens it |
//! | `mediaProfile` | the profile of its documents | the one for all |
//! | `mediaQuota` | `{count, bytes}`: how much it may store, each of them where it is there | what holds for all |
//!
//! A flag may be a boolean or a string: `"true"` is, `"false"` and `""` aren't. Whatever else stands there
//! freezes: somebody meant to say something of this tenant, and a frozen tenant that is served is worse than a
//! served one that is frozen, which shows at once and is mended by one write.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document};

use crate::media::{Quota, Tenant, TenantId};
use crate::service::ports::{StoreError, api_key_digest};

/// The database of tenants that share one.
pub const GENERAL_SHARED: &str = "general_shared";
/// The database of those who pay most.
pub const PRO_PLUS: &str = "pro_plus";

/// A group that can't be a tenant. Names group and member; shown to operators alone.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the group {group} can't be a tenant: {member} {problem}")]
pub struct BadGroup {
    group: String,
    member: &'static str,
    problem: String,
}

impl From<BadGroup> for StoreError {
    fn from(error: BadGroup) -> Self {
        Self::corrupt(error)
    }
}

/// What `_id` of a tenant's group may be.
pub fn ids(tenant: &TenantId) -> Vec<Bson> {
    let text = tenant.as_str();
    let mut ids = vec![Bson::from(text)];
    // Digits in capitals are another name: ids are compared byte for byte.
    if let Ok(id) = ObjectId::parse_str(text)
        && id.to_hex() == text
    {
        ids.push(id.into());
    }
    ids
}

/// The id of a group for logs and reports, on one line and not too long.
pub fn shown_id(group: &Document) -> String {
    let shown = match group.get("_id") {
        Some(Bson::String(id)) => format!("{id:?}"),
        Some(id) => id.to_string(),
        None => "without _id".to_owned(),
    };
    match shown.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// How many characters of an id are shown.
const MOST_SHOWN: usize = 80;

/// Reads a group of this control plane as a tenant.
pub fn tenant(group: &Document, control_database: &str) -> Result<Tenant, BadGroup> {
    let shown = shown_id(group);
    let bad = |member, problem: &str| BadGroup { group: shown.clone(), member, problem: problem.to_owned() };
    let id = match group.get("_id") {
        Some(Bson::ObjectId(id)) => id.to_hex().parse(),
        Some(Bson::String(text)) => text.parse(),
        _ => return Err(bad("_id", "is neither an ObjectId nor a string")),
    };
    let id = id.map_err(|_| bad("_id", "isn't 1 to 64 of A-Z a-z 0-9 _ -"))?;
    let key = match group.get("key") {
        Some(Bson::String(key)) if is_slug(key) => key.clone(),
        _ => return Err(bad("key", "isn't 1 to 64 of a-z 0-9 -")),
    };
    let text = |member| match group.get(member) {
        None | Some(Bson::Null | Bson::Undefined) => Ok(None),
        Some(Bson::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(bad(member, "isn't a string")),
    };
    let db_key = match (text("dbKey")?, text("tier")?) {
        (Some(name), _) if is_database(name) => name,
        (Some(_), _) => return Err(bad("dbKey", "isn't the name of a tenants' database")),
        (None, Some("free" | "basic" | "pro")) => GENERAL_SHARED,
        (None, Some("proplus")) => PRO_PLUS,
        (None, _) => {
            return Err(bad("tier", "isn't free, basic, pro or proplus, and there is no dbKey"));
        }
    };
    // To the server, names that differ in capitals alone are one database.
    if db_key.eq_ignore_ascii_case(control_database) {
        return Err(bad("dbKey", "is the control plane's own database: no tenant's assets may lie there"));
    }
    Ok(Tenant {
        id,
        key,
        db_key: Some(db_key.to_owned()),
        frozen: is_set(group.get("frozen")),
        profile: text("mediaProfile")?.map(str::to_owned),
        quota: quota(group.get("mediaQuota")).ok_or_else(|| bad("mediaQuota", "isn't {count, bytes}"))?,
        api_key: text("apiKey")?.map(api_key_digest),
    })
}

/// A quota; `None` where it can't be read.
fn quota(stored: Option<&Bson>) -> Option<Quota> {
    let members = match stored {
        None | Some(Bson::Null | Bson::Undefined) => return Some(Quota::NONE),
        Some(Bson::Document(members)) => members,
        Some(_) => return None,
    };
    let bound = |name| match members.get(name) {
        None | Some(Bson::Null) => Some(None),
        Some(value) => whole(value).map(Some),
    };
    Some(Quota { count: bound("count")?, bytes: bound("bytes")? })
}

/// A whole number that isn't negative, of whatever type of number: shells write doubles.
pub fn whole(value: &Bson) -> Option<u64> {
    match value {
        Bson::Int32(number) => u64::try_from(*number).ok(),
        Bson::Int64(number) => u64::try_from(*number).ok(),
        // Up to here a double counts each one.
        Bson::Double(number) if (0.0..=9_007_199_254_740_992.0).contains(number) && number.fract() == 0.0 => {
            format!("{number:.0}").parse().ok()
        }
        _ => None,
    }
}

/// Whether a flag is set, or can't be read.
fn is_set(flag: Option<&Bson>) -> bool {
    match flag {
        None | Some(Bson::Null | Bson::Undefined | Bson::Boolean(false)) => false,
        Some(Bson::String(text)) => {
            let text = text.trim();
            !(text.is_empty() || text.eq_ignore_ascii_case("false"))
        }
        Some(_) => true,
    }
}

fn is_slug(text: &str) -> bool {
    let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(slug)
}

/// Whether tenants' documents may lie in a database of this name: no name that means something else to the
/// server, and none of the server's own.
fn is_database(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(plain)
        && !["admin", "local", "config"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{bson, doc};

    use super::*;

    fn tenant(group: &Document) -> Result<Tenant, BadGroup> {
        super::tenant(group, "Vivreal")
    }

    fn group() -> Document {
        doc! { "_id": "g1", "key": "anna", "tier": "free" }
    }

    fn with(member: &str, value: impl Into<Bson>) -> Document {
        let mut group = group();
        group.insert(member, value);
        group
    }

    #[test]
    fn what_is_written_wins_and_else_the_tier_decides() {
        let database = |group: &Document| tenant(group).unwrap().db_key.unwrap();
        for (tier, name) in [
            ("free", "general_shared"),
            ("basic", "general_shared"),
            ("pro", "general_shared"),
            ("proplus", "pro_plus"),
        ] {
            assert_eq!(database(&with("tier", tier)), name);
            let mut written = with("tier", tier);
            written.insert("dbKey", "moved_db");
            assert_eq!(database(&written), "moved_db");
            written.insert("dbKey", "");
            assert_eq!(database(&written), name, "nothing is written");
        }
        assert_eq!(
            database(&doc! { "_id": "g", "key": "a", "tier": "gold", "dbKey": "pro_plus" }),
            "pro_plus"
        );
        for tier in [bson!("gold"), bson!("Free"), bson!(""), bson!(3), Bson::Null] {
            let error = tenant(&with("tier", tier)).unwrap_err().to_string();
            assert!(error.contains("g1") && error.contains("tier"), "{error}");
        }
        for name in [
            bson!("admin"),
            bson!("Local"),
            bson!("a.b"),
            bson!("a/b"),
            bson!("x".repeat(64)),
            bson!(1),
            bson!("vivreal"),
        ] {
            assert_eq!(tenant(&with("dbKey", name)).unwrap_err().member, "dbKey");
        }
    }

    #[test]
    fn flags_may_be_strings_and_what_nobody_can_read_freezes() {
        let frozen = |value: Bson| tenant(&with("frozen", value)).unwrap().frozen;
        assert!(!tenant(&group()).unwrap().frozen, "missing");
        for served in [bson!(false), bson!("false"), bson!(" False "), bson!(""), Bson::Null] {
            assert!(!frozen(served.clone()), "{served}");
        }
        for refused in [
            bson!(true),
            bson!("true"),
            bson!("TRUE"),
            bson!("yes"),
            bson!(0),
            bson!(1),
            bson!({}),
            bson!([]),
        ] {
            assert!(frozen(refused.clone()), "{refused}");
        }
    }

    #[test]
    fn an_id_is_an_object_id_or_a_string() {
        let hex = "68bfac783bc7c024975c90cb";
        let id = ObjectId::parse_str(hex).unwrap();
        assert_eq!(tenant(&with("_id", id)).unwrap().id.as_str(), hex);
        assert_eq!(tenant(&with("_id", hex)).unwrap().id.as_str(), hex);
        assert_eq!(ids(&hex.parse().unwrap()), [bson!(hex), bson!(id)]);
        assert_eq!(ids(&hex.to_uppercase().parse().unwrap()).len(), 1);
        assert_eq!(ids(&"t_1".parse().unwrap()), [bson!("t_1")]);
        for bad in [bson!(1), bson!("a/b"), Bson::Null] {
            assert_eq!(tenant(&with("_id", bad)).unwrap_err().member, "_id");
        }
    }

    #[test]
    fn a_key_that_is_no_path_segment_is_refused() {
        for bad in [bson!("a/b"), bson!(".."), bson!(""), bson!("A"), bson!(1), Bson::Null] {
            assert_eq!(tenant(&with("key", bad)).unwrap_err().member, "key");
        }
    }

    #[test]
    fn a_quota_bounds_what_it_names() {
        let quota = |value: Bson| tenant(&with("mediaQuota", value)).map(|tenant| tenant.quota);
        let of = |count, bytes| Quota { count, bytes };
        assert_eq!(tenant(&group()).unwrap().quota, Quota::NONE);
        assert_eq!(quota(bson!({ "count": 5 })).unwrap(), of(Some(5), None));
        assert_eq!(
            quota(bson!({ "count": 1e3, "bytes": i64::MAX })).unwrap(),
            of(Some(1_000), Some(u64::MAX >> 1))
        );
        for bad in [bson!(5), bson!({ "count": -1 }), bson!({ "bytes": "many" }), bson!({ "count": 0.5 })] {
            assert!(quota(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_api_key_is_known_by_its_digest_alone() {
        let api_key = |value: Bson| tenant(&with("apiKey", value)).map(|tenant| tenant.api_key);
        assert_eq!(api_key(bson!("sk_1")).unwrap(), Some(api_key_digest("sk_1")));
        assert_eq!(api_key(bson!("")).unwrap(), None);
        assert!(api_key(bson!(7)).is_err());
    }
}
