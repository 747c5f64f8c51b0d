"""Documents: warm ones against serde_json, cold ones against what is in use today.

1. Warm: the benches' binary times the whole path of a document whose links are cached, the scan alone, and
   serde_json on the same bytes, in one process and in turns.
2. Cold: a document that nobody has seen, through a running server, before and after `yardsticks/node_walk.mjs`
   signs one, in the plain loop that is in use; the time is that of one document. Whole runs also tell what is left
   where the script signs with a thread a core, or parses its key once.
"""

import os
import statistics

from lib import links
from lib.benches import benches
from lib.content import document, links_of, new_document, new_document_of
from lib.gates import gate
from lib.http import Connection
from lib.node import NodeWalk
from lib.process import Spent
from lib.report import Row
from lib.server import Server

# The gate of each way to sign: how many times faster than Node it is.
_COLD = [
    {"name": "document_cold_rsa_url", "key": "rsa", "grant_scope": "url"},
    {"name": "document_cold_rsa_asset", "key": "rsa", "grant_scope": "asset"},
    {"name": "document_cold_ecdsa", "key": "ecdsa", "grant_scope": "url"},
]
# Documents that a server signs before and after Node's walk: their median counts.
_DOCUMENTS = 3
# Bytes of one in a quick run, as Node takes a millisecond and more a link: 2,000 links.
_QUICK_BYTES = 175_000
_CORES = len(os.sched_getaffinity(0))


def measure(context):
    return _warm(context) + _cold(context)


def _warm(context):
    rsa, ecdsa = [], []
    for number in range(context.rounds(7, 1)):
        run = benches("--ratios")
        rsa.append(run["rsa"])
        ecdsa.append(run["ecdsa"]["warm_ratio"])
        context.say(f"warm {number + 1}: RSA {rsa[-1]['warm_ratio']:.3f}, ECDSA {ecdsa[-1]:.3f}")
    if rsa[0]["input"] != len(document()):
        raise ValueError("lib/content.py makes another document than benches/fixture.rs")

    def row(name, value, better, unit="", note="", **bounds):
        return Row(name, [value(run) for run in rsa], better, unit, note=note, **bounds)

    megabytes, trip = rsa[0]["input"] / 1e6, "of serde_json's Value round trip"
    return [
        gate(context, "document_warm_ratio", [run["warm_ratio"] for run in rsa], note=f"{trip}, RSA"),
        Row("document_warm_ecdsa", ecdsa, "lower", note=trip),
        row("document_scan", lambda run: megabytes / run["scan"], "higher", "MB/s", "on one core", aim=1500),
        row("document_scan_ratio", lambda run: run["scan"] / run["validate"], "lower", note="of serde_json validating"),
        row("serde_json_validates", lambda run: megabytes / run["validate"], "higher", "MB/s"),
    ]


def _cold(context):
    """Each round times all of them within seconds, so that a noisy minute hits all; ratios are of a round."""
    rounds = []
    with NodeWalk(context) as node:
        context.say("cold: warming the Node script up")
        for key in context.rounds(("object", "text"), ("object",)):
            given = _new(context)
            answer, _ = node.sign(given, key, _CORES)
            links.verify(links_of(given, answer), "rsa")
        for number in range(context.rounds(5, 1)):
            rounds.append(_cold_round(context, node))
            spent = [(name, spent) for name, spent in rounds[-1].items() if isinstance(spent, Spent)]
            told = ", ".join(f"{name} {spent.seconds:.3f} s" for name, spent in spent)
            context.say(f"cold {number + 1}: {told}")

    def row(name, value, better, unit="", note="", **bounds):
        return Row(name, [value(one) for one in rounds], better, unit, note=note, **bounds)

    rows = []
    for way in _COLD:
        name = way["name"]
        faster = [one["node"].seconds / one[name].seconds for one in rounds]
        cheaper = lambda one: one["node"].cpu_seconds / one[name].cpu_seconds
        rows += [
            gate(context, name, faster, "×", "times faster than Node"),
            row(f"{name}_cpu", cheaper, "higher", "×", "the same of processor time"),
            row(f"{name}_seconds", lambda one: one[name].seconds, "lower", "s"),
        ]
        if way["grant_scope"] == "url" and not context.quick:
            share = lambda one, key=way["key"]: one["signatures"][key] / one[name].seconds
            rows.append(row(f"{name}_share", share, "higher", note="of its time the signatures alone would take"))
    url = _COLD[0]["name"]
    rows += [
        row(f"{url}_cores", lambda one: one[url].cpu_seconds / one[url].seconds, "higher", "", "that Signet kept busy"),
        row("node_walk_seconds", lambda one: one["node"].seconds, "lower", "s"),
    ]
    if not context.quick:
        threads = lambda one: one["node, threads"].seconds / one[url].seconds
        parsed = lambda one: one["node, key parsed"].seconds / one[url].seconds
        note = "times faster, if the script"
        rows += [
            row(f"{url}_threads", threads, "higher", "×", f"{note} signed on {_CORES} threads"),
            row(f"{url}_parsed_key", parsed, "higher", "×", f"{note} parsed its key once, on {_CORES} threads"),
        ]
    return rows


def _new(context):
    return new_document_of(_QUICK_BYTES) if context.quick else new_document()


def _cold_round(context, node):
    """What each spent on one document: Signet before and after Node, whose walk takes long."""
    before = [_signet(context, way["key"], way["grant_scope"]) for way in _COLD]
    spent = {"node": node.sign(_new(context))[1]}
    if not context.quick:
        spent["node, threads"] = node.sign(new_document(), threads=_CORES)[1]
        spent["node, key parsed"] = node.sign(new_document(), "object", _CORES)[1]
        spent["signatures"] = benches("--signatures")
    after = [_signet(context, way["key"], way["grant_scope"]) for way in reversed(_COLD)]
    for way, *both in zip(_COLD, before, reversed(after)):
        spent[way["name"]] = Spent(*map(statistics.mean, zip(*both)))
    return spent


def _signet(context, key, grant_scope):
    """What a fresh, warmed process spends on a document that it has not seen: the median of some."""
    spent = []
    with Server(context, key, grant_scope) as server, Connection(server) as connection:
        connection.sign(_new(context))
        for _ in range(_DOCUMENTS):
            given, before = _new(context), server.usage.cpu_seconds()
            answer, seconds = connection.sign(given)
            spent.append(Spent(seconds, server.usage.cpu_seconds() - before))
            made = links_of(given, answer)
        links.verify(made, key)
    return Spent(*(statistics.median(column) for column in zip(*spent)))
