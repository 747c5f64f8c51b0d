"""What an asset must be by what its tenant was told. Where an answer is unknown (503, cut off), it may be either."""

import hashlib
import random
from dataclasses import dataclass, field

from soaking.ground import GRACE

# What it begins with must show the type that is declared.
_BEGINNINGS = {"application/pdf": b"%PDF-1.7\n", "image/gif": b"GIF89a\x20\x00\x20\x00"}
TYPES = list(_BEGINNINGS)


def content(content_type, number, size):
    """Bytes of a type, no two alike."""
    start = _BEGINNINGS[content_type]
    return start + random.Random(number).randbytes(size - len(start))


@dataclass
class Asset:
    """Each member is the set of what it may be now. One worker has the asset, so its calls come one after the other."""

    id: str
    tenant: object
    body: bytes = field(repr=False)
    key: str
    ticket_ends: float
    visibility: set
    status: set = field(default_factory=lambda: {"PENDING"})
    deleted: set = field(default_factory=lambda: {False})
    # `metadata.n`
    number: set = field(default_factory=lambda: {0})
    # Whether its file has arrived, and whether that is what the ticket is for.
    sent: set = field(default_factory=lambda: {False})
    is_good: bool = True
    # It has been PUBLIC, or may have been.
    was_public: bool = False
    # It was cut off: nobody touches it until then, and then it is read first.
    limbo: float | None = None
    # Names of derivatives that lie beside its file, and of those that may.
    derivatives: set = field(default_factory=set)
    may_have: set = field(default_factory=set)
    # What its file is sent by.
    ticket: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        self.sha256 = hashlib.sha256(self.body).hexdigest()
        self.size = len(self.body)
        self.was_public = "PUBLIC" in self.visibility

    @property
    def is_certain(self):
        return all(len(one) == 1 for one in (self.status, self.deleted, self.visibility, self.number, self.sent))

    @property
    def is_ready(self):
        return self.status == {"READY"} and self.deleted == {False}

    def statuses(self, now):
        """What its status may be: the worker decides over PENDING ones once the ticket's grace is over."""
        if "PENDING" not in self.status or now < self.ticket_ends + GRACE - 1:
            return self.status
        return self.status | self._decided()

    def settled(self):
        """The same when the worker has looked at it."""
        left = self.status - {"PENDING"}
        return left | self._decided() if "PENDING" in self.status else left

    def _decided(self):
        arrived = "READY" if self.is_good else "REJECTED"
        return {arrived if sent else "EXPIRED" for sent in self.sent}

    def differs(self, seen, statuses):
        """In which members the JSON of an asset that isn't deleted isn't what it may be."""
        wrong = []
        if seen["status"] not in statuses:
            wrong.append(f"status {seen['status']}, not {_either(statuses)}")
        if seen["visibility"] not in self.visibility:
            wrong.append(f"visibility {seen['visibility']}, not {_either(self.visibility)}")
        if seen["metadata"].get("n") not in self.number:
            wrong.append(f"metadata.n {seen['metadata'].get('n')}, not {_either(self.number)}")
        if seen["sizeBytes"] != self.size:
            wrong.append(f"sizeBytes {seen['sizeBytes']}, not {self.size}")
        return wrong

    def take(self, seen):
        """It was read: no doubt is left."""
        self.deleted = {False}
        self.status, self.visibility = {seen["status"]}, {seen["visibility"]}
        self.number = {seen["metadata"].get("n")}
        self.limbo = None

    def told(self):
        """What the journal says of it."""
        return {
            name: _either(getattr(self, name)) for name in ("status", "deleted", "visibility", "number", "sent")
        }


def _either(values):
    return " or ".join(sorted(str(value) for value in values))
