"""The documents that are signed: those of benches/fixture.rs, byte for byte."""

import json
import random
import secrets

BASE_URL = "https://media.example.com"
# Where the media of the tenant of lib/server.py lies.
FOLDER = "vivreal-demo"
DESCRIPTORS = 2_050
WIDTHS = (320, 640, 1280)
LINKS = DESCRIPTORS * (1 + len(WIDTHS))
# The folder of the keys in benches/fixture.rs.
PREFIX = "68bfac783bc7c024975c90cb"


def document(prefix=PREFIX):
    """2,050 descriptors with three derivatives each, and prose: 700 KB."""
    return _envelope(_item(index, prefix) for index in range(DESCRIPTORS))


def new_document():
    """One whose keys nobody has seen; as long as the others."""
    return document(secrets.token_hex(len(PREFIX) // 2))


def document_of(size, prefix=PREFIX):
    """One like it of about so many bytes, one descriptor at least."""
    return _envelope(_item(index, prefix) for index in range(max(1, round(size / len(_item(DESCRIPTORS, prefix))))))


def new_document_of(size):
    """The same, of keys that nobody has seen."""
    return document_of(size, secrets.token_hex(len(PREFIX) // 2))


def lines(passes=4, seed=7):
    """The document's items in lines of 2 to 20 KB, the same in each run: `passes` times, cut anew each time."""
    chance = random.Random(seed)
    items = [_item(index, PREFIX) for index in range(DESCRIPTORS)]
    made = []
    for _ in range(passes):
        at = 0
        while at < len(items):
            count = chance.randint(7, 60)
            made.append(_envelope(items[at : at + count]) + b"\n")
            at += count
    return made


def _envelope(items):
    return f'{{"success":true,"data":[{",".join(items)}]}}'.encode()


def _item(index, prefix):
    return (
        f'{{"_id":"68bfac78{index:016x}","title":"Harbour night no. {index}","price":19.90,'
        f'"image":{{"name":"picture-{index}.jpg","key":"groupObjects/{prefix}/{index}/picture-{index}.jpg",'
        f'"type":"image/jpeg","meta":{{"derivatives":[320,640,1280],"derivativeFormat":"jpg"}}}},'
        f'"text":"Tea is served \\u2013 as ever, {index} times."}}'
    )


def links_in(document):
    """How many links a document is to have."""
    return document.count(b'"derivatives":') * (1 + len(WIDTHS))


def links_of(given, answer):
    """The links of a signed document: (URL that is to be signed, link).

    Raises ValueError where the answer is anything but the document with all of its links.
    """
    found = []
    answered = json.loads(answer)
    for item in answered["data"]:
        image = item["image"]
        current = image.pop("currentFile")
        url = f"{BASE_URL}/{FOLDER}/{image['key']}"
        found.append((url, current["source"]))
        smaller = [candidate.split(" ") for candidate in current["srcset"].split(", ")]
        if current["name"] != image["name"] or [width for _, width in smaller] != [f"{w}w" for w in WIDTHS]:
            raise ValueError(f"currentFile of {image['key']} is wrong")
        found += [(f"{url}.{width}.jpg", link) for width, (link, _) in zip(WIDTHS, smaller)]
    if answered != json.loads(given):
        raise ValueError("the answer isn't the document")
    for url, link in found:
        if not link.startswith(url + "?"):
            raise ValueError(f"{link} is no link to {url}")
    return found
