"""Signatures: those of the signing pool beside `openssl speed` in the same round.

The benches' binary hands the pool jobs as long as the link service's. Both are counted per second of processor
time on one core. Scaling is by time that passes: a thread a core, beside one thread.
"""

import re
import subprocess

from lib.benches import benches
from lib.report import Row

_SECONDS = "2"


def measure(context):
    rounds = []
    for number in range(context.rounds(7, 3)):
        rounds.append({"pool": benches("--pool"), "openssl": _openssl()})
        told = {key: rounds[-1]["pool"][key]["a_core"] / rate for key, rate in rounds[-1]["openssl"].items()}
        context.say(f"signing {number + 1}: " + ", ".join(f"{key} {ratio:.2f}" for key, ratio in told.items()))
    cores = rounds[0]["pool"]["cores"]

    def ratio(key):
        return [one["pool"][key]["a_core"] / one["openssl"][key] for one in rounds]

    def scaling(key):
        return [one["pool"][key]["all"] / one["pool"][key]["one"] for one in rounds]

    # Both threads have to be there at once: with one core there is nothing to scale to.
    bounds = {"limit": 1.8, "aim": 1.95} if cores == 2 else {}
    speed = "of openssl speed"
    return [
        Row("rsa_sign_ratio", ratio("rsa"), "higher", limit=0.9, aim=0.97, note=f"{speed} rsa2048"),
        Row("ecdsa_sign_ratio", ratio("ecdsa"), "higher", limit=0.9, aim=1.2, note=f"{speed} ecdsap256"),
        Row("sign_scaling", scaling("rsa"), "higher", note=f"RSA on {cores} cores, of one", **bounds),
        Row("sign_scaling_ecdsa", scaling("ecdsa"), "higher", note="the same for ECDSA"),
        Row("rsa_signatures", [one["pool"]["rsa"]["a_core"] for one in rounds], "higher", "/s", note="a core"),
        Row("ecdsa_signatures", [one["pool"]["ecdsa"]["a_core"] for one in rounds], "higher", "/s", note="a core"),
    ]


def _openssl():
    """Signatures per second of processor time on one core."""
    order = ["openssl", "speed", "-seconds", _SECONDS, "rsa2048", "ecdsap256"]
    text = subprocess.run(order, capture_output=True, text=True, check=True).stdout
    # sign and verify: seconds each, then how many a second.
    number = r"\s+[\d.]+s\s+[\d.]+s\s+([\d.]+)"
    names = {"rsa": r"rsa\s+2048 bits", "ecdsa": r"256 bits ecdsa \(nistp256\)"}
    found = {key: re.search(name + number, text) for key, name in names.items()}
    if not all(found.values()):
        raise ValueError(f"openssl speed says:\n{text}")
    return {key: float(match[1]) for key, match in found.items()}
