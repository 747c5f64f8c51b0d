"""Clients of the nodes, and of S3 by the requests of tickets. Every answer goes into the journal."""

import http.client
import json
import random
import select
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

# Longer than an answer may take.
_PATIENCE = 70
# A connection that isn't accepted: the node is away.
_CONNECT = 3


@dataclass
class Answer:
    """`status` is None where none came. `refused`: nothing was sent at all, so nothing happened."""

    status: int | None
    headers: dict
    body: bytes
    node: str
    refused: bool = False

    @property
    def is_unknown(self):
        """Whether what was asked for may have been done or not."""
        return self.status is None or self.status == 503

    @property
    def json(self):
        return json.loads(self.body) if self.body else {}

    @property
    def problem(self):
        """The type of the problem that it is, without its prefix."""
        if "problem+json" not in self.headers.get("content-type", ""):
            return None
        return self.json["type"].rsplit(":", 1)[1]


class Client:
    """One caller, with a connection to each node. It asks one of them, and the other one where that is away."""

    def __init__(self, who, ground, journal, chance):
        self._who, self._journal, self._chance = who, journal, chance
        self._nodes, self._s3 = ground.nodes, ground.s3
        self._kept = {}

    def ask(self, kind, method, path, body=None, key=None, headers=None, node=None, asset=None):
        """An answer of any node, or of that one. `key` is the caller's API key; `asset` the id of what is asked for."""
        first = node or self._chance.choice(self._nodes)
        others = [] if node else [other for other in self._nodes if other is not first]
        headers = dict(headers or {}) | ({"authorization": key} if key else {})
        data = None
        if body is not None:
            data, headers["content-type"] = json.dumps(body).encode(), "application/json"
        for target in [first, *others]:
            sent, began = self._journal.now(), time.perf_counter()
            answer = self._exchange(target, method, path, data, headers)
            if answer.refused and target is not ([first, *others])[-1]:
                continue
            self._tell(kind, method, path, body, key, headers, asset, answer, sent, time.perf_counter() - began)
            return answer

    def give_up(self, kind, method, path, body, key, asset=None):
        """Sends a request and hangs up soon after."""
        node = self._chance.choice(self._nodes)
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {key}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        try:
            with socket.create_connection(node.address, _CONNECT) as sent:
                sent.sendall(head.encode() + data)
                time.sleep(self._chance.uniform(0, 0.02))
        except OSError:
            pass
        self._journal.note(who=self._who, node=node.name, kind=f"{kind}, given up", path=path, id=asset, asked=body)

    def send_file(self, ticket, body, asset):
        """The status of S3's answer to an upload, None where none came, and its ETag."""
        url = urlsplit(ticket["uploadUrl"])
        connection = http.client.HTTPConnection(*self._s3.address, timeout=_PATIENCE)
        status, etag = None, None
        try:
            path = f"{url.path}?{url.query}"
            connection.request(ticket["method"], path, body, dict(ticket["headers"]) | {"host": url.netloc})
            answer = connection.getresponse()
            answer.read()
            status, etag = answer.status, answer.getheader("etag")
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        self._journal.note(who=self._who, node="S3", kind="upload", id=asset, bytes=len(body), status=status)
        return status, etag

    def close(self):
        for connection in self._kept.values():
            connection.close()

    def _exchange(self, node, method, path, data, headers):
        connection = self._kept.pop(node.name, None)
        if connection is not None and select.select([connection.sock], [], [], 0)[0]:
            # The node has closed it meanwhile.
            connection.close()
            connection = None
        if connection is None:
            connection = http.client.HTTPConnection(*node.address, timeout=_CONNECT)
            try:
                connection.connect()
            except OSError:
                connection.close()
                return Answer(None, {}, b"", node.name, refused=True)
            connection.sock.settimeout(_PATIENCE)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return Answer(None, {}, b"", node.name)
        if connection.sock is not None:
            self._kept[node.name] = connection
        given = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, given, body, node.name)

    def _tell(self, kind, method, path, body, key, headers, asset, answer, sent, seconds):
        status = "refused" if answer.refused else "cut" if answer.status is None else answer.status
        problem = answer.problem
        self._journal.call(kind, seconds, status, problem)
        line = {"who": self._who, "node": answer.node, "kind": kind, "asked": f"{method} {path}", "id": asset}
        line |= {"body": body if kind != "document" else None, "key": key, "status": status}
        line |= {"ms": round(1000 * seconds, 1), "problem": problem, "sent": round(sent, 3)}
        for name in ("if-match", "idempotency-key"):
            line[name] = headers.get(name)
        line["request"] = answer.headers.get("x-request-id")
        self._journal.note(**{name: value for name, value in line.items() if value is not None})
        where = f"{kind} on {answer.node}: {status} {problem or ''}"
        if status in (500, 501, 502, 504, 505):
            self._journal.breach("answers_500", f"{where} {answer.body[:300]!r}", asset)
        if status == 503 and "retry-after" not in answer.headers:
            self._journal.breach("without_retry_after", where, asset)


def chance_of(seed, who):
    """The caller's own sequence of choices."""
    return random.Random(f"{seed} {who}")
