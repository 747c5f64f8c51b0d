"""What is told beside the invariants: times, refusals, memory."""

import collections
import os
import time

# How long a node may take to be ready, with both stores there.
READY = 5
# How long a tenant's writes may be refused after a fault that isn't MongoDB's.
REFUSED = 15
# How long a node may take to find MongoDB again.
_RECOVERY = 8
# How much memory may grow after the first minute, in MiB, and how many files may be open at the end.
GROWTH, FILES = 32, 64
_MINUTE = 60


class Watch:
    """Memory and open files of the nodes, over time and processes."""

    def __init__(self, nodes):
        self._nodes = nodes
        # By process: (seconds since it was first seen, MiB).
        self._memory, self._first, self.files, self.name = collections.defaultdict(list), {}, {}, {}

    def look(self):
        for node in self._nodes:
            if not node.is_running():
                continue
            pid, now = node.pid, time.monotonic()
            try:
                rss, files = node.usage.rss_mib(), len(os.listdir(f"/proc/{pid}/fd"))
            except (OSError, TypeError):  # it has just ended
                continue
            self._memory[pid].append((now - self._first.setdefault(pid, now), rss))
            self.files.setdefault(pid, []).append(files)
            self.name[pid] = node.name

    def growth(self):
        """For each process that ran for two minutes, how much it grew after its first."""
        lives = [life for life in self._memory.values() if life[-1][0] >= 2 * _MINUTE]
        return [life[-1][1] - next(rss for at, rss in life if at >= _MINUTE) for life in lives]

    def peak(self):
        return max(rss for life in self._memory.values() for _, rss in life)

    def at_the_end(self):
        """MiB of each process that is there."""
        return [self._memory[node.pid][-1][1] for node in self._nodes]

    def files_at_the_end(self):
        return [self.files[node.pid][-1] for node in self._nodes]


def refusals(tickets, faults):
    """How long tenants' tickets were refused: (tenant, from, until, seconds outside of MongoDB's outages)."""
    outages = [(fault.began, fault.ended + _RECOVERY) for fault in faults if fault.target == "MongoDB" and fault.began]
    found, open_since = [], {}
    for tenant, sent, answered, status in sorted(tickets, key=lambda call: call[2]):
        if status == 503:
            open_since.setdefault(tenant, (sent, answered))
        elif status == 201 and tenant in open_since and sent >= open_since[tenant][0]:
            began, _ = open_since.pop(tenant)
            found.append((tenant, began, answered, _outside(began, answered, outages)))
    last = max((answered for _, _, answered, _ in tickets), default=0)
    for tenant, (began, answered) in open_since.items():
        if last > answered:
            found.append((tenant, began, last, _outside(began, last, outages)))
    return found


def of_faults(faults, refused):
    """For each fault, the longest time that a tenant was refused from it until the next one began. A call that was
    refused may have been sent a moment before.
    """
    faults = [fault for fault in faults if fault.began]
    lines = []
    for fault, following in zip(faults, [*faults[1:], None]):
        until = following.began - 1 if following else float("inf")
        spans = [end - began for _, began, end, _ in refused if fault.began - 1 <= began < until]
        notes = f"; {'; '.join(fault.notes)}" if fault.notes else ""
        longest = f"tickets refused for {max(spans):.1f} s" if spans else "no ticket refused"
        lines.append(f"{fault.began:6.1f} s  {str(fault):24}  {longest}{notes}")
    return lines


def requests(calls):
    """A line for each kind: how many, what they were answered, and how long good answers took."""
    kinds = collections.defaultdict(list)
    for kind, seconds, status, cause in calls:
        kinds[kind].append((seconds, status, cause))
    lines = [f"{'requests':12} {'all':>6} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}  5xx, and no answer"]
    for kind, answers in sorted(kinds.items()):
        times = sorted(1000 * seconds for seconds, status, _ in answers if isinstance(status, int) and status < 500)
        causes = collections.Counter(
            f"{status} {cause or ''}".strip()
            for _, status, cause in answers
            if not isinstance(status, int) or status >= 500
        )
        p50, p99, most = (times[int(share * (len(times) - 1))] if times else 0 for share in (0.5, 0.99, 1))
        bad = ", ".join(f"{count} × {cause}" for cause, count in causes.most_common())
        lines.append(f"{kind:12} {len(answers):6} {p50:8.1f} {p99:8.1f} {most:8.0f}  {bad}".rstrip())
    return lines


def _outside(began, ended, outages):
    """How much of a time lies outside of others."""
    left = ended - began
    at = began
    for start, end in sorted(outages):
        start, end = max(start, at), min(end, ended)
        if end > start:
            left -= end - start
            at = end
    return left
