"""Signatures: those of the signing pool beside `openssl speed` in the same round.

The benches' binary hands the pool jobs as long as the link service's. Both are counted per second of processor
time on one core. Scaling is by time that passes: a thread a core, beside one thread.

Two cores may be two threads of one core, or share their clock: then nothing scales by 2. So scaling has its own
yardstick, `openssl speed` as two processes beside one in the same round, and the gate asks for no more than nearly
that.
"""

import re
import statistics
import subprocess

from lib.benches import benches
from lib.gates import gate, limit
from lib.report import Row

# How near to the scaling of openssl that of the pool has to be, where the machine can't do more.
_NEAR = 0.95
# Below this the machine is too busy to say anything: a limit that no scaling meets would be none.
_LEAST = 1.2


def measure(context):
    rounds = []
    for number in range(context.rounds(7, 1)):
        seconds = context.rounds(2, 1)
        rounds.append({"pool": benches("--pool"), "openssl": _openssl(seconds), "scaling": _scaling(seconds)})
        told = {key: rounds[-1]["pool"][key]["a_core"] / rate for key, rate in rounds[-1]["openssl"].items()}
        context.say(f"signing {number + 1}: " + ", ".join(f"{key} {ratio:.2f}" for key, ratio in told.items()))
    cores = rounds[0]["pool"]["cores"]

    def ratio(key):
        return [one["pool"][key]["a_core"] / one["openssl"][key] for one in rounds]

    def scaling(key):
        return [one["pool"][key]["all"] / one["pool"][key]["one"] for one in rounds]

    yardstick = statistics.median(one["scaling"] for one in rounds)
    most, reachable = limit(context, "sign_scaling"), _NEAR * yardstick
    told = f"RSA on {cores} cores, of one"
    if reachable < most:
        told += f"; the limit is {_NEAR} of what openssl reaches, {_LEAST} at least: {most} is out of reach here"
    bounds = {"limit": max(_LEAST, min(most, reachable))}
    # With one core there is nothing to scale to, and with more it isn't this gate.
    scaled = gate(context, "sign_scaling", scaling("rsa"), note=told, **bounds)
    if cores != 2:
        scaled = Row("sign_scaling", scaling("rsa"), "higher", note=told)
    speed = "of openssl speed"
    return [
        gate(context, "rsa_sign_ratio", ratio("rsa"), note=f"{speed} rsa2048"),
        gate(context, "ecdsa_sign_ratio", ratio("ecdsa"), note=f"{speed} ecdsap256"),
        scaled,
        Row(
            "sign_scaling_openssl", [one["scaling"] for one in rounds], "higher", note="openssl speed -multi 2 rsa2048"
        ),
        Row("sign_scaling_ecdsa", scaling("ecdsa"), "higher", note="that of the pool for ECDSA"),
        Row("rsa_signatures", [one["pool"]["rsa"]["a_core"] for one in rounds], "higher", "/s", note="a core"),
        Row("ecdsa_signatures", [one["pool"]["ecdsa"]["a_core"] for one in rounds], "higher", "/s", note="a core"),
    ]


def _openssl(seconds):
    """Signatures per second of processor time on one core."""
    text = _speed(seconds, "rsa2048", "ecdsap256")
    # sign and verify: seconds each, then how many a second.
    number = r"\s+[\d.]+s\s+[\d.]+s\s+([\d.]+)"
    names = {"rsa": r"rsa\s+2048 bits", "ecdsa": r"256 bits ecdsa \(nistp256\)"}
    found = {key: re.search(name + number, text) for key, name in names.items()}
    if not all(found.values()):
        raise ValueError(f"openssl speed says:\n{text}")
    return {key: float(match[1]) for key, match in found.items()}


def _scaling(seconds):
    """RSA signatures per second that passes by two processes, of those by one."""
    rates = []
    for order in (["-elapsed"], ["-elapsed", "-multi", "2"]):
        text = _speed(seconds, *order, "rsa2048")
        rates.append(float(re.search(r"rsa\s+2048 bits\s+[\d.]+s\s+[\d.]+s\s+([\d.]+)", text)[1]))
    return rates[1] / rates[0]


def _speed(seconds, *order):
    order = ["openssl", "speed", "-seconds", str(seconds), *order]
    return subprocess.run(order, capture_output=True, text=True, check=True).stdout
