"""Rows: a worker that was paused while another took over, and two workers at once."""

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from complaint_assets_tests.faults.homes import Base, chain, holds, judged, run_dates_again
from complaint_assets_tests.faults.lab import Process, copied, run, start
from complaint_assets_tests.faults.table import Result, row

DAY = date(2026, 9, 1)
SCHEMA = pa.schema([pa.field("day", pa.date32(), nullable=False), pa.field("who", pa.string(), nullable=False)])
REFUSED = "refused"


def pause() -> None:
    """Stop here until somebody else lets this process go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


def store_rows(folder: Path, who: str, before_storing: Callable[[], None]) -> str:
    """Replace the day's slice of a Delta table."""
    from resources.fencing import Overtaken
    from resources.tables import Tables, equals

    tables = Tables(str(folder))
    since = tables.version("facts")
    before_storing()
    try:
        tables.replace(
            "facts",
            pa.table({"day": [DAY], "who": [who]}, schema=SCHEMA),
            schema=SCHEMA,
            partition_by=["day"],
            where=equals("day", DAY),
            sort_by=["who"],
            statistics=["day"],
            since=since,
        )
    except Overtaken:
        return REFUSED
    return "stored"


def stored_rows(folder: Path) -> str:
    from resources.tables import Tables

    return str(Tables(str(folder)).scan("facts", SCHEMA)["who"].to_pylist())


def store_frame(folder: Path, who: str, before_storing: Callable[[], None]) -> str:
    """Replace the day's slice of a warehouse table, in a run of Dagster."""
    import dagster as dg

    from resources.fencing import Overtaken
    from resources.warehouse import WarehouseIOManager

    columns = [
        dg.TableColumn("day", "DATE", constraints=dg.TableColumnConstraints(nullable=False)),
        dg.TableColumn("who", "VARCHAR", constraints=dg.TableColumnConstraints(nullable=False)),
    ]

    @dg.asset(
        partitions_def=dg.DailyPartitionsDefinition("2026-09-01", end_offset=1),
        metadata={"dagster/column_schema": dg.TableSchema(columns=columns), "partition_expr": "day"},
    )
    def facts() -> pd.DataFrame:
        before_storing()
        return pd.DataFrame({"day": [DAY], "who": [who]})

    with dg.DagsterInstance.ephemeral() as instance:
        try:
            dg.materialize(
                [facts],
                partition_key=DAY.isoformat(),
                instance=instance,
                resources={
                    "io_manager": WarehouseIOManager(database=str(folder / "w.duckdb"), schema="warehouse")
                },
            )
        except Overtaken:
            return REFUSED
    return "stored"


def stored_frame(folder: Path) -> str:
    from resources.warehouse import connect

    with connect(str(folder / "w.duckdb"), read_only=True) as connection:
        return str([who for (who,) in connection.execute("SELECT who FROM warehouse.facts").fetchall()])


def store_mart(folder: Path, who: str, before_storing: Callable[[], None]) -> str:
    """Publish a mart."""
    from resources.fencing import Overtaken
    from resources.publish import publish, standing

    since = standing(folder, "role")
    before_storing()
    try:
        publish(folder, "role", {"facts": pa.table({"who": [who]})}, since=since)
    except Overtaken:
        return REFUSED
    return "stored"


def stored_mart(folder: Path) -> str:
    from resources.publish import open_mart

    with open_mart(folder / "role" / "current" / "role.duckdb") as mart:
        return str([who for (who,) in mart.execute("SELECT who FROM facts").fetchall()])


STORES: dict[str, tuple[Callable[[Path, str, Callable[[], None]], str], Callable[[Path], str]]] = {
    "Delta table": (store_rows, stored_rows),
    "warehouse": (store_frame, stored_frame),
    "mart": (store_mart, stored_mart),
}


def go_on(process: Process) -> None:
    os.kill(process.pid, signal.SIGCONT)


@row(
    "pause-store",
    "SIGSTOP between reading and storing; another worker stores the slice; SIGCONT: Delta table, DuckDB "
    "transaction, published mart in turn",
    "the late store is refused with an error that says so; what the other stored stands",
    trials=102,
    quick=3,
)
def pause_store(folder: Path, trials: int) -> Result:
    result = Result()
    kinds = list(STORES)
    for n in range(trials):
        kind, place = kinds[n % len(kinds)], folder / str(n)
        place.mkdir()
        store, stored = STORES[kind]
        if n % 2:  # the slice stood before, or did not
            run(lambda store=store, place=place: store(place, "old", lambda: None))
        paused = start(lambda store=store, place=place: store(place, "late", pause))
        if not paused.wait_until_stopped():
            result.expect(False, f"{kind} {n}: ended without a pause: {paused.result()}")
            continue
        run(lambda store=store, place=place: store(place, "new", lambda: None))
        go_on(paused)
        said = paused.result().value
        stands = run(lambda stored=stored, place=place: stored(place)).value
        result.expect(said == REFUSED and stands == "['new']", f"{kind} {n}: {said}, {stands} stands")
    return result


PAUSES = ("standardised.parsed", "complaints.unified", "enriched.computed", "facts.computed", "metrics.computed")


@row(
    "pause-run",
    "a run is stopped in each asset after it has read; another run does all of the work; the first goes on",
    "its store is refused, its retry reads anew, and every table has the digest of the fault-free run",
    trials=0,
)
def pause_run(folder: Path, trials: int) -> Result:
    base, result = Base(folder, whole=False), Result()
    for name in PAUSES:
        home = copied(base.home, folder / name)
        paused = start(chain, home, failpoint=f"{name}:1:stop")
        if not paused.wait_until_stopped():
            result.problems.append(f"{name}: ended without a pause")
            paused.result()
            continue
        run(chain, home)
        begun = time.monotonic()
        go_on(paused)
        paused.result()
        found = run(lambda home=home: holds(home, base.sent), home).value
        result.add(judged(found, base.expected), name, time.monotonic() - begun)
    return result


@row(
    "two-at-once",
    "a backfill of the whole history and a run that takes in what has arrived, started at random offsets",
    "both end, no update is lost: every table has the digest of the fault-free run",
    trials=8,
)
def two_at_once(folder: Path, trials: int) -> Result:
    base, result, rng = Base(folder, whole=False), Result(), random.Random(18)
    for n in range(trials):
        home = copied(base.home, folder / str(n))
        backfill = start(run_dates_again, home)
        time.sleep(rng.uniform(0, base.cpu))
        ended = [start(chain, home), backfill]
        problems: list[str] = []
        for process in ended:
            try:
                process.result()
            except RuntimeError as error:
                problems.append(str(error)[-200:])

        def heal(home: Path = home) -> dict[str, Any]:
            chain()  # what either has left pending
            return holds(home, base.sent)

        begun = time.monotonic()
        result.add(judged(run(heal, home).value, base.expected), f"seed {n}", time.monotonic() - begun)
        result.problems += [f"seed {n}: {problem}" for problem in problems]
    return result
