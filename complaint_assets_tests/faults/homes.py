"""Small homes, what is done in them, and the checkers: nothing lost, nothing twice, nothing different."""

import hashlib
import random
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from complaint_assets_tests.faults.lab import copied, run

CHANNELS = ("sms", "web_form")
START = datetime(2026, 9, 1, tzinfo=UTC)
HELD = ("sms/gateway/2026-09-03T", "web_form/app/2026-09-03/", "web_form/website/2026-09-03/")


def traffic(folder: Path, deliveries: int = 1000, days: int = 3, seed: int = 1) -> Path:
    """Simulated deliveries of every channel under ``folder``."""

    def work() -> None:
        from complaint_assets.simulator import simulate

        simulate(folder, deliveries=deliveries, start=START, days=days, seed=seed)

    run(work)
    return folder


def files(folder: Path) -> list[Path]:
    """Every file below ``folder``, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def put(inbox: Path, paths: list[Path], home: Path) -> None:
    """Drop ``paths``, which lie under ``inbox``, into the inbox of ``home``."""
    for path in paths:
        target = home / "inbox" / path.relative_to(inbox)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


# What is done


def take_in() -> None:
    """Land what lies in the inbox, then seal, as the raw assets do."""
    from complaint_assets.assets.raw import arrival_slot
    from complaint_assets.cli.common import stores
    from complaint_assets.partitions import slot_window

    home = stores()
    for channel in CHANNELS:
        for arrival in home.inbox.look(channel, 10_000):
            slot = arrival_slot(arrival)
            with home.inbox.open(arrival) as stream:
                received_at = slot_window(channel, slot)[1]
                home.lake.land(channel, arrival.source, slot, arrival.name, received_at, stream)
            home.inbox.remove(arrival)
        for slot in home.lake.unsealed(channel):
            home.lake.seal(channel, slot)


def chain(shuffle: int | None = None) -> list[str]:
    """Every pending run up to the surge metrics, without publication, and without any memory of Dagster's.

    Args:
        shuffle: seed by which the order of channels is shuffled.
    """
    import dagster as dg

    from complaint_assets import definitions
    from complaint_assets.assets import raw
    from complaint_assets.automation import PlannedRun, ingest_runs
    from complaint_assets.cli.common import stores
    from complaint_assets.ledger import Ledger
    from complaint_assets.partitions import event_dates, ranges

    raw.SECOND_LOOK_SECONDS = 0.0  # nobody writes to this inbox
    home = stores()
    ledger = Ledger(home.tables)
    done = []

    def execute(planned: PlannedRun) -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            result = definitions.defs.resolve_job_def(planned.job).execute_in_process(
                instance=instance,
                tags=planned.tags,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        if not result.success:
            raise RuntimeError(planned.job)
        done.append(planned.job)

    channels = list(CHANNELS)
    if shuffle is not None:
        random.Random(shuffle).shuffle(channels)
    for channel in channels:
        slots = {raw.arrival_slot(a) for a in raw.sealed_arrivals(home, channel, [])}
        slots.update(ledger.stale_slots(home.lake, channel))
        for planned in ingest_runs(channel, sorted(slots), []):
            execute(planned)
    for _ in range(3):
        pending = ledger.pending_dates()
        runs = [
            PlannedRun(job, first, last)
            for job, dates in (("build_dates", pending.chain), ("restate_metrics", pending.metrics))
            for first, last in ranges([day.isoformat() for day in dates], event_dates)
        ]
        if not runs:
            return done
        for planned in runs:
            execute(planned)
    raise RuntimeError("still pending after three rounds")


def run_dates_again() -> None:
    """Rebuild the first two days, whether or not they are up to date: a backfill."""
    import dagster as dg

    from complaint_assets import definitions
    from complaint_assets.automation import PlannedRun

    days = [(START + timedelta(days=n)).date().isoformat() for n in (0, 2)]
    with dg.DagsterInstance.ephemeral() as instance:
        definitions.defs.resolve_job_def("build_dates").execute_in_process(
            instance=instance, tags=PlannedRun("build_dates", *days).tags
        )


def everything() -> None:
    """``complaints run``."""
    from complaint_assets.assets import raw
    from complaint_assets.cli.run import run_everything

    raw.SECOND_LOOK_SECONDS = 0.0
    run_everything(None, quiet=True)


# What must hold


def lake_holds(home: Path, sent: list[Path]) -> dict[str, Any]:
    """Every file of ``sent`` is one object in one manifest, byte for byte; nothing waits, nothing is damaged."""
    from complaint_assets.cli.common import stores

    of_home = stores()
    wanted = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in sent)
    found: Counter[str] = Counter()
    wrong, waiting, sums = 0, 0, []
    for channel in CHANNELS:
        waiting += len(of_home.lake.unsealed(channel))
        for slot in of_home.lake.slots(channel):
            manifest = of_home.lake.manifest(channel, slot)
            sums.append(f"{channel}/{slot}/{manifest.checksum}")
            for item in manifest.objects:
                with of_home.lake.open(item) as stream:
                    wrong += hashlib.sha256(stream.read()).hexdigest() != item.sha256
                found[item.sha256] += 1
    return {
        "lost": len(wanted.keys() - found.keys()) + wrong,
        "duplicated": sum(count - 1 for count in found.values()),
        "waiting": waiting + len(files(home / "inbox")),
        "digest": hashlib.sha256("\n".join(sorted(sums)).encode()).hexdigest(),
    }


def tables_hold() -> dict[str, Any]:
    """The account of every slot balances, no id comes twice, nothing is pending; with every table's digest."""
    import pyarrow.compute as pc

    from complaint_assets.checks.conservation import slot_accounts
    from complaint_assets.cli.common import stores, warehouse
    from complaint_assets.cli.status import table_digests
    from complaint_assets.ledger import Ledger
    from complaint_assets.schemas.types import arrow_schema
    from complaint_assets.tables import LAKE_TABLES, WAREHOUSE_TABLES

    home = stores()
    ids = {"standardised": "delivery_id", "complaints": "complaint_id", "enriched_complaints": "complaint_id"}
    columns = {
        name: home.tables.scan(name, arrow_schema(LAKE_TABLES[name]), columns=[key])[key]
        for name, key in ids.items()
    }
    columns["facts"] = warehouse().read("complaint_facts", arrow_schema(WAREHOUSE_TABLES["complaint_facts"]))[
        "complaint_id"
    ]
    pending = Ledger(home.tables).pending_dates()
    return {
        "unbalanced": sum(
            bool(slot["difference"]) for c in CHANNELS for slot in slot_accounts(home.tables, c).to_pylist()
        ),
        "duplicated": sum(len(found) - pc.count_distinct(found).as_py() for found in columns.values()),
        "pending": len(pending.chain) + len(pending.metrics),
        "digest": hashlib.sha256(repr(sorted(table_digests().items())).encode()).hexdigest(),
    }


def published() -> str:
    """Digest of every mart that readers see now: a version is named by its content."""
    from resources.settings import settings

    roles = sorted(path for path in settings().marts.iterdir() if path.is_dir())
    return hashlib.sha256(repr([(p.name, (p / "current").resolve().name) for p in roles]).encode()).hexdigest()


def holds(home: Path, sent: list[Path], *, marts: bool = False) -> dict[str, Any]:
    """Everything that must hold, as counts that must be 0, and one digest."""
    lake, tables = lake_holds(home, sent), tables_hold()
    return {
        "lost": lake["lost"],
        "duplicated": lake["duplicated"] + tables["duplicated"],
        "waiting": lake["waiting"],
        "unbalanced": tables["unbalanced"],
        "pending": tables["pending"],
        "digest": lake["digest"] + tables["digest"] + (published() if marts else ""),
    }


def judged(found: dict[str, Any], expected: str) -> dict[str, Any]:
    """``found`` with its digest compared to that of the fault-free run."""
    return {**{k: v for k, v in found.items() if k != "digest"}, "digest_equal": found["digest"] == expected}


# A base to start from


class Base:
    """A home that is up to date, files that arrive on its third day, and what they lead to without faults."""

    def __init__(self, folder: Path, *, whole: bool) -> None:
        self.inbox = traffic(folder / "traffic")
        mine = [p for p in files(self.inbox) if p.relative_to(self.inbox).parts[0] in CHANNELS]
        self.sent = mine
        held = [p for p in mine if p.relative_to(self.inbox).as_posix().startswith(HELD)]
        self.whole = whole
        self.home = folder / "base"
        work = everything if whole else chain
        put(self.inbox, [p for p in mine if p not in held], self.home)
        run(work, self.home)
        put(self.inbox, held, self.home)
        faultless = copied(self.home, folder / "faultless")
        self.passed: dict[str, int] = {}

        def count() -> dict[str, int]:
            from resources import failpoints

            work()
            return dict(failpoints.passed)

        outcome = run(count, faultless, failpoint="")
        self.passed, self.cpu = outcome.value, outcome.cpu
        self.expected: str = run(lambda: holds(faultless, self.sent, marts=whole), faultless).value["digest"]
        self.before = run(self.seen, self.home).value
        self.after = run(self.seen, faultless).value

    def seen(self) -> dict[str, Any]:
        """What a reader sees of a home: content of the tables that are replaced in one step, and of the marts."""
        from complaint_assets.cli.common import stores
        from complaint_assets.logic.digest import digest
        from complaint_assets.schemas.types import arrow_schema
        from complaint_assets.tables import LAKE_TABLES
        from resources.publish import open_mart
        from resources.settings import settings

        tables = stores().tables
        result = {
            name: digest(tables.scan(name, arrow_schema(LAKE_TABLES[name])))
            for name in ("complaints", "enriched_complaints")
        }
        for role in ("operations", "data_science") if self.whole else ():
            with open_mart(settings().marts / role / "current" / f"{role}.duckdb") as mart:
                names = sorted(name for (name,) in mart.execute("SHOW TABLES").fetchall())
                counts = [mart.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for name in names]
            result[role] = dict(zip(names, counts, strict=True))
        return result

    def torn(self) -> list[str]:
        """What is neither as before nor as after."""
        now = self.seen()
        return [name for name, value in now.items() if value not in (self.before[name], self.after[name])]
