"""Whether links are real: a sample is verified by PyCA cryptography, which Signet has no part of."""

import json
import random
import subprocess

from lib.context import KEYS, PYTHON, ROOT
from lib.server import KEY_PAIR_ID


def verify(links, key, sample=48):
    """Raises ValueError unless a sample of (URL, link) verifies under the key `rsa` or `ecdsa`."""
    links = random.sample(links, min(sample, len(links)))
    asked = {"key": str(KEYS[key]), "keyPairId": KEY_PAIR_ID, "links": links}
    done = subprocess.run(
        [PYTHON, ROOT / "loadtest/lib/verify.py"], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    bad = json.loads(done.stdout)
    if bad:
        raise ValueError(f"{len(bad)} of {len(links)} links don't verify, such as {bad[0]}")
