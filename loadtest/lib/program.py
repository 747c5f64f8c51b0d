"""Processes that say on stderr when they are ready."""

import signal
import subprocess
import threading
from collections import deque
from pathlib import Path

from lib.process import Usage

# How long one may take to start and to end.
PATIENCE = 30


class Program:
    """A process that was just started. `usage` says what it uses.

    `ready` is what a line of stderr holds once it serves. `log`, a binary file, gets all of stderr.
    """

    def __init__(self, command, environment, ready, log=None):
        self._name, self._ready, self._log = Path(command[0]).name, ready, log
        self._lines, self._line, self._said = deque(maxlen=20), None, threading.Event()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.pid = self._process.pid
        self.usage = Usage(self.pid)
        # It is read to its end, so that the process never waits for a reader.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until_ready(self, patience=PATIENCE):
        """The line that says that it serves. Raises RuntimeError with its last lines where it doesn't come."""
        if not self._said.wait(patience) or self._line is None:
            raise RuntimeError(f"{self._name} doesn't start:\n" + "".join(self._lines))
        return self._line

    def is_running(self):
        return self._process.poll() is None

    def signal(self, which):
        if self.is_running():
            self._process.send_signal(which)

    def terminate(self, patience=PATIENCE):
        """Its exit code. One that takes longer is killed: subprocess.TimeoutExpired."""
        self.signal(signal.SIGTERM)
        try:
            return self._process.wait(patience)
        except BaseException:  # too slow, or Ctrl-C again
            self.kill()
            raise

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)

    def _read(self):
        for line in self._process.stderr:
            if self._log:
                self._log.write(line)
                self._log.flush()
            text = line.decode(errors="replace")
            self._lines.append(text)
            if self._line is None and self._ready in text:
                self._line = text
                self._said.set()
        self._said.set()  # it has ended: nothing to wait for
