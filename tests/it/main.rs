//! What Signet does, seen from outside: one module a topic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails may panic")]

mod cli_inspect;
mod cli_sign;
mod program;
