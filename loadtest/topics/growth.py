"""Growth: what things cost against how large they are, and the order of it.

1. Links: memory and the time of a warm look-up, with 10^4 to 10^7 of them cached. ECDSA, random nonces: 10^7 RSA
   signatures would take most of an hour, and a look-up knows no difference.
2. Documents of 1 KB to 8 MB, warm and cold, RSA.
3. Tenants, 1 to 10^5: a request of one of them by chance.
4. Ids in a batch, 1 to 1,000, warm.

The order is the slope of log(cost) over log(size): 0 is the same for each size, 1 grows as the size does. It has no
gate. Costs are processor time of the server, where nothing else is said.
"""

import json
import math
import random
import statistics
import time

from lib.api import Api
from lib.assets import asset_id, seed
from lib.content import document_of, new_document_of
from lib.http import Connection
from lib.report import Row
from lib.server import QUIET, Server
from lib.signer import Signer

_CACHE_BYTES = 8 * 1024**3
_BATCH = 1_000
# Warm batches that are timed, and requests of tenants.
_SAMPLES = 200
_TENANT_REQUESTS = 4_000


def measure(context):
    rows = []
    for part in (_links, _documents, _tenants, _batches):
        rows += part(context)
    return rows


def _links(context):
    sizes = [10**exponent for exponent in range(4, context.rounds(7, 5) + 1)]
    memory, lookup, there = {}, {}, 0
    with (
        Server(context, key="ecdsa", log_level=QUIET, cache_bytes=_CACHE_BYTES) as server,
        Signer(server, connections=2) as signer,
    ):
        signer.sign([_keys(batch) for batch in (-1, -2)])
        before = server.usage.rss_mib()
        for size in sizes:
            signer.sign(_keys(batch) for batch in range(there, size // _BATCH))
            there = size // _BATCH
            memory[size] = (server.usage.rss_mib() - before) * 1024**2
            some = [_keys(random.randrange(there)) for _ in range(_SAMPLES)]
            lookup[size] = cpu(server, lambda: signer.sign(some)) / _SAMPLES / _BATCH
            context.say(f"growth: {size} links, {memory[size] / size:.0f} bytes and {lookup[size] * 1e6:.2f} µs each")
    return [
        *_grown("growth_links_memory", memory, 1 / 1024**2, "MiB", "resident, ECDSA links"),
        *_grown("growth_links_warm", lookup, 1e6, "µs", "a warm link in a batch of 1,000, by links cached"),
    ]


def _keys(batch):
    return [f"growth/{batch}/picture-{index:04}.jpg" for index in range(_BATCH)]


def _documents(context):
    sizes = [1_000, 8_000, 64_000, 512_000, 1_000_000, 4_000_000, 8_000_000]
    warm, cold, cold_seconds = {}, {}, {}
    with Server(context, log_level=QUIET, max_links=200_000, cache_bytes=_CACHE_BYTES) as server:
        for size in sizes:
            with Connection(server, buffer=128 * 1024**2) as connection:
                times = max(2, min(500, 8_000_000 // size))
                given, times_cold = document_of(size), max(1, min(50, 1_000_000 // size))
                connection.sign(given)
                warm[size] = cpu(server, lambda: [connection.sign(given) for _ in range(times)]) / times
                fresh = [new_document_of(size) for _ in range(times_cold)]
                started = time.perf_counter()
                cold[size] = cpu(server, lambda: [connection.sign(one) for one in fresh]) / times_cold
                cold_seconds[size] = (time.perf_counter() - started) / times_cold
            context.say(f"growth: {size} bytes, warm {warm[size] * 1e3:.2f} ms, cold {cold[size] * 1e3:.0f} ms")
    return [
        *_grown("growth_document_warm", warm, 1e3, "ms", "a document of so many bytes, links cached"),
        *_grown("growth_document_cold", cold, 1e3, "ms", "the same with new keys, RSA"),
        *_grown("growth_document_cold_seconds", cold_seconds, 1e3, "ms", "time that passes"),
    ]


def _tenants(context):
    sizes = [1, 10, 100, 1_000, 10_000, 100_000]
    costs = {}
    data = context.folder / "tenants"
    seed(context, data, 0, max(sizes))
    for size in sizes:
        with Server(context, log_level=QUIET, data=data) as server, Signer(server) as signer:
            asked = [random.randrange(size) for _ in range(_TENANT_REQUESTS)]
            requests = [(["a/b.jpg"], f"load-test-{tenant}") for tenant in asked]
            for keys, key in {key: (keys, key) for keys, key in requests}.values():
                signer.sign([keys], key)
            costs[size] = cpu(server, lambda: [signer.sign([keys], key) for keys, key in requests]) / len(requests)
            context.say(f"growth: {size} tenants, {costs[size] * 1e6:.0f} µs a request")
    return _grown("growth_tenants", costs, 1e6, "µs", "POST /media/v1/links of one of them that was seen before")


def _batches(context):
    sizes = [1, 3, 10, 30, 100, 300, 1_000]
    costs = {}
    data = context.folder / "batches"
    seed(context, data, max(sizes))
    with Server(context, log_level=QUIET, data=data) as server:
        api = Api(server)
        api.links([asset_id(number) for number in range(max(sizes))])
        for size in sizes:
            ids = [asset_id(number) for number in range(size)]
            times = max(100, min(4_000, 100_000 // size))
            costs[size] = statistics.median(
                cpu(server, lambda: [api.links(ids) for _ in range(times)]) / times for _ in range(3)
            )
        context.say("growth: batches " + json.dumps({size: round(cost * 1e6) for size, cost in costs.items()}) + " µs")
    return _grown("growth_batch", costs, 1e6, "µs", "a batch of so many warm ids")


def cpu(server, work):
    """Processor time that the server takes while some work is done, in seconds."""
    before = server.usage.cpu_seconds()
    work()
    return server.usage.cpu_seconds() - before


def _grown(name, costs, scale, unit, note):
    """A row for each size, and the order of growth: over all sizes, and over the last of them."""
    rows = [Row(f"{name}[{size}]", [cost * scale], "lower", unit) for size, cost in costs.items()]
    last = slope(dict(list(costs.items())[-2:]))
    return [*rows, Row(f"{name}_order", [slope(costs)], "lower", note=f"{note}; {last:.2f} between the last two")]


def slope(costs):
    """The slope between the logarithms of size and cost, of costs by size."""
    points = [(math.log(size), math.log(cost)) for size, cost in costs.items() if cost > 0]
    xs, ys = zip(*points)
    x, y = statistics.mean(xs), statistics.mean(ys)
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a in xs)
