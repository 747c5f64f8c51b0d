"""Signs RSA cases by botocore's CloudFrontSigner, and verifies ECDSA links by cryptography.

JSON on stdin; on stdout, as JSON, a signed URL for each RSA case, and whether the link that came with
it is good for each ECDSA case.
"""

import base64
import datetime
import json
import sys

from botocore.signers import CloudFrontSigner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

given = json.load(sys.stdin)
keys = {name: load_pem_private_key(pem.encode(), None) for name, pem in given["keys"].items()}


def moment(seconds):
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def signed(case):
    algorithm = hashes.SHA1() if case["hash"] == "SHA1" else hashes.SHA256()
    key = keys[case["key"]]
    signer = CloudFrontSigner(given["keyPairId"], lambda text: key.sign(text, padding.PKCS1v15(), algorithm))
    canned = not (case["wildcard"] or case["notBefore"] or case["ip"])
    if canned:
        return signer.generate_presigned_url(case["url"], date_less_than=moment(case["expires"]))
    # botocore puts IpAddress before DateGreaterThan: where both are there, it gets the policy as text.
    if case["wildcard"] or (case["notBefore"] and case["ip"]):
        return signer.generate_presigned_url(case["url"], policy=case["policy"])
    policy = signer.build_policy(
        case["url"], moment(case["expires"]), date_greater_than=moment(case["notBefore"]), ip_address=case["ip"]
    )
    return signer.generate_presigned_url(case["url"], policy=policy)


def verified(case):
    signature = case["link"].split("&Signature=")[1].split("&")[0].translate(str.maketrans("-_~", "+=/"))
    try:
        keys[case["key"]].public_key().verify(
            base64.b64decode(signature, validate=True), case["policy"].encode(), ec.ECDSA(hashes.SHA256())
        )
    except InvalidSignature:
        return False
    return True


json.dump([verified(case) if case["key"] == "ecdsa" else signed(case) for case in given["cases"]], sys.stdout)
