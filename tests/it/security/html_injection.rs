//! Signing HTML changes attribute values and nothing else of the parsed tree.
