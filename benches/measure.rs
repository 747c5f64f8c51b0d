//! What `loadtest/` asks of the library itself: `cargo run --release --example measure -- WHAT`.
//!
//! - `--ratios`: how a warm document compares with serde_json's round trip of the same bytes.
//! - `--signatures`: how long the signatures of a cold document take with nothing else done.
//! - `--pool`: how many the signing pool makes.
//! - `--seed FOLDER …`: fills a store.
//!
//! An example and no bench: Cargo builds no program along with it, which would take the place of the one that is
//! measured.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that fails says so, and tells"
)]
#![allow(dead_code, reason = "main.rs uses the rest")]

mod documents;
mod fixture;
mod links;
mod seed;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--ratios"] => documents::print_json(),
        ["--signatures"] => links::print_signatures(),
        ["--pool"] => links::print_pool(),
        ["--seed", ..] => seed::run(&arguments[1..]),
        _ => panic!("measure --ratios | --signatures | --pool | --seed FOLDER …"),
    }
}
