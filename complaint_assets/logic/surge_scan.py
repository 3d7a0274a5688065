"""Which place or matter stands out: every node of the lattice, in windows that end with an hour.

A node is a set of series that share a channel, category or region, or two of them, or all series. What a
node is expected to hold is the sum over its series. Its variance is their sum, and what its own residuals
of earlier days showed beyond that: noise that series share.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .counts import (
    KEYS,
    WINDOWS,
    Cube,
    Flags,
    Groups,
    Reals,
    extra_dispersion,
    score,
    shrunk_dispersion,
    usual_dispersion,
    window_sums,
)

Scope = tuple[str | None, str | None, str | None]
"""Channel, category and region; None = any."""

LEAST_EXCESS = 5.0
LOOK_BACK = WINDOWS[-1]

_LEVELS = ((), ("channel",), ("category",), ("region",), ("category", "region"), ("channel", "category"),
           ("channel", "region"))  # fmt: skip
_SCREEN = 2.5  # standard deviations; below, no exact chance is worked out
_MEMORY_DAYS = 56
_NODE_WEIGHT_DAYS = 28
_LEVEL_WEIGHT_DAYS = 7


@dataclass(frozen=True)
class Candidate:
    """A node and window with more than chance explains."""

    scope: Scope
    series: Flags
    hours: int
    score: float


@dataclass(frozen=True)
class Level:
    """All nodes that fix the same keys, and their dispersion [node, day] per window."""

    scopes: list[Scope]
    groups: Groups
    dispersion: dict[int, Reals]


class Lattice:
    """The nodes over the series of a cube with ``subjects``, ``expected`` and ``variance``; whole days."""

    def __init__(self, cube: Cube) -> None:
        self._hourly = tuple(cube.measures[name] for name in ("subjects", "expected", "variance"))
        self.series, self.hours = self._hourly[0].shape
        self._levels = [self._level(cube, fixed) for fixed in _LEVELS]

    def _level(self, cube: Cube, fixed: tuple[str, ...]) -> Level:
        places = [KEYS.index(key) for key in fixed]
        groups = Groups(self.series, *(cube.codes[place] for place in places))
        scopes: list[Scope] = []
        for codes in groups.keys.T:
            named = {place: cube.names[place][code] for place, code in zip(places, codes, strict=False)}
            scopes.append((named.get(0), named.get(1), named.get(2)))
        return Level(scopes, groups, dict(_dispersion(*(groups.sum(values) for values in self._hourly))))

    def hot_hours(self, thresholds: Reals) -> Flags:
        """Hours in which any node reaches the day's threshold [day]."""
        hot = np.zeros(self.hours, dtype=bool)
        by_hour = np.repeat(thresholds, 24)
        day = np.arange(self.hours) // 24
        for level in self._levels:
            sums = [level.groups.sum(values) for values in self._hourly]
            fresh = np.zeros(sums[0].shape, dtype=bool)
            for _, (seen, mean, _) in window_sums(*sums, windows=(2,)):
                fresh = _fresh(seen, mean)
            for length, (seen, mean, spread) in window_sums(*sums):
                variance = spread + level.dispersion[length][:, day] * mean**2
                at = np.nonzero(fresh & _stands_out(seen, mean, variance))
                reached = score(seen[at], mean[at], variance[at]) >= by_hour[at[1]]
                hot[at[1][reached]] = True
        return hot

    def best(self, seen: Reals, hour: int, threshold: float) -> Candidate | None:
        """The node and window, ending with ``hour``, that chance explains least; None below ``threshold``.

        Args:
            seen: [series, hour] counts of the look-back that ends with ``hour``.
            hour: position of the last hour.
            threshold: the score to reach.
        """
        first = hour + 1 - seen.shape[1]
        hourly = (seen, *(values[:, first : hour + 1] for values in self._hourly[1:]))
        lengths = np.array(WINDOWS)
        places = np.minimum(lengths, seen.shape[1]) - 1
        found: tuple[float, float, Candidate] | None = None
        for level in self._levels:
            backwards = [np.cumsum(level.groups.sum(values)[:, ::-1], axis=1) for values in hourly]
            count, mean, spread = (sums[:, places] for sums in backwards)
            extra = np.stack([level.dispersion[length][:, hour // 24] for length in WINDOWS], axis=1)
            variance = spread + extra * mean**2
            fresh = _fresh(count[:, 1], mean[:, 1])
            at = np.nonzero(fresh[:, None] & _stands_out(count, mean, variance))
            if not at[0].size:
                continue
            scores = score(count[at], mean[at], variance[at])
            # Huge scores are capped: then the greater deviation decides.
            deviations = (count[at] - mean[at]) / np.sqrt(variance[at])
            pick = np.lexsort((-deviations, -scores))[0]
            rank = float(scores[pick]), float(deviations[pick])
            if rank[0] >= threshold and (found is None or rank > found[:2]):
                node = int(at[0][pick])
                hours = int(places[at[1][pick]]) + 1
                found = (*rank, Candidate(level.scopes[node], level.groups.of == node, hours, rank[0]))
        return found[2] if found else None


def _fresh(seen: Reals, mean: Reals) -> Flags:
    """Whether the last two hours are high too: an alarm needs evidence that is long and recent."""
    return np.asarray(seen >= 1.25 * mean + 0.5)


def _stands_out(seen: Reals, mean: Reals, variance: Reals) -> Flags:
    excess = seen - mean
    return np.asarray((excess >= LEAST_EXCESS) & (excess > _SCREEN * np.sqrt(variance)))


def _dispersion(seen: Reals, mean: Reals, variance: Reals) -> Iterator[tuple[int, Reals]]:
    """Per window, [node, day]: dispersion beyond ``variance`` that the days before showed.

    A node's own leans on that of its level, and this on what is usual.
    """
    days = seen.shape[1] // 24

    def daily(values: Reals) -> Reals:
        return values.reshape(len(values), days, 24).sum(2)

    def remembered(values: Reals) -> Reals:
        """Sum over the days before each, as far back as is remembered."""
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
        start = np.maximum(np.arange(days) - _MEMORY_DAYS, 0)
        return total[:, :-1] - total[:, start]

    for length, sums in window_sums(seen, mean, variance):
        numerator, denominator = (remembered(daily(part)) for part in extra_dispersion(*sums))
        one_day = daily(sums[1] ** 2)
        usual = shrunk_dispersion(
            numerator.sum(0), denominator.sum(0), usual_dispersion(), _LEVEL_WEIGHT_DAYS * one_day.sum(0)
        )
        yield length, shrunk_dispersion(numerator, denominator, usual, _NODE_WEIGHT_DAYS * one_day)
