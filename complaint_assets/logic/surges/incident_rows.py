"""Incidents as rows: told so that a person can act on them."""

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from .counts import KEYS, Cube, Reals, quantile, usual_dispersion
from .lifecycle import Incident, Replay
from .surge_metrics import CATCHING_UP, HEARD, SILENT

FURTHER_HOURS = 6
_MOST_MOVERS = 3


def row_of(incident: Incident, replay: Replay, start: datetime) -> dict[str, Any]:
    """The row of ``Surges`` of one incident, but for its id, in a cube that begins with ``start``."""
    cube, per_hour = replay.cube, replay.per_hour

    def at(step: int) -> datetime:
        return start + timedelta(hours=step / per_hour)

    hours = slice(incident.started // per_hour, incident.last // per_hour + 1)
    observed, expected = replay.totals(incident)
    excess = observed - expected
    own = (cube.measures["subjects"] - cube.measures["expected"])[incident.series, hours]
    whole = float(cube.measures["subjects"][:, hours].sum())
    spread = (
        float(cube.measures["variance"][incident.series, hours].sum(0).sum()) + usual_dispersion() * expected**2
    )
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
            np.bincount(codes, cube.measures[name][incident.series, hours].sum(1))
            for name in ("subjects", "expected")
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
