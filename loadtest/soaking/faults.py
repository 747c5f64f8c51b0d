"""What befalls nodes and stores, and when: the same for the same seed."""

import random
import signal
import threading
import time
from dataclasses import dataclass, field
from enum import Enum

from soaking.ground import DRAIN, LAME_DUCK


class Kind(Enum):
    KILL = signal.SIGKILL
    TERM = signal.SIGTERM
    STOP = signal.SIGSTOP


# Each kind of fault once, before any comes again. A node is A or B by chance.
_DECK = [(target, kind) for target in ("node", "MongoDB", "S3") for kind in Kind]
# Before the first fault, and after the last one has begun, in seconds.
WARM, QUIET = 8, 30
# How many of them come while the one before goes on.
_OVERLAPS = 0.2
# How long before a fault of a node the load is all tickets and files, in seconds.
_NEAR = 1
# Between two tries to start a node whose MongoDB is away.
_AGAIN = 0.5
# How long a SIGTERM may take: a node as its settings say and a bit. A store is killed then: SeaweedFS waits for its
# clients, half a minute at times.
NODE_ENDS, STORE_ENDS = LAME_DUCK + DRAIN + 3, 10


@dataclass
class Fault:
    """`at` and `seconds`: when it comes, and how long the server is away or stands still.

    `began`, `ended`: when it really was; `refused`: the longest time that a tenant's tickets were refused then.
    """

    at: float
    target: str
    kind: Kind
    seconds: float
    began: float = 0.0
    ended: float = 0.0
    notes: list = field(default_factory=list)

    def __str__(self):
        return f"{self.kind.value.name} {self.target} {self.seconds:.1f} s"


def schedule(seed, seconds):
    """The faults of a run: nine in two minutes, thirty in ten. One node at least is always there."""
    chance = random.Random(f"{seed} faults")
    count = max(3, round(3.75 + 2.625 * seconds / 60))
    room = (seconds - WARM - QUIET) / count
    faults, deck = [], []
    for number in range(count):
        if not deck:
            deck = chance.sample(_DECK, len(_DECK))
        target, kind = deck.pop()
        lasts = chance.uniform(2, 6) if kind is Kind.STOP else chance.uniform(1, 4)
        at = WARM + room * (number + chance.uniform(0, 0.3))
        before = faults[-1] if faults else None
        if before and chance.random() < _OVERLAPS and not before.target.startswith(target):
            at = before.at + chance.uniform(0.2, 1.5)
        name = f"node {chance.choice('AB')}" if target == "node" else target
        faults.append(Fault(at, name, kind, lasts))
    return sorted(faults, key=lambda fault: fault.at)


class Player:
    """Lets faults happen, each on a thread of its own. `failures` are ends and starts that weren't as they must be."""

    def __init__(self, ground, faults, journal):
        self._ground, self.faults, self._journal = ground, faults, journal
        self._threads, self.failures = [], []
        # Seconds until a restarted node was ready, where MongoDB was there.
        self.ready = []
        # A node is there while the other one isn't.
        self._nodes = threading.Lock()
        self._begun = 0

    def step(self, now):
        """Begins what is due. `now` is in seconds since the start."""
        while self._begun < len(self.faults) and self.faults[self._begun].at <= now:
            fault = self.faults[self._begun]
            self._begun += 1
            thread = threading.Thread(target=self._play, args=(fault,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def is_near(self, now):
        """Whether a node is about to be hit: it is to have transactions under way then."""
        return any(fault.target.startswith("node") and 0 <= fault.at - now < _NEAR for fault in self.faults)

    def under_way(self):
        return [fault for fault in self.faults if fault.began and not fault.ended]

    def finish(self):
        """Waits until everything is there again."""
        for thread in self._threads:
            thread.join(120)
            if thread.is_alive():
                self.failures.append("a fault that has no end")

    def _play(self, fault):
        server = self._ground.servers[fault.target]
        is_node = server in self._ground.nodes
        try:
            if is_node:
                with self._nodes:
                    self._befall(fault, server, is_node)
            else:
                self._befall(fault, server, is_node)
        except Exception as error:  # the run's end tells it
            self.failures.append(f"{fault}: {error!r}")
        fault.ended = self._journal.now()
        self._journal.note(fault=str(fault), began=round(fault.began, 3), notes=fault.notes)

    def _befall(self, fault, server, is_node):
        fault.began = self._journal.now()
        self._journal.note(fault=str(fault), notes=["begins"])
        if fault.kind is Kind.STOP:
            server.stop()
            time.sleep(fault.seconds)
            server.resume()
            return
        if fault.kind is Kind.KILL:
            server.kill()
        else:
            code, took = server.terminate(NODE_ENDS if is_node else STORE_ENDS)
            fault.notes.append(f"killed after {took:.1f} s" if code is None else f"exit {code} after {took:.1f} s")
            if is_node and code != 0:
                self.failures.append(f"{fault}: {fault.notes[-1]}")
        time.sleep(fault.seconds)
        self._start(fault, server, is_node)

    def _start(self, fault, server, is_node):
        deadline = time.monotonic() + 60
        while True:
            began = self._journal.now()
            try:
                server.start()
            except RuntimeError:
                # A node doesn't start without MongoDB: who starts it tries again.
                if time.monotonic() > deadline or not (is_node and self._is_away(began)):
                    raise
                time.sleep(_AGAIN)
                continue
            fault.notes.append(f"ready after {server.starts[-1]:.2f} s")
            if is_node and not self._is_away(began):
                self.ready.append(server.starts[-1])
            return

    def _is_away(self, since):
        """Whether MongoDB was away, or stood still, since then."""
        faults = [fault for fault in self.faults if fault.began and fault.target == self._ground.mongo.name]
        return any(not fault.ended or fault.ended > since for fault in faults)
