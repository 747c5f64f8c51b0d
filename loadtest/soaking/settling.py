"""Until nothing is due any more."""

import datetime
import time

from soaking.ground import CONTROL, INTERVAL

# How long a soak waits at most. The last tickets end half a minute after the load.
_PATIENCE = 180
# What is due for longer than this is late.
_LATE = INTERVAL + 3


def settle(mongo, databases):
    """Waits until no ticket is open, nothing is late and nothing is held; what is left, by its reason, where that
    takes too long."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        left = _left(mongo, databases)
        if not any(left.values()) or time.monotonic() > deadline:
            return left
        time.sleep(1)


def _left(mongo, databases):
    # Dates are UTC, and have no zone.
    late = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - datetime.timedelta(seconds=_LATE)
    left = {"late": [row["_id"] for row in mongo[CONTROL]["media_ids"].find({"dueAt": {"$lt": late}}, {"_id": 1})]}
    left["pending"], left["held"] = [], []
    for database in databases:
        assets = mongo[database]["media_assets"]
        left["pending"] += [row["_id"] for row in assets.find({"status": "PENDING", "deleted": False}, {"_id": 1})]
        left["held"] += [row["_id"] for row in assets.find({"hold": {"$ne": None}}, {"_id": 1})]
    return left
