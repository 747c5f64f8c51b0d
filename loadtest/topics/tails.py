"""Tails: how late redirects come while something else goes on. Times are oha's, at a fixed rate.

1. Windows roll. Two servers have the same assets: links of one live for 60 s, so that each rolls every 30 s, at
   moments that are spread; links of the other live for a week, and none rolls. The same requests go to them in
   turns: that of the week, the other for longer than all of its links need to roll once, that of the week again.
   "Before windows roll" can't be measured on one server: where phases are spread, windows always roll.
2. A cold document is signed. 8,200 RSA signatures take all cores for a second; one such document follows the other.
   As a yardstick the same requests while `openssl speed` keeps all cores busy: what that costs is the
   scheduler's doing, whoever computes.
"""

import os
import statistics
import subprocess
import threading

from lib.api import Api
from lib.assets import asset_id, seed
from lib.content import LINKS, new_document
from lib.gates import gate
from lib.http import Connection
from lib.metrics import signatures
from lib.oha import at_rate
from lib.report import Row
from lib.server import QUIET, Server

# Requests a second, and files that they ask for by chance: each about once a second.
_RATE = 4_000
_ASSETS = 4_000
# The shortest that links may live, in seconds.
_TTL = 60


def measure(context):
    return _rollover(context) + _beside_document(context)


def _rollover(context):
    """Rolling is 3 % of the requests: were each the first of its window to be signed, the 99th percentile would be."""
    paths = [f"/m/{asset_id(number)}" for number in range(_ASSETS)]
    still_seconds, rolling_seconds = (2, 6) if context.quick else (15, 45)
    for data in ("still", "rolling"):
        seed(context, data, _ASSETS)
    with (
        Server(context, log_level=QUIET, data=context.folder / "still") as still,
        Server(context, log_level=QUIET, data=context.folder / "rolling", ttl_seconds=_TTL) as rolling,
    ):

        def asked(server, seconds):
            return at_rate(server, paths, _RATE, seconds, folder=context.folder)

        for server in (still, rolling):
            _warm(server)
            asked(server, context.rounds(3, 1))
        ratios, own, yard, rolled = [], [], [], []
        before = asked(still, still_seconds)
        for _ in range(context.rounds(3, 1)):
            made = signatures(rolling)
            during = asked(rolling, rolling_seconds)
            rolled.append((signatures(rolling) - made) / (during["rate"] * rolling_seconds))
            after = asked(still, still_seconds)
            mean = statistics.mean([before["p99"], after["p99"]])
            ratios.append(during["p99"] / mean)
            own.append(during["p99"] * 1e3)
            yard.append(mean * 1e3)
            before = after
            context.say(f"rollover: p99 {own[-1]:.2f} ms, {yard[-1]:.2f} ms where none rolls")
    if min(rolled) < 0.01:
        raise ValueError("hardly a window rolled")
    note = f"p99 at {_RATE}/s while {statistics.median(rolled):.1%} of the requests meet a new window, of p99 without"
    return [
        gate(context, "rollover_p99_ratio", ratios, note=note),
        Row("rollover_p99", own, "lower", "ms"),
        Row("rollover_p99_still", yard, "lower", "ms"),
    ]


def _warm(server):
    api = Api(server)
    for first in range(0, _ASSETS, 1000):
        api.links([asset_id(number) for number in range(first, first + 1000)])


def _beside_document(context):
    seconds = context.rounds(8, 3)
    data = context.folder / "still"
    alone, beside, busy = [], [], []
    with Server(context, log_level=QUIET, data=data) as server:
        _warm(server)
        paths = [f"/m/{asset_id(number)}" for number in range(_ASSETS)]

        def asked():
            return at_rate(server, paths, _RATE, seconds, folder=context.folder)["p99"] * 1e3

        asked()
        for _ in range(context.rounds(5, 1)):
            alone.append(asked())
            with Documents(server) as documents:
                beside.append(asked())
            with Busy():
                busy.append(asked())
            context.say(
                f"beside {documents.signed} cold documents: p99 {beside[-1]:.2f} ms, alone {alone[-1]:.2f} ms, "
                f"beside openssl {busy[-1]:.2f} ms"
            )
    ratios = [one / other for one, other in zip(beside, busy)]
    note = f"p99 at {_RATE}/s while cold documents of {LINKS} links are signed, of p99 while openssl does as much"
    return [
        gate(context, "redirect_p99_beside_cold_document", ratios, note=note),
        Row("redirect_p99_alone", alone, "lower", "ms"),
        Row("redirect_p99_beside", beside, "lower", "ms", note="beside a cold document"),
        Row("redirect_p99_beside_openssl", busy, "lower", "ms", note="beside openssl speed on every core"),
    ]


class Documents:
    """Has cold documents signed, one after the other, until `with` ends."""

    def __init__(self, server):
        self._server = server
        self._end = threading.Event()
        self._failed = []
        self.signed = 0

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._end.set()
        self._thread.join()
        if self._failed and kind is None:
            raise self._failed[0]

    def _run(self):
        try:
            with Connection(self._server) as connection:
                while not self._end.is_set():
                    connection.sign(new_document())
                    self.signed += 1
        except Exception as error:  # told by the thread that waits
            self._failed.append(error)


class Busy:
    """`openssl speed` on every core, until `with` ends."""

    def __enter__(self):
        order = ["openssl", "speed", "-seconds", "600", "rsa2048"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._processes = [subprocess.Popen(order, **quiet) for _ in range(os.cpu_count())]
        return self

    def __exit__(self, *_):
        for process in self._processes:
            process.kill()
            process.wait()
