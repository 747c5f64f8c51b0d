//! What Signet does, shown from outside: a module a topic, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so")]

mod contract;
mod embedded;
mod jwks;
