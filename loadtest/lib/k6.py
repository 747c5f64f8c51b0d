"""k6: the scripts of loadtest/k6, whose thresholds are gates of lib/gates.py."""

import json
import subprocess

from lib.context import K6, ROOT
from lib.gates import gate, limit
from lib.report import Row
from lib.server import API_KEY

_PICTURE = ROOT / "src/app/dev/seed/harbour.jpg.320.jpg"
# How k6 says that a threshold isn't met.
_CROSSED = 99


def run(context, server, script, rate, seconds, assets):
    """Runs a script: the rows of its gates, and the metrics of its summary."""
    host, port = server.address
    slow, failed = f"k6_{script}_p99", f"k6_{script}_failed"
    given = {
        "API": f"http://{host}:{port}",
        "API_KEY": API_KEY,
        "ASSETS": assets,
        "PICTURE": _PICTURE,
        "RATE": rate,
        "SECONDS": seconds,
        "P99_MS": limit(context, slow),
        "FAILED": limit(context, failed),
    }
    summary = context.folder / f"{script}.json"
    order = [K6, "run", "--quiet", "--no-usage-report", "--summary-export", summary]
    order += [argument for name, value in given.items() for argument in ("--env", f"{name}={value}")]
    done = subprocess.run([*order, ROOT / f"loadtest/k6/{script}.js"], capture_output=True, text=True, check=False)
    if done.returncode not in (0, _CROSSED):
        raise RuntimeError(f"k6 ends with {done.returncode}:\n{done.stderr}")
    metrics = json.loads(summary.read_text())["metrics"]
    times = metrics["http_req_duration{scenario:steady}"]
    dropped = metrics.get("dropped_iterations", {"count": 0})["count"]
    bad = max(metrics["http_req_failed"]["value"], 1 - metrics["checks"]["value"])
    rows = [
        gate(context, slow, [times["p(99)"]], "ms", f"{script}.js, {rate} times a second for {seconds} s"),
        gate(context, failed, [bad], note="share of requests or of checks"),
        Row(f"k6_{script}_p50", [times["med"]], "lower", "ms"),
        Row(f"k6_{script}_p999", [times["p(99.9)"]], "lower", "ms"),
        Row(f"k6_{script}_rate", [metrics["http_reqs"]["rate"]], "higher", "/s", note=f"requests; {dropped} not begun"),
    ]
    if (done.returncode == _CROSSED) == all(row.passes for row in rows if row.is_gate):
        raise RuntimeError(f"k6 and this table disagree on thresholds:\n{done.stdout}{done.stderr}")
    context.say(f"k6: {script}, p99 {times['p(99)']:.1f} ms, {bad:.2%} bad")
    return rows, metrics
