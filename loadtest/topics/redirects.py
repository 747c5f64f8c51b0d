"""Redirects: what a warm `GET /m/{id}` costs beside a bare hyper that answers the same headers.

1. `bare serve` is given the status and headers that Signet answers with. Both are asked on 64 connections in
   turns, as fast as they answer: processor time of the server, per request.
2. The same by oha at a fifth of the highest rate that the bare server has: the 99th percentile of the time from
   when a request was due. Bare against bare says how much of a difference is chance.
3. A batch of 1,000 warm ids, beside their 1,000 permalinks one by one, by processor time.
4. 10,000 connections ask at the same moment for a link that nobody has signed: signatures made.
"""

import json
import resource
import statistics
import subprocess

from lib.api import Api
from lib.assets import asset_id, seed
from lib.context import BARE
from lib.gates import gate
from lib.metrics import signatures
from lib.oha import at_rate
from lib.process import Usage
from lib.report import Row
from lib.server import QUIET, Server

_CONNECTIONS = 64
_STAMPEDE = 10_000
_IDS = 1_000
_BATCHES = 200


def measure(context):
    data = context.folder / "redirects"
    seed(context, data, _IDS)
    with Server(context, data=data, log_level=QUIET) as server:
        api = Api(server)
        first = api.upload()
        path = f"/m/{first}"
        head = context.folder / "head"
        head.write_text(api.head(path))
        with Bare(head) as bare:
            rows = _cost(context, server, bare, path) + _latency(context, server, bare, path)
        rows += _batches(context, server)
    rows += _stampede(context, data, path)
    return rows if context.quick else rows + _logged(context, data, path, head)


class Bare:
    """`bare serve`; `with` ends it."""

    def __init__(self, head):
        self._head = head

    def __enter__(self):
        self._process = subprocess.Popen([BARE, "serve", self._head], stdout=subprocess.PIPE, text=True)
        self.address = ("127.0.0.1", int(self._process.stdout.readline()))
        self.usage = Usage(self._process.pid)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def _load(server, paths, seconds, connections=_CONNECTIONS):
    """What `bare load` says, and the processor time per request in microseconds as `cpu`."""
    host, port = server.address
    order = [BARE, "load", f"{host}:{port}", paths, str(connections), str(seconds)]
    before = server.usage.cpu_seconds()
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"bare load, on {connections} connections: {done.stderr.strip()}")
    told = json.loads(done.stdout)
    if told["bad"]:
        raise ValueError(f"{told['bad']} of {told['requests']} answers were no redirect")
    told["cpu"] = (server.usage.cpu_seconds() - before) / told["requests"] * 1e6
    return told


def _ratios(context, server, bare, path):
    """Rounds of (Signet, bare) in turns."""
    seconds, rounds = (1, 5) if context.quick else (4, 11)
    for one in (server, bare):
        _load(one, path, 1)
    return [(_load(server, path, seconds), _load(bare, path, seconds)) for _ in range(rounds)]


def _cost(context, server, bare, path):
    rounds = _ratios(context, server, bare, path)
    own, yard = ([one[side]["cpu"] for one in rounds] for side in (0, 1))
    ratio = [a / b for a, b in zip(own, yard)]
    context.say(f"redirects: {statistics.median(own):.2f} µs, bare hyper {statistics.median(yard):.2f} µs")
    per_second = [one[0]["requests"] / one[0]["seconds"] for one in rounds]
    note = f"processor time of bare hyper, {_CONNECTIONS} connections, log.level warn"
    return [
        gate(context, "redirect_cpu_ratio", ratio, note=note),
        Row("redirect_cpu", own, "lower", "µs", note="a request"),
        Row("redirect_cpu_bare", yard, "lower", "µs"),
        Row("redirect_rate", per_second, "higher", "/s", note="the client shares the cores"),
    ]


def _latency(context, server, bare, path):
    seconds, rounds = (1.5, 2) if context.quick else (5, 9)
    peak = _load(bare, path, 2)
    rate = peak["requests"] / peak["seconds"] / 5
    ratios, spreads, own, yard = [], [], [], []
    for _ in range(rounds):
        one, asked, two = (at_rate(it, path, rate, seconds)["p99"] for it in (bare, server, bare))
        mean = (one + two) / 2
        ratios.append(asked / mean)
        spreads.append(max(one, two) / min(one, two))
        own.append(asked * 1e3)
        yard.append(mean * 1e3)
    spread = statistics.median(spreads)
    context.say(f"p99 at {rate:.0f}/s: {statistics.median(own):.2f} ms, bare {statistics.median(yard):.2f} ms")
    more = 1.0 if context.quick else 0.3
    note = f"p99 of bare hyper at {rate:.0f}/s; the limit is bare against bare, {spread:.2f}, and {more}"
    return [
        gate(context, "redirect_p99_ratio", ratios, note=note, limit=spread + more, aim=spread + 0.1),
        Row("redirect_p99", own, "lower", "ms"),
        Row("redirect_p99_bare", yard, "lower", "ms"),
    ]


def _batches(context, server):
    # A connection of its own: one that rests as long as the latency takes to measure is closed.
    api, ids = Api(server), [asset_id(number) for number in range(_IDS)]
    api.links(ids)
    paths, body = ",".join(f"/m/{one}" for one in ids), json.dumps({"ids": ids})
    _load(server, paths, 1)
    ratios = []
    for _ in range(context.rounds(9, 3)):
        single = _load(server, paths, 1)["cpu"]
        before = server.usage.cpu_seconds()
        for _ in range(_BATCHES):
            api.batch(body)
        batch = (server.usage.cpu_seconds() - before) / _BATCHES / len(ids) * 1e6
        ratios.append(batch / single)
    note = f"processor time of the permalinks of {_IDS} assets, for a batch of these {_IDS}"
    return [gate(context, "links_batch", ratios, note=note)]


def _logged(context, data, path, head):
    """The same as Signet is set up by default."""
    with Server(context, data=data) as server, Bare(head) as bare:
        rounds = _ratios(context, server, bare, path)
    ratio = [own["cpu"] / yard["cpu"] for own, yard in rounds]
    note = "the same with log.level info, the default: no line for what goes well"
    return [Row("redirect_cpu_ratio_logged", ratio, "lower", note=note)]


def _stampede(context, data, path):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    made = []
    for _ in range(context.rounds(3, 1)):
        with Server(context, data=data, log_level=QUIET) as server:
            told = _load(server, path, 0.000001, connections=_STAMPEDE)
            if told["requests"] != _STAMPEDE:
                raise ValueError(f"{told['requests']} of {_STAMPEDE} were answered")
            made.append(signatures(server))
        context.say(f"stampede: {told['requests']} requests, {made[-1]} signatures")
    if min(made) < 1:
        raise ValueError("nothing was signed: the link wasn't cold")
    note = f"for {_STAMPEDE} requests at the same moment for one cold link"
    return [gate(context, "stampede_signatures", made, note=note)]
