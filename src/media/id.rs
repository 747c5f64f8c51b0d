//! Names of assets and tenants.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// An asset's id: `med_` and a ULID, 30 characters, for example `med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E`.
///
/// Ids sort by the time at which they were made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssetId(Ulid);

impl AssetId {
    /// What every id begins with.
    pub const PREFIX: &'static str = "med_";

    /// A fresh id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Ulid::generate())
    }

    /// The 16 bytes of the ULID, in the order of time.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// An id from the 16 bytes of its ULID.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Ulid::from_bytes(bytes))
    }
}

impl FromStr for AssetId {
    type Err = InvalidId;

    /// Accepts the canonical spelling alone: `med_` in lower case, the ULID in upper case.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let ulid = text.strip_prefix(Self::PREFIX).ok_or(InvalidId::Asset)?;
        let parsed = Ulid::from_string(ulid).map_err(|_| InvalidId::Asset)?;
        let characters: &[u8; ulid::ULID_LEN] = ulid.as_bytes().try_into().map_err(|_| InvalidId::Asset)?;
        // All of them at a time, without an early end.
        let lower = characters.iter().fold(false, |found, byte| found | byte.is_ascii_lowercase());
        // ULIDs have 128 bits, and 26 characters 130: the first may be 7 at most.
        if lower || characters[0] > b'7' {
            return Err(InvalidId::Asset);
        }
        Ok(Self(parsed))
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0)
    }
}

impl fmt::Debug for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for AssetId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AssetId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A tenant's id: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(InvalidId::Tenant);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that isn't an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not an asset's id.
    #[error("an asset's id is med_ and 26 characters of a ULID in upper case")]
    Asset,
    /// Not a tenant's id.
    #[error("a tenant's id is 1 to 64 of A-Z a-z 0-9 _ -")]
    Tenant,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_asset_id_survives_its_text() {
        let id: AssetId = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E".parse().unwrap();
        assert_eq!(id.to_string(), "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E");
        assert_eq!(AssetId::from_bytes(id.to_bytes()), id);
    }

    #[test]
    fn other_spellings_of_an_asset_id_are_refused() {
        for text in [
            "",
            "med_",
            "01JC8Z3V5N7Q9R1T3W5Y7A9C1E",
            "med_01jc8z3v5n7q9r1t3w5y7a9c1e",
            "MED_01JC8Z3V5N7Q9R1T3W5Y7A9C1E",
            "med_81JC8Z3V5N7Q9R1T3W5Y7A9C1E",
            "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1",
            "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1EE",
            "med_O1JC8Z3V5N7Q9R1T3W5Y7A9C1E",
            "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1é",
        ] {
            assert_eq!(text.parse::<AssetId>(), Err(InvalidId::Asset), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_asset_id_has_one_spelling(ulid in "[0-9A-Za-z]{26}", bits in any::<u128>()) {
            let canonical = |ulid: Ulid| format!("med_{ulid}");
            let text = format!("med_{ulid}");
            let parsed = Ulid::from_string(&ulid).ok().filter(|ulid| canonical(*ulid) == text);
            prop_assert_eq!(text.parse().ok(), parsed.map(AssetId));
            let known = canonical(Ulid::from_bytes(bits.to_be_bytes()));
            prop_assert_eq!(known.parse::<AssetId>().map(|id| id.to_string()), Ok(known.clone()));
            let over = known.replacen(&known[4..5], "8", 1);
            prop_assert_eq!(over.parse::<AssetId>(), Err(InvalidId::Asset));
        }
    }

    #[test]
    fn a_tenant_id_can_not_hold_a_path() {
        assert!("t_demo".parse::<TenantId>().is_ok());
        for text in ["", "a/b", "..", "a b", "é", &"x".repeat(65)] {
            assert_eq!(text.parse::<TenantId>(), Err(InvalidId::Tenant), "{text}");
        }
    }
}
