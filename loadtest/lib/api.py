"""Signet's API as its clients use it: uploads, permalinks, batches of links."""

import http.client
import json
from urllib.parse import urlsplit

from lib.context import ROOT
from lib.server import API_KEY

_PICTURE = ROOT / "src/app/dev/seed/harbour.jpg.320.jpg"
# What the yardstick adds by itself, or what belongs to a single answer.
_OWN = {"date", "content-length"}


class Api:
    """A client with one connection."""

    def __init__(self, server):
        self._connection = http.client.HTTPConnection(*server.address, timeout=60)

    def upload(self):
        """The id of a new PUBLIC asset."""
        picture = _PICTURE.read_bytes()
        asked = {
            "filename": "harbour.jpg",
            "contentType": "image/jpeg",
            "sizeBytes": len(picture),
            "visibility": "PUBLIC",
        }
        ticket = self._post("/media/v1/uploads", asked)
        url = urlsplit(ticket["uploadUrl"])
        self._ask(ticket["method"], f"{url.path}?{url.query}", picture, ticket["headers"])
        self._post(f"/media/v1/uploads/{ticket['assetId']}/finalize", {})
        return ticket["assetId"]

    def links(self, ids):
        """Raises ValueError unless each id has a link."""
        links = self._post("/media/v1/links", {"ids": ids})["links"]
        if [one["id"] for one in links if one.get("link")] != ids:
            raise ValueError("not every id has a link")

    def batch(self, body):
        """Asks for links as `links` does, and reads the answer without a look at it."""
        self._ask("POST", "/media/v1/links", body, {"content-type": "application/json"})

    def head(self, path):
        """The status and the headers of an answer, a line each."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 302:
            raise ValueError(f"{path} answers {answer.status}")
        headers = [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() not in _OWN]
        return "\n".join([str(answer.status), *headers])

    def _post(self, path, body):
        return json.loads(self._ask("POST", path, json.dumps(body), {"content-type": "application/json"}))

    def _ask(self, method, path, body, headers):
        headers = dict(headers) | ({} if path.startswith("/objects/") else {"authorization": API_KEY})
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        given = answer.read()
        if not 200 <= answer.status < 300:
            raise ValueError(f"{method} {path}: {answer.status} {given.decode(errors='replace')}")
        return given
