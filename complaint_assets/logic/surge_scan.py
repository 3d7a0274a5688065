"""Which place or matter stands out: every node of the lattice, in windows that end with a step.

A node is a set of series that share a channel, category or region, or several of them, or all series. What a
node is expected to hold is the sum over its series. Its variance is their sum, and what its own residuals
of earlier days showed beyond that: noise that series share. Regions of one category are also tried together,
those that stand out most first, whatever the map; their freedom of choice is charged to the score.
A step is an hour, or a quarter of one: windows slide by steps.
"""

from dataclasses import dataclass
from math import lgamma, log

import numpy as np

from .counts import (
    KEYS,
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
from .facts import UNKNOWN

LEAST_EXCESS = 5.0
LOOK_BACK = WINDOWS[-1]
"""Hours of the longest window."""

_LEVELS = ((), ("channel",), ("category",), ("region",), ("category", "region"), ("channel", "category"),
           ("channel", "region"), ("channel", "category", "region"))  # fmt: skip
_SCREEN = 3.5  # standard deviations; below, no exact chance is worked out
_MEMORY_DAYS = 56
_YOUNG_DAYS = 28
_YOUNG_WEIGHT = 0.1
_NODE_WEIGHT_DAYS = 14
_LEVEL_WEIGHT_DAYS = 7
_MOST_REGIONS = 5
_FRESH_HOURS = 2
_MASK_SCORE = 3.5
_CHUNK_HOURS = 14 * 24


@dataclass(frozen=True, order=True)
class Scope:
    """Channel, category and regions of a node; None = any."""

    channel: str | None
    category: str | None
    regions: tuple[str, ...] | None

    @property
    def fixed(self) -> int:
        """How many keys it fixes."""
        return sum(part is not None for part in (self.channel, self.category, self.regions))


@dataclass(frozen=True)
class Candidate:
    """A node and window with more than chance explains.

    Attributes:
        scope: the node.
        series: those that it holds.
        steps: length of the window.
        score: -log10 of the least chance in any node and window.
        gain: log likelihood of a surge in just this node against none.
    """

    scope: Scope
    series: Flags
    steps: int
    score: float
    gain: float


class Lattice:
    """The nodes over series.

    Args:
        cube: ``subjects``, ``expected`` and ``variance`` by the hour, whole days.
        quarters: [series, quarter of an hour] counts, to scan by the quarter.
    """

    def __init__(self, cube: Cube, quarters: Reals | None = None) -> None:
        self._cube = cube
        self.per_hour = 1 if quarters is None else 4
        self.seen = cube.measures["subjects"] if quarters is None else quarters
        self.series = len(self.seen)
        self.hours = cube.measures["subjects"].shape[1]
        self.windows = tuple(range(1, self.per_hour // 2 + 1)) + tuple(w * self.per_hour for w in WINDOWS)
        self._groups = [Groups(self.series, *(cube.codes[KEYS.index(key)] for key in fixed)) for fixed in _LEVELS]
        sizes = [groups.keys.shape[1] for groups in self._groups]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self.nodes = int(self._starts[-1])
        self._regions = self._grid()
        by_hours = self._learn(np.repeat(np.arange(len(sizes)), sizes))
        # Noise that series share lasts for hours: a part of an hour has as much of it as the hour.
        self._dispersion = by_hours[[WINDOWS.index(max(w // self.per_hour, 1)) for w in self.windows]]

    def _sums(self, values: Reals) -> Reals:
        return np.concatenate([groups.sum(values) for groups in self._groups])

    def _grid(self) -> Whole:
        """[category, region] node of each pair; the last row holds the regions as a whole; -1 = no such node."""
        pairs, regions = self._groups[4].keys, self._groups[3].keys[0]
        usable = [code for code in regions if self._cube.names[2][code] != UNKNOWN]
        places = {code: place for place, code in enumerate(usable)}
        grid = np.full((len(self._cube.names[1]) + 1, len(usable)), -1, dtype=np.int64)
        for node, (category, region) in enumerate(pairs.T):
            if region in places:
                grid[category, places[region]] = self._starts[4] + node
        for node, region in enumerate(regions):
            if region in places:
                grid[-1, places[region]] = self._starts[3] + node
        return grid

    def _learn(self, level: Whole) -> Reals:
        """[window, node, day] dispersion beyond the variance of series that the days before showed.

        A node's own leans on that of its level, and this on what is usual. Hours of surges count for nothing.
        """
        hourly = [self._cube.measures[name] for name in ("subjects", "expected", "variance")]
        days = self.hours // 24
        of = Groups(self.nodes, level)
        sums = np.zeros((2, days, len(WINDOWS), self.nodes))
        found = np.zeros((days, len(WINDOWS), self.nodes))
        quiet = np.ones(hourly[0].shape, dtype=bool)
        # Expectations from little history err more: what they err by is no noise of later days.
        weights = np.where(np.arange(days) < _YOUNG_DAYS, _YOUNG_WEIGHT, 1.0)

        def by_level(values: Reals) -> Reals:
            return of.sum(values.T).T[:, of.of]

        for day in range(days):
            first, begin, end = max(day * 24 - LOOK_BACK, 0), day * 24, day * 24 + 24
            top, bottom = sums[:, max(day - _MEMORY_DAYS, 0) : day].sum(1)
            one_day = bottom / max(weights[max(day - _MEMORY_DAYS, 0) : day].sum(), 1e-9)
            usual = shrunk_dispersion(
                by_level(top), by_level(bottom), usual_dispersion(), _LEVEL_WEIGHT_DAYS * by_level(one_day)
            )
            found[day] = shrunk_dispersion(top, bottom, usual, _NODE_WEIGHT_DAYS * one_day)
            now = [values[:, first:end] for values in hourly]
            quiet[:, begin:end] = ~self._surging(now, begin - first, found[day])
            at = slice(begin - first, None)
            calm = [self._sums(values * quiet[:, first:end]) for values in now]
            for place, (_, window) in enumerate(window_sums(*calm)):
                seen, mean, spread = (values[:, at] for values in window)
                cells = extra_dispersion(seen, mean, spread, found[day, place][:, None])
                sums[:, day, place] = [weights[day] * part.sum(1) for part in cells]
        return np.moveaxis(found, 0, 2)

    def _surging(self, now: list[Reals], begin: int, dispersion: Reals) -> Flags:
        """[series, hour from ``begin`` on] in which a node that holds the series was too high to be chance."""
        surging = np.zeros((self.series, now[0].shape[1]), dtype=bool)
        nodes = slice(0, self._starts[-2])  # single series decide nothing
        for length, sums in window_sums(*(self._sums(values)[nodes] for values in now), windows=(1, 3)):
            seen, mean, spread = (values[:, begin:] for values in sums)
            variance = spread + dispersion[WINDOWS.index(length)][nodes, None] * mean**2
            at = np.nonzero((seen - mean >= 2) & (seen - mean > 2.5 * np.sqrt(variance)))
            hit = score(seen[at], mean[at], variance[at]) >= _MASK_SCORE
            for node, hour in zip(at[0][hit], at[1][hit] + begin, strict=True):
                series = self._node_at(int(node))[1]
                surging[series, max(hour - length, 0) : hour + 2] = True
        return surging[:, begin:]

    def _by_step(self, first: int, end: int) -> tuple[Reals, Reals, Reals]:
        """Counts, expected counts and what their variance has beyond them, [series, step] of these steps."""
        n = self.per_hour
        hours = slice(first // n, -(-end // n))
        cut = slice(first - hours.start * n, end - hours.start * n)
        expected, variance = (self._cube.measures[name][:, hours] / n for name in ("expected", "variance"))
        if n > 1:
            expected, variance = (np.repeat(values, n, axis=1)[:, cut] for values in (expected, variance))
        return self.seen[:, first:end], expected, variance - expected

    def expected(self, first: int, end: int) -> Reals:
        """[series, step] expected counts of these steps."""
        return self._by_step(first, end)[1]

    def _part(self, window: int) -> float:
        """Noise of an hour is shared by its quarters: in a short window less of it cancels out."""
        return min(window, self.per_hour) / self.per_hour

    def hot_steps(self, thresholds: Reals) -> Flags:
        """Steps in which any node reaches the day's threshold [day]."""
        steps = self.hours * self.per_hour
        hot = np.zeros(steps, dtype=bool)
        chunk, before = _CHUNK_HOURS * self.per_hour, LOOK_BACK * self.per_hour
        for begin in range(0, steps, chunk):
            first, end = max(begin - before, 0), min(begin + chunk, steps)
            summed = [
                np.concatenate([np.zeros((self.nodes, 1)), np.cumsum(self._sums(values), axis=1)], axis=1)
                for values in self._by_step(first, end)
            ]
            at = np.arange(begin, end) + 1 - first
            day = np.arange(begin, end) // (24 * self.per_hour)

            def window(length: int, summed: list[Reals] = summed, at: Whole = at) -> list[Reals]:
                start = np.maximum(at - length, 0)
                return [sums[:, at] - sums[:, start] for sums in summed]

            recent = window(_FRESH_HOURS * self.per_hour)
            fresh = _fresh(recent[0], recent[1])
            for place, length in enumerate(self.windows):
                count, mean, more = window(length)
                spread = mean + self._part(length) * more
                extra = self._dispersion[place][:, day]
                found = _reached(count, mean, spread + extra * mean**2, fresh)
                hot[begin + found[1][found[2] >= thresholds[day[found[1]]]]] = True
                union = self._unions(count, mean, spread, extra, *recent[:2])
                found = _reached(*union[:4])
                reached = found[2] - _charge(len(self._regions[0]), found[0] // len(self._regions) + 2)
                hot[begin + found[1][reached >= thresholds[day[found[1]]]]] = True
        return hot

    def _unions(
        self, count: Reals, mean: Reals, spread: Reals, extra: Reals, recent: Reals, usual: Reals
    ) -> tuple[Reals, Reals, Reals, Flags, Whole]:
        """Of each category, and of all, the 2 to 5 regions that stand out most, per column.

        Returns:
            count, mean, variance and freshness [number of regions and category, column], and the order of
            regions [category, place, column].
        """
        grid = self._regions
        missing = (grid < 0)[:, :, None]
        own = extra[grid] * mean[grid] ** 2
        deviation = np.where(missing, -np.inf, (count[grid] - mean[grid]) / np.sqrt(spread[grid] + own + 1e-9))
        order = np.argsort(-deviation, axis=1, kind="stable")[:, :_MOST_REGIONS]
        # What regions of a category share is what the category shows.
        codes = np.searchsorted(self._groups[2].keys[0], np.arange(len(grid) - 1))
        categories = np.append(self._starts[2] + np.minimum(codes, len(self._groups[2].keys[0]) - 1), 0)
        shared = extra[categories][:, None]

        def top(values: Reals) -> Reals:
            ordered = np.take_along_axis(np.where(missing, 0.0, values), order, axis=1)
            sums = np.cumsum(ordered, axis=1)[:, 1:]
            return np.moveaxis(sums, 1, 0).reshape(-1, values.shape[2])

        means = top(mean[grid])
        alone = top(spread[grid] + np.maximum(extra[grid] - shared, 0.0) * mean[grid] ** 2)
        common = np.tile(extra[categories], (len(means) // len(grid), 1)) * means**2
        fresh = _fresh(top(recent[grid]), top(usual[grid]))
        return top(count[grid]), means, alone + common, fresh, order

    def best(self, seen: Reals, step: int, threshold: float, within: Flags | None = None) -> Candidate | None:
        """The node and window, ending with ``step``, that chance explains least; None below ``threshold``.

        Args:
            seen: [series, step] counts of the look-back that ends with ``step``.
            step: position of the last step.
            threshold: the score to reach.
            within: only nodes that hold one of these series.
        """
        length = seen.shape[1]
        _, expected, more = self._by_step(step + 1 - length, step + 1)
        places = np.minimum(np.array(self.windows), length) - 1
        backwards = [np.cumsum(values[:, ::-1], axis=1) for values in (seen, expected, more)]
        recent = min(_FRESH_HOURS * self.per_hour, length) - 1
        fresh_seen, fresh_mean = (self._sums(sums[:, [recent]]) for sums in backwards[:2])
        count, mean, more = (self._sums(sums[:, places]) for sums in backwards)
        spread = mean + np.array([self._part(w) for w in self.windows]) * more
        extra = self._dispersion[:, :, step // (24 * self.per_hour)].T
        fresh = np.broadcast_to(_fresh(fresh_seen, fresh_mean), count.shape)
        if within is not None:
            fresh = fresh & (self._sums(within[:, None].astype(float)) > 0)
        single = _reached(count, mean, spread + extra * mean**2, fresh)
        wide = [np.broadcast_to(values, count.shape) for values in (fresh_seen, fresh_mean)]
        joint = self._unions(count, mean, spread, extra, *wide)
        union, order = _reached(*joint[:4]), joint[4]
        charge = _charge(len(self._regions[0]), union[0] // len(self._regions) + 2)
        scores = np.concatenate([single[2], union[2] - charge])
        top = float(scores.max(initial=0.0))
        if top < threshold:
            return None
        # A chance tells that something is wrong; where, the likelihood of one factor on all series of a node.
        noise = spread / np.maximum(mean, 1e-9)
        gains = np.concatenate(
            [
                _gain(count, mean, noise, single[:2]),
                # Regions were chosen by what they show.
                _gain(joint[0], joint[1], np.maximum(noise[0], 1.0), union[:2]) - 2.3 * charge,
            ]
        )
        gains[scores < 0.6 * threshold] = -np.inf
        for pick in np.argsort(-gains, kind="stable"):
            at, is_union = (pick, False) if pick < len(single[0]) else (pick - len(single[0]), True)
            node, column = (int(part[at]) for part in (union if is_union else single)[:2])
            scope, series = self._union_at(node, order[:, :, column]) if is_union else self._node_at(node)
            if within is None or (series & within).any():
                return Candidate(scope, series, int(places[column]) + 1, top, float(gains[pick]))
        return None

    def _node_at(self, node: int) -> tuple[Scope, Flags]:
        level = int(np.searchsorted(self._starts, node, side="right")) - 1
        groups, number = self._groups[level], node - int(self._starts[level])
        named = {
            key: self._cube.names[KEYS.index(key)][code]
            for key, code in zip(_LEVELS[level], groups.keys[:, number], strict=False)
        }
        region = named.get("region")
        scope = Scope(named.get("channel"), named.get("category"), None if region is None else (region,))
        return scope, groups.of == number

    def _union_at(self, node: int, order: Whole) -> tuple[Scope, Flags]:
        number, category = divmod(node, len(self._regions))
        members = self._regions[category, order[category, : number + 2]]
        parts = [self._node_at(int(member)) for member in members if member >= 0]
        regions = tuple(sorted(part[0].regions[0] for part in parts if part[0].regions))
        series = np.any([part[1] for part in parts], axis=0)
        return Scope(None, parts[0][0].category, regions), series


def _charge(regions: int, number: Whole) -> Reals:
    """-log10 of the share of one choice of ``number`` out of ``regions`` among all such choices."""

    def ways(k: int) -> float:
        k = min(k, regions)
        return (lgamma(regions + 1) - lgamma(k + 1) - lgamma(regions - k + 1)) / log(10)

    table = np.array([ways(k) for k in range(_MOST_REGIONS + 1)])
    return np.asarray(table[number])


def _reached(count: Reals, mean: Reals, variance: Reals, fresh: Flags) -> tuple[Whole, Whole, Reals]:
    """Row, column and score of the cells that stand out."""
    excess = count - mean
    row, column = np.nonzero(fresh & (excess >= LEAST_EXCESS) & (excess > _SCREEN * np.sqrt(variance)))
    if not row.size:
        return row, column, np.zeros(0)
    at = row, column
    return row, column, score(count[at], mean[at], variance[at])


def _gain(count: Reals, mean: Reals, noise: Reals, at: tuple[Whole, Whole]) -> Reals:
    """Log likelihood ratio of the best factor in the cells ``at``, relative to the noise of single series."""
    seen, usual = count[at], np.maximum(mean[at], 1e-9)
    over = noise[at] if noise.shape == count.shape else noise[at[1]]
    return np.asarray((seen * np.log(seen / usual) - (seen - usual)) / over)


def _fresh(seen: Reals, mean: Reals) -> Flags:
    """Whether the last two hours are high too: an alarm needs evidence that is long and recent."""
    return np.asarray(seen >= 1.25 * mean + 0.5)
