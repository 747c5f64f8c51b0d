//! A page of another origin uploads a picture and shows it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::program::run;
use crate::support::shared_dev;

#[test]
fn a_page_uploads_a_picture_and_reads_it_by_its_link() {
    let shared = shared_dev();
    let node = &shared.1;
    let picture = node.data.join("pictures/stage.jpg");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/browser.mjs");
    let run = run(Command::new("node").arg(script).args([&node.api, &node.api_key]).arg(&picture), b"");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(run.stdout == fs::read(picture).unwrap(), "the link gives other bytes");
}
