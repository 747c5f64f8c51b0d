"""The calls that change something, and what an asset must be after them."""

import itertools
import threading

from soaking.ground import GRACE, MULTIPART, MULTIPART_BYTES, TICKET
from soaking.model import TYPES, Asset, content

_UPLOADS, _ASSETS = "/media/v1/uploads", "/media/v1/assets"
# How often a call is repeated that may have been done or not; then its asset is left alone.
_TRIES = 6
# How long: longer than a node stands still and a store may take, so that nothing of the call comes afterwards.
_LIMBO = 25
# A 412 to the caller that changed the asset may be the test server's while something fails and so long after.
_SHAKY = 6

_numbers = itertools.count(1)


class Writes:
    """What a worker does to its assets."""

    def create(self, tenant):
        """A ticket, and mostly a file and its READY asset."""
        if self.chance.random() < 0.03:
            return self.create_in_parts(tenant)
        good = self.chance.random() > 0.05
        kind = self.chance.choice(TYPES)
        body = content(kind, next(_numbers), self.chance.randint(1_000, 64_000))
        asset = self._ticket(tenant, kind if good else "image/png", body, good)
        if asset is None:
            return None
        fate = self.chance.random()
        if fate < 0.1:
            return None  # left alone, without its file
        if fate < 0.15:
            return self.cancel(asset)
        self._upload(asset)
        if fate < 0.25:
            return None  # left alone, with its file
        if fate < 0.3:
            self.on_both("finalize", lambda client, node: self._finalize(asset, client, node))
            return self.read(asset)
        self._finalize(asset)
        if asset.is_ready and self.chance.random() < 0.15:
            self._put_derivative(asset)

    def create_in_parts(self, tenant):
        kind = "application/pdf"
        body = content(kind, next(_numbers), MULTIPART_BYTES + 100_000)
        asset = self._ticket(tenant, kind, body, True, MULTIPART)
        if asset is None:
            return
        parts, wanted = [], asset.ticket["multipart"]["parts"]
        for part in wanted:
            start = MULTIPART_BYTES * (part["partNumber"] - 1)
            piece = body[start : start + part["sizeBytes"]]
            for _ in range(_TRIES):
                status, etag = self.client.send_file(part, piece, asset.id)
                if status == 200:
                    parts.append({"partNumber": part["partNumber"], "etag": etag})
                    break
                self.rest(1)
            if self.chance.random() < 0.1:
                return  # given up in the middle: the worker ends it
        if len(parts) == len(wanted):
            asset.sent = {True, False}
            self._finalize(asset, path="complete", body={"parts": parts})

    def _ticket(self, tenant, content_type, body, good, lives=TICKET):
        """A PENDING asset; None where no ticket was to be had."""
        visibility = self.chance.choice(["PRIVATE", "PUBLIC"])
        asked = {
            "filename": "file.bin",
            "contentType": content_type,
            "sizeBytes": len(body),
            "visibility": visibility,
            "metadata": {"n": 0},
        }
        name = f"call-{next(_numbers)}" if self.chance.random() < 0.3 else None
        headers = {"idempotency-key": name} if name else {}

        def ask(_):
            sent = self.journal.now()
            answer = self.client.ask("ticket", "POST", _UPLOADS, asked, tenant.api_key, headers)
            if not answer.refused and lives == TICKET:  # one for parts needs S3, too
                self.journal.tickets.append((tenant.id, sent, self.journal.now(), answer.status))
            self.book.unknown[tenant.id] += answer.is_unknown and not answer.refused
            return answer

        began = self.journal.now()
        answer, _ = self.insist(ask, tries=40)
        if not self.expect(answer, {201}, None, "ticket"):
            return None
        ticket = answer.json
        again = ask(0) if name and self.chance.random() < 0.5 else None
        in_time = self.journal.now() < began + TICKET - 2
        if again and again.status == 201 and again.json["assetId"] != ticket["assetId"] and in_time:
            self.journal.breach("unexpected_answers", f"{again.json['assetId']} for the call of", ticket["assetId"])
        # It lives since the call, or since one before it of the same key: not longer than this, at least.
        ends = began + lives
        asset = Asset(
            ticket["assetId"], tenant, body, ticket["storageKey"], ends, {visibility}, is_good=good, ticket=ticket
        )
        self.book.assets[asset.id] = asset
        self.mine.append(asset)
        return asset

    def _upload(self, asset):
        unknown = False
        for _ in range(_TRIES):
            status, _etag = self.client.send_file(asset.ticket, asset.body, asset.id)
            if status == 200 or (status == 412 and unknown):
                late = self.journal.now() > asset.ticket_ends + GRACE - 1
                asset.sent = {True, False} if late else {True}
                return
            if status == 403 and self.journal.now() > asset.ticket_ends - 2:
                return  # too late
            if status is not None and status < 500:
                self.journal.breach("unexpected_answers", f"upload: {status}", asset.id)
                return
            unknown = True
            asset.sent = {True, False}
            self.rest(1)

    def _finalize(self, asset, client=None, node=None, path="finalize", body=None):
        becomes = "READY" if asset.is_good else "REJECTED"
        asset.status = asset.status | {becomes}
        answer, _ = self.insist(
            lambda _: (client or self.client).ask(
                "finalize", "POST", f"{_UPLOADS}/{asset.id}/{path}", body, asset.tenant.api_key, None, node, asset.id
            )
        )
        if answer.is_unknown:
            return self.leave(asset)
        if answer.status == 200 and asset.is_good:
            asset.status, asset.sent = {"READY"}, {True}
            return self.compare(asset, answer)
        if answer.problem == "upload-rejected" and not asset.is_good:
            asset.status, asset.sent = {"REJECTED"}, {True}
        elif answer.problem == "not-uploaded" and False in asset.sent:
            asset.status = asset.status - {becomes}
        elif answer.problem == "ticket-expired" and self.journal.now() > asset.ticket_ends + GRACE - 1:
            # Its file came too late, or not at all.
            asset.status, asset.sent = {"EXPIRED"}, {False}
        else:
            self.unexpected(answer, "finalize", asset)
        return None

    def cancel(self, asset):
        asset.status = asset.status | {"EXPIRED"}
        answer, _ = self.insist(
            lambda _: self.client.ask(
                "cancel", "DELETE", f"{_UPLOADS}/{asset.id}", None, asset.tenant.api_key, None, None, asset.id
            )
        )
        if answer.is_unknown:
            self.leave(asset)
        elif self.expect(answer, {204}, asset, "cancel"):
            asset.status = {"EXPIRED"}

    def patch(self, asset, client=None, node=None):
        """Metadata of its own number; half of the calls with If-Match."""
        if client is None and self.chance.random() < 0.5:
            return self.patch_if_match(asset)
        number = next(_numbers)
        asset.number = asset.number | {number}
        answer, _ = self.insist(lambda _: self._patch(asset, {"metadata": {"n": number}}, "patch", client, node))
        if answer.is_unknown:
            self.leave(asset)
        elif self.expect(answer, {200}, asset, "patch"):
            asset.number = {number}
            self.compare(asset, answer, members=("number",) if client else None)
        return None

    def patch_if_match(self, asset):
        number = next(_numbers)
        for _ in range(_TRIES):
            seen = self.read(asset)
            if seen is None:
                return
            if seen.json["metadata"]["n"] == number:
                return  # a call was answered 503, or not at all, and has changed it
            asset.number = asset.number | {number}
            began = self.journal.now()
            answer = self._patch(asset, {"metadata": {"n": number}}, "patch", etag=seen.headers["etag"])
            if answer.status == 200:
                asset.number = {number}
                return self.compare(asset, answer)
            if answer.status == 412:
                seen = self.read(asset)
                if seen is None:
                    return
                if seen.json["metadata"]["n"] == number and not self.is_shaky(began - _SHAKY):
                    # SecantusDB answers n:0 to the driver's second try while the first one is still unanswered, so that
                    # Signet takes the asset for one that somebody else has changed. MongoDB answers as it did at first.
                    self.journal.breach("unexpected_answers", "412 to the call that changed it", asset.id)
                continue
            if not answer.is_unknown:
                return self.unexpected(answer, "patch", asset)
            self.rest(1)
        self.leave(asset)

    def move(self, asset, client=None, node=None):
        """The other visibility."""
        to = "PUBLIC" if asset.visibility == {"PRIVATE"} else "PRIVATE"
        asset.visibility = asset.visibility | {to}
        asset.was_public = True
        answer, _ = self.insist(lambda _: self._patch(asset, {"visibility": to}, "visibility", client, node))
        if answer.is_unknown:
            return self.leave(asset)
        if self.expect(answer, {200}, asset, "visibility"):
            asset.visibility = {to}
            self.compare(asset, answer, members=("visibility",) if client else None)
            if to == "PRIVATE":
                self.look_for_public_copy(asset)
        return None

    def look_for_public_copy(self, asset):
        """An answer says PRIVATE when the public copy is gone: nothing but a tombstone lies there."""
        key = f"{asset.tenant.id}/{asset.id}/file.bin"
        head = self.head(asset.tenant.bucket, key)
        if head and head["ContentLength"]:
            text = f"after 200 with PRIVATE {head['ContentLength']} bytes lie at {key}"
            self.journal.breach("public_copies_of_private", text, asset.id)

    def delete(self, asset):
        asset.deleted = {True, False}
        answer, doubt = self.insist(
            lambda _: self.client.ask(
                "delete", "DELETE", f"{_ASSETS}/{asset.id}", None, asset.tenant.api_key, None, None, asset.id
            )
        )
        if answer.is_unknown:
            self.leave(asset)
        elif self.expect(answer, {204, 202} | ({404} if doubt else set()), asset, "delete"):
            asset.deleted = {True}

    def restore(self, asset):
        asset.deleted = {True, False}
        answer, doubt = self.insist(
            lambda _: self.client.ask(
                "restore", "POST", f"{_ASSETS}/{asset.id}/restore", None, asset.tenant.api_key, None, None, asset.id
            )
        )
        if answer.is_unknown:
            self.leave(asset)
        elif doubt and answer.problem == "not-deleted":
            asset.deleted = {False}
        elif self.expect(answer, {200}, asset, "restore"):
            asset.deleted = {False}
            self.compare(asset, answer)

    def race(self, asset):
        """Metadata by one node, visibility by the other, at the same time: both hold."""
        first, second = self.chance.sample(self.nodes, 2)
        other = threading.Thread(target=self.patch, args=(asset, self.second, second))
        other.start()
        self.move(asset, self.client, first)
        other.join()
        if asset.limbo is None:
            self.read(asset)

    def on_both(self, what, call):
        """The same call to both nodes at the same time."""
        other = threading.Thread(target=call, args=(self.second, self.nodes[1]), name=what)
        other.start()
        call(self.client, self.nodes[0])
        other.join()

    def give_up(self, tenant, asset):
        """A client that goes away in the middle of a call."""
        kinds = ["ticket", "patch", "visibility", "delete"] if asset else ["ticket"]
        kind = self.chance.choice(kinds)
        if kind == "ticket":
            self.book.unknown[tenant.id] += 1
            body = {"filename": "gone.pdf", "contentType": "application/pdf", "sizeBytes": 5_000}
            return self.client.give_up(kind, "POST", _UPLOADS, body, tenant.api_key)
        path, key = f"{_ASSETS}/{asset.id}", asset.tenant.api_key
        self.leave(asset)
        if kind == "patch":
            number = next(_numbers)
            asset.number = asset.number | {number}
            return self.client.give_up(kind, "PATCH", path, {"metadata": {"n": number}}, key, asset.id)
        if kind == "visibility":
            to = "PUBLIC" if asset.visibility == {"PRIVATE"} else "PRIVATE"
            asset.visibility, asset.was_public = asset.visibility | {to}, True
            return self.client.give_up(kind, "PATCH", path, {"visibility": to}, key, asset.id)
        asset.deleted = {True, False}
        return self.client.give_up(kind, "DELETE", path, None, key, asset.id)

    def leave(self, asset):
        """It may be either from now on: nobody touches it until nothing can come of the call any more."""
        asset.limbo = self.journal.now() + _LIMBO
        self.journal.note(who=self.name, id=asset.id, either=asset.told())

    def insist(self, ask, tries=_TRIES):
        """The first answer that isn't "try again", or the last one; and whether one before it may have been done."""
        doubt = False
        for attempt in range(tries):
            answer = ask(attempt)
            if not answer.is_unknown or self.over.is_set():
                break
            doubt = doubt or not answer.refused
            self.rest(0.5)
        return answer, doubt

    def _patch(self, asset, change, kind, client=None, node=None, etag=None):
        headers = {"if-match": etag} if etag else None
        path, key = f"{_ASSETS}/{asset.id}", asset.tenant.api_key
        return (client or self.client).ask(kind, "PATCH", path, change, key, headers, node, asset.id)

    def _put_derivative(self, asset):
        """Other services put derivatives beside a file: they go where it goes."""
        name = "file.bin.320.jpg"
        key = asset.key.rsplit("/", 1)[0] + f"/{name}"
        asset.may_have.add(name)
        if self.put(asset.tenant.bucket, key, b"a derivative"):
            asset.derivatives.add(name)
