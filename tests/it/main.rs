//! What Signet does, shown from outside: a module a topic, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so")]

mod cli_inspect;
mod cli_sign;
mod contract;
mod cookies_and_links;
mod docs;
mod documents_cli;
mod documents_cli_input;
mod documents_http;
mod documents_limits;
mod documents_lines;
mod documents_references;
mod embedded;
mod jwks;
mod layers;
mod link_service;
mod readme;
mod support;
mod upload;
