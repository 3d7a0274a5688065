"""How good are incidents: compared with outages whose place, time and size are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .counts import KEYS, Cube, Flags, Reals
from .lifecycle import Replay
from .surge_scan import Lattice

GRACE_HOURS = 4
"""An outage fades: what is detected so soon after its end still counts."""
ENOUGH = 20.0
"""Excess complaints from which an outage is worth an incident."""


@dataclass(frozen=True)
class Known:
    """An outage that is known to have happened; hours count from the start of what is replayed."""

    start: float
    hours: float
    size: float
    series: Flags
    excess: float


@dataclass(frozen=True)
class Found:
    """An incident: where, begun when, reported when (the end of the data that showed it).

    ``told``: when else something was told of it, such as an update or an escalation.
    """

    series: Flags
    started: float
    reported: float
    score: float
    told: tuple[float, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What became of one outage.

    Attributes:
        size: times the usual rate.
        excess: expected extra complaints.
        incidents: how many it made.
        delay: hours from its start to the report.
        overlap: of the scopes, expected counts shared over expected counts in either.
        score: of its best incident, 0 = none.
    """

    size: float
    excess: float
    incidents: int
    delay: float
    overlap: float
    score: float


def judge(known: Sequence[Known], found: Sequence[Found], weights: Reals) -> tuple[list[Verdict], int]:
    """A verdict per outage, and the number of incidents that belong to none.

    An incident belongs to the outage of its time whose scope overlaps most with its own, by expected counts. An
    outage without one, begun while another's incident shares series with it, is told by what is told of that.

    Args:
        known: the outages.
        found: the incidents.
        weights: [series] expected counts.
    """

    def overlap(one: Flags, other: Flags) -> float:
        return float(weights[one & other].sum() / max(weights[one | other].sum(), 1e-9))

    belongs: list[list[tuple[Found, float]]] = [[] for _ in known]
    false = 0
    for incident in found:
        near = [
            (overlap(event.series, incident.series), place)
            for place, event in enumerate(known)
            if event.start < incident.reported and incident.started <= event.start + event.hours + GRACE_HOURS
        ]
        share, place = max(near, default=(0.0, -1))
        if share > 0:
            belongs[place].append((incident, share))
        else:
            false += 1
    verdicts = []
    for event, own in zip(known, belongs, strict=True):
        timely = [pair for pair in own if pair[0].reported <= event.start + event.hours + GRACE_HOURS]
        first = min((pair[0].reported for pair in timely), default=np.inf)
        if not timely:
            for incident in found:
                share = overlap(event.series, incident.series)
                later = [at for at in incident.told if event.start < at <= event.start + event.hours + GRACE_HOURS]
                if share > 0 and later:
                    timely.append((incident, share))
                    first = min(first, *later)
            own = timely
        verdicts.append(
            Verdict(
                event.size,
                event.excess,
                len(own) if timely else 0,
                first - event.start,
                max((share for _, share in timely), default=0.0),
                max((incident.score for incident, _ in timely), default=0.0),
            )
        )
    return verdicts, false


def summary(verdicts: Sequence[Verdict], least: float = ENOUGH) -> list[dict[str, float]]:
    """Per size: outages with at least ``least`` excess, recall, mean and median delay, incidents, overlap."""
    rows = []
    enough = [v for v in verdicts if v.excess >= least]
    groups = [(size, [v for v in enough if v.size == size]) for size in sorted({v.size for v in enough})]
    for size, group in [*groups, (0.0, enough)]:
        hits = [v for v in group if v.incidents]
        delays = [v.delay for v in hits]
        rows.append(
            {
                "size": size,
                "outages": len(group),
                "recall": len(hits) / max(len(group), 1),
                "mean_delay": float(np.mean(delays)) if hits else float("nan"),
                "median_delay": float(np.median(delays)) if hits else float("nan"),
                "exactly_one": sum(v.incidents == 1 for v in hits) / max(len(hits), 1),
                "incidents": float(np.mean([v.incidents for v in hits])) if hits else float("nan"),
                "overlap": float(np.mean([v.overlap for v in hits])) if hits else float("nan"),
            }
        )
    return rows


@dataclass(frozen=True)
class Planted:
    """What replays of planted outages showed, and what quiet time shows: see ``backtest``."""

    verdicts: list[Verdict]
    quiet_weeks: float
    false: list[float]

    def curve(self, thresholds: Sequence[float]) -> list[dict[str, float]]:
        """Per threshold the incidents a week without a planted outage, and the recall of outages from 2x on."""
        enough = [v for v in self.verdicts if v.excess >= ENOUGH and v.size >= 2]
        return [
            {
                "threshold": limit,
                "false_a_week": sum(score >= limit for score in self.false) / max(self.quiet_weeks, 1e-9),
                "recall": sum(v.score >= limit for v in enough) / max(len(enough), 1),
            }
            for limit in thresholds
        ]


def backtest(cube: Cube, quarters: Reals, *, first: int, threshold: float, seed: int = 1) -> Planted:
    """Replay measured hours as they are, and again with outages planted in them.

    Each day one outage is added to the real counts: a random place of the lattice, 2, 3, 5 or 10 times the
    expected counts for 2 to 8 hours, by chance in the way of counts. Incidents of the replay without them are
    taken for false, though real outages are among them: the rate is an upper bound.

    Args:
        cube: ``subjects``, ``expected`` and ``variance`` by the hour, whole days.
        quarters: [series, quarter] counts.
        first: day from which on incidents are judged; the days before teach the noise.
        threshold: score that opens an incident.
        seed: of what is planted.
    """
    hours = cube.measures["subjects"].shape[1]
    limits = np.full(hours // 24, threshold)
    plain = Replay(Lattice(cube, quarters), limits, hours * 4)
    begin = first * 24
    rng = np.random.Generator(np.random.PCG64(seed))
    expected = cube.measures["expected"]
    added = quarters.copy()
    known: list[Known] = []
    for day in range(first, hours // 24):
        series = int(rng.choice(len(expected), p=expected.sum(1) / expected.sum()))
        keys = rng.permutation(len(KEYS))[: int(rng.integers(0, len(KEYS) + 1))]
        place = np.all(
            [cube.codes[key] == cube.codes[key][series] for key in keys] or [expected[:, 0] >= 0], axis=0
        )
        start, length = day * 24 + int(rng.integers(0, 16)), int(rng.integers(2, 9))
        size = float(rng.choice((2.0, 3.0, 5.0, 10.0)))
        more = (size - 1) * expected[place, start : start + length]
        span = slice(start * 4, (start + length) * 4)
        added[place, span] += rng.poisson(np.repeat(more / 4, 4, axis=1))
        known.append(Known(start, length, size, place, float(more.sum())))
    planted = {**cube.measures, "subjects": added.reshape(len(added), hours, 4).sum(2)}
    surging = Replay(Lattice(Cube(cube.names, cube.codes, planted), added), limits, hours * 4)

    def found(replay: Replay) -> list[Found]:
        return [
            Found(i.series, i.started / 4, (i.detected + 1) / 4, i.score, i.told_at(4))
            for i in replay.incidents
            if i.detected >= begin * 4
        ]

    verdicts, _ = judge(known, found(surging), expected.mean(1))
    return Planted(verdicts, (hours - begin) / 168, [incident.score for incident in found(plain)])
