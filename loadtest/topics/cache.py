"""The link cache: what a link in it costs in memory.

Keys that nobody has asked for are signed by `POST /media/v1/links`, 1,000 at a time, with RSA and URLs so long that
a link has 480 bytes. What the process has resident afterwards, over what it had after a short warm-up of the same
kind, is shared by the links. Then some of the batches are asked for again: hardly anything may be signed anew,
only what has got a new window meanwhile.
"""

import random
import secrets

from lib.content import BASE_URL, FOLDER
from lib.gates import gate
from lib.links import verify
from lib.metrics import signatures
from lib.report import Row
from lib.server import QUIET, Server
from lib.signer import Signer

# So many batches that the buffers of connections have grown before, and few enough that little else has.
_WARM_UP = 4
_CONNECTIONS = 2
# How many batches are asked for again.
_SAMPLE = 50
_CACHE_BYTES = 2 * 1024**3
_LINK = 480
# Windows of a week roll for one link of 300,000 a second, and are signed half a minute ahead.
_ROLLED = 0.005


def measure(context):
    batches = context.rounds(1_000, 40)
    with Server(context, log_level=QUIET, cache_bytes=_CACHE_BYTES) as server, Signer(server, _CONNECTIONS) as signer:
        prefix = secrets.token_hex(4)
        signer.sign(_keys(prefix, batch) for batch in range(_WARM_UP))
        before = server.usage.rss_mib()
        context.say(f"cache: {before:.0f} MiB before")
        wanted = range(_WARM_UP, _WARM_UP + batches)
        signer.sign(_keys(prefix, batch) for batch in wanted)
        grown, count = server.usage.rss_mib() - before, batches * len(_keys(prefix, 0))
        context.say(f"cache: {grown:.0f} MiB for {count} links")

        made = signatures(server)
        again = random.sample(wanted, min(_SAMPLE, batches))
        links = [link for batch in again for link in signer.links(_keys(prefix, batch))]
        anew = signatures(server) - made
        if anew > len(links) * _ROLLED:
            raise ValueError(f"{anew} of {len(links)} links were no longer cached")
        short, long = (f(len(link) for link in links) for f in (min, max))
        if (short, long) != (_LINK, _LINK):
            raise ValueError(f"links have {short} to {long} bytes")
        verify([(link.partition("?")[0], link) for link in links], "rsa")
    note = f"growth of resident memory over {count} links of {_LINK} bytes, RSA"
    return [
        gate(context, "cache_bytes_per_link", [grown * 1024**2 / count], note=note),
        Row("cache_before_mib", [before], "lower", "MiB", note=f"resident with {_WARM_UP * 1000} links"),
    ]


def _keys(prefix, batch):
    """1,000 keys, as long as the link should have it."""
    parameters = len("?Expires=1800000000&Signature=") + 344 + len("&Key-Pair-Id=K2JCJMDEHXQW5F")
    length = _LINK - parameters - len(f"{BASE_URL}/{FOLDER}/")
    return [f"{prefix}/{batch * 1000 + index:08}/".ljust(length - 4, "x") + ".jpg" for index in range(1000)]
