"""Workers, each with assets of its own of all tenants, who ask both nodes for one thing after the other."""

import collections
import threading
import time
import traceback
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from soaking.client import Client, chance_of
from soaking.reads import Reads
from soaking.writes import Writes

# How many workers, and the longest pause between two calls of one: stand-ins grow slow with what they hold.
_WORKERS, _PAUSE = 10, 0.2
# Most assets that a worker goes on with.
_MINE = 60
# What is done how often.
_MIX = {
    "create": 22, "patch": 12, "move": 12, "delete": 6, "restore": 6, "read": 8, "list": 3, "links": 8, "document": 6,
    "permalink": 8, "stranger": 8, "usage": 2, "race": 3, "give_up": 3,
}  # fmt: skip


@dataclass
class Book:
    """All assets by their ids, and how many more a tenant may have: by tickets of which no answer came."""

    assets: dict = field(default_factory=dict)
    unknown: collections.Counter = field(default_factory=collections.Counter)


class Worker(threading.Thread, Reads, Writes):
    """Goes on until `over` is set."""

    def __init__(self, name, seed, ground, journal, book, player, s3, over):
        super().__init__(name=name, daemon=True)
        self.chance = chance_of(seed, name)
        self.nodes, self.tenants = ground.nodes, ground.tenants
        self.journal, self.book, self.over = journal, book, over
        self.client = Client(name, ground, journal, self.chance)
        # For what is asked at the same time.
        self.second = Client(f"{name}, too", ground, journal, chance_of(seed, f"{name}, too"))
        self._player, self._s3 = player, s3
        self.mine = []

    def run(self):
        while not self.over.is_set():
            try:
                self._step()
            except Exception:  # of the soak itself: it must be seen
                self.journal.breach("soak_defects", traceback.format_exc())
            if not self._player.is_near(self.journal.now()):
                self.rest(self.chance.uniform(0, _PAUSE))
        self.client.close()
        self.second.close()

    def _step(self):
        self.mine = self.mine[-_MINE:]
        now = self.journal.now()
        waiting = [asset for asset in self.mine if asset.limbo is not None and asset.limbo < now]
        if waiting:
            self.read(waiting[0])
            return
        what = self.chance.choices(list(_MIX), list(_MIX.values()))[0]
        what = "create" if self._player.is_near(now) else what
        tenant = self.chance.choice(self.tenants)
        known = [asset for asset in self.mine if asset.limbo is None and asset.is_certain]
        ready = [asset for asset in known if asset.is_ready]
        deleted = [asset for asset in known if asset.status == {"READY"} and asset.deleted == {True}]
        if what in ("create", "list", "links", "document", "usage"):
            getattr(self, what)(tenant)
        elif what == "give_up":
            self.give_up(tenant, self.chance.choice(ready) if ready else None)
        elif what == "stranger":
            foreign = self.some_of(tenant, 1, others=True)
            if foreign:
                self.stranger(tenant, foreign[0])
        elif what == "restore":
            if deleted:
                self.restore(self.chance.choice(deleted))
        elif ready:
            getattr(self, what)(self.chance.choice(ready))

    def some_of(self, tenant, count, others=False):
        """Assets of a tenant, or of others, whoever has made them."""
        found = [asset for asset in list(self.book.assets.values()) if (asset.tenant is tenant) != others]
        return self.chance.sample(found, min(count, len(found)))

    def rest(self, seconds):
        self.over.wait(seconds)

    def is_shaky(self, since):
        """Whether a node or MongoDB was away, or stood still, since then."""
        faults = [fault for fault in self._player.faults if fault.began and fault.target != "S3"]
        return any(not fault.ended or fault.ended > since for fault in faults)

    def expect(self, answer, statuses, asset, kind):
        """Whether there is such an answer. One that is unknown is no breach."""
        if answer.status in statuses:
            return True
        if not answer.is_unknown:
            self.unexpected(answer, kind, asset)
        return False

    def unexpected(self, answer, kind, asset):
        if answer.status < 500:  # 500 is a breach of its own
            text = f"{kind} on {answer.node}: {answer.status} {answer.body[:300].decode(errors='replace')}"
            self.journal.breach("unexpected_answers", text, asset.id if asset else None)

    def compare(self, asset, answer, members=None):
        """Whether an answer says what it must. `members`: only these, where another call changes the others."""
        wrong = asset.differs(answer.json, asset.statuses(self.journal.now()))
        if members:
            named = {"number": "metadata.n", "visibility": "visibility"}
            wrong = [text for text in wrong if any(text.startswith(named[member]) for member in members)]
        asset.key = answer.json["storageKey"]
        if wrong:
            self.journal.breach("assets_not_as_acknowledged", f"{answer.node}: {'; '.join(wrong)}", asset.id)
            if not members:
                # It is told once, not by each later call.
                asset.take(answer.json)
        return not wrong

    def head(self, bucket, key):
        """What S3 says of an object; None where it isn't there, or S3 is away."""
        try:
            return self._s3.head_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError):
            return None

    def put(self, bucket, key, body):
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=body)
        except (BotoCoreError, ClientError):
            return False
        return True


class Load:
    """All workers; `finish` ends them."""

    def __init__(self, seed, ground, journal, player, s3):
        self.book, self._over = Book(), threading.Event()
        self._workers = [
            Worker(f"worker {number}", seed, ground, journal, self.book, player, s3, self._over)
            for number in range(_WORKERS)
        ]

    def start(self):
        for worker in self._workers:
            worker.start()

    def finish(self, patience=90):
        self._over.set()
        deadline = time.monotonic() + patience
        for worker in self._workers:
            worker.join(max(0, deadline - time.monotonic()))
            if worker.is_alive():
                raise RuntimeError(f"{worker.name} doesn't end")
