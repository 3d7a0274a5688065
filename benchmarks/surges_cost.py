"""What surges cost: a micro-batch and a replay of everything, on a simulated home of 576 series.

    python -m benchmarks.surges_cost [--weeks 8]

Facts of ``--weeks`` measured weeks and the eight before them lie in a warehouse; metrics are made from them as
the asset does. Then one more quarter of an hour comes: CPU seconds of ``surge_metrics`` for the newest date and
of ``surges``, beside a replay of everything. Both must give the same rows.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from complaint_assets.assets.surges import counts_between
from complaint_assets.logic.plan import BASELINE_DAYS
from complaint_assets.logic.surges.surge_metrics import surge_metrics
from complaint_assets.schemas.surges import SurgeMetrics
from complaint_assets.schemas.types import arrow_schema, from_pandas
from complaint_assets.schemas.warehouse import ComplaintFacts
from complaint_assets.simulator.company import CATEGORIES, CHANNELS, REGIONS, company
from complaint_assets.surges.replays import METRICS, measured_days, surge_rows
from resources.replays import Replays
from resources.warehouse import Warehouse

START = datetime(2025, 6, 2, tzinfo=UTC)
T = TypeVar("T")


def timed(what: str, work: Callable[[], T]) -> T:
    """The result of ``work``; prints what it cost."""
    begun = time.process_time()
    result = work()
    print(f"{what:58} {time.process_time() - begun:6.2f} s CPU", flush=True)
    return result


def facts(quarters: np.ndarray, codes: tuple[np.ndarray, ...]) -> pa.Table:
    """A complaint of a customer of its own per count."""
    series, quarter = np.nonzero(quarters)
    number = quarters[series, quarter]
    series, quarter = np.repeat(series, number), np.repeat(quarter, number)
    at = pa.array(int(START.timestamp()) * 1_000_000 + quarter * 900_000_000).cast(pa.timestamp("us", tz="UTC"))
    hour = pa.array(int(START.timestamp()) * 1_000_000 + quarter // 4 * 3_600_000_000)
    who = pa.array(np.char.mod("%026d", np.arange(series.size)))
    columns = {
        "complaint_id": who,
        "subject_id": who,
        "occurred_at": at,
        "event_hour": hour.cast(pa.timestamp("us", tz="UTC")),
        "event_date": at.cast(pa.date32()),
        "channel": np.array(CHANNELS)[codes[0][series]],
        "category": np.array(CATEGORIES)[codes[1][series]],
        "region": np.array(REGIONS)[codes[2][series]],
        "is_complaint": np.ones(series.size, dtype=bool),
        "is_amplification": np.zeros(series.size, dtype=bool),
        "is_repeat": np.zeros(series.size, dtype=bool),
    }
    schema = arrow_schema(ComplaintFacts)
    nothing = {name: pa.nulls(series.size, schema.field(name).type) for name in schema.names}
    return pa.table({**nothing, **columns}).cast(pa.schema([f.with_nullable(True) for f in schema]))


def main(weeks: int) -> None:
    made = company(4000, weeks=weeks, events_per_week=3)
    quarters = made.quarters[:, : made.quarters.shape[1] - 30]  # the newest day goes on
    days = quarters.shape[1] // 96
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(database=str(Path(folder) / "home.duckdb"))

        def store(name: str, rows: pa.Table) -> None:
            with duckdb.connect(warehouse.database) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("CREATE SCHEMA IF NOT EXISTS warehouse")
                connection.register("incoming", rows)
                connection.execute(f"CREATE TABLE IF NOT EXISTS warehouse.{name} AS FROM incoming LIMIT 0")
                connection.execute(f"INSERT INTO warehouse.{name} FROM incoming")

        def measure(first: int, steps: int) -> pa.Table:
            dates = [(START + timedelta(days=n)).date() for n in range(first, days + 1)]
            counts = counts_between(warehouse, dates[0] - timedelta(days=BASELINE_DAYS), dates[-1])
            return from_pandas(surge_metrics(counts, dates, START + timedelta(minutes=15 * steps)), SurgeMetrics)

        def incidents(cache: str) -> list[dict[str, object]]:
            from complaint_assets.logic.surges.calendar import NO_CALENDAR

            kept = Replays(Path(folder) / cache)
            rows = surge_rows(warehouse, kept, lambda text: f"id of {text}", NO_CALENDAR, {})
            return sorted(rows, key=lambda row: str(row["surge_id"]))

        steps = quarters.shape[1]
        store("complaint_facts", facts(quarters[:, :-1], made.codes))
        measured = timed(f"metrics of {days + 1 - BASELINE_DAYS} days", lambda: measure(BASELINE_DAYS, steps - 1))
        store("surge_metrics", measured)
        print(f"{measured.num_rows} rows of metrics, {len(made.rate)} series")
        timed("surges: replay of everything, memories written", lambda: incidents("a.db"))
        with duckdb.connect(warehouse.database) as connection:
            connection.execute("DROP TABLE warehouse.complaint_facts")
        store("complaint_facts", facts(quarters, made.codes))
        newest = timed("micro-batch: surge_metrics of the newest date", lambda: measure(days, steps))
        with duckdb.connect(warehouse.database) as connection:
            date = (START + timedelta(days=days)).date()
            connection.execute("DELETE FROM warehouse.surge_metrics WHERE event_date >= ?", [date])
        store("surge_metrics", newest)
        timed("micro-batch: digests of the days, of which", lambda: measured_days(warehouse))
        resumed = timed("micro-batch: surges", lambda: incidents("a.db"))
        whole = timed("the same without memories", lambda: incidents("b.db"))
        print("equal rows:", resumed == whole, f"({len(whole)} incidents, {len(METRICS)} columns of metrics)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weeks", type=int, default=8)
    main(parser.parse_args().weeks)
