"""What was asked and what was answered: a line of JSON each."""

import collections
import json
import threading
import time


class Journal:
    """Lines of `file`; all times are seconds since the start of the load.

    `calls`: (kind, seconds, status, cause) of each call to a node. `tickets`: (tenant, sent, answered, status) of calls
    for tickets, by which it is known how long a tenant was refused. `breaches`: what must not be, by the row of the
    report that counts it.
    """

    def __init__(self, file):
        self._file = open(file, "w", encoding="utf-8")
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self.calls, self.tickets = [], []
        self.breaches = collections.defaultdict(list)

    def now(self):
        return time.monotonic() - self._started

    def note(self, **line):
        text = json.dumps({"t": round(self.now(), 3)} | line, ensure_ascii=False, default=str)
        with self._lock:
            if not self._file.closed:
                self._file.write(text + "\n")

    def call(self, kind, seconds, status, cause):
        with self._lock:
            self.calls.append((kind, seconds, status, cause))

    def breach(self, row, text, asset=None):
        """Something that must not be. `asset` is its id: the report tells the lines of it."""
        self.note(breach=row, asset=asset, text=text)
        with self._lock:
            self.breaches[row].append((asset, text))

    def close(self):
        with self._lock:
            self._file.close()


# What says nothing of how an asset came to be what it is.
_BESIDE = ("stranger", "permalink", "check")


def story(file, asset):
    """What was asked of an asset by its tenant and answered, as far as its first breach: the last lines of it."""
    told = []
    with open(file, encoding="utf-8") as lines:
        for line in map(json.loads, (line for line in lines if asset in line)):
            if line.get("asset") == asset:
                break
            if line.get("id") == asset and line.get("kind") not in _BESIDE:
                told.append(line)
    return [json.dumps({name: line[name] for name in line if name not in ("id", "key")}) for line in told[-12:]]
