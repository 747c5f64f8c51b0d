"""oha: requests at a fixed rate, whose times begin when they are due."""

import json
import subprocess

from lib.context import OHA

# Less than is asked for by more than this: the times are of another load than the one that is named.
_SHORT_OF = 0.9


def at_rate(server, paths, rate, seconds, connections=64, folder=None):
    """Times in seconds as p50, p99 and p999, and the `rate` that there was.

    `paths` is one, or a list of which each request takes one by chance; that is written into `folder`. Raises
    ValueError where an answer is no redirect, or where there were much fewer requests than asked for.
    """
    host, port = server.address
    urls = [f"http://{host}:{port}{path}" for path in ([paths] if isinstance(paths, str) else paths)]
    target = urls
    if len(urls) > 1:
        file = folder / "urls"
        file.write_text("\n".join(urls))
        target = ["--urls-from-file", file]
    order = [
        OHA, "-z", f"{seconds}s", "-w", "-c", str(connections), "-q", f"{rate:.0f}", "--latency-correction",
        "--redirect", "0", "--no-tui", "--output-format", "json", *target,
    ]  # fmt: skip
    done = subprocess.run(order, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    bad = {code: count for code, count in told["statusCodeDistribution"].items() if code != "302"}
    if bad or told["errorDistribution"]:
        raise ValueError(f"answers that are no redirect: {bad or ''} {told['errorDistribution'] or ''}")
    had = told["summary"]["requestsPerSec"]
    if had < rate * _SHORT_OF:
        raise ValueError(f"{had:.0f} requests a second instead of {rate:.0f}")
    times = told["latencyPercentiles"]
    return {"p50": times["p50"], "p99": times["p99"], "p999": times["p99.9"], "rate": had}
