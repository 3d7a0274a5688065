"""Hourly counts as arrays [series, hour], sums over groups and windows of them, and the law of such counts.

What surge metrics, incidents and forecasts share. Counts are taken to be negative binomial: Poisson with
extra variance. Sums run in a fixed order, so equal counts give equal figures whatever the order of rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Reals = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

KEYS = ("channel", "category", "region")
WINDOWS = (1, 2, 3, 4, 6, 8, 12)
"""Lengths in hours of the windows that are scanned (reference design)."""

_HOUR_US = 3_600_000_000
_HIGHEST_SCORE = 300.0  # below this chance a double underflows
_SUMMED_UP_TO = 60.0  # mean; beyond, a search takes fewer steps than a sum
_USUAL_NODE_DISPERSION = 0.02  # shared noise of about 14 %
_LEAST_NODE_DISPERSION = 0.01


def midnight(day: date) -> datetime:
    """The start of ``day`` in UTC."""
    return datetime.combine(day, time(), UTC)


def hour_number(moment: datetime) -> int:
    """Whole hours from the epoch to ``moment``."""
    return int(moment.timestamp() // 3600)


def hour_column(numbers: Whole) -> pa.Array:
    """Hour numbers as UTC timestamps."""
    return pa.array(numbers * _HOUR_US).cast(pa.timestamp("us", tz="UTC"))


@dataclass(frozen=True)
class Cube:
    """Measures per series and hour; series are sorted by channel, category and region.

    Attributes:
        names: the values of each key, sorted.
        codes: position in ``names`` per key and series.
        measures: [series, hour] per measure; 0 where there is no row, sums where there are several.
    """

    names: tuple[tuple[str, ...], ...]
    codes: tuple[Whole, ...]
    measures: Mapping[str, Reals]

    @classmethod
    def of(cls, rows: pa.Table, measures: tuple[str, ...], first: int, hours: int) -> "Cube":
        """The cube of ``rows`` (keys, ``bucket_start``, ``measures``) for ``hours`` hours from ``first`` on."""
        at = pc.cast(rows["bucket_start"], pa.timestamp("us", tz="UTC")).cast(pa.int64())
        hour = at.to_numpy() // _HOUR_US - first
        within = (hour >= 0) & (hour < hours)
        names, codes = zip(*(_codes(rows[key], within) for key in KEYS), strict=True)
        # One number per triple: sorting rows of a matrix takes ten times as long.
        sizes = tuple(max(len(values), 1) for values in names)
        found, position = np.unique(np.ravel_multi_index(codes, sizes), return_inverse=True)
        series = np.unravel_index(found, sizes)
        cell = position * hours + hour[within]
        size = found.size * hours
        return cls(
            names,
            tuple(part.astype(np.int64) for part in series),
            {
                name: np.bincount(cell, _reals(rows[name])[within], size).astype(np.float64).reshape(-1, hours)
                for name in measures
            },
        )

    def column(self, key: str, series: Whole) -> pa.Array:
        """The values of ``key`` for the positions in ``series``."""
        place = KEYS.index(key)
        return pa.array(self.names[place], pa.string()).take(pa.array(self.codes[place][series]))


def _reals(column: pa.ChunkedArray) -> Reals:
    return np.asarray(pc.fill_null(column, 0).to_numpy(), dtype=np.float64)


def _codes(column: pa.ChunkedArray, within: Flags) -> tuple[tuple[str, ...], Whole]:
    """The sorted values of ``column``, and the position in them of each row ``within``."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    values = encoded.dictionary.to_pylist()
    names = tuple(sorted(values))
    place = {name: position for position, name in enumerate(names)}
    order = np.array([place[value] for value in values], dtype=np.int64)
    return names, order[encoded.indices.to_numpy(zero_copy_only=False)[within]]


class Groups:
    """Series grouped by equal codes; without codes all series are one group."""

    def __init__(self, series: int, *codes: Whole) -> None:
        stacked = np.stack(codes or (np.zeros(series, dtype=np.int64),))
        self.keys, position = np.unique(stacked, axis=1, return_inverse=True)
        self.of: Whole = position.reshape(-1)
        self._order = np.argsort(self.of, kind="stable")
        self._starts = np.searchsorted(self.of[self._order], np.arange(self.keys.shape[1]))

    def sum(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """[group, ...] from [series, ...]."""
        if not len(values):
            return values
        return np.add.reduceat(values[self._order], self._starts, axis=0)


def window_sums(*hourly: Reals, windows: tuple[int, ...] = WINDOWS) -> Iterator[tuple[int, list[Reals]]]:
    """For each window its length and the sums of the hours that end with each hour, per array [node, hour].

    The arrays are reused: take what is needed before the next step.
    """
    totals = [np.zeros_like(values) for values in hourly]
    for lag in range(windows[-1]):
        for total, values in zip(totals, hourly, strict=True):
            total[:, lag:] += values[:, : values.shape[1] - lag]
        if lag + 1 in windows:
            yield lag + 1, totals


def extra_dispersion(observed: Reals, expected: Reals, variance: Reals, believed: Reals) -> tuple[Reals, Reals]:
    """Numerator and denominator, per cell, of the variance beyond ``variance`` relative to the squared mean.

    Cells far off, such as surges and gaps in a feed, count for nothing: they are not noise.

    Args:
        believed: the dispersion by which far is told. Begin with 0, so that surges do not pass for noise: it is
            taken for the least that there is, and what then is found is to be believed in a second look.
    """
    residual = observed - expected
    square = expected**2
    likely = np.maximum(believed, _LEAST_NODE_DISPERSION)
    usual = np.abs(residual) <= 3.5 * np.sqrt(variance + likely * square) + 1.5
    return np.where(usual, residual**2 - variance, 0.0), np.where(usual, square, 0.0)


def shrunk_dispersion(numerator: Reals, denominator: Reals, prior: Reals | float, weight: Reals | float) -> Reals:
    """Their ratio, pulled towards ``prior`` with the ``weight`` of so much denominator; never negative."""
    whole = denominator + weight
    return np.maximum((numerator + prior * weight) / np.where(whole > 0, whole, 1.0), 0.0)


def usual_dispersion() -> float:
    """What is assumed of a node before its residuals tell."""
    return _USUAL_NODE_DISPERSION


def _shape(mean: Reals, variance: Reals) -> tuple[Reals, Reals]:
    """Size and probability of the negative binomial; at least 1 % overdispersed, so both are finite."""
    mean = np.maximum(mean, 1e-9)
    variance = np.maximum(variance, 1.01 * mean)
    return mean**2 / (variance - mean), 1 - mean / variance


def score(observed: Reals, mean: Reals, variance: Reals) -> Reals:
    """-log10 of the mid-p chance of at least ``observed`` under a negative binomial."""
    from scipy.special import betainc  # slow to import

    size, probability = _shape(mean, variance)
    at_least = np.where(observed > 0, betainc(np.maximum(observed, 1e-9), size, probability), 1.0)
    more = betainc(observed + 1, size, probability)
    return np.abs(np.log10(np.maximum((at_least + more) / 2, 10**-_HIGHEST_SCORE)))


def quantile(level: float, mean: Reals, variance: Reals) -> Reals:
    """The least count that a negative binomial does not exceed with a chance of ``level``."""
    return quantiles((level,), mean, variance)[0]


def quantiles(levels: tuple[float, ...], mean: Reals, variance: Reals) -> list[Reals]:
    """Per level the least count that a negative binomial does not exceed with such a chance.

    Small means are summed up chance by chance, for all levels at once; large ones are searched.
    """
    size, probability = _shape(mean.ravel(), variance.ravel())
    found = np.zeros((len(levels), size.size))
    small = mean.ravel() <= _SUMMED_UP_TO
    cells = np.flatnonzero(small)
    chance = np.exp(size[cells] * np.log1p(-probability[cells]))
    below, count = chance.copy(), 0
    highest = max(levels)
    while cells.size:
        left = below < highest
        cells, chance, below = cells[left], chance[left], below[left]
        for place, level in enumerate(levels):
            found[place, cells[below < level]] = count + 1
        chance = chance * probability[cells] * (count + size[cells]) / (count + 1)
        below = below + chance
        count += 1
        if count > 40 * _SUMMED_UP_TO:  # rounding keeps the sum below the level: the tail is empty
            break
    large = np.flatnonzero(~small)
    for place, level in enumerate(levels):
        found[place, large] = _searched(level, mean.ravel()[large], variance.ravel()[large])
    return [values.reshape(mean.shape) for values in found]


def _searched(level: float, mean: Reals, variance: Reals) -> Reals:
    """The same by search."""
    from scipy.special import betainc, ndtri  # slow to import

    size, probability = _shape(mean, variance)

    def reaches(count: Reals, cells: Whole) -> Flags:
        return np.asarray(1 - betainc(count + 1, size[cells], probability[cells]) >= level)

    # From a normal guess step up until the level is reached, then down while it still is.
    found = np.maximum(np.floor(mean + ndtri(level) * np.sqrt(np.maximum(variance, mean))), 0.0)
    cells = np.arange(found.size)
    while cells.size:
        cells = cells[~reaches(found[cells], cells)]
        found[cells] += 1
    cells = np.flatnonzero(found)
    while cells.size:
        cells = cells[reaches(found[cells] - 1, cells)]
        found[cells] -= 1
        cells = cells[found[cells] > 0]
    return found


def rounded(values: Reals) -> Reals:
    """To seven digits: the last bits of logarithms differ between machines."""
    return values.astype(np.float32).astype(float)
