//! A stranger can't exhaust a node's memory.
