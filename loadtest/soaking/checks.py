"""What must hold when all has settled. Each check reports breaches to the journal and gives (row, how many it looked
at, of which kind).
"""

import collections
from concurrent.futures import ThreadPoolExecutor

from soaking.client import Client, chance_of
from soaking.ground import CONTROL
from soaking.reads import is_foreign

# How many are asked for at a time.
_AT_ONCE = 4
_BATCH = 200


class Checks:
    """`records`: the documents of all assets, by id."""

    def __init__(self, ground, journal, book, mongo):
        self._ground, self._journal, self._book, self._mongo = ground, journal, book, mongo
        self._tenants = {tenant.id: tenant for tenant in ground.tenants}
        self.records = {}
        self._databases = {}
        for database in sorted({tenant.database for tenant in ground.tenants}):
            for record in mongo[database]["media_assets"].find():
                self.records[record["_id"]] = record
                self._databases[record["_id"]] = database

    def run(self):
        return [
            self.assets(),
            self.strays(),
            self.links(),
            self.permalinks(),
            self.usage(),
            self.ids(),
            self.transactions(),
        ]

    def assets(self):
        """By both nodes, each is what its tenant was told last."""
        row = "assets_not_as_acknowledged"

        def check(asset, client, node):
            answer = client.ask(
                "check", "GET", f"/media/v1/assets/{asset.id}", None, asset.tenant.api_key, None, node, asset.id
            )
            gone = answer.status == 404 or (answer.status == 200 and answer.json.get("deleting"))
            if answer.status not in (200, 404):
                wrong = [f"{answer.status} {answer.problem}"]
            elif gone:
                wrong = [] if True in asset.deleted else ["it isn't there"]
            elif False not in asset.deleted:
                wrong = ["it is there, and was deleted"]
            else:
                wrong = asset.differs(answer.json, asset.settled())
            if wrong:
                self._journal.breach(row, f"{node.name}: {'; '.join(wrong)}", asset.id)

        assets = list(self._book.assets.values())
        self._by_each_node(assets, check)
        either = sum(not asset.is_certain for asset in assets)
        return row, len(assets), f"assets, {either} of them with answers that left it open; on both nodes"

    def strays(self):
        """Assets that no answer told of: of tickets whose answer was cut off, and nothing but EXPIRED."""
        row, strays = "assets_nobody_asked_for", collections.defaultdict(list)
        for id, record in self.records.items():
            if id not in self._book.assets:
                strays[record["groupID"]].append(id)
                if record["status"] != "EXPIRED":
                    self._journal.breach(row, f"{record['status']}, and nobody has its ticket", id)
        for tenant, ids in strays.items():
            most = self._book.unknown[tenant]
            if len(ids) > most:
                self._journal.breach(row, f"{tenant} has {len(ids)} of them; {most} calls were left open")
        return row, sum(map(len, strays.values())), "assets of tickets whose answer was lost"

    def links(self):
        """Batches of links on both nodes: what is READY has one in its place, nothing else has."""
        row, counted = "links_not_as_assets", 0
        client = self._client("checks of links")
        for tenant in self._ground.tenants:
            own = [record for record in self.records.values() if record["groupID"] == tenant.id]
            for start in range(0, len(own), _BATCH):
                part = own[start : start + _BATCH]
                for node in self._ground.nodes:
                    ids = [record["_id"] for record in part]
                    answer = client.ask("check", "POST", "/media/v1/links", {"ids": ids}, tenant.api_key, None, node)
                    if answer.status != 200:
                        self._journal.breach(row, f"{node.name}: {answer.status} {answer.problem}")
                        continue
                    for record, told in zip(part, answer.json["links"]):
                        counted += 1
                        served = record["status"] == "READY" and not record["deleted"]
                        link = told.get("link")
                        right = link and f"/{record['key']}" in link and not is_foreign(link, tenant)
                        if bool(link) != served or (link and not right):
                            self._journal.breach(row, f"{node.name}: {told}, key {record['key']}", record["_id"])
        client.close()
        return row, counted, "links by id, on both nodes"

    def permalinks(self):
        """Without credentials: PUBLIC assets alone."""
        row = "permalinks_not_as_assets"

        def check(record, client, node):
            public = record["status"] == "READY" and not record["deleted"] and record["visibility"] == "PUBLIC"
            answer = client.ask("check", "GET", f"/m/{record['_id']}", None, None, None, node, record["_id"])
            if answer.status != (302 if public else 404):
                text = f"{node.name}: {answer.status} for {record['status']} {record['visibility']}"
                self._journal.breach(row, text, record["_id"])

        self._by_each_node(list(self.records.values()), check)
        return row, 2 * len(self.records), "permalinks without credentials, on both nodes"

    def usage(self):
        """media_usage, the group's mediaUsage and the API's answer are the sums of the records."""
        row, client = "usage_not_as_records", self._client("checks of usage")
        sums = {tenant: {"READY": [0, 0], "PENDING": [0, 0]} for tenant in self._tenants}
        for record in self.records.values():
            if not record["deleted"] and record["status"] in ("READY", "PENDING"):
                tally = sums[record["groupID"]][record["status"]]
                tally[0] += 1
                tally[1] += record["sizeBytes"]
        for tenant in self._ground.tenants:
            ready, pending = (dict(zip(("count", "bytes"), tally)) for tally in sums[tenant.id].values())
            own = self._mongo[tenant.database]["media_usage"].find_one({"groupID": tenant.id}) or {}
            group = self._mongo[CONTROL]["groups"].find_one({"_id": tenant.id})
            told = [
                ("media_usage ready", own.get("ready"), ready),
                ("media_usage pending", own.get("pending"), pending),
                ("mediaUsage of the group", group.get("mediaUsage"), ready),
            ]
            for node in self._ground.nodes:
                answer = client.ask("check", "GET", "/media/v1/usage", None, tenant.api_key, None, node)
                said = answer.json if answer.status == 200 else {}
                counted = {member: said.get(member) for member in ready}
                told += [(f"usage by {node.name}", counted, ready)]
                told += [(f"pending usage by {node.name}", said.get("pending"), pending)]
            for what, has, must in told:
                if has != must:
                    self._journal.breach(row, f"{tenant.id}: {what} is {has}, the records say {must}")
        client.close()
        return row, len(self._tenants), "tenants: their counters in both databases, and by both nodes"

    def ids(self):
        """media_ids is the assets: whose, where, and when they are due."""
        row, table = "ids_not_as_assets", self._mongo[CONTROL]["media_ids"]
        rows = {one["_id"]: one for one in table.find()}
        for id in rows.keys() | self.records.keys():
            one, record = rows.get(id), self.records.get(id)
            if _row_of(one) == self._row_of_asset(record):
                continue
            # The worker may have changed both since they were read.
            with self._mongo.start_session() as session, session.start_transaction():
                one = table.find_one({"_id": id}, session=session)
                database = self._databases.get(id) or one["dbKey"]
                record = self._mongo[database]["media_assets"].find_one({"_id": id}, session=session)
            if _row_of(one) != self._row_of_asset(record):
                self._journal.breach(row, f"{_row_of(one)}, the asset says {self._row_of_asset(record)}", id)
        return row, len(rows), "rows of media_ids"

    def _row_of_asset(self, record):
        return record and (record["groupID"], self._databases.get(record["_id"]), record.get("dueAt"))

    def transactions(self):
        """No transaction is left open: each tenant gets a ticket of each node at once."""
        row, client = "writes_still_refused", self._client("checks of writes")
        body = {"filename": "last.pdf", "contentType": "application/pdf", "sizeBytes": 5_000}
        for tenant in self._ground.tenants:
            for node in self._ground.nodes:
                began = self._journal.now()
                answer = client.ask("check", "POST", "/media/v1/uploads", body, tenant.api_key, None, node)
                took = self._journal.now() - began
                if answer.status != 201 or took > 5:
                    text = f"{tenant.id} on {node.name}: {answer.status} {answer.problem} after {took:.1f} s"
                    self._journal.breach(row, text)
        client.close()
        return row, 2 * len(self._tenants), "tickets of each tenant by each node"

    def _client(self, who):
        return Client(who, self._ground, self._journal, chance_of(0, who))

    def _by_each_node(self, items, check):
        """`check(item, client, node)` of each item by each node, some at a time."""

        def work(number):
            client = self._client(f"checks {number}")
            for item in items[number::_AT_ONCE]:
                for node in self._ground.nodes:
                    check(item, client, node)
            client.close()

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(work, range(_AT_ONCE)))


def _row_of(one):
    return one and (one["groupID"], one["dbKey"], one.get("dueAt"))
