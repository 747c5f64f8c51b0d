"""Verifies links by cryptography, in the interpreter of .tools/venv.

On stdin {"key": file of the private key, "keyPairId", "links": [[URL, link]]}; on stdout the bad ones,
each with its reason.
"""

import base64
import json
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def main():
    given = json.load(sys.stdin)
    with open(given["key"], "rb") as file:
        key = load_pem_private_key(file.read(), None).public_key()
    bad = []
    for url, link in given["links"]:
        reason = fault(key, given["keyPairId"], url, link)
        # A verifier that takes everything proves nothing.
        if reason is None and fault(key, given["keyPairId"], url + "x", link) is None:
            reason = "it verifies for another URL too"
        if reason:
            bad.append([link, reason])
    json.dump(bad, sys.stdout)


def fault(key, key_pair_id, url, link):
    """Why CloudFront would refuse the link for this URL; None where it wouldn't."""
    parameters = dict(parameter.split("=", 1) for parameter in link.partition("?")[2].split("&"))
    if parameters["Key-Pair-Id"] != key_pair_id:
        return "another key pair"
    if "Policy" in parameters:
        policy = decode(parameters["Policy"])
    else:
        condition = {"DateLessThan": {"AWS:EpochTime": int(parameters["Expires"])}}
        statement = {"Statement": [{"Resource": url, "Condition": condition}]}
        policy = json.dumps(statement, separators=(",", ":")).encode()
    try:
        check(key, decode(parameters["Signature"]), policy)
    except InvalidSignature:
        return "the signature"
    [statement] = json.loads(policy)["Statement"]
    if statement["Condition"]["DateLessThan"]["AWS:EpochTime"] <= time.time():
        return "expired"
    resource = statement["Resource"]
    # The pattern ends at a file's name: what begins with it are the file and its derivatives.
    matches = url in derivatives_of(resource[:-1]) if resource.endswith("*") else url == resource
    return None if matches else "another resource"


def derivatives_of(url):
    return [url] + [f"{url}.{width}.jpg" for width in (320, 640, 1280)]


def check(key, signature, policy):
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, policy, padding.PKCS1v15(), hashes.SHA1())
    else:
        key.verify(signature, policy, ec.ECDSA(hashes.SHA256()))


def decode(text):
    return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")), validate=True)


main()
