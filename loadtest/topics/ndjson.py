"""NDJSON: documents a line each for as long as a client likes, in constant memory.

1. One client sends 1 GB and reads as fast as it can.
2. Four clients send as fast as Signet takes it, and read slowly: whatever Signet made ahead would pile up.

The gate is the growth of the peak over both, relative to what the process has after a warm-up of 50 MB. The
links of all lines fit into the cache (32 MiB) and are in it after the warm-up, so it isn't the cache that
grows. Lines are counted, and some read.
"""

import threading
import time

from lib import links
from lib.content import lines, links_of
from lib.gates import gate
from lib.http import Connection
from lib.report import Row
from lib.server import Server

_CACHE_BYTES = 32 * 1024 * 1024
_WARM_UP = 50_000_000
# Bytes of answers a second, of each of the slow clients.
_SLOW = 4_000_000


def measure(context):
    size, slow = (150_000_000, 2_000_000) if context.quick else (1_000_000_000, 6_000_000)
    sent = lines()
    with Server(context, cache_bytes=_CACHE_BYTES) as server:
        _client(server, sent, _WARM_UP)
        time.sleep(1)
        before = server.usage.rss_mib()
        server.usage.forget_peak()
        context.say(f"warm: {before:.0f} MiB")

        started, used = time.monotonic(), server.usage.cpu_seconds()
        size = _client(server, sent, size)
        seconds = time.monotonic() - started
        cores = (server.usage.cpu_seconds() - used) / seconds
        speed = size / 1e6 / seconds
        fast = server.usage.peak_mib() - before
        context.say(f"{size / 1e6:.0f} MB at {speed:.0f} MB/s by {cores:.2f} cores: {fast:.1f} MiB")

        slow = _slow_clients(server, sent, slow)
        grown = server.usage.peak_mib() - before
        context.say(f"4 slow clients, {slow / 1e6:.0f} MB each: {grown:.1f} MiB")
    note = f"peak over {before:.0f} MiB, in {size / 1e6:.0f} MB and with slow clients"
    return [
        gate(context, "ndjson_growth_mib", [grown], "MiB", note=note),
        Row("ndjson_growth_one_client", [fast], "lower", "MiB"),
        Row("ndjson_speed", [speed], "higher", "MB/s", note="sent, links cached; the client shares the cores"),
        Row("ndjson_cores", [cores], "lower", note="that Signet kept busy meanwhile"),
    ]


def _client(server, sent, size, rate=None):
    """Sends lines of `size` bytes, or a little more, checks what comes back, and says how many it sent."""
    block = b"".join(sent)
    times = -(-size // len(block))
    answers = Answers()
    with Connection(server, receive_buffer=64 * 1024 if rate else None) as connection:
        connection.stream(block, times, answers.take, rate)
    answers.check(sent, times)
    return times * len(block)


def _slow_clients(server, sent, size):
    sizes, failed = [], []

    def client():
        try:
            sizes.append(_client(server, sent, size, _SLOW))
        except Exception as error:  # told by the thread that waits
            failed.append(error)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return sizes[0]


class Answers:
    """Counts lines as they come, and keeps a whole one now and then."""

    EVERY = 8 * 1024 * 1024

    def __init__(self):
        self._lines = 0
        self._bytes = 0
        self._due = 0
        self._line = None  # that is being kept
        self._kept = []

    def take(self, buffer, start, end):
        self._bytes += end - start
        if self._line is None and self._bytes > self._due:
            newline = buffer.find(b"\n", start, end)
            if newline >= 0:
                self._lines += 1
                start = newline + 1
                self._line = bytearray()
                self._due = self._bytes + self.EVERY
        if self._line is not None:
            newline = buffer.find(b"\n", start, end)
            self._line += buffer[start : end if newline < 0 else newline]
            if newline >= 0:
                self._kept.append((self._lines, self._line))
                self._line = None
        self._lines += buffer.count(b"\n", start, end)

    def check(self, sent, times):
        """Raises ValueError unless all lines were answered, in order, each by its document signed."""
        if self._lines != len(sent) * times:
            raise ValueError(f"{self._lines} answers to {len(sent) * times} lines")
        made = [link for number, line in self._kept for link in links_of(sent[number % len(sent)], line)]
        links.verify(made, "rsa")
