"""The benches' binary, which says some things as JSON and fills stores."""

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
    cargo = [os.environ.get("CARGO", "cargo"), "bench", "--locked", "--bench", "main", "--no-run"]
    done = subprocess.run([*cargo, "--message-format", "json"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    # The program is built along with them, and says so in any order.
    return next(
        one["executable"] for one in told if one.get("target", {}).get("kind") == ["bench"] and one["executable"]
    )
