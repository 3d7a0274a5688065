"""Incidents as rows: what was found in the surge metrics, told so that a person can act on it."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.schemas.surges import SurgeMetrics, Surges, SurgeTransitions
from complaint_assets.schemas.types import arrow_schema, from_pandas, to_pandas

from .calendar import NO_CALENDAR, Calendar
from .counts import KEYS, Cube, Reals, hour_number, quantile, usual_dispersion
from .lifecycle import Incident, Replay
from .surge_metrics import CATCHING_UP, HEARD, SILENT

THRESHOLD = 6.75
"""Score that opens an incident: under one false one a week over 576 series (``benchmarks/surges.py``)."""
HOURLY_THRESHOLD = 6.0
"""The same where counts are looked at by the hour only: fewer looks, fewer false alarms."""
YOUNG_DAYS = 28
YOUNG_EXTRA = 1.75
"""The threshold is higher in the first days: expectations from little history err more (reference design)."""
FURTHER_HOURS = 6

_SCHEMA = arrow_schema(Surges)
_HISTORY = arrow_schema(SurgeTransitions)
_WATCHED = ("subjects", "expected", "variance")
_READ = (*_WATCHED, "by_15", "by_30", "by_45", "complaints", "amplifications", "silent", "catching_up")
_MOST_MOVERS = 3


def cube_of(metrics: pa.Table) -> tuple[Cube, datetime, int]:
    """What ``Replay`` takes from ``metrics`` (``SurgeMetrics``): cube, its start, and quarters that have passed.

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
    """[series, quarter of an hour] people who complained for the first time in the hour."""
    edges = [np.zeros_like(cube.measures["subjects"])]
    edges += [cube.measures[name] for name in ("by_15", "by_30", "by_45", "subjects")]
    return np.diff(np.stack(edges, axis=2), axis=2).reshape(len(edges[0]), -1)


def thresholds_of(days: int, threshold: float = THRESHOLD) -> Reals:
    """Per day of a replay."""
    return np.where(np.arange(days) < YOUNG_DAYS, threshold + YOUNG_EXTRA, threshold)


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
    if not rows.num_rows:
        return to_pandas(_SCHEMA.empty_table())
    cube, start, passed = cube_of(rows)
    if not len(cube.measures["subjects"]):
        return to_pandas(_SCHEMA.empty_table())
    days = cube.measures["subjects"].shape[1] // 24
    graveness = None
    if gravity is not None:
        graveness = np.array([gravity.get(name, 0.0) for name in cube.names[1]])[cube.codes[1]]
    people = np.array([calendar.subscribers.get(name, 0.0) for name in cube.names[2]])
    replay = Replay(
        cube,
        thresholds_of(days, threshold),
        passed,
        quarters_of(cube),
        gravity=graveness,
        subscribers=people if calendar.subscribers else None,
    )
    seen: Counter[str] = Counter()
    told = []
    for incident in replay.incidents:
        row = _row(incident, replay, start)
        anchor = _anchor(incident, row["started_at"])
        seen[anchor] += 1
        told.append({"surge_id": pseudonym(f"{anchor}|{seen[anchor]}"), **row})
    return to_pandas(pa.Table.from_pylist(told, _SCHEMA))


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


def _anchor(incident: Incident, started: datetime) -> str:
    """What names an incident: matter, place and day. Late data move its hour and widen it, these hardly."""
    first = incident.held[0]
    place = "+".join(first.regions) if first.regions else "*"
    channel = first.channel if first.category is None and first.regions is None else None
    return f"{channel or '*'}|{first.category or '*'}|{place}|{started.date().isoformat()}"


def _row(incident: Incident, replay: Replay, start: datetime) -> dict[str, Any]:
    """The row of one incident, but for its id."""
    cube, per_hour = replay.cube, replay.per_hour

    def at(step: int) -> datetime:
        return start + timedelta(hours=step / per_hour)

    hours = slice(incident.started // per_hour, incident.last // per_hour + 1)
    observed, expected = replay.totals(incident)
    excess = observed - expected
    own = (cube.measures["subjects"] - cube.measures["expected"])[incident.series, hours]
    whole = float(cube.measures["subjects"][:, hours].sum())
    spread = float(cube.measures["variance"][incident.series, hours].sum()) + usual_dispersion() * expected**2
    low, high = (float(quantile(q, np.array([expected]), np.array([spread]))[0]) for q in (0.05, 0.95))
    further, further_high = _further(incident, replay)
    scope = incident.scope
    rate = replay.rate(incident, excess)
    return {
        "status": "open" if incident.is_open else "resolved",
        "severity": f"SEV{incident.severity}",
        "channel": scope.channel,
        "category": scope.category,
        "region": scope.regions[0] if scope.regions and len(scope.regions) == 1 else None,
        "regions": list(scope.regions or ()),
        "started_at": at(incident.started),
        "detected_at": at(incident.detected + 1),
        "last_hour_at": start + timedelta(hours=incident.last // per_hour),
        "peak_at": start + timedelta(hours=hours.start + int(np.argmax(own.sum(0)))),
        "resolved_at": None if incident.resolved is None else at(incident.resolved + 1),
        "observed": round(observed),
        "expected": expected,
        "lower_90": low,
        "upper_95": high,
        "excess": excess,
        "ratio": observed / max(expected, 1e-9),
        "share": observed / max(whole, 1.0),
        "rate_per_100k": rate if replay.subscribers is not None else None,
        "score": incident.score,
        "further_6h": further,
        "further_6h_upper_90": further_high,
        "movers": json.dumps(_movers(incident, cube, hours)),
        "phrases": [],
        "example_ids": [],
        "not_due_to": _not_due_to(incident, cube, hours),
        "history": json.dumps(
            [
                {
                    "change": change.kind,
                    "at": at(change.step + 1).isoformat(),
                    "severity": f"SEV{change.severity}",
                    "observed": round(change.observed),
                    "expected": round(change.expected, 3),
                }
                for change in incident.transitions
            ]
        ),
        "explanation": _explain(
            incident,
            at(incident.started),
            at(incident.last + 1),
            observed,
            expected,
            _channels(incident, cube, own),
        ),
    }


def _further(incident: Incident, replay: Replay) -> tuple[float | None, float | None]:
    """Complainants of the next hours if an open incident goes on as in its last two: mean, and what 95 % reach.

    What is usual then is taken from the same hours a week before; the factor leans on 1 by two complainants.
    """
    now = (incident.last + 1) // replay.per_hour
    begin = now - 7 * 24
    if not incident.is_open or begin < 0:
        return None, None
    usual = float(replay.cube.measures["expected"][incident.series, begin : begin + FURTHER_HOURS].sum())
    lately = slice(max(now - 2, 0), now)
    seen, mean = (
        float(replay.cube.measures[name][incident.series, lately].sum()) for name in ("subjects", "expected")
    )
    further = usual * (seen + 2) / (mean + 2)
    # Outages end when they end: half the volume either way is common.
    high = quantile(0.95, np.array([further]), np.array([further + 0.25 * further**2]))
    return further, float(high[0])


def _movers(incident: Incident, cube: Cube, hours: slice) -> dict[str, list[dict[str, Any]]]:
    """Per key the values with the greatest excess inside the incident."""
    found = {}
    for place, key in enumerate(KEYS):
        codes = cube.codes[place][incident.series]
        seen, usual = (
            np.bincount(codes, cube.measures[name][incident.series, hours].sum(1)) for name in _WATCHED[:2]
        )
        order = np.argsort(usual - seen, kind="stable")[:_MOST_MOVERS]
        found[key] = [
            {
                "name": cube.names[place][code],
                "observed": round(seen[code]),
                "expected": round(float(usual[code]), 2),
            }
            for code in order.tolist()
            if seen[code] > usual[code]
        ]
    return found


def _channels(incident: Incident, cube: Cube, excess: Reals) -> list[str]:
    """The two channels with the greatest excess."""
    sums = np.bincount(cube.codes[0][incident.series], excess.sum(1))
    order = np.argsort(-sums, kind="stable")[:2]
    return [cube.names[0][code] for code in order if sums[code] > 0]


def _not_due_to(incident: Incident, cube: Cube, hours: slice) -> str:
    """What was looked at and is not counted."""

    def total(name: str) -> int:
        return round(float(cube.measures[name][incident.series, hours].sum()))

    reposts, again = total("amplifications"), max(total("complaints") - total("subjects"), 0)
    parts = [
        f"{reposts} bare reposts weigh nothing",
        f"{again} further complaints of the same people are not counted",
    ]
    for state, words in ((SILENT, "was silent"), (CATCHING_UP, "caught up after a silence")):
        touched = np.asarray(cube.measures[state][:, hours] > 0).any(axis=1)
        names = sorted({cube.names[0][code] for code in cube.codes[0][touched]})
        if names:
            parts.append(f"{' and '.join(names)} {words} and is left out".replace("_", " "))
    if len(parts) == 2:
        parts.append(f"every source was {HEARD}, none caught up on a backlog")
    return "; ".join(parts) + "."


def _explain(
    incident: Incident, start: datetime, end: datetime, observed: float, expected: float, movers: list[str]
) -> str:
    """One sentence, counts only."""
    scope = incident.scope

    def words(name: str) -> str:
        return name.replace("_", " ")

    matter = f"about {words(scope.category)}" if scope.category else "about several matters"
    if scope.regions is None:
        place = "across all regions"
    elif scope.regions == ("unknown",):
        place = "in unknown regions"
    else:
        place = "in " + " and ".join(
            [", ".join(scope.regions[:-1])] * (len(scope.regions) > 1) + [scope.regions[-1]]
        )
    if start.date() == end.date():
        when = f"between {start:%H:%M} and {end:%H:%M} UTC on {start:%Y-%m-%d}"
    else:
        when = f"between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC"
    usual = round(expected)
    normal = {0: "fewer than 1 was", 1: "1 was"}.get(usual, f"{usual} were")
    most = " and ".join(words(name) for name in movers)
    how = (
        f"all by {words(scope.channel)}" if scope.channel else f"{most} moved most" if most else "no channel alone"
    )
    return f"{round(observed)} customers complained {matter} {place} {when} where {normal} expected; {how}."
