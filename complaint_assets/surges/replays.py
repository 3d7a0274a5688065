"""Incidents of everything that is measured, scanned anew only from the first day that changed.

Each day's memory is kept under a key: digest of all metrics up to that day and of the code and data that read
them. Late data change the keys of their day and of those after it, so the replay goes on from the day before.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from complaint_assets.logic import surges
from complaint_assets.logic.surges.calendar import Calendar
from complaint_assets.logic.surges.incidents import READ, first_needed, replay
from complaint_assets.logic.surges.memory import Memory, Resumed
from complaint_assets.logic.surges.noise import MEMORY_DAYS
from complaint_assets.schemas.surges import SurgeMetrics, Surges
from complaint_assets.schemas.types import arrow_schema
from resources.replays import Replays
from resources.warehouse import Warehouse

METRICS = arrow_schema(SurgeMetrics)
ROWS = arrow_schema(Surges)


@cache
def _code() -> str:
    """Digest of the code that a replay runs: a memory of other code is none."""
    sources = [path.read_bytes() for path in sorted(Path(str(surges.__file__)).parent.glob("*.py"))]
    return hashlib.sha256(b"\n".join([*sources, np.__version__.encode()])).hexdigest()


def measured_days(warehouse: Warehouse) -> dict[date, str]:
    """Digest of what a replay reads of each measured day, in order."""
    listed = ", ".join(READ)
    with warehouse.session() as session:
        table = warehouse.ibis_table(session, "surge_metrics", METRICS)
        rows = session.raw_sql(
            "SELECT event_date, count(*), bit_xor(h), sum(h % 4294967296) FROM "  # noqa: S608 - our own names
            f"(SELECT event_date, hash({listed}) AS h FROM ({table.compile()})) GROUP BY ALL ORDER BY event_date"
        ).fetchall()
    return {row[0]: "/".join(map(str, row[1:])) for row in rows}


def surge_rows(
    warehouse: Warehouse,
    kept: Replays,
    pseudonym: Callable[[str], str],
    calendar: Calendar,
    gravity: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Rows of ``Surges``, as a replay of all metrics finds them.

    Args:
        warehouse: holds ``surge_metrics``.
        kept: memories of earlier replays; those of this one are added.
        pseudonym: makes ids.
        calendar: knows the subscribers of regions.
        gravity: usual severity of the complaints of a category.
    """
    days = measured_days(warehouse)
    if not days:
        return []
    first, last = min(days), max(days)
    key = json.dumps([_code(), pseudonym("replay"), repr(calendar), sorted(gravity.items())])
    keys: dict[date, str] = {}
    for number in range((last - first).days):
        day = first + timedelta(days=number)
        key = hashlib.sha256(f"{key}|{day}|{days.get(day, '')}".encode()).hexdigest()
        keys[day] = key
    told, memories = kept.matching(keys, MEMORY_DAYS)
    resumed = None
    if told:
        resumed = Resumed(first, first + timedelta(days=len(told)), [Memory.of_bytes(m) for m in memories])
    since = first if resumed is None else first_needed(resumed)
    with warehouse.session() as session:
        table = warehouse.ibis_table(session, "surge_metrics", METRICS)
        schema = pa.schema([METRICS.field(name) for name in READ])
        rows = table.filter(table.event_date >= since).select(*READ).to_pyarrow().cast(schema)
    found, new = replay(rows, pseudonym, calendar=calendar, gravity=gravity, resumed=resumed)
    scanned = list(keys)[len(told) :]
    kept.keep(
        (day, keys[day], _packed(memory.told), memory.to_bytes())
        for day, memory in zip(scanned, new, strict=False)
    )
    return [*(row for content in told for row in _unpacked(content)), *found]


def _packed(rows: list[dict[str, Any]]) -> bytes:
    if not rows:
        return b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ROWS) as stream:
        stream.write_table(pa.Table.from_pylist(rows, ROWS))
    return bytes(sink.getvalue())


def _unpacked(content: bytes) -> list[dict[str, Any]]:
    return list(pa.ipc.open_stream(content).read_all().to_pylist()) if content else []
