//! What Signet does, shown from outside: a module a topic, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so")]

mod agreement;
mod assets;
mod bad_input;
mod bad_start;
mod cli_inspect;
mod cli_sign;
mod contract;
mod cookies_and_links;
mod crash;
mod credentials;
mod differential;
mod docs;
mod documents_cli;
mod documents_cli_input;
mod documents_cli_lines;
mod documents_cli_progress;
mod documents_http;
mod documents_limits;
mod documents_lines;
mod documents_profiles;
mod documents_references;
mod edge;
mod embedded;
mod isolation;
mod jwks;
mod layers;
mod link_service;
mod readme;
mod rotation;
mod secrets;
mod support;
mod tamper;
mod upload;
mod warm;
mod windows;
