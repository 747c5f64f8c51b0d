//! Derivatives follow their asset, also those that its metadata no longer names.
