"""What processes use, as the kernel says.

- `Usage`: one of them; `Spent`: of its time. `Others`: all but this one and its children.
"""

import os
import re
import resource
import time
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Usage:
    """Processor time and memory of a process."""

    def __init__(self, pid):
        self._folder = Path(f"/proc/{pid}")
        # As clock_getcpuclockid(3) does it: to the nanosecond, where /proc counts ticks of 10 ms.
        self._clock = ~pid << 3 | 2

    def cpu_seconds(self):
        """User and system time of all its threads so far."""
        return time.clock_gettime(self._clock)

    def rss_mib(self):
        return self._status("VmRSS")

    def peak_mib(self):
        """The most it had resident since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self):
        (self._folder / "clear_refs").write_text("5")

    def _status(self, name):
        return int(re.search(rf"^{name}:\s+(\d+) kB$", (self._folder / "status").read_text(), re.M)[1]) / 1024


class Spent(NamedTuple):
    """What a piece of work took."""

    seconds: float
    cpu_seconds: float


class Others:
    """How many cores other processes kept busy, or the host kept for itself, since this was made."""

    def __init__(self):
        self._start = self._read()

    def cores(self):
        """Counts children that have ended, so ask when all have."""
        seconds, busy = (end - start for end, start in zip(self._read(), self._start))
        return max(0, busy / seconds)

    @staticmethod
    def _read():
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
        own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own_seconds = sum(usage.ru_utime + usage.ru_stime for usage in own)
        busy = (user + nice + system + irq + softirq + steal) / _TICKS - own_seconds
        return time.monotonic(), busy
