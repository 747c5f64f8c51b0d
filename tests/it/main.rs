//! What Signet does, shown from outside: a module a topic, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so")]

mod agreement;
mod cli_inspect;
mod cli_sign;
mod contract;
mod embedded;
mod jwks;
mod layers;
mod readme;
mod support;
mod upload;
mod warm;
