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


_SHORT = "a tail of a second or two is a handful of requests"

GATES = {
    "cache_bytes_per_link": Gate("lower", 900, 650, 1000, "40,000 links: pages and tables that are half full count"),
    "document_cold_ecdsa": Gate("higher", 30, 50, 25, "one round, on a machine that does other things too"),
    "document_cold_rsa_asset": Gate("higher", 20, 28, 17, "the same"),
    "document_cold_rsa_url": Gate("higher", 6, 7.5, 5, "the same"),
    "document_warm_ratio": Gate("lower", 0.4, 0.25, 0.45, "two rounds"),
    "ecdsa_sign_ratio": Gate("higher", 0.9, 1.2),
    "k6_documents_failed": Gate("lower", 0),
    "k6_documents_p99": Gate("lower", 100, 50, 200, _SHORT),
    "k6_mixed_day_failed": Gate("lower", 0),
    "k6_mixed_day_p99": Gate("lower", 50, 20, 100, _SHORT),
    "k6_resolve_failed": Gate("lower", 0),
    "k6_resolve_p99": Gate("lower", 25, 10, 50, _SHORT),
    "k6_uploads_failed": Gate("lower", 0),
    "k6_uploads_p99": Gate("lower", 250, 100, 500, _SHORT),
    "links_batch": Gate("lower", 0.1, 0.05),
    "ndjson_growth_mib": Gate("lower", 64, 16),
    "redirect_cpu_ratio": Gate("lower", 1.2, 1.1, 1.25, "rounds of a second: the kernel counts time in hundredths"),
    "redirect_p99_beside_cold_document": Gate("lower", 1.5, 1.1, 2.0, _SHORT),
    "redirect_p99_ratio": Gate("lower", None),
    "rollover_p99_ratio": Gate("lower", 1.5, 1.1, 2.0, _SHORT),
    "rsa_sign_ratio": Gate("higher", 0.9, 0.97),
    "sign_scaling": Gate("higher", 1.8, 1.95, 1.7, "a round of a second, while the machine does other things too"),
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
