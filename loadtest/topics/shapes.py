"""Documents that are made to make work, of 1, 4 and 16 MiB: processor time of the server for each, and its order.

The order is the slope of log(cost) over log(size): where it is 1, a byte costs the same in each. It is below 1 where
the limit of links ends the scan. The gate is the worst of all shapes, between 1 and 16 MiB.
"""

import statistics

from lib.gates import gate
from lib.hostile import shapes
from lib.http import Connection
from lib.report import Row
from lib.server import QUIET, Server
from topics.growth import cpu, slope

_MIB = 1024 * 1024
_SIZES = [_MIB, 4 * _MIB, 16 * _MIB - 1024]


def measure(context):
    rounds = context.rounds(5, 1)
    costs = {}
    with Server(context, log_level=QUIET) as server:
        for size in _SIZES:
            times = 32 * _MIB // size
            for name, document in shapes(size):
                with Connection(server, buffer=64 * _MIB) as connection:
                    connection.ask(document)
                    taken = [
                        cpu(server, lambda: [connection.ask(document) for _ in range(times)]) / times
                        for _ in range(rounds)
                    ]
                costs.setdefault(name, {})[size] = statistics.median(taken)
            context.say(f"shapes: {len(costs)} of {size / _MIB:.0f} MiB")
    rows, orders = [], {}
    for name, by_size in costs.items():
        orders[name] = slope(by_size)
        figures = ", ".join(f"{cost * 1e3:.1f}" for cost in by_size.values())
        rows.append(Row(f"shape[{name}]", [orders[name]], "lower", note=f"order; {figures} ms for 1, 4, 16 MiB"))
    worst = max(orders, key=orders.get)
    dearest = max(costs, key=lambda name: costs[name][_SIZES[-1]])
    note = f"the worst of {len(orders)} shapes, {worst}; the dearest, {dearest}, {costs[dearest][_SIZES[-1]]:.2f} s"
    return [gate(context, "document_shapes_order", [orders[worst]], note=note), *rows]
