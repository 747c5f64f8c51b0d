"""Memory: what a request takes, where many large ones are there at once.

N connections each send a document whose links are cached. Nobody reads before all answers have begun, so
that Signet has all N of them in its hands; then all are read. The growth of the peak, over what the process
had before, is shared by N. A fresh process each time, warmed by small documents: large buffers that it keeps
would hide the growth.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from lib.content import document, lines, links_of
from lib.http import Connection
from lib.report import Row
from lib.server import Server


def measure(context):
    rows = []
    for count in (1, 8, 32):
        grown = [_grown(context, count) / count for _ in range(context.rounds(3, 1))]
        context.say(f"{count} at once: " + ", ".join(f"{value:.1f}" for value in grown) + " MiB each")
        note = f"each of {count} warm documents at once"
        rows.append(Row(f"memory_per_request_{count}", grown, "lower", "MiB", note=note))
    return rows


def _grown(context, count):
    given = document()
    with ExitStack() as stack:
        server = stack.enter_context(Server(context))
        with Connection(server) as connection:
            connection.stream(b"".join(lines(passes=2)), 1, lambda *_: None)
        connections = [stack.enter_context(Connection(server)) for _ in range(count)]
        pool = stack.enter_context(ThreadPoolExecutor(count))
        before = server.usage.rss_mib()
        server.usage.forget_peak()
        for step in (lambda one: one.send(given), Connection.wait):
            list(pool.map(step, connections))
        answers = list(pool.map(lambda one: bytes(one.receive()), connections))
        grown = server.usage.peak_mib() - before
    for answer in answers:
        links_of(given, answer)
    return grown
