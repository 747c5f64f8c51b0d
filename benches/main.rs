//! What signing costs, step by step: `cargo bench`. Every number of a run is of the same machine in the same
//! minute, so compare them with each other: the first lines say how a warm document compares with
//! serde_json's round trip of the same bytes.
//!
//! - [`documents`]: scan, splice, and the whole path of a document whose links are cached.
//! - [`limits`]: does somebody ask too often?
//! - [`links`]: windows, cache keys, grants, signatures.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that fails says so, and tells")]
#![allow(dead_code, reason = "measure.rs uses the rest")]

mod documents;
mod fixture;
mod limits;
mod links;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    documents::print_ratio();
    divan::main();
}
