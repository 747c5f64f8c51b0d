"""The calls that change nothing, and those of strangers, who must get nothing."""

from urllib.parse import urlsplit

_ASSETS, _LINKS, _DOCUMENTS = "/media/v1/assets", "/media/v1/links", "/media/v1/documents"
_ACROSS = "answers_across_tenants"


def is_foreign(link, tenant):
    """Whether a link leads to another tenant's files: the first segment of its path is the bucket."""
    return urlsplit(link).path.split("/")[1] != tenant.bucket


class Reads:
    """What a worker reads of its assets, and tries to read of others'."""

    def read(self, asset):
        """GET of an asset, which must be what it was last told to be; the answer where it is there, else None."""
        answer, _ = self.insist(
            lambda _: self.client.ask(
                "get", "GET", f"{_ASSETS}/{asset.id}", None, asset.tenant.api_key, None, None, asset.id
            )
        )
        if answer.is_unknown:
            return None
        gone = answer.status == 404 or (answer.status == 200 and answer.json.get("deleting"))
        if gone and True in asset.deleted:
            asset.deleted, asset.limbo = {True}, None
        elif answer.status == 200 and not gone and False in asset.deleted:
            if self.compare(asset, answer):
                asset.take(answer.json)
                return answer
        else:
            self.unexpected(answer, f"get, deleted {asset.told()['deleted']}", asset)
        return None

    def usage(self, tenant):
        answer = self.client.ask("usage", "GET", "/media/v1/usage", None, tenant.api_key)
        self.expect(answer, {200, None, 503}, None, "usage")

    def list(self, tenant):
        limit = self.chance.choice([10, 50, 200])
        answer = self.client.ask("list", "GET", f"{_ASSETS}?limit={limit}", None, tenant.api_key)
        if self.expect(answer, {200, None, 503}, None, "list") and answer.status == 200:
            for item in answer.json["items"]:
                self.own(item["assetId"], tenant, "list")

    def own(self, id, tenant, kind):
        known = self.book.assets.get(id)
        if known and known.tenant is not tenant:
            self.journal.breach(_ACROSS, f"{kind}: {tenant.id} was shown an asset of {known.tenant.id}", id)

    def links(self, tenant):
        """By ids and by keys, a stranger's among them."""
        own, foreign = self.some_of(tenant, 10), self.some_of(tenant, 3, others=True)
        asked = {"ids": [asset.id for asset in own + foreign], "keys": [asset.key for asset in own[:3] + foreign]}
        strange = {asset.id for asset in foreign}
        answer = self.client.ask("links", "POST", _LINKS, asked, tenant.api_key)
        if not self.expect(answer, {200, None, 503}, None, "links") or answer.status != 200:
            return
        for row in answer.json["links"]:
            if row.get("link") and (row.get("id") in strange or is_foreign(row["link"], tenant)):
                self.journal.breach(_ACROSS, f"links: {tenant.id} was given {row['link']}", row.get("id"))

    def document(self, tenant):
        """A page with the tenant's media, and with a stranger's."""
        own, foreign = self.some_of(tenant, 10), self.some_of(tenant, 3, others=True)
        page = [{"title": "n", "image": {"key": asset.key, "type": "image"}, "ref": asset.id} for asset in own]
        urls = [f"https://media.vivreal.io/{asset.tenant.bucket}/{asset.key}" for asset in foreign]
        page += [{"url": url, "ref": asset.id, "image": {"key": asset.key}} for url, asset in zip(urls, foreign)]
        answer = self.client.ask("document", "POST", f"{_DOCUMENTS}?report=true", page, tenant.api_key)
        if not self.expect(answer, {200, None, 503}, None, "document") or answer.status != 200:
            return
        strange = {asset.id for asset in foreign}
        for row in answer.json["media"]:
            if row.get("link") and (row.get("id") in strange or is_foreign(row["link"], tenant)):
                self.journal.breach(_ACROSS, f"document: {tenant.id} was given {row['link']}", row.get("id"))

    def permalink(self, asset):
        """By nobody in particular: a PRIVATE asset isn't there for them."""
        answer = self.client.ask("permalink", "GET", f"/m/{asset.id}", asset=asset.id)
        self.expect(answer, {302, 404, None, 503}, asset, "permalink")
        if answer.status == 302 and not asset.was_public:
            self.journal.breach(_ACROSS, f"anybody was given {answer.headers['location']}", asset.id)

    def stranger(self, tenant, asset):
        """A tenant who tries all there is on another one's asset. Nothing comes of it."""
        path, upload = f"{_ASSETS}/{asset.id}", f"/media/v1/uploads/{asset.id}"
        calls = [
            ("GET", path, None),
            ("PATCH", path, {"visibility": "PUBLIC", "metadata": {"n": -1}}),
            ("DELETE", path, None),
            ("POST", f"{path}/restore", None),
            ("POST", f"{upload}/finalize", None),
            ("DELETE", upload, None),
        ]
        if not asset.was_public:
            calls.append(("GET", f"/m/{asset.id}", None))
        method, path, body = self.chance.choice(calls)
        answer = self.client.ask("stranger", method, path, body, tenant.api_key, asset=asset.id)
        if answer.status is not None and answer.status not in (404, 503):
            self.journal.breach(_ACROSS, f"{method} {path} of {tenant.id}: {answer.status}", asset.id)
