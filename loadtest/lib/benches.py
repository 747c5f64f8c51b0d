"""The binary of benches/measure.rs, which says some things as JSON and fills stores."""

import functools
import json
import os
import subprocess

from lib.context import ROOT


def benches(what):
    """What it says of `--ratios`, `--signatures` or `--pool`."""
    done = subprocess.run([binary(), what], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


@functools.cache
def binary():
    """Its path; built first, where it has changed."""
    cargo = [os.environ.get("CARGO", "cargo"), "build", "--locked", "--release", "--example", "measure"]
    done = subprocess.run([*cargo, "--message-format", "json"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return next(one["executable"] for one in told if one.get("executable") and one["target"]["name"] == "measure")
