"""What a running Signet says of itself."""

import re
import urllib.request


def metrics(server):
    """Each sample of `/metrics`, by its name and labels as they stand there."""
    with urllib.request.urlopen(f"{server.admin}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] != "#")}


def signatures(server):
    """How many it has made."""
    return int(metrics(server)["signet_signatures_total"])


def total(samples, name):
    """The sum of a metric over all of its labels."""
    return sum(value for sample, value in samples.items() if re.fullmatch(rf"{name}(\{{.*\}})?", sample))
