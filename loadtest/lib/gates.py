"""Every gate: what it may be, in a whole run and in a quick one, and why these differ where they do.

A limit that isn't a number here is made from what the machine does in the same run; its topic says how.
"""

from dataclasses import dataclass

from lib.report import Row


@dataclass(frozen=True)
class Gate:
    """`quick` is the limit of a quick run where that is another one, and `why` says why it is."""

    better: str
    limit: float | None
    aim: float | None = None
    quick: float | None = None
    why: str = ""


# In quick runs. They are part of CI, on hosts whose other guests take cores for seconds at a time: the mixed
# day's p99 was 448 and 58 ms in two runs of one program within half an hour.
_TAIL = "a tail of some seconds is a handful of requests, and one pause of the host's is all of them"
_ROUND = "one round of some seconds: whatever the host does meanwhile meets one side alone"

GATES = {
    "cache_bytes_per_link": Gate("lower", 900, 650, 1000, "40,000 links: pages and tables that are half full count"),
    "document_cold_ecdsa": Gate("higher", 30, 50, 18, _ROUND),
    "document_cold_rsa_asset": Gate("higher", 20, 28, 12, _ROUND),
    "document_cold_rsa_url": Gate("higher", 6, 7.5, 4, _ROUND),
    "document_shapes_order": Gate("lower", 1.15, 1.0, 1.3, _ROUND),
    "document_warm_ratio": Gate("lower", 0.4, 0.25, 0.55, _ROUND),
    "ecdsa_sign_ratio": Gate("higher", 0.9, 1.2, 0.75, _ROUND),
    "k6_documents_failed": Gate("lower", 0),
    "k6_documents_p99": Gate("lower", 100, 50, 1000, _TAIL),
    "k6_mixed_day_failed": Gate("lower", 0),
    "k6_mixed_day_p99": Gate("lower", 50, 20, 1000, _TAIL),
    "k6_resolve_failed": Gate("lower", 0),
    "k6_resolve_p99": Gate("lower", 25, 10, 500, _TAIL),
    "k6_uploads_failed": Gate("lower", 0),
    "k6_uploads_p99": Gate("lower", 250, 100, 1000, _TAIL),
    "links_batch": Gate("lower", 0.1, 0.05, 0.15, _ROUND),
    "ndjson_growth_mib": Gate("lower", 64, 16),
    "redirect_cpu_ratio": Gate("lower", 1.2, 1.1, 1.45, "rounds of a second, in which the host moves both by a third"),
    "redirect_p99_beside_cold_document": Gate("lower", 1.5, 1.1, 3.0, _TAIL),
    "redirect_p99_ratio": Gate("lower", None),
    "rollover_p99_ratio": Gate("lower", 1.5, 1.1, 3.0, _TAIL),
    "rsa_sign_ratio": Gate("higher", 0.9, 0.97, 0.75, _ROUND),
    "sign_scaling": Gate("higher", 1.8, 1.95, 1.4, _ROUND),
    "stampede_signatures": Gate("lower", 1),
}


def limit(context, name):
    """What holds in this run."""
    gate = GATES[name]
    return gate.quick if context.quick and gate.quick is not None else gate.limit


def gate(context, name, values, unit="", note="", **bounds):
    """The row of a gate. `limit` and `aim` take the place of those above: they are of the same run."""
    known = GATES[name]
    bounds = {"limit": limit(context, name), "aim": known.aim} | bounds
    return Row(name, values, known.better, unit, note=note, **bounds)


def loosened(names):
    """A line for each of these gates whose quick limit isn't that of a whole run."""
    return [
        f"{name}: {known.quick} instead of {known.limit}; {known.why}"
        for name, known in GATES.items()
        if name in names and known.quick is not None
    ]
