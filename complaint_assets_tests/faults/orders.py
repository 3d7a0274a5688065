"""Rows: any order, many redeliveries, rebuilding from the raw lake alone, damage, locks."""

import hashlib
import io
import json
import random
import resource
import shutil
import sqlite3
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from complaint_assets.vocabulary import load_masker
from complaint_assets_tests.faults.homes import (
    CHANNELS,
    START,
    Base,
    chain,
    files,
    holds,
    judged,
    put,
    tables_hold,
    traffic,
)
from complaint_assets_tests.faults.lab import copied, run, start
from complaint_assets_tests.faults.table import Result, row

DAYS = 30


def merged_orders(inbox: Path, orders: int) -> tuple[list[str], int]:
    """Digests of the complaints of a month whose files come in ``orders`` different orders, and their number."""
    import pyarrow as pa

    from complaint_assets.contracts import load_contracts
    from complaint_assets.logic.complaints.deduplicate import merge_deliveries
    from complaint_assets.logic.digest import digest
    from complaint_assets.logic.evaluate import evaluate
    from complaint_assets.logic.identify import Keys
    from complaint_assets.logic.raw.parse import parse
    from complaint_assets.logic.standardised.standardise import Origin, standardise
    from complaint_assets.partitions import slot_window

    contracts, keys = load_contracts([]), Keys(b"k" * 32)
    parts = []
    for path in files(inbox):
        channel, source, slot, _ = path.relative_to(inbox).parts
        origin = Origin(
            channel=channel,
            source=source,
            slot=slot,
            object_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            received_at=slot_window(channel, slot)[1],
        )
        contract = contracts[channel, source]
        done = standardise(
            parse(io.BytesIO(path.read_bytes()), contract),
            contract,
            origin,
            keys,
            country="NG",
            first_event_date=date(2026, 8, 1),
            masker=load_masker("analytic", "NG"),
        )
        parts.append(done.deliveries)
    found = []
    for seed in range(orders):
        random.Random(seed).shuffle(parts)
        found.append(digest(evaluate(merge_deliveries, pa.concat_tables(parts))))
    return found, len(parts)


@row(
    "orders-of-a-month",
    "the slots of a month, all channels, in 100 orders: parse, standardise and merge as the assets do, in memory",
    "one digest",
    trials=100,
    quick=5,
)
def orders_of_a_month(folder: Path, trials: int) -> Result:
    inbox = traffic(folder / "traffic", deliveries=3000, days=DAYS)
    found, objects = run(lambda: merged_orders(inbox, trials)).value
    result = Result(trials=trials, note=f"{objects} files")
    result.digests_differ = len(set(found)) - 1
    if result.digests_differ:
        result.problems.append(f"{len(set(found))} digests")
    return result


@row(
    "orders-end-to-end",
    "the slots of a month (sms, web_form) arrive in three batches in different orders, through the whole chain",
    "one digest of every table",
    trials=2,
)
def orders_end_to_end(folder: Path, trials: int) -> Result:
    inbox, result = traffic(folder / "traffic", days=DAYS), Result()
    mine = [p for p in files(inbox) if p.relative_to(inbox).parts[0] in CHANNELS]
    expected = ""
    for seed in range(trials + 1):
        home, order = folder / str(seed), list(mine)
        if seed:
            random.Random(seed).shuffle(order)
        batches = [order[n::3] for n in range(3)] if seed else [order]
        for n, batch in enumerate(batches):
            put(inbox, batch, home)
            run(lambda n=n, seed=seed: chain(shuffle=seed + n), home)
        # Not that of the lake: of two files of one name, the later one is flagged.
        found = run(lambda home=home: {**holds(home, mine), "digest": tables_hold()["digest"]}, home).value
        expected = expected or found["digest"]
        if seed:
            result.add(judged(found, expected), f"order {seed}")
    return result


@row(
    "redelivered",
    "deliveries of which 30 % were delivered before, in the same file or up to three days later: landed, "
    "sealed, standardised and merged by event date through the real lake and tables",
    "as many complaints as events, each made of all its deliveries; memory bounded by a day",
    trials=1_000_000,
    quick=5_000,
)
def redelivered(folder: Path, trials: int) -> Result:
    found = run(lambda: deliver(trials), folder / "home").value
    result = Result(trials=found["deliveries"])
    result.lost = found["events"] - found["complaints"] + found["deliveries"] - found["merged"]
    result.duplicated = found["complaints"] - found["distinct"]
    if result.lost or result.duplicated or found["redeliveries"] < 0.3 * found["deliveries"] - 1:
        result.problems.append(str(found))
    result.note = (
        f"{found['redeliveries']:,} redeliveries of {found['events']:,} events; "
        f"{found['grown_mb']} MB above start at most"
    )
    return result


def deliver(deliveries: int) -> dict[str, int]:
    """Up to ten days of SMS through lake, standardise and merge; counts of what was sent and of what came out."""
    import pyarrow.compute as pc

    from complaint_assets.assets.complaints import COMPLAINTS, unify
    from complaint_assets.assets.standardised import standardise_slots
    from complaint_assets.cli.common import stores
    from complaint_assets.contracts import load_contracts
    from complaint_assets.logic.identify import Keys
    from complaint_assets.partitions import slot_window
    from resources.tables import in_dates

    home, rng = stores(), random.Random(4)
    contracts, keys = load_contracts([]), Keys(home.vault.secret)
    start_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    days, hours = min(10, max(2, deliveries // 10_000)), range(6, 18)
    per_file = -(-deliveries // (days * len(hours)))
    sent = events = again = 0
    recent: list[list[bytes]] = []
    for day in range(days):
        for hour in hours:
            moment = START + timedelta(days=day, hours=hour)
            lines: list[bytes] = []
            while len(lines) < per_file:
                pool = rng.choice([*recent, lines]) if recent else lines
                # Exactly three of ten, as soon as there is something to deliver again.
                if (sent + len(lines)) * 3 >= again * 10 and pool:
                    lines.append(rng.choice(pool))
                    again += 1
                else:
                    lines.append(message(events, moment + timedelta(seconds=rng.randrange(3600))))
                    events += 1
            sent += len(lines)
            slot = f"{moment:%Y-%m-%dT%H}"
            body = io.BytesIO(b"".join(lines))
            home.lake.land("sms", "gateway", slot, f"{slot}.jsonl", slot_window("sms", slot)[1], body)
            home.lake.seal("sms", slot)
            standardise_slots(home, "sms", [slot], contracts, keys)
            recent = [*recent, rng.sample(lines, min(len(lines), 500))][-36:]
    rows = merged = distinct = 0
    for day in range(-1, days + 1):
        dates = [(START + timedelta(days=day)).date()]
        found = unify(home.tables, dates, [])
        home.tables.replace(
            "complaints",
            found,
            schema=COMPLAINTS,
            partition_by=["event_date", "channel"],
            where=in_dates("event_date", dates),
            sort_by=["occurred_at", "complaint_id"],
            statistics=["event_date", "channel", "source"],
        )
        rows += found.num_rows
        merged += pc.sum(found["deliveries"]).as_py() or 0
    distinct = pc.count_distinct(
        home.tables.scan("complaints", COMPLAINTS, columns=["complaint_id"])["complaint_id"]
    ).as_py()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start_kb) // 1024
    return {
        "deliveries": sent,
        "events": events,
        "redeliveries": again,
        "complaints": rows,
        "merged": merged,
        "distinct": distinct,
        "grown_mb": grown,
    }


def message(number: int, at: Any) -> bytes:
    """One SMS as the gateway delivers it."""
    record = {
        "messageId": f"m-{number}",
        "from": f"+23480{number % 90_000_000 + 10_000_000}",
        "to": "300",
        "text": f"no network since {number % 24} o'clock",
        "receivedAt": f"{at:%Y-%m-%d %H:%M:%S}",
        "network": "x",
        "smsCount": 1,
    }
    return json.dumps(record).encode() + b"\n"


@row(
    "raw-only",
    "everything but the raw lake is gone",
    "one run brings every table back with the same digest",
    trials=1,
)
def raw_only(folder: Path, trials: int) -> Result:
    base, result = Base(folder, whole=False), Result()
    shutil.copytree(folder / "faultless" / "lake", folder / "bare" / "lake")
    begun = time.monotonic()
    run(chain, folder / "bare")
    found = run(lambda: holds(folder / "bare", base.sent), folder / "bare").value
    result.add(judged(found, base.expected), "rebuilt", time.monotonic() - begun)
    return result


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


DAMAGES = {"truncated": truncate, "flipped": flip, "deleted": Path.unlink}


@row(
    "damaged-ledger",
    "the ledger (`intake`, `builds`) is damaged: a log entry or data file truncated, flipped, deleted",
    "the next run sets it aside, reads the raw lake again and reaches the same digests",
    trials=0,
)
def damaged_ledger(folder: Path, trials: int) -> Result:
    base, result = Base(folder, whole=False), Result()
    for table in ("intake", "builds"):
        for how, damage in DAMAGES.items():
            for kind, pattern in (("log", "_delta_log/*.json"), ("data", "**/*.parquet")):
                if (how, kind) == ("deleted", "log"):
                    continue  # an older version of the table, which leaves something pending: no damage
                home = copied(folder / "faultless", folder / f"{table}-{how}-{kind}")
                victim = max((home / "tables" / table).glob(pattern), key=lambda path: path.stat().st_mtime_ns)
                data = victim.read_bytes()
                victim.unlink()  # the copy shares its bytes with the original
                victim.write_bytes(data)
                damage(victim)
                begun = time.monotonic()

                def recover(home: Path = home) -> dict[str, Any]:
                    chain()
                    return holds(home, base.sent)

                label = f"{table} {kind} {how}"
                result.add(judged(run(recover, home).value, base.expected), label, time.monotonic() - begun)
    return result


@row(
    "locks",
    "another process holds the warehouse file, then the alert outbox, for ten seconds each",
    "the run waits and ends well",
    trials=0,
)
def locks(folder: Path, trials: int) -> Result:
    base, result = Base(folder, whole=False), Result()
    for what in ("warehouse", "outbox"):
        home = copied(base.home, folder / what)

        def hold(what: str = what, home: Path = home) -> None:
            if what == "warehouse":
                from resources.warehouse import connect

                held: Any = connect(str(home / "complaints.duckdb"), read_only=False)
            else:
                (home / "alerts").mkdir()
                held = sqlite3.connect(home / "alerts" / "outbox.db")
                held.execute("BEGIN EXCLUSIVE")
            (home / "held").touch()
            time.sleep(10)
            held.close()

        def work(what: str = what, home: Path = home) -> dict[str, Any]:
            from resources.alert import Alert
            from resources.notifier import Notifier

            if what == "outbox":
                Notifier(folder=str(home / "alerts")).send(Alert("k", "warn", "t", "b"))
            chain()
            return tables_hold()

        holder = start(hold, home)
        while not (home / "held").exists():
            time.sleep(0.05)
        found = run(work, home).value
        holder.result()
        wrong = {k: v for k, v in found.items() if k != "digest" and v}
        result.expect(not wrong and base.expected.endswith(found["digest"]), f"{what}: {wrong}")
    return result
