"""Documents: warm ones against serde_json, cold ones against what is in use today.

1. Warm: the benches' binary times the whole path of a document whose links are cached, the scan alone, and
   serde_json on the same bytes, in one process and in turns.
2. Cold: a document that nobody has seen, through a running server, against `yardsticks/node_walk.mjs`, in
   turns. Both have two cores; the time is that of one document, and nothing else runs.
"""

import json
import os
import statistics
import subprocess

from lib import links
from lib.content import document, links_of, new_document
from lib.context import ROOT
from lib.http import Connection
from lib.node import NodeWalk
from lib.process import Spent
from lib.report import Row
from lib.server import Server

# The gate of each way to sign, and how many times faster than Node it should be.
_COLD = [
    {"name": "document_cold_rsa_url", "key": "rsa", "grant_scope": "url", "limit": 6, "aim": 7.5},
    {"name": "document_cold_rsa_asset", "key": "rsa", "grant_scope": "asset", "limit": 20, "aim": 28},
    {"name": "document_cold_ecdsa", "key": "ecdsa", "grant_scope": "url", "limit": 30, "aim": 50},
]
# Documents that a server signs in a round: their median is the round's time.
_DOCUMENTS = 3


def measure(context):
    return _warm(context) + _cold(context)


def _warm(context):
    context.say("warm: building the benches where they have changed")
    runs = []
    for number in range(context.rounds(7, 3)):
        runs.append(_benches())
        context.say(f"warm {number + 1}: RSA {runs[-1]['rsa']['warm_ratio']:.3f}, ECDSA {runs[-1]['ecdsa']['warm_ratio']:.3f}")
    if runs[0]["rsa"]["input"] != len(document()):
        raise ValueError("lib/content.py makes another document than benches/fixture.rs")
    rsa = [run["rsa"] for run in runs]
    megabytes = rsa[0]["input"] / 1e6
    trip = "of serde_json's Value round trip"
    return [
        Row("document_warm_ratio", [run["warm_ratio"] for run in rsa], "lower", limit=0.4, aim=0.25, note=f"{trip}, RSA"),
        Row("document_warm_ecdsa", [run["ecdsa"]["warm_ratio"] for run in runs], "lower", note=trip),
        Row("document_scan", [megabytes / run["scan"] for run in rsa], "higher", "MB/s", aim=1500, note="on one core"),
        Row("document_scan_ratio", [run["scan"] / run["validate"] for run in rsa], "lower", note="of serde_json validating"),
        Row("serde_json_validates", [megabytes / run["validate"] for run in rsa], "higher", "MB/s"),
    ]


def _benches():
    cargo = [os.environ.get("CARGO", "cargo"), "bench", "--locked", "--quiet", "--bench", "main", "--", "--ratios"]
    done = subprocess.run(cargo, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _cold(context):
    """Each round times all of them within seconds, so that a noisy minute hits all; ratios are of a round."""
    rounds = []
    with NodeWalk(context) as node:
        context.say("cold: warming the Node script up")
        for key in ("object", "text"):
            given = new_document()
            answer, _, threads = node.sign(given, key)
            links.verify(links_of(given, answer), "rsa")
        for number in range(context.rounds(5, 2)):
            rounds.append(_cold_round(context, node, number))
            told = ", ".join(f"{name} {spent.seconds:.3f} s" for name, spent in rounds[-1].items())
            context.say(f"cold {number + 1}: {told}")

    def row(name, value, better, *settings, **more):
        return Row(name, [value(one) for one in rounds], better, *settings, **more)

    rows = []
    for way in _COLD:
        name = way["name"]
        rows += [
            row(
                name, lambda one: one["node"].seconds / one[name].seconds, "higher", "×", way["limit"], way["aim"],
                f"times faster than Node on {threads} threads",
            ),
            row(
                f"{name}_cpu", lambda one: one["node"].cpu_seconds / one[name].cpu_seconds, "higher", "×",
                note="times less processor time: what the ratio tells without waiting",
            ),
            row(f"{name}_seconds", lambda one: one[name].seconds, "lower", "s"),
        ]
    url, parsed = _COLD[0]["name"], "times faster, if the script parsed its key once"
    return rows + [
        row(f"{url}_cores", lambda one: one[url].cpu_seconds / one[url].seconds, "higher", note="that Signet kept busy"),
        row(f"{url}_parsed_key", lambda one: one["node, key parsed"].seconds / one[url].seconds, "higher", "×", note=parsed),
        row("node_walk_seconds", lambda one: one["node"].seconds, "lower", "s"),
    ]


def _cold_round(context, node, number):
    """What each spent on one document."""
    spent = {}

    def yardstick():
        spent["node"] = node.sign(new_document())[1]
        spent["node, key parsed"] = node.sign(new_document(), "object")[1]

    def signet(way):
        spent[way["name"]] = _signet(context, way["key"], way["grant_scope"])

    parts = [yardstick] + [lambda way=way: signet(way) for way in _COLD]
    # Another one begins each time.
    turn = number % len(parts)
    for part in parts[turn:] + parts[:turn]:
        part()
    return spent


def _signet(context, key, grant_scope):
    """What a fresh, warmed process spends on a document that it has not seen: the median of some."""
    spent = []
    with Server(context, key, grant_scope) as server, Connection(server) as connection:
        connection.sign(new_document())
        for _ in range(_DOCUMENTS):
            given, before = new_document(), server.usage.cpu_seconds()
            answer, seconds = connection.sign(given)
            spent.append(Spent(seconds, server.usage.cpu_seconds() - before))
            made = links_of(given, answer)
        links.verify(made, key)
    return Spent(*(statistics.median(column) for column in zip(*spent)))
