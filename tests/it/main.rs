//! What Signet does, shown from outside: a module a topic, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so")]

mod assets;
mod bad_input;
mod bad_start;
mod cli_inspect;
mod cli_sign;
mod contract;
mod crash;
mod edge;
mod embedded;
mod isolation;
mod jwks;
mod support;
mod tamper;
mod upload;
mod windows;
