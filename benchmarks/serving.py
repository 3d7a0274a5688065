# ruff: noqa: S608 - the names are this file's own
"""Serving: marts, pages, dashboard queries beside plain DuckDB over Parquet, publishing under readers.

python -m benchmarks.serving [--mart-rows 1000000] [--query-rows 10000000] [--readers 100] [--publications 20]
"""

import argparse
import resource
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa

from complaint_assets.logic.marts.marts import figures
from complaint_assets.logic.marts.metric_rows import Slice
from complaint_assets.logic.report.figures import FIGURES, Asking, tiles
from complaint_assets.metrics import load_metrics
from complaint_assets.roles import load_roles
from complaint_assets.schemas.surges import SurgeMetrics
from complaint_assets.schemas.types import arrow_schema
from resources.publish import mart_file, open_mart, publish

FACTS = """
CREATE TABLE {name} AS SELECT
  lpad(i::VARCHAR, 26, '0') AS complaint_id,
  CASE WHEN i % 10 < 7 THEN lpad((hash(i) % ({rows} // 3))::VARCHAR, 26, '0') END AS subject_id,
  ts::DATE AS event_date, date_trunc('hour', ts) AS event_hour,
  ts AS occurred_at, ts + INTERVAL 5 MINUTE AS received_at,
  ['social', 'sms', 'whatsapp', 'call_centre', 'web_form', 'survey'][(1 + hash(i, 1) % 6)::BIGINT] AS channel,
  'feed' AS source, 'complaint' AS contact_class, hash(i, 2) % 10 < 8 AS is_complaint,
  'domain_' || (hash(i, 3) % 13 // 3) AS domain, 'category_' || (hash(i, 3) % 13) AS category,
  NULL::VARCHAR AS subcategory, 'NG-' || (hash(i, 4) % 37) AS region, 'en' AS language,
  CASE WHEN hash(i, 5) % 3 > 0 THEN (hash(i, 6) % 2001)::DOUBLE / 1000 - 1 END AS sentiment,
  1 + (hash(i, 7) % 5)::BIGINT AS severity, NULL::DOUBLE AS rating, hash(i, 8) % 20 = 0 AS is_repeat,
  hash(i, 9) % 50 = 0 AS is_amplification, NULL::VARCHAR AS content_cluster,
  CASE WHEN hash(i, 10) % 2 = 0 THEN 'resolved' END AS resolution_status,
  CASE WHEN hash(i, 10) % 2 = 0 THEN ts + to_hours((hash(i, 11) % 200)::INT) END AS resolved_at,
  1::BIGINT AS deliveries, '1.0.0' AS taxonomy_version
FROM (SELECT i, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(i * (360.0 * 86400 / {rows})) AS ts
      FROM range({rows}) AS t(i))
"""


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def marts(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Build and publish every mart of figures."""
    facts, metrics = ibis.duckdb.from_connection(connection).table("small"), load_metrics()
    begun, used = time.perf_counter(), cpu()
    for role in load_roles().roles.values():
        made = {
            table.name: figures(
                metrics, facts, table.by, table.metrics, datetime(2027, 1, 1, tzinfo=UTC), role.small_cell
            ).to_pyarrow()
            for table in role.tables.values()
            if table.metrics
        }
        if made:
            publish(folder, role.name, made)
            print(f"  {role.name}: {', '.join(f'{name} {rows.num_rows:,}' for name, rows in made.items())} rows")
    print(f"marts: {time.perf_counter() - begun:.1f} s, {cpu() - used:.1f} CPU-s (bar: 15 s on 2 cores)")


def pages(connection: duckdb.DuckDBPyConnection) -> None:
    """Every figure of every role's page."""
    engine = ibis.duckdb.from_connection(connection)
    connection.register("hourly", arrow_schema(SurgeMetrics).empty_table())
    for role in load_roles().roles.values():
        asking = Asking(
            role=role,
            end=datetime(2026, 12, 20, tzinfo=UTC),
            metrics=load_metrics(),
            facts=engine.table("small"),
            hourly=engine.table("hourly"),
            closing_hours=load_roles().closing_hours,
        )
        begun, used = time.perf_counter(), cpu()
        tiles(asking)
        for section in role.report.sections:
            if section in FIGURES:
                FIGURES[section](asking)
        print(f"  page of {role.name}: {time.perf_counter() - begun:.1f} s, {cpu() - used:.1f} CPU-s")


def queries(connection: duckdb.DuckDBPyConnection, folder: Path, repeats: int = 7) -> None:
    """The questions of a dashboard, interleaved with the same in plain SQL over Parquet.

    Each is asked as a role does whose small cells are shown, and as one does in whose answers people are counted.
    """
    path = folder / "facts.parquet"
    connection.execute(f"COPY large TO '{path}'")
    facts, metrics = ibis.duckdb.from_connection(connection).table("large"), load_metrics()
    week = Slice.days(date(2026, 11, 2), date(2026, 11, 8))
    window = "event_date BETWEEN DATE '2026-11-02' AND DATE '2026-11-08' AND is_complaint"
    plain = {
        (
            "complaints",
            "region,category",
        ): f"SELECT region, category, count(*) FROM '{path}' WHERE {window} GROUP BY ALL",
        ("complainants", "category"): "SELECT category, count(DISTINCT coalesce(subject_id, complaint_id)) "
        f"FROM '{path}' WHERE {window} GROUP BY ALL",
        ("negative_share", "channel"): "SELECT channel, count(*) FILTER (sentiment <= -0.05) / count(sentiment) "
        f"FROM '{path}' WHERE {window} GROUP BY ALL",
        ("p80_hours_to_resolve", "category"): "SELECT category, quantile_cont(date_diff('second', occurred_at, "
        f"resolved_at) / 3600, 0.8) FROM '{path}' WHERE {window} GROUP BY ALL",
        ("repeat_rate_30d", "region"): "",
        ("backlog_ageing", "age"): "",
    }
    medians: dict[str, list[float]] = defaultdict(list)

    def answered(name: str, by: list[str], *, people: bool) -> pa.Table:
        return metrics.answer(name, facts, week, by, people=people).to_pyarrow()

    def fetched(sql: str) -> list[tuple[object, ...]]:
        return connection.execute(sql).fetchall()

    for (name, by), sql in plain.items():
        ways: dict[str, Callable[[], object]] = {
            "shown": partial(answered, name, by.split(","), people=False),
            "people counted": partial(answered, name, by.split(","), people=True),
        }
        if sql:
            ways["plain DuckDB over Parquet"] = partial(fetched, sql)
        taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for _ in range(repeats):
            for way, ask in ways.items():
                begun, used = time.perf_counter(), cpu()
                ask()
                taken[way].append((time.perf_counter() - begun, cpu() - used))
        told = []
        for way, times in taken.items():
            wall, busy = (statistics.median(column) * 1000 for column in zip(*times, strict=True))
            medians[way].append(wall)
            told.append(f"{way} {wall:.0f} ms ({busy:.0f} CPU-ms)")
        print(f"  {name} by {by}: {'; '.join(told)}")
    for way in ("shown", "people counted"):
        print(f"queries, {way}: median of medians {statistics.median(medians[way]):.0f} ms (bar: 200 ms)")


def readers(folder: Path, count: int, publications: int) -> None:
    """Loop ``count`` readers while versions are published."""

    def version(number: int) -> dict[str, pa.Table]:
        rows = pa.table(
            {"version": pa.array([number] * 5_000, pa.int64()), "id": pa.array(range(5_000), pa.int64())}
        )
        return {"one": rows, "two": rows}

    publish(folder, "readers", version(0))
    over, reads, torn, errors = threading.Event(), [0] * count, [0] * count, [0] * count
    kinds: set[str] = set()
    query = "SELECT min(version), max(version), count(*) FROM (FROM one UNION ALL FROM two)"

    def loop(me: int) -> None:
        while not over.is_set():
            try:
                with open_mart(mart_file(folder, "readers")) as mart:
                    low, high, rows = mart.execute(query).fetchall()[0]
                torn[me] += low != high or rows != 10_000
            except (duckdb.Error, OSError) as error:
                errors[me] += 1
                kinds.add(f"{type(error).__name__}: {str(error)[:90]}")
            reads[me] += 1

    with ThreadPoolExecutor(count) as pool:
        looping = [pool.submit(loop, me) for me in range(count)]
        for number in range(1, publications + 1):
            publish(folder, "readers", version(number))
        over.set()
        for one in looping:
            one.result()
    print(
        f"publishing {publications} versions under {count} readers: {sum(reads):,} reads, "
        f"{sum(errors)} errors, {sum(torn)} torn (bar: 0 and 0)",
        *sorted(kinds),
        sep="\n  ",
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    for name, default in (("mart", 1_000_000), ("query", 10_000_000)):
        options.add_argument(f"--{name}-rows", type=int, default=default)
    options.add_argument("--readers", type=int, default=100)
    options.add_argument("--publications", type=int, default=20)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name, duckdb.connect(f"{name}/facts.duckdb") as connection:
        folder = Path(name)
        connection.execute("SET TimeZone = 'UTC'; SET threads = 2")
        for table, rows in (("small", given.mart_rows), ("large", given.query_rows)):
            connection.execute(FACTS.format(name=table, rows=rows))
        marts(connection, folder / "marts")
        pages(connection)
        queries(connection, folder)
        readers(folder / "marts", given.readers, given.publications)


if __name__ == "__main__":
    main()
