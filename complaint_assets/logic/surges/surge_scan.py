"""Which place or matter stands out: every node of the lattice, in windows that end with a step.

A node is a set of series that share a channel, category or region, or several of them, or all series. What a
node is expected to hold is the sum over its series. Its variance is their sum, and what its own residuals
of earlier days showed beyond that: noise that series share. Regions of one category are also tried together,
those that stand out most first, whatever the map; their freedom of choice is charged to the score.
A step is an hour, or a quarter of one: windows slide by steps. Whoever looks more often errs more often: looks
between the hours are charged, and kinds of nodes of which there are few are credited.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import lgamma, log

import numpy as np

from complaint_assets.logic.facts import UNKNOWN

from .counts import KEYS, WINDOWS, Cube, Flags, Groups, Reals, Whole, score
from .noise import LOOK_BACK, Earlier, learn
from .scopes import Scope

LEAST_EXCESS = 5.0
_LEVELS = ((), ("channel",), ("category",), ("region",), ("category", "region"), ("channel", "category"),
           ("channel", "region"), ("channel", "category", "region"))  # fmt: skip
_SCREEN = 3.5  # standard deviations; below, no exact chance is worked out
_MOST_REGIONS = 5
_FRESH_HOURS = 2
_BETWEEN = 0.6  # charge of a look between the hours, and of one at a part of an hour: four times as many looks
_FEW = 0.5  # of the orders of magnitude by which nodes of a kind are fewer than series: halfway to equal shares


@dataclass(frozen=True)
class Candidate:
    """A node and window with more than chance explains.

    Attributes:
        scope: the node.
        series: those that it holds.
        steps: length of the window.
        score: -log10 of the least chance in any node and window, charged for how many there are.
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
        earlier: gives, for a lattice, what is remembered of days before the first that is to be scanned;
            None = all days are scanned.
    """

    def __init__(
        self,
        cube: Cube,
        quarters: Reals | None = None,
        earlier: "Callable[[Lattice], Earlier] | None" = None,
    ) -> None:
        self.cube = cube
        self.per_hour = 1 if quarters is None else 4
        self.seen = cube.measures["subjects"] if quarters is None else quarters
        self.series = len(self.seen)
        self.hours = cube.measures["subjects"].shape[1]
        self.windows = tuple(range(1, self.per_hour // 2 + 1)) + tuple(w * self.per_hour for w in WINDOWS)
        self._groups = [Groups(self.series, *(cube.codes[KEYS.index(key)] for key in fixed)) for fixed in _LEVELS]
        sizes = [groups.keys.shape[1] for groups in self._groups]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._level = np.repeat(np.arange(len(sizes)), sizes)
        self.nodes = int(self._starts[-1])
        self._regions = self._grid()
        before = None if earlier is None else earlier(self)
        self.first_day = 0 if before is None else before.first_day
        self.noise = learn(cube, self._level, self.sums, self.members, int(self._starts[-2]), before)
        # Noise that series share lasts for hours: a part of an hour has as much of it as the hour.
        self._dispersion = self.noise.dispersion[[WINDOWS.index(max(w // self.per_hour, 1)) for w in self.windows]]

    def sums(self, values: Reals) -> Reals:
        """[node, ...] from [series, ...]."""
        return np.concatenate([groups.sum(values) for groups in self._groups])

    def _grid(self) -> Whole:
        """[category, region] node of each pair; the last row holds the regions as a whole; -1 = no such node."""
        pairs, regions = self._groups[4].keys, self._groups[3].keys[0]
        usable = [code for code in regions if self.cube.names[2][code] != UNKNOWN]
        places = {code: place for place, code in enumerate(usable)}
        grid = np.full((len(self.cube.names[1]) + 1, len(usable)), -1, dtype=np.int64)
        for node, (category, region) in enumerate(pairs.T):
            if region in places:
                grid[category, places[region]] = self._starts[4] + node
        for node, region in enumerate(regions):
            if region in places:
                grid[-1, places[region]] = self._starts[3] + node
        return grid

    def by_step(self, first: int, end: int) -> tuple[Reals, Reals, Reals]:
        """Counts, expected counts and what their variance has beyond them, [series, step] of these steps."""
        n = self.per_hour
        hours = slice(first // n, -(-end // n))
        cut = slice(first - hours.start * n, end - hours.start * n)
        expected, variance = (self.cube.measures[name][:, hours] / n for name in ("expected", "variance"))
        if n > 1:
            expected, variance = (np.repeat(values, n, axis=1)[:, cut] for values in (expected, variance))
        return self.seen[:, first:end], expected, variance - expected

    def expected(self, first: int, end: int) -> Reals:
        """[series, step] expected counts of these steps."""
        return self.by_step(first, end)[1]

    def part(self, window: int) -> float:
        """Noise of an hour is shared by its quarters: in a short window less of it cancels out."""
        return min(window, self.per_hour) / self.per_hour

    @cached_property
    def peaks(self) -> Reals:
        """[step] the highest score of any node and window; 0 before the first day that is scanned.

        Day by day, so that sums round alike wherever the hours that are looked at begin.
        """
        day_steps, before = 24 * self.per_hour, LOOK_BACK * self.per_hour
        peaks = np.zeros(self.hours * self.per_hour)
        enough = self._enough()
        for day in range(self.first_day, self.hours // 24):
            begin = day * day_steps
            if not enough[begin : begin + day_steps].any():
                continue
            first, end = max(begin - before, 0), begin + day_steps
            summed = [
                np.concatenate([np.zeros((self.nodes, 1)), np.cumsum(self.sums(values), axis=1)], axis=1)
                for values in self.by_step(first, end)
            ]
            at = np.arange(begin, end) + 1 - first

            def window(length: int, summed: list[Reals] = summed, at: Whole = at) -> list[Reals]:
                start = np.maximum(at - length, 0)
                return [sums[:, at] - sums[:, start] for sums in summed]

            recent = window(_FRESH_HOURS * self.per_hour)
            fresh = _fresh(recent[0], recent[1])
            for place, length in enumerate(self.windows):
                count, mean, more = window(length)
                spread = mean + self.part(length) * more
                extra = self._dispersion[place][:, day, None]
                looks = self._looks(np.full(at.shape, length), np.arange(begin, end))
                credit = self._credit(mean)
                found = _reached(count, mean, spread + extra * mean**2, fresh)
                fair = found[2] + credit[self._level[found[0]], found[1]]
                np.maximum.at(peaks, begin + found[1], fair - looks[found[1]])
                union = self._unions(count, mean, spread, extra, *recent[:2])
                found = _reached(*union[:4])
                fair = found[2] + credit[-1, found[1]] - self._charge(union[5], found)
                np.maximum.at(peaks, begin + found[1], fair - looks[found[1]])
        return peaks

    def _enough(self) -> Flags:
        """[step] whether a node could show ``LEAST_EXCESS``: all series came to it in the longest window."""
        total = np.concatenate([[0.0], np.cumsum(self.seen.sum(0))])
        end = np.arange(1, total.size)
        return np.asarray(total[end] - total[np.maximum(end - max(self.windows), 0)] >= LEAST_EXCESS - 1e-6)

    def _charge(self, regions: Whole, found: tuple[Whole, Whole, Reals]) -> Reals:
        """What the choice of the regions of the unions ``found`` costs: see ``charge``."""
        return charge(regions[found[1]], found[0] // len(self._regions) + 2)

    def _looks(self, windows: Whole, steps: Whole) -> Reals:
        """[column] charge for windows of so many steps that end with ``steps``."""
        n = self.per_hour
        return _BETWEEN * ((windows < n).astype(float) + ((steps + 1) % n > 0))

    def _credit(self, mean: Reals) -> Reals:
        """[kind of node, column] what a score gains where nodes of its kind are fewer than series.

        The last kind are unions. Nodes of which nothing is expected are not counted: they may not exist yet.
        """
        heard = np.add.reduceat((mean > 0).astype(np.int64), self._starts[:-1], axis=0)
        unions = (_MOST_REGIONS - 1) * (heard[2] + 1)
        kinds = np.concatenate([heard, unions[None]])
        return np.asarray(_FEW * np.log10(np.maximum(heard[-1] / np.maximum(kinds, 1), 1.0)))

    def _unions(
        self, count: Reals, mean: Reals, spread: Reals, extra: Reals, recent: Reals, usual: Reals
    ) -> tuple[Reals, Reals, Reals, Flags, Whole, Whole]:
        """Of each category, and of all, the 2 to 5 regions that stand out most, per column.

        Returns:
            count, mean, variance and freshness [number of regions and category, column], the order of
            regions [category, place, column], and how many regions there are to choose from [column].
        """
        grid = self._regions
        # A region of which nothing is expected then is not there, whatever came later.
        missing = (grid < 0)[:, :, None] | (mean[grid] <= 0)
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
        return top(count[grid]), means, alone + common, fresh, order, (~missing[-1]).sum(0)

    def best(self, seen: Reals, step: int, threshold: float, within: Flags | None = None) -> Candidate | None:
        """The node and window, ending with ``step``, that chance explains least; None below ``threshold``.

        Args:
            seen: [series, step] counts of the look-back that ends with ``step``.
            step: position of the last step.
            threshold: the score to reach.
            within: only nodes that hold one of these series.
        """
        length = seen.shape[1]
        _, expected, more = self.by_step(step + 1 - length, step + 1)
        places = np.minimum(np.array(self.windows), length) - 1
        backwards = [np.cumsum(values[:, ::-1], axis=1) for values in (seen, expected, more)]
        recent = min(_FRESH_HOURS * self.per_hour, length) - 1
        fresh_seen, fresh_mean = (self.sums(sums[:, [recent]]) for sums in backwards[:2])
        count, mean, more = (self.sums(sums[:, places]) for sums in backwards)
        spread = mean + np.array([self.part(w) for w in self.windows]) * more
        extra = self._dispersion[:, :, step // (24 * self.per_hour)].T
        fresh = np.broadcast_to(_fresh(fresh_seen, fresh_mean), count.shape)
        if within is not None:
            fresh = fresh & (self.sums(within[:, None].astype(float)) > 0)
        single = _reached(count, mean, spread + extra * mean**2, fresh)
        wide = [np.broadcast_to(values, count.shape) for values in (fresh_seen, fresh_mean)]
        joint = self._unions(count, mean, spread, extra, *wide)
        union, order = _reached(*joint[:4]), joint[4]
        price = self._charge(joint[5], union)
        looks, credit = self._looks(places + 1, np.full(places.shape, step)), self._credit(mean)
        scores = np.concatenate(
            [
                single[2] + credit[self._level[single[0]], single[1]] - looks[single[1]],
                union[2] + credit[-1, union[1]] - price - looks[union[1]],
            ]
        )
        top = float(scores.max(initial=0.0))
        if top < threshold:
            return None
        # A chance tells that something is wrong; where, the likelihood of one factor on all series of a node.
        noise = spread / np.maximum(mean, 1e-9)
        gains = np.concatenate(
            [
                _gain(count, mean, noise, single[:2]),
                # Regions were chosen by what they show.
                _gain(joint[0], joint[1], np.maximum(noise[0], 1.0), union[:2]) - 2.3 * price,
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
            key: self.cube.names[KEYS.index(key)][code]
            for key, code in zip(_LEVELS[level], groups.keys[:, number], strict=False)
        }
        region = named.get("region")
        scope = Scope(named.get("channel"), named.get("category"), None if region is None else (region,))
        return scope, groups.of == number

    def members(self, node: int) -> Flags:
        """[series] those that ``node`` holds."""
        return self._node_at(node)[1]

    def series_of(self, scope: Scope) -> Flags:
        """[series] those that ``scope`` holds."""
        wanted = (scope.channel and (scope.channel,), scope.category and (scope.category,), scope.regions)
        within = np.ones(self.series, dtype=bool)
        for names, codes, parts in zip(self.cube.names, self.cube.codes, wanted, strict=True):
            if parts is not None:
                within &= np.isin(codes, [place for place, name in enumerate(names) if name in parts])
        return within

    @cached_property
    def labels(self) -> list[str]:
        """Names of the nodes, whatever else there is."""
        found = []
        for keys, groups in zip(_LEVELS, self._groups, strict=True):
            for codes in groups.keys.T:
                named = dict(zip(keys, codes, strict=False))
                found.append(
                    json.dumps(
                        [
                            self.cube.names[place][named[key]] if key in named else None
                            for place, key in enumerate(KEYS)
                        ]
                    )
                )
        return found

    def _union_at(self, node: int, order: Whole) -> tuple[Scope, Flags]:
        number, category = divmod(node, len(self._regions))
        members = self._regions[category, order[category, : number + 2]]
        parts = [self._node_at(int(member)) for member in members if member >= 0]
        regions = tuple(sorted(part[0].regions[0] for part in parts if part[0].regions))
        series = np.any([part[1] for part in parts], axis=0)
        return Scope(None, parts[0][0].category, regions), series


def charge(regions: Whole, number: Whole) -> Reals:
    """-log10 of the share of one choice of ``number`` out of ``regions`` among all such choices."""
    most = int(regions.max(initial=0))

    def ways(n: int, k: int) -> float:
        k = min(k, n)
        return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / log(10)

    table = np.array([[ways(n, k) for k in range(_MOST_REGIONS + 1)] for n in range(most + 1)])
    return np.asarray(table[regions, number])


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
