"""What every topic is given."""

import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIGNET = ROOT / "target/release/signet"
# The yardstick of redirects, and what sends requests to it and to Signet.
BARE = ROOT / "target/release/bare"
# What `make tools` installs.
PYTHON = ROOT / ".tools/venv/bin/python"
NODE_PACKAGES = ROOT / ".tools/node"
# What `make tools-load` installs.
OHA = ROOT / ".tools/oha/bin/oha"
K6 = ROOT / ".tools/k6/bin/k6"
# The keys that the tests and the benches sign with.
KEYS = {"rsa": ROOT / "tests/vectors/rsa.pem", "ecdsa": ROOT / "tests/vectors/ecdsa.pem"}


@dataclass
class Context:
    """`quick`: fewer rounds, less data. `folder`: for files of this run, deleted after it."""

    quick: bool
    folder: Path
    started: float = field(default_factory=time.monotonic)

    def rounds(self, whole, quick):
        return quick if self.quick else whole

    def say(self, text):
        """Progress, with the seconds since the start."""
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", flush=True)

    def check_tools(self):
        needed = {SIGNET: "release", BARE: "yardsticks", PYTHON: "tools", NODE_PACKAGES: "tools"}
        for file, target in (needed | {OHA: "tools-load", K6: "tools-load"}).items():
            if not file.exists():
                raise SystemExit(f"{file.relative_to(ROOT)} is missing: `make {target}`")
