"""Incidents found in the surge metrics: by a replay of all days, or one that goes on from what is remembered."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.schemas.surges import SurgeMetrics, Surges, SurgeTransitions
from complaint_assets.schemas.types import arrow_schema, from_pandas, to_pandas

from .baseline import DAY_SHARE
from .calendar import NO_CALENDAR, Calendar
from .counts import KEYS, Cube, Groups, Reals, hour_number
from .incident_rows import row_of
from .lifecycle import Incident, Replay
from .memory import Memory, Resumed, remembered, unpacked
from .surge_metrics import CATCHING_UP, SILENT
from .surge_scan import Lattice

THRESHOLD = 6.5
"""Score that opens an incident: under one false one a week over 576 series (``benchmarks/surges.py``)."""
YOUNG_DAYS = 28
YOUNG_EXTRA = 1.75
"""The threshold is higher in the first days: expectations from little history err more (reference design)."""
BEFORE_DAYS = 8
"""Days of rows before the first that is scanned: what is further expected is read off the week before."""
_SCHEMA = arrow_schema(Surges)
_HISTORY = arrow_schema(SurgeTransitions)
_READ = ("subjects", "expected", "variance", "by_15", "by_30", "by_45", "complaints", "amplifications",
         SILENT, CATCHING_UP)  # fmt: skip
READ = ("event_date", "bucket_start", *KEYS, *_READ[:-2], "source_state")
"""Columns that a replay reads."""


def cube_of(metrics: pa.Table) -> tuple[Cube, datetime, int]:
    """What a replay takes from ``metrics`` (``SurgeMetrics``): cube, its start, and quarters that have passed.

    Hours of a channel that is silent or catches up hold nothing. Hours that have not come are not calm ones: of
    the last hour the quarters count up to the last in which anybody complained.
    """
    dates = pc.unique(metrics["event_date"]).to_pylist()
    start = datetime.combine(min(dates), datetime.min.time(), UTC)
    hours = ((max(dates) - min(dates)).days + 1) * 24
    last = hour_number(pc.max(metrics["bucket_start"]).as_py()) - hour_number(start)
    rows = metrics.filter(metrics["expected"].is_valid())
    for state in (SILENT, CATCHING_UP):
        flags = pc.equal(rows["source_state"], state).cast(pa.int64())
        rows = rows.append_column(state, flags)
    cube = Cube.of(rows, _READ, hour_number(start), hours)
    heard = (cube.measures[SILENT] + cube.measures[CATCHING_UP]) == 0
    measures = {name: values * heard if name in _READ[:6] else values for name, values in cube.measures.items()}
    newest = [float(measures[name][:, last].sum()) for name in ("by_15", "by_30", "by_45", "subjects")]
    passed = last * 4 + 1 + max((n for n in range(1, 4) if newest[n] > newest[n - 1]), default=0)
    return Cube(cube.names, cube.codes, measures), start, passed


def quarters_of(cube: Cube) -> Reals:
    """[series, quarter of an hour] people who complained for the first time in the hour.

    Those of a channel of which a day expects all in one hour are spread over it: it knows days only.
    """
    subjects, expected = cube.measures["subjects"], cube.measures["expected"]
    edges = [np.zeros_like(subjects), *(cube.measures[name] for name in ("by_15", "by_30", "by_45")), subjects]
    quarters = np.diff(np.stack(edges, axis=2), axis=2)
    channels = Groups(len(subjects), cube.codes[0])
    daily = channels.sum(expected).reshape(channels.keys.shape[1], -1, 24)
    by_day = daily.max(2) >= DAY_SHARE * np.maximum(daily.sum(2), 1e-9)
    spread = np.repeat(by_day, 24, axis=1)[channels.of]
    return np.where(spread[:, :, None], subjects[:, :, None] / 4, quarters).reshape(len(subjects), -1)


def thresholds_of(days: int, threshold: float = THRESHOLD, age: int = 0) -> Reals:
    """Per day of a replay, ``age`` days after its first."""
    return np.where(np.arange(days) + age < YOUNG_DAYS, threshold + YOUNG_EXTRA, threshold)


def find_surges(
    metrics: pd.DataFrame | pa.Table,
    pseudonym: Callable[[str], str],
    threshold: float = THRESHOLD,
    *,
    calendar: Calendar = NO_CALENDAR,
    gravity: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Rows of ``Surges`` found in ``metrics`` (``SurgeMetrics``, all dates there are, in any row order).

    What is said of a quarter of an hour uses it and those before, so a replay finds the same incidents. Rows
    without an expectation (warm-up) are not looked at.

    Args:
        metrics: the rows.
        pseudonym: makes ids.
        threshold: score (-log10 of a chance) that opens an incident.
        calendar: knows the subscribers of regions.
        gravity: usual severity (1 to 5) of the complaints of a category.
    """
    rows = metrics if isinstance(metrics, pa.Table) else from_pandas(metrics, SurgeMetrics)
    told, _ = replay(rows, pseudonym, threshold, calendar=calendar, gravity=gravity)
    return to_pandas(pa.Table.from_pylist(told, _SCHEMA))


def replay(
    rows: pa.Table,
    pseudonym: Callable[[str], str],
    threshold: float = THRESHOLD,
    *,
    calendar: Calendar = NO_CALENDAR,
    gravity: Mapping[str, float] | None = None,
    resumed: Resumed | None = None,
) -> tuple[list[dict[str, Any]], list[Memory]]:
    """Rows of ``Surges`` that are not told in an earlier memory, and the memory of each day but the newest.

    Args:
        rows: ``SurgeMetrics`` (the columns ``READ`` do) of all days, or from ``first_needed`` on.
        pseudonym: makes ids.
        threshold: score (-log10 of a chance) that opens an incident.
        calendar: knows the subscribers of regions.
        gravity: usual severity (1 to 5) of the complaints of a category.
        resumed: where to go on; None = at the first of ``rows``.
    """
    if resumed is not None:
        rows = resumed.empty_rows(rows)
    if not rows.num_rows:
        return [], []
    cube, start, passed = cube_of(rows)
    days = cube.measures["subjects"].shape[1] // 24
    if not len(cube.measures["subjects"]):
        return [], []
    graveness = None
    if gravity is not None:
        graveness = np.array([gravity.get(name, 0.0) for name in cube.names[1]])[cube.codes[1]]
    people = np.array([calendar.latest_subscribers.get(name, 0.0) for name in cube.names[2]])
    first, zero = start.date(), hour_number(start) * 4
    live: list[dict[str, Any]] = []
    if resumed is None:
        lattice, age = Lattice(cube, quarters_of(cube)), 0
    else:
        lattice = Lattice(cube, quarters_of(cube), lambda it: resumed.earlier(it, first))
        live, age = resumed.memories[-1].live, (first - resumed.first).days
    found = Replay(
        lattice,
        thresholds_of(days, threshold, age),
        passed,
        known=[unpacked(packed, lattice, zero) for packed in live],
        gravity=graveness,
        subscribers=people if calendar.subscribers else None,
    )
    ids = [str(packed["surge_id"]) for packed in live]
    seen = Counter(_anchor(incident, start) for incident in found.incidents[: len(ids)])
    for incident in found.incidents[len(ids) :]:
        anchor = _anchor(incident, start)
        seen[anchor] += 1
        ids.append(pseudonym(f"{anchor}|{seen[anchor]}"))
    told = [{"surge_id": name, **row_of(i, found, start)} for name, i in zip(ids, found.incidents, strict=True)]

    memories = []
    before = set(range(len(live)))
    for day, end in enumerate(found.ends[: days - 1 - lattice.first_day], lattice.first_day):
        begun = [n for n, i in enumerate(found.incidents) if i.detected // 96 == day]
        ceased = sorted((before | set(begun)) - end.keys())
        memories.append(
            remembered(lattice, day, [(ids[n], i) for n, i in end.items()], [told[n] for n in ceased], zero)
        )
        before = set(end)
    return told, memories


def first_needed(resumed: Resumed) -> date:
    """The first day of which a replay that goes on needs rows."""
    oldest = resumed.memories[-1].oldest
    begin = resumed.day - timedelta(days=BEFORE_DAYS)
    if oldest is not None:
        begin = min(begin, datetime.fromtimestamp(oldest * 900, UTC).date())
    return max(begin, resumed.first)


def transitions(surges: pd.DataFrame, pseudonym: Callable[[str], str]) -> pd.DataFrame:
    """Rows of ``SurgeTransitions``: each change of each of ``surges``, with an id that a replay repeats."""
    rows = []
    for surge in from_pandas(surges, Surges).to_pylist():
        counts: Counter[str] = Counter()
        for change in json.loads(surge["history"]):
            counts[change["change"]] += 1
            key = f"{surge['surge_id']}|{change['change']}|{change['severity']}|{counts[change['change']]}"
            at = datetime.fromisoformat(change["at"])
            rows.append({"transition_id": pseudonym(key), "surge_id": surge["surge_id"], **change, "at": at})
    return to_pandas(pa.Table.from_pylist(rows, _HISTORY))


def _anchor(incident: Incident, start: datetime) -> str:
    """What names an incident: matter, place and day. Late data move its hour and widen it, these hardly."""
    first, started = incident.held[0], start + timedelta(minutes=15 * incident.started)
    place = "+".join(first.regions) if first.regions else "*"
    channel = first.channel if first.category is None and first.regions is None else None
    return f"{channel or '*'}|{first.category or '*'}|{place}|{started.date().isoformat()}"
