"""What lies in the buckets: each READY file as it was sent, and nothing that no asset names."""

import collections
import hashlib
import re
import time
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from soaking.ground import GRACE, LATE

_AT_ONCE = 4
_ID = re.compile(r"(?:^|/)(med_[0-9A-Z]{26})/")
# How long after its last look the worker may take to remove a tombstone.
_SLACK = 15


class Objects:
    """`records` are the documents of all assets, by id; `s3` a client that threads may share."""

    def __init__(self, ground, journal, book, records, s3):
        self._tenants = {tenant.id: tenant for tenant in ground.tenants}
        self._journal, self._book, self._records, self._s3 = journal, book, records, s3
        self._now = time.time()
        # The objects of each asset: key and length.
        self._found = collections.defaultdict(dict)
        self.parts = 0

    def run(self):
        for tenant in self._tenants.values():
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=tenant.bucket)
            for one in (one for page in pages for one in page.get("Contents", [])):
                named = _ID.search(one["Key"])
                id = named[1] if named else None
                self._found[(tenant.id, id)][one["Key"]] = one["Size"]
            self.parts += len(self._s3.list_multipart_uploads(Bucket=tenant.bucket).get("Uploads", []))
        return [self.files(), *self.leftovers()]

    def files(self):
        """Each READY file by its SHA-256, with the derivatives that were put beside it."""
        row = "files_not_as_sent"
        ready = [one for one in self._records.values() if one["status"] == "READY" and not one["deleted"]]
        known = [one for one in ready if one["_id"] in self._book.assets]

        def check(record):
            asset, bucket = self._book.assets[record["_id"]], self._tenants[record["groupID"]].bucket
            try:
                body = self._s3.get_object(Bucket=bucket, Key=record["key"])["Body"].read()
            except ClientError as error:
                self._journal.breach(row, f"{record['key']}: {error}", asset.id)
                return
            if hashlib.sha256(body).hexdigest() != asset.sha256:
                self._journal.breach(row, f"{record['key']}: {len(body)} bytes, other ones than were sent", asset.id)
            folder = record["key"].rsplit("/", 1)[0]
            for name in asset.derivatives:
                if f"{folder}/{name}" not in self._found[(record["groupID"], asset.id)]:
                    self._journal.breach(row, f"{folder}/{name} is lacking", asset.id)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(check, known))
        return row, len(known), "READY files, by SHA-256"

    def leftovers(self):
        """What lies elsewhere than its asset says: nothing, but tombstones for as long as a ticket may bring a file."""
        row, public_row = "objects_left_behind", "public_copies_of_private"
        objects = tombstones = private = 0
        for (tenant, id), found in self._found.items():
            objects += len(found)
            record = self._records.get(id)
            if record is None or record["groupID"] != tenant:
                for key in found:
                    self._journal.breach(row, f"{key} of {tenant}: no asset names it", id)
                continue
            private += record["visibility"] == "PRIVATE" and not record["deleted"]
            for key, size in found.items():
                if self._belongs(record, key):
                    continue
                if size == 0 and self._may_stay(record) and self._is_tombstone(tenant, key):
                    tombstones += 1
                    continue
                text = f"{key}, {size} bytes; the asset is {record['status']} at {record['key']}, {record['placement']}"
                times = (f"{name} {record.get(name)}" for name in ("updatedAt", "ticketExpiresAt", "dueAt"))
                text = ", ".join([text, *times])
                is_public = not key.startswith(("private/", "trash/"))
                shows = record["visibility"] == "PRIVATE" and not record["deleted"] and is_public and size > 0
                self._journal.breach(public_row if shows else row, text, id)
        told = f"objects; beside them {tombstones} tombstones of places that a ticket may still fill"
        return [(row, objects - tombstones, told), (public_row, private, "PRIVATE assets with objects")]

    def _belongs(self, record, key):
        folder, _, name = record["key"].rpartition("/")
        if record["deleted"]:
            return key.startswith("trash/") and record["placement"] == "TRASH"
        asset = self._book.assets.get(record["_id"])
        names = {name} | (asset.may_have if asset else set())
        return record["status"] == "READY" and key in {f"{folder}/{one}" for one in names}

    def _may_stay(self, record):
        ends = record["ticketExpiresAt"].timestamp() - time.timezone
        return self._now < ends + GRACE + LATE + _SLACK

    def _is_tombstone(self, tenant, key):
        try:
            head = self._s3.head_object(Bucket=self._tenants[tenant].bucket, Key=key)
        except ClientError:  # the worker has just removed it
            return True
        return "signet-tombstone" in head["Metadata"]
