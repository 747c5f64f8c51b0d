"""A soak from its start to its report."""

import random
import re
import sys
import time

from lib.context import ROOT
from lib.report import Row, table, write_summary

from soaking import figures
from soaking.checks import Checks
from soaking.faults import NODE_ENDS, Player, schedule
from soaking.ground import Ground
from soaking.journal import Journal, story
from soaking.load import Load
from soaking.objects import Objects
from soaking.settling import settle

# Between two lines that say how far it is, in seconds.
_SAYS = 10
_STEP = 0.1
# What a node's log holds where it has met a defect of its own.
_PANIC = re.compile(r"panicked|a defect:")


def run(folder, seed, seconds):
    """The exit code."""
    # Half of all seeds have stable URLs: files then move at finalize, too.
    stable = random.Random(f"{seed} stable").random() < 0.5
    say(f"seed {seed}, {seconds / 60:g} minutes, PUBLIC assets {'by stable URLs' if stable else 'signed'}")
    began = time.monotonic()
    with Ground(folder, stable) as ground:
        journal = Journal(folder / "journal.jsonl")
        try:
            rows, lines = soak(ground, journal, seed, seconds)
        finally:
            journal.close()
        ends = [node.terminate(NODE_ENDS) for node in ground.nodes]
    bad = [f"exit {code} after {took:.1f} s" for code, took in ends if code != 0]
    rows += [counted(journal, "panics", *panics(folder, journal))]
    for text in bad:
        journal.breaches["ends_and_starts"].append((None, f"at the end: {text}"))
    rows += [counted(journal, "ends_and_starts", len(rows), "SIGTERMs and starts as faults had them, and at the end")]
    for name in sorted(journal.breaches.keys() - {row.name for row in rows}):
        rows.append(counted(journal, name, None, ""))
    print("\n".join(["", *lines, "", table(rows, [])]))
    failed = [row.name for row in rows if row.is_gate and not row.passes]
    write_summary(folder / "summary.json", rows, failed, False)
    tell_breaches(journal, folder / "journal.jsonl")
    outcome = f"failed: {', '.join(failed)}" if failed else "all holds"
    say(f"seed {seed}: {outcome}; {folder.relative_to(ROOT)}, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def soak(ground, journal, seed, seconds):
    """Load, faults, quiet, checks: rows of the table, and lines to be printed before it."""
    databases = sorted({tenant.database for tenant in ground.tenants})
    s3 = ground.s3.client()
    player = Player(ground, schedule(seed, seconds), journal)
    load, watch = Load(seed, ground, journal, player, s3), figures.Watch(ground.nodes)
    load.start()
    said = 0
    while (now := journal.now()) < seconds:
        player.step(now)
        if now // 1 != (now - _STEP) // 1:
            watch.look()
        if now - said >= _SAYS:
            said = now
            away = ", ".join(map(str, player.under_way())) or "no fault"
            breaches = sum(map(len, journal.breaches.values()))
            done = f"{len(journal.calls)} calls, {len(load.book.assets)} assets, {breaches} breaches"
            say(f"{now:5.0f} s: {done}, {away}")
        time.sleep(_STEP)
    player.finish()
    load.finish()
    for text in player.failures:
        journal.breach("ends_and_starts", text)
    say(f"{journal.now():5.0f} s: the load has ended; until nothing is due")
    with ground.mongo.client() as mongo:
        settled_in = journal.now()
        for reason, ids in settle(mongo, databases).items():
            for id in ids:
                journal.breach("not_settled", reason, id)
        settled_in = journal.now() - settled_in
        watch.look()
        say(f"{journal.now():5.0f} s: settled; {len(load.book.assets)} assets are checked")
        checks = Checks(ground, journal, load.book, mongo)
        objects = Objects(ground, journal, load.book, checks.records, s3)
        looked_at = [*objects.run(), *checks.run()]
    watch.look()
    calls = [call for call in journal.calls if call[0] != "check"]
    shown = count(calls, "stranger", "list", "links", "document")
    looked_at += [
        ("not_settled", len(load.book.assets), "assets: an open ticket, late, or held when all should be settled"),
        ("answers_across_tenants", shown, "calls of strangers, and lists"),
        ("answers_500", len(calls), "answers"),
        ("without_retry_after", sum(status == 503 for _, _, status, _ in calls), "503s"),
        ("unexpected_answers", len(calls), "answers that an asset's state doesn't allow"),
    ]
    rows = [counted(journal, name, number, what) for name, number, what in looked_at]
    refused = figures.refusals(journal.tickets, player.faults)
    rows += limits(player, watch, refused, settled_in)
    lines = ["faults", *figures.of_faults(player.faults, refused), "", *figures.requests(calls)]
    lines += [f"parts of uploads that were left in S3: {objects.parts}"]
    return rows, lines


def limits(player, watch, refused, settled_in):
    """Rows of what is measured."""
    rows = []
    spans = [outside for _, _, _, outside in refused] or [0]
    note = "the longest that a tenant's tickets were refused, without MongoDB's outages"
    rows.append(Row("writes_refused", [max(spans)], "lower", "s", figures.REFUSED, note=note))
    note = f"the longest of {len(player.ready)} restarts while MongoDB was there"
    rows.append(Row("node_ready", [max(player.ready, default=0)], "lower", "s", figures.READY, note=note))
    growth = watch.growth()
    if growth:
        note = "of processes that ran for two minutes, after their first"
        rows.append(Row("memory_growth", [max(growth)], "lower", "MiB", figures.GROWTH, note=note))
    note = f"each node's at the end; at most {max(max(files) for files in watch.files.values())} in between"
    rows.append(Row("open_files", [max(watch.files_at_the_end())], "lower", "", figures.FILES, note=note))
    rows.append(Row("memory_peak", [watch.peak()], "lower", "MiB", note="of any node"))
    rows.append(Row("memory_end", watch.at_the_end(), "lower", "MiB", note="of the nodes"))
    rows.append(Row("settled", [settled_in], "lower", "s", note="after the load, until nothing was due"))
    return rows


def counted(journal, name, number, what):
    """The row of an invariant: how often it didn't hold."""
    note = f"of {number} {what}" if number is not None else what
    return Row(name, [len(journal.breaches.get(name, ()))], "lower", limit=0, note=note)


def panics(folder, journal):
    """How many lines the logs have; those of panics are breaches."""
    lines = 0
    for log in sorted(folder.glob("node-*.log")):
        for line in log.read_text(errors="replace").splitlines():
            lines += 1
            if _PANIC.search(line):
                journal.breaches["panics"].append((None, f"{log.name}: {line[:500]}"))
    return lines, "lines of the nodes' logs"


def tell_breaches(journal, file):
    for name, breaches in sorted(journal.breaches.items()):
        print(f"\n{name}: {len(breaches)}")
        for asset, text in breaches[:10]:
            print(f"  {asset or ''} {text}")
        asset = next((asset for asset, _ in breaches if asset), None)
        for line in story(file, asset) if asset else ():
            print(f"    {line[:300]}")


def count(calls, *kinds):
    return sum(kind in kinds for kind, *_ in calls)


def say(text):
    print(text, file=sys.stderr, flush=True)
