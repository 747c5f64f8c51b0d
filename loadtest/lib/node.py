"""The yardstick: yardsticks/node_walk.mjs as a process that has started and warmed up."""

import json
import subprocess

from lib.content import BASE_URL, FOLDER, links_in
from lib.context import KEYS, NODE_PACKAGES, ROOT
from lib.process import Spent, Usage
from lib.server import KEY_PAIR_ID


class NodeWalk:
    """`with` ends it, whatever happens."""

    def __init__(self, context):
        self._document = context.folder / "node-document.json"
        self._answer = context.folder / "node-answer.json"

    def __enter__(self):
        script = ROOT / "loadtest/yardsticks/node_walk.mjs"
        arguments = [NODE_PACKAGES, KEYS["rsa"], KEY_PAIR_ID, f"{BASE_URL}/{FOLDER}"]
        self._process = subprocess.Popen(
            ["node", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._usage = Usage(self._process.pid)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def sign(self, document, key="text", threads=1):
        """The signed document, and what was spent between its bytes and the answer's."""
        self._document.write_bytes(document)
        order = {"document": str(self._document), "answer": str(self._answer)} | {"key": key, "threads": threads}
        before = self._usage.cpu_seconds()
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the Node script has ended")
        done = json.loads(line)
        if done["links"] != links_in(document):
            raise ValueError(f"the Node script signed {done['links']} links")
        spent = Spent(done["seconds"], self._usage.cpu_seconds() - before)
        return self._answer.read_bytes(), spent
