//! Does the API do what its description says? schemathesis asks: with the examples, with values at every bound,
//! with random ones that the schemas allow and don't allow, and with calls that follow from one another.

use std::path::Path;
use std::process::Command;

use crate::support::fresh_dev;
use crate::support::program::run;

/// How many random calls each operation gets, and each chain of calls.
const EXAMPLES: &str = "15";
/// These follow what was created and deleted by the beginnings of paths: they can't know that
/// DELETE `/assets/{id}` takes `/uploads/{id}/finalize` with it, nor that POST `/assets/{id}/restore` brings a
/// deleted asset back. `asset_changes`, `assets` and `upload_parts` show both.
const NOT_CHECKED: &str = "ensure_resource_availability,use_after_free";

#[test]
fn nothing_is_found_by_trying_what_the_description_says() {
    let (folder, node) = fresh_dev();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join(".tools/schemathesis/bin/st");
    assert!(program.exists(), "{} isn't there: run `make tools` first", program.display());
    let tools = root.join("tests/tools");
    let mut command = Command::new(program);
    command
        .args(["--no-color", "--config-file"])
        .arg(tools.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/openapi.json", node.api))
        .args(["--header", &format!("Authorization: {}", node.api_key)])
        .args(["--checks", "all", "--exclude-checks", NOT_CHECKED])
        .args(["--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--max-examples", EXAMPLES, "--max-redirects", "0", "--continue-on-failure"])
        .args(["--workers", "1", "--generation-database", "none"])
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", &tools)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(&folder);
    let run = run(&mut command, b"");
    let report = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{report}\n{}", String::from_utf8_lossy(&run.stderr));
    // It did try everything.
    assert!(!report.contains("🚫"), "{report}");
    for phase in ["Examples", "Coverage", "Fuzzing", "Stateful"] {
        assert!(report.contains(&format!("✅ {phase}")), "{report}");
    }
    let log = node.log();
    assert!(!log.contains("panicked"), "{log}");
}
