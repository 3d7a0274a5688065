"""Incidents: one per outage, with a life cycle, found by replaying all hours in order.

At each hour the node and window that chance explains least opens an incident or continues one. Its series
are then taken as expected and the rest is scanned again, so that one outage raises one alarm and not one
per node that contains it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.schemas.surges import SurgeMetrics, Surges
from complaint_assets.schemas.types import arrow_schema, from_pandas, to_pandas

from .counts import KEYS, Cube, Flags, Reals, hour_number
from .facts import UNKNOWN
from .surge_scan import LOOK_BACK, Candidate, Lattice, Scope

THRESHOLD = 6.25
"""Score that opens an incident: under one false one a week over 576 series (reference design)."""

CALM_HOURS = 6
"""Calm hours in a row that resolve an incident."""

_YOUNG_DAYS = 28
_YOUNG_EXTRA = 1.75  # expectations from little history err more
_MOST_PER_HOUR = 6
_SCHEMA = arrow_schema(Surges)
_MEASURES = ("subjects", "expected", "variance")


@dataclass
class Incident:
    """An incident so far; hours are positions in the cube."""

    scope: Scope
    series: Flags
    started: int
    detected: int
    last: int
    score: float
    severity: int = 3
    calm: int = 0
    resolved: int | None = None
    held: list[Scope] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.resolved is None


def find_surges(
    metrics: pd.DataFrame, keys_pseudonym: Callable[[str], str], threshold: float = THRESHOLD
) -> pd.DataFrame:
    """Rows of ``Surges`` found in ``metrics`` (``SurgeMetrics``, all dates there are, in any row order).

    What is said of an hour uses that hour and those before, so a replay finds the same incidents. Rows
    without an expectation (warm-up) are not looked at. The threshold is higher until 28 days after the first
    date of ``metrics``.

    Args:
        metrics: the rows.
        keys_pseudonym: makes the id from first scope and first hour.
        threshold: score (-log10 of a chance) that opens an incident.
    """
    rows = from_pandas(metrics, SurgeMetrics)
    if not rows.num_rows:
        return to_pandas(_SCHEMA.empty_table())
    dates = pc.unique(rows["event_date"]).to_pylist()
    start = datetime.combine(min(dates), datetime.min.time(), UTC)
    days = (max(dates) - min(dates)).days + 1
    rows = rows.filter(rows["expected"].is_valid())
    cube = Cube.of(rows, _MEASURES, int(start.timestamp()) // 3600, days * 24)
    if not len(cube.measures["subjects"]):
        return to_pandas(_SCHEMA.empty_table())
    ages = np.arange(days)
    # The last day may not be over: hours that have not come are not calm ones.
    passed = hour_number(pc.max(rows["bucket_start"]).as_py()) + 1 - hour_number(start)
    found = _replay(cube, np.where(ages < _YOUNG_DAYS, threshold + _YOUNG_EXTRA, threshold), passed)
    table = pa.Table.from_pylist([_row(incident, cube, start, keys_pseudonym) for incident in found], _SCHEMA)
    return to_pandas(table)


def _replay(cube: Cube, thresholds: Reals, passed: int) -> list[Incident]:
    """All incidents of the hours that have ``passed``, in the order in which they were detected."""
    seen, expected, _ = (cube.measures[name] for name in _MEASURES)
    lattice = Lattice(cube)
    hot = lattice.hot_hours(thresholds)
    incidents: list[Incident] = []
    for hour in range(passed):
        if hot[hour]:
            first = max(0, hour + 1 - LOOK_BACK)
            rest, usual = seen[:, first : hour + 1].copy(), expected[:, first : hour + 1]
            for incident in incidents:
                # What is told already is no evidence of anything else; its going on is seen in new hours.
                told = slice(max(0, incident.started - first), max(0, incident.last + 1 - first))
                explained = incident.series | _unplaced(incident.scope, cube)
                rest[explained, told] = usual[explained, told]
            for _ in range(_MOST_PER_HOUR):
                candidate = lattice.best(rest, hour, thresholds[hour // 24])
                if candidate is None:
                    break
                _assign(candidate, incidents, rest, usual, hour)
                explained = candidate.series | _unplaced(candidate.scope, cube)
                rest[explained] = usual[explained]
        for incident in incidents:
            if incident.is_open:
                _step(incident, cube, hour)
    return incidents


def _unplaced(scope: Scope, cube: Cube) -> Flags:
    """The series without a region in the matter of ``scope``, if that names a region.

    Many who complain of an outage do not say where they are: they are part of it, not a second one.
    """
    _, category, region = scope
    if region in (None, UNKNOWN):
        return np.zeros(len(cube.codes[0]), dtype=bool)
    regions, categories = (np.array(cube.names[place])[cube.codes[place]] for place in (2, 1))
    return np.asarray((regions == UNKNOWN) & ((categories == category) | (category is None)))


def _assign(candidate: Candidate, incidents: list[Incident], rest: Reals, usual: Reals, hour: int) -> None:
    """Open an incident for ``candidate``, or continue the one that it belongs to."""
    excess = rest[candidate.series, -candidate.hours :].sum(0) - usual[candidate.series, -candidate.hours :].sum(0)
    started = hour + 1 - candidate.hours + int(np.argmax(excess > 0))
    weights = usual.sum(1)
    closeness = [
        _closeness(candidate, incident, weights) if incident.is_open or started <= incident.last else 0.0
        for incident in incidents
    ]
    if not any(closeness):
        incidents.append(
            Incident(
                candidate.scope, candidate.series, started, hour, hour, candidate.score, held=[candidate.scope]
            )
        )
        return
    incident = incidents[int(np.argmax(closeness))]
    incident.last, incident.calm, incident.resolved = hour, 0, None
    if candidate.score > incident.score and (candidate.scope[2] != UNKNOWN or incident.scope[2] is None):
        incident.score, incident.scope, incident.series = candidate.score, candidate.scope, candidate.series
        incident.held.append(candidate.scope)


def _closeness(candidate: Candidate, incident: Incident, weights: Reals) -> float:
    """How far the two are the same matter, 0 = not: one holds the other, or each most of the other."""
    if candidate.scope in incident.held:
        return 2.0
    if candidate.scope == (None, incident.scope[1], UNKNOWN):
        return 1.5  # people who do not say where they are
    common = candidate.series & incident.series
    shared = weights[common].sum()
    least, most = sorted((weights[candidate.series].sum(), weights[incident.series].sum()))
    nested = bool((common == candidate.series).all() or (common == incident.series).all())
    share = float(shared / most) if most else 0.0
    return max(share, 1e-9) if nested or (shared > 0 and share >= 0.5 and shared >= 0.5 * least) else 0.0


def _step(incident: Incident, cube: Cube, hour: int) -> None:
    """Move the life cycle of an open incident by one hour."""
    recent = slice(max(0, hour - 1), hour + 1)
    seen, expected, variance = (cube.measures[name][incident.series, recent] for name in _MEASURES)
    if seen.sum() >= 1.25 * expected.sum() + np.sqrt(variance.sum()) + 0.5:
        incident.calm = 0
        if seen[:, -1].sum() > expected[:, -1].sum():
            incident.last = hour
    else:
        incident.calm += 1
        if incident.calm >= CALM_HOURS:
            incident.resolved = hour
    incident.severity = min(incident.severity, _severity(incident, cube))


def _severity(incident: Incident, cube: Cube) -> int:
    """1, 2 or 3 from excess and ratio so far."""
    observed, expected = _totals(incident, cube)
    excess, ratio = observed - expected, observed / max(expected, 1e-9)
    wide = sum(part is not None for part in incident.scope) <= 1 and incident.scope[0] is None
    if ratio >= 3 and excess >= 20 and (excess >= 50 or wide):
        return 1
    return 2 if ratio >= 2 and excess >= 20 else 3


def _totals(incident: Incident, cube: Cube) -> tuple[float, float]:
    """Observed and expected over the hours of the incident."""
    hours = slice(incident.started, incident.last + 1)
    observed, expected = (cube.measures[name][incident.series, hours].sum() for name in _MEASURES[:2])
    return float(observed), float(expected)


def _row(incident: Incident, cube: Cube, start: datetime, pseudonym: Callable[[str], str]) -> dict[str, object]:
    """The row of ``Surges`` of one incident."""

    def at(hour: int) -> datetime:
        return start + timedelta(hours=hour)

    observed, expected = _totals(incident, cube)
    hours = slice(incident.started, incident.last + 1)
    excess = (cube.measures["subjects"] - cube.measures["expected"])[incident.series, hours]
    first_scope = "/".join(part or "*" for part in incident.held[0])
    channel, category, region = incident.scope
    return {
        "surge_id": pseudonym(f"{first_scope}|{at(incident.started).isoformat()}"),
        "status": "open" if incident.is_open else "resolved",
        "severity": f"SEV{incident.severity}",
        "channel": channel,
        "category": category,
        "region": region,
        "started_at": at(incident.started),
        "detected_at": at(incident.detected + 1),
        "last_hour_at": at(incident.last),
        "peak_at": at(incident.started + int(np.argmax(excess.sum(0)))),
        "resolved_at": None if incident.resolved is None else at(incident.resolved + 1),
        "observed": round(observed),
        "expected": expected,
        "excess": observed - expected,
        "ratio": observed / max(expected, 1e-9),
        "score": incident.score,
        "explanation": _explain(
            incident.scope,
            at(incident.started),
            at(incident.last + 1),
            observed,
            expected,
            _movers(incident, cube, excess),
        ),
    }


def _movers(incident: Incident, cube: Cube, excess: Reals) -> list[str]:
    """The two channels with the greatest excess."""
    codes = cube.codes[KEYS.index("channel")][incident.series]
    sums = np.bincount(codes, excess.sum(1))
    order = np.argsort(-sums, kind="stable")[:2]
    return [cube.names[0][code] for code in order if sums[code] > 0]


def _explain(
    scope: Scope, start: datetime, end: datetime, observed: float, expected: float, movers: list[str]
) -> str:
    """One sentence, counts only."""
    channel, category, region = scope

    def words(name: str) -> str:
        return name.replace("_", " ")

    matter = f"about {words(category)}" if category else "about several matters"
    place = {None: "across all regions", "unknown": "in unknown regions"}.get(region, f"in {region}")
    if start.date() == end.date():
        when = f"between {start:%H:%M} and {end:%H:%M} UTC on {start:%Y-%m-%d}"
    else:
        when = f"between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC"
    usual = round(expected)
    normal = {0: "fewer than 1 was", 1: "1 was"}.get(usual, f"{usual} were")
    most = " and ".join(words(name) for name in movers)
    how = f"all by {words(channel)}" if channel else f"{most} moved most"
    return f"{round(observed)} customers complained {matter} {place} {when} where {normal} expected; {how}."
