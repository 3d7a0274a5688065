"""Noise that series share, per node of the lattice and window: learnt day by day from the days before."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .counts import (
    WINDOWS,
    Cube,
    Flags,
    Groups,
    Reals,
    Whole,
    extra_dispersion,
    score,
    shrunk_dispersion,
    usual_dispersion,
    window_sums,
)

LOOK_BACK = WINDOWS[-1]
"""Hours of the longest window."""
MEMORY_DAYS = 56
"""Days that a day's dispersion is learnt from."""

_YOUNG_DAYS = 28
_YOUNG_WEIGHT = 0.1
_NODE_WEIGHT_DAYS = 14
_LEVEL_WEIGHT_DAYS = 7
_MASK_SCORE = 3.5


@dataclass(frozen=True)
class Earlier:
    """What is remembered of the days before the first that is scanned.

    Attributes:
        first_day: position of that day in the cube; the day before is in the cube.
        age: days of the replay before it.
        sums: [2, day, window, node] of up to ``MEMORY_DAYS`` days before it.
        quiet: [series, hour] of the day before it.
    """

    first_day: int
    age: int
    sums: Reals
    quiet: Flags


@dataclass(frozen=True)
class Noise:
    """What the days showed.

    Attributes:
        dispersion: [window, node, day of the cube] beyond the variance of series; 0 on days that are not scanned.
        sums: [2, day, window, node] numerator and denominator of each remembered and each scanned day.
        quiet: [series, hour of the cube] without a surge.
    """

    dispersion: Reals
    sums: Reals
    quiet: Flags


def learn(
    cube: Cube,
    level: Whole,
    summed: Callable[[Reals], Reals],
    members: Callable[[int], Flags],
    deciding: int,
    earlier: Earlier | None = None,
) -> Noise:
    """The dispersion of each day from the days before.

    A node's own leans on that of its level, and this on what is usual. Hours of surges count for nothing.

    Args:
        cube: ``subjects``, ``expected`` and ``variance`` by the hour, whole days.
        level: per node.
        summed: [node, hour] from [series, hour].
        members: series of a node.
        deciding: so many nodes, the first, tell what is a surge.
        earlier: what is remembered; None = the cube is all there is.
    """
    hourly = [cube.measures[name] for name in ("subjects", "expected", "variance")]
    hours = hourly[0].shape[1]
    if earlier is None:
        earlier = Earlier(
            0, 0, np.zeros((2, 0, len(WINDOWS), len(level))), np.ones((len(hourly[0]), 0), dtype=bool)
        )
    of = Groups(len(level), level)
    known = earlier.sums.shape[1]
    days = hours // 24 - earlier.first_day
    sums = np.concatenate([earlier.sums, np.zeros((2, days, len(WINDOWS), len(level)))], axis=1)
    found = np.zeros((hours // 24, len(WINDOWS), len(level)))
    quiet = np.ones(hourly[0].shape, dtype=bool)
    begin = earlier.first_day * 24
    quiet[:, begin - earlier.quiet.shape[1] : begin] = earlier.quiet
    # Expectations from little history err more: what they err by is no noise of later days.
    weights = np.where(np.arange(known + days) + earlier.age - known < _YOUNG_DAYS, _YOUNG_WEIGHT, 1.0)

    def by_level(values: Reals) -> Reals:
        return np.asarray(of.sum(values.T).T[:, of.of])

    for day in range(earlier.first_day, hours // 24):
        first, begin, end = max(day * 24 - LOOK_BACK, 0), day * 24, day * 24 + 24
        place = known + day - earlier.first_day
        memory = slice(max(place - MEMORY_DAYS, 0), place)
        top, bottom = sums[:, memory].sum(1)
        one_day = bottom / max(weights[memory].sum(), 1e-9)
        usual = shrunk_dispersion(
            by_level(top), by_level(bottom), usual_dispersion(), _LEVEL_WEIGHT_DAYS * by_level(one_day)
        )
        found[day] = shrunk_dispersion(top, bottom, usual, _NODE_WEIGHT_DAYS * one_day)
        now = [values[:, first:end] for values in hourly]
        nodes = [summed(values)[:deciding] for values in now]
        quiet[:, begin:end] = ~_surging(nodes, members, len(hourly[0]), begin - first, found[day])
        at = slice(begin - first, None)
        calm = [summed(values * quiet[:, first:end]) for values in now]
        for window, (_, in_window) in enumerate(window_sums(*calm)):
            seen, mean, spread = (values[:, at] for values in in_window)
            cells = extra_dispersion(seen, mean, spread, found[day, window][:, None])
            sums[:, place, window] = [weights[place] * part.sum(1) for part in cells]
    return Noise(np.moveaxis(found, 0, 2), sums, quiet)


def _surging(
    now: list[Reals], members: Callable[[int], Flags], series: int, begin: int, dispersion: Reals
) -> Flags:
    """[series, hour from ``begin`` on] in which a node that holds the series was too high to be chance."""
    surging = np.zeros((series, now[0].shape[1]), dtype=bool)
    nodes = len(now[0])
    for length, sums in window_sums(*now, windows=(1, 3)):
        seen, mean, spread = (values[:, begin:] for values in sums)
        variance = spread + dispersion[WINDOWS.index(length)][:nodes, None] * mean**2
        at = np.nonzero((seen - mean >= 2) & (seen - mean > 2.5 * np.sqrt(variance)))
        hit = score(seen[at], mean[at], variance[at]) >= _MASK_SCORE
        for node, hour in zip(at[0][hit], at[1][hit] + begin, strict=True):
            surging[members(int(node)), max(hour - length, 0) : hour + 2] = True
    return surging[:, begin:]
