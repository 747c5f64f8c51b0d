//! What signing costs, step by step: `cargo bench`. Every number of a run is of the same machine in the same
//! minute, so compare them with each other: the first lines say how a warm document compares with
//! serde_json's round trip of the same bytes. `cargo bench --bench main -- --ratios` says only that, as JSON;
//! `--signatures` says how long the signatures of a cold document take with nothing else done, `--pool` how many
//! the signing pool makes; `--seed` fills a store for `loadtest/`.
//!
//! - [`documents`]: scan, splice, and the whole path of a document whose links are cached.
//! - [`limits`]: does somebody ask too often?
//! - [`links`]: windows, cache keys, grants, signatures.
//! - [`seed`]: a million assets, for a store that is measured.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that fails says so, and tells"
)]

mod documents;
mod fixture;
mod limits;
mod links;
mod seed;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if std::env::args().any(|argument| argument == "--ratios") {
        return documents::print_json();
    }
    if std::env::args().any(|argument| argument == "--signatures") {
        return links::print_signatures();
    }
    if std::env::args().any(|argument| argument == "--pool") {
        return links::print_pool();
    }
    let arguments: Vec<String> = std::env::args().skip_while(|argument| argument != "--seed").collect();
    if let [_, seed @ ..] = &arguments[..] {
        return seed::run(seed);
    }
    documents::print_ratio();
    divan::main();
}
