"""k6's scripts against a store of many assets: permalinks, documents, uploads, and a day of all.

The day begins with nothing signed. Of it is told how many links were cached ones, and how many signatures a
request took. k6 itself takes more of the cores than Signet does.
"""

from lib import k6
from lib.api import Api
from lib.assets import asset_id, seed
from lib.metrics import metrics, signatures, total
from lib.report import Row
from lib.server import QUIET, Server

_CACHE_BYTES = 2 * 1024**3
# Requests a second.
_RATES = {"resolve": 1_500, "documents": 150, "uploads": 10, "mixed_day": 300}


def measure(context):
    assets = context.rounds(1_000_000, 20_000)
    context.say(f"k6: putting {assets} assets in")
    seed(context, "k6", assets)
    rows = []
    for script in ("mixed_day", "resolve", "documents", "uploads"):
        seconds = context.rounds(90 if script == "mixed_day" else 30, 5)
        data = context.folder / "k6"
        with Server(context, log_level=QUIET, cache_bytes=_CACHE_BYTES, data=data) as server:
            if script == "resolve":
                Api(server).links([asset_id(number) for number in range(1000)])
            made = signatures(server)
            told, times = k6.run(context, server, script, _RATES[script], seconds, assets)
            rows += told
            if script == "mixed_day":
                rows += _day(server, times, assets, signatures(server) - made)
    return rows


def _day(server, times, assets, made):
    samples = metrics(server)
    links, requests = total(samples, "signet_links_total"), times["http_reqs"]["count"]
    hits = samples['signet_links_total{source="cache"}'] / links
    rows = [
        Row("mixed_day_hit_rate", [hits], "higher", note=f"of links; {assets} assets, cold at the start"),
        Row("mixed_day_signatures", [made / requests], "lower", note="a request"),
    ]
    for kind in ("redirect", "document", "control"):
        kinds = times[f"http_req_duration{{kind:{kind}}}"]
        for name, column in (("p50", "med"), ("p99", "p(99)"), ("p999", "p(99.9)")):
            rows.append(Row(f"mixed_day_{kind}_{name}", [kinds[column]], "lower", "ms"))
    return rows
