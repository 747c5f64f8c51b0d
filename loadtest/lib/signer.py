"""Batches of links on several connections at once."""

import http.client
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

from lib.server import API_KEY

_PATH = "/media/v1/links"


class Signer:
    """A client of `POST /media/v1/links`; `with` closes its connections."""

    def __init__(self, server, connections=1):
        self._address = server.address
        self._pool = ThreadPoolExecutor(connections)
        self._connections = threading.local()
        self._width = connections

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._pool.shutdown()

    def sign(self, batches, key=API_KEY):
        """Has links made of batches of keys, and reads no more of them than it must."""
        batches = iter(batches)
        # As many at a time as there is work for: all of them at once would be the memory of this script.
        while some := list(itertools.islice(batches, 8 * self._width)):
            for answer in self._pool.map(lambda keys: self._ask({"keys": keys}, key), some):
                if b'"reason"' in answer:
                    raise ValueError(f"not every key has a link: {answer[-200:]}")

    def links(self, keys, key=API_KEY):
        """The links of keys. Raises ValueError where one has none."""
        rows = json.loads(self._pool.submit(self._ask, {"keys": keys}, key).result())["links"]
        if [row["key"] for row in rows if row.get("link")] != keys:
            raise ValueError("not every key has a link")
        return [row["link"] for row in rows]

    def _ask(self, body, key):
        if not hasattr(self._connections, "one"):
            self._connections.one = http.client.HTTPConnection(*self._address, timeout=60)
        headers = {"authorization": key, "content-type": "application/json"}
        self._connections.one.request("POST", _PATH, json.dumps(body), headers)
        answer = self._connections.one.getresponse()
        given = answer.read()
        if answer.status != 200:
            raise ValueError(f"{_PATH}: {answer.status} {given.decode(errors='replace')}")
        return given
