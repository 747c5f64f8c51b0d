//! What people say about a file: alt text, caption, anything.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Free members of an asset, bounded in size and depth.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// The most that an asset's metadata may take as JSON, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// How deep arrays and objects may be nested in it.
    pub const MAX_DEPTH: usize = 8;

    /// Checks size and depth.
    ///
    /// # Errors
    /// What is too large, and the limit.
    pub fn new(members: Map<String, Value>) -> Result<Self, String> {
        if members.values().any(|value| depth(value) >= Self::MAX_DEPTH) {
            return Err(format!("metadata is nested at most {} deep", Self::MAX_DEPTH));
        }
        let bytes = serde_json::to_vec(&members).map_err(|error| error.to_string())?.len();
        if bytes > Self::MAX_BYTES {
            return Err(format!("metadata has at most {} bytes as JSON, this has {bytes}", Self::MAX_BYTES));
        }
        Ok(Self(members))
    }

    /// A member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All members.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// These members with a JSON merge patch (RFC 7396) applied: `null` removes a member.
    ///
    /// # Errors
    /// As [`Metadata::new`].
    pub fn patched(&self, patch: Map<String, Value>) -> Result<Self, String> {
        let mut target = Value::Object(self.0.clone());
        merge(&mut target, Value::Object(patch), 0);
        match target {
            Value::Object(members) => Self::new(members),
            _ => Self::new(Map::new()),
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn merge(target: &mut Value, patch: Value, level: usize) {
    let Value::Object(changes) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(members) = target {
        for (name, change) in changes {
            if change.is_null() {
                members.remove(&name);
            } else if level < Metadata::MAX_DEPTH {
                merge(members.entry(name).or_insert(Value::Null), change, level + 1);
            } else {
                members.insert(name, change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn members(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_patch_merges_and_null_removes() {
        let before = Metadata::new(members(json!({"alt": "a", "crop": {"x": 1, "y": 2}}))).unwrap();
        let after = before.patched(members(json!({"alt": null, "crop": {"y": 3}, "caption": "c"}))).unwrap();
        assert_eq!(Value::Object(after.members().clone()), json!({"crop": {"x": 1, "y": 3}, "caption": "c"}));
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert!(Metadata::new(members(json!({"a": "x".repeat(17_000)}))).is_err());
        let deep = (0..9).fold(json!(1), |inner, _| json!([inner]));
        assert!(Metadata::new(members(json!({"a": deep}))).is_err());
    }
}
