"""The benches' binary, which says some things as JSON."""

import json
import os
import subprocess

from lib.context import ROOT


def benches(what):
    """What it says of `--ratios`, `--signatures` or `--pool`; built first, where it has changed."""
    cargo = [os.environ.get("CARGO", "cargo"), "bench", "--locked", "--quiet", "--bench", "main", "--", what]
    done = subprocess.run(cargo, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)
