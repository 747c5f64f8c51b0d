//! The worker that looks at what is due.

use serde::Deserialize;

/// `[lifecycle]`: unused tickets, late uploads, deleted files, moves that were cut off. One node works at
/// a time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LifecycleSettings {
    /// How long the worker rests after it has looked at everything that was due, in seconds. Default 60.
    pub interval_seconds: u64,
    /// How many assets it looks at in a second, at most: each costs the object store some requests.
    /// Default 50.
    pub assets_per_second: u32,
}

impl Default for LifecycleSettings {
    fn default() -> Self {
        Self { interval_seconds: 60, assets_per_second: 50 }
    }
}
