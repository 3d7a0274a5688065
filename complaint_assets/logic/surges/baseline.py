"""What a quiet hour brings: expected counts per series, learnt from the eight weeks before a day.

Each (channel, category) has a profile over the hours of the week; a sparse one leans on hour times weekday,
and those on the channel's. A series takes its region's share of it, raised or lowered to the level of the
last week. Every estimate is a gamma-Poisson mean: counts plus pseudo-counts of what it leans on. Hours of
earlier surges are replaced by what was expected, so that a surge hides none after it.
"""

from dataclasses import dataclass

import numpy as np

from complaint_assets.logic.plan import BASELINE_DAYS

from .calendar import silences
from .counts import (
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

WEEKS = BASELINE_DAYS // 7
HISTORY_HOURS = BASELINE_DAYS * 24
DAY_SHARE = 0.95
"""Share of one hour of the day from which on a source is taken to know days only."""
WARM_UP_DAYS = 7
"""Days a channel must have been heard before anything is expected of it."""

_ENOUGH_CONTACTS = 10  # whose hour is the same by chance hardly ever
_PROFILE_COUNTS = 40.0  # pseudo-counts per hour of the week, hour and weekday (reference design)
_SHARE_COUNTS = 20.0
_LEVEL_COUNTS = 60.0
_USUAL_DISPERSION = 0.15  # of one series: gamma noise of shape 6
_DISPERSION_WEIGHT = 100.0
_YOUNG_DISPERSION = 0.2
_MASK_PASSES = 2
_MASK_SCORE = 3.5
_MOST_MASKED = 0.15  # a node that is high more often than this has a new level, which must be learnt


@dataclass(frozen=True)
class Baseline:
    """Expected counts per series from the first hour of the history on.

    Attributes:
        profile: [series, hour of the week], the week beginning with the first hour of the history.
        dispersion: variance beyond the mean over the squared mean, per series.
        ready: series whose channel has been heard for long enough.
        heard: [series, hour of the history] that count as history.
        rhythm: [channel, hour of the day] contacts as they came on the days that were heard.
    """

    profile: Reals
    dispersion: Reals
    ready: Flags
    heard: Flags
    rhythm: Reals

    def expected(self, first: int, hours: int) -> Reals:
        """[series, hours] from the hour ``first`` of the history on, which may lie beyond its end."""
        return self.profile[:, np.arange(first, first + hours) % 168]

    def variance(self, expected: Reals) -> Reals:
        """Variance of counts whose mean is ``expected`` [series, hours]."""
        return expected + self.dispersion[:, None] * expected**2


def fit(
    subjects: Reals,
    known: Flags,
    channel: Whole,
    category: Whole,
    region: Whole,
    *,
    apart: Flags | None = None,
    contacts: Reals | None = None,
) -> Baseline:
    """Learn the baseline.

    Args:
        subjects: [series, hour] of the ``HISTORY_HOURS`` before the day.
        known: series with any count in them. The others get an expectation and influence nothing.
        channel: code per series, as are ``category`` and ``region``.
        apart: days that are like no other, such as holidays: nothing is learnt from them.
        contacts: [series, hour] contacts of any kind, which tell a silent source from quiet customers;
            ``subjects`` if None.
    """
    series = len(subjects)
    cells = Groups(series, channel, category)
    days = _heard_days(subjects, channel)
    if apart is not None:
        days &= ~apart
    channels = Groups(series, channel)
    heard_contacts = channels.sum(subjects if contacts is None else contacts)
    rhythm = _by_hour(heard_contacts, channels.sum(days.astype(float)) > 0)
    heard = np.repeat(days & known[:, None], 24, axis=1)
    nodes = [
        Groups(series, *codes) for codes in ((), (category,), (region,), (category, region), (channel, category))
    ]
    counted = subjects * heard
    clean = counted
    surging = np.zeros(subjects.shape, dtype=bool)
    for left in range(_MASK_PASSES, -1, -1):
        share = _shares(clean, cells, category, region)
        weekly = _profiles(clean, days, cells, channel)[cells.of] * share[:, None]
        expected = np.tile(weekly, WEEKS) * heard
        dispersion = _series_dispersion(counted, expected, heard & ~surging, cells)
        if left:
            variance = expected + dispersion[:, None] * expected**2
            surging = _surging(counted, expected, variance, nodes)
            silent, catching = silences(heard_contacts, borne_out(channels.sum(expected), rhythm))
            surging |= (silent + catching > 0)[channels.of]
            clean = np.where(surging, expected, counted)

    places = Groups(series, category, region)
    recent = slice(-168, None)
    level = (places.sum(clean[:, recent].sum(1)) + _LEVEL_COUNTS) / (
        places.sum(expected[:, recent].sum(1)) + _LEVEL_COUNTS
    )
    # A profile learnt from few weeks errs; what it errs by looks like noise.
    young = _YOUNG_DISPERSION * np.maximum(7 / np.maximum(days.sum(1), 1) - 1 / 4, 0.0)
    return Baseline(
        weekly * level[places.of][:, None], dispersion + young, days.sum(1) >= WARM_UP_DAYS, heard, rhythm
    )


def _by_hour(contacts: Reals, days: Flags) -> Reals:
    """[channel, hour of the day]: mean of ``contacts`` [channel, hour] over the ``days`` [channel, day]."""
    of_days = contacts.reshape(*days.shape, 24) * days[:, :, None]
    return np.asarray(of_days.sum(1) / np.maximum(days.sum(1), 1)[:, None])


def borne_out(expected: Reals, rhythm: Reals) -> Reals:
    """``expected`` [channel, hour from a midnight on], as far as the channel's own ``rhythm`` bears it out.

    A profile of few weeks leans on other channels; where they talk at night, one that sleeps would pass for dead.
    """
    return np.minimum(expected, np.tile(rhythm, expected.shape[1] // 24 + 1)[:, : expected.shape[1]])


def _heard_days(subjects: Reals, channel: Whole) -> Flags:
    """[series, day] on which the channel was heard.

    Not before the day after its first proper day: a stray late record does not begin a history, and the first
    day is rarely whole, so its silent hours would pass for quiet ones. Not on days with less than a quarter
    of what is typical of the weekday: a gap in a feed is not a quiet day.
    """
    channels = Groups(len(subjects), channel)
    daily = channels.sum(subjects.reshape(len(subjects), BASELINE_DAYS, 24).sum(2))
    heard = np.zeros(daily.shape, dtype=bool)
    for totals, flags in zip(daily, heard, strict=True):
        if not totals.any():
            continue
        usual = np.median(totals[totals > 0])
        first = 1 + int(np.argmax(totals >= max(usual // 4, 1)))
        for weekday in range(7):
            same = np.arange(first + (weekday - first) % 7, BASELINE_DAYS, 7)
            if same.size:
                flags[same] = totals[same] >= np.median(totals[same]) // 4
    return heard[channels.of]


def _shares(clean: Reals, cells: Groups, category: Whole, region: Whole) -> Reals:
    """Share of each series in its (channel, category), leaning on the region's in the category and in all."""
    totals = clean.sum(1)
    regions, categories = Groups(len(clean), region), Groups(len(clean), category)
    places = Groups(len(clean), category, region)
    whole = totals.sum()
    in_all = (regions.sum(totals)[regions.of] + 0.5) / (whole + 0.5)
    in_category = (places.sum(totals)[places.of] + _SHARE_COUNTS * in_all) / (
        categories.sum(totals)[categories.of] + _SHARE_COUNTS
    )
    return np.asarray((totals + _SHARE_COUNTS * in_category) / (cells.sum(totals)[cells.of] + _SHARE_COUNTS))


def _profiles(clean: Reals, days: Flags, cells: Groups, channel: Whole) -> Reals:
    """[cell, hour of the week]: mean count of each (channel, category)."""
    size = cells.keys.shape[1]
    counts = cells.sum(clean).reshape(size, WEEKS, 7, 24)
    # All series of a cell share the channel, and so the days on which it was heard.
    cell_days = np.zeros((size, BASELINE_DAYS), dtype=bool)
    cell_days[cells.of] = days
    heard = cell_days.reshape(size, WEEKS, 7).astype(float)

    channels = Groups(size, cells.keys[0])
    channel_heard = np.zeros((channels.keys.shape[1], WEEKS, 7))
    channel_heard[channels.of] = heard
    in_all = channels.sum(counts)
    _, hour, weekday = _rhythm(in_all, channel_heard, _of_days(in_all.sum((1, 2))), 1.0)
    rate, hour, weekday = _rhythm(counts, heard, hour[channels.of], weekday[channels.of])

    prior = rate[:, None, None] * weekday[:, :, None] * hour[:, None, :]
    seen = _smooth(counts.sum(1).reshape(size, 168))
    foreseen = _smooth((prior * heard.sum(1)[:, :, None]).reshape(size, 168))
    return prior.reshape(size, 168) * (seen + _PROFILE_COUNTS) / (foreseen + _PROFILE_COUNTS)


def _of_days(hourly: Reals) -> Reals:
    """[channel, hour] factors to lean on: flat, unless one hour holds all, since the source knows days only."""
    total = hourly.sum(1, keepdims=True)
    by_day = (hourly.max(1, keepdims=True) >= DAY_SHARE * total) & (total >= _ENOUGH_CONTACTS)
    return np.where(by_day, 24 * hourly / np.maximum(total, 1.0), 1.0)


def _rhythm(
    counts: Reals, heard: Reals, usual_hour: Reals | float, usual_weekday: Reals | float
) -> tuple[Reals, Reals, Reals]:
    """Mean per hour [n], and the factors of the hour [n, 24] and the weekday [n, 7], shrunk to the usual ones.

    Args:
        counts: [n, week, weekday, hour].
        heard: [n, week, weekday], 1 or 0.
        usual_hour: factors that the hours lean on.
        usual_weekday: factors that the weekdays lean on.
    """
    days = np.maximum(heard.sum((1, 2)), 1.0)
    # Half a count: what has never been seen is rare, not impossible.
    rate = (counts.sum((1, 2, 3)) + 0.5) / (24 * days)
    hour = (counts.sum((1, 2)) + _PROFILE_COUNTS * usual_hour) / ((rate * days)[:, None] + _PROFILE_COUNTS)
    weekday = (counts.sum((1, 3)) + _PROFILE_COUNTS * usual_weekday) / (
        24 * rate[:, None] * heard.sum(1) + _PROFILE_COUNTS
    )
    return rate, hour, weekday


def _smooth(weekly: Reals) -> Reals:
    """A light average with the hours beside, around the week."""
    return weekly / 2 + (np.roll(weekly, 1, axis=1) + np.roll(weekly, -1, axis=1)) / 4


def _series_dispersion(observed: Reals, expected: Reals, usable: Flags, cells: Groups) -> Reals:
    """Dispersion of each series: its cell's, shrunk to that of all."""
    residual = observed - expected
    square = expected**2
    usual = usable & (np.abs(residual) <= 4 * np.sqrt(expected + _USUAL_DISPERSION * square) + 1.5)
    numerator = cells.sum((usual * (residual**2 - expected)).sum(1))
    denominator = cells.sum((usual * square).sum(1))
    overall = shrunk_dispersion(
        numerator.sum(keepdims=True), denominator.sum(keepdims=True), _USUAL_DISPERSION, _DISPERSION_WEIGHT
    )
    return shrunk_dispersion(numerator, denominator, overall, _DISPERSION_WEIGHT)[cells.of]


def _surging(observed: Reals, expected: Reals, variance: Reals, nodes: list[Groups]) -> Flags:
    """[series, hour] in which any node that holds the series was too high to be chance, with an hour around."""
    surging = np.zeros(observed.shape, dtype=bool)
    for groups in nodes:
        sums = [groups.sum(values) for values in (observed, expected, variance)]
        high = np.zeros(sums[0].shape, dtype=bool)
        for length, (seen, mean, spread) in window_sums(*sums, windows=(1, 3)):
            weight = 168 * (mean**2).mean(1)
            extra = np.zeros(len(mean))
            for _ in range(2):
                cells = extra_dispersion(seen, mean, spread, extra[:, None])
                extra = shrunk_dispersion(cells[0].sum(1), cells[1].sum(1), usual_dispersion(), weight)
            whole = spread + extra[:, None] * mean**2
            at = np.nonzero((seen - mean >= 2) & (seen - mean > 2.5 * np.sqrt(whole)))
            hits = np.zeros((len(mean), mean.shape[1] + length + 1), dtype=bool)
            hits[at[0], at[1] + length] = score(seen[at], mean[at], whole[at]) >= _MASK_SCORE
            for shift in range(length + 2):
                high |= hits[:, shift : shift + mean.shape[1]]
        high[high.mean(1) > _MOST_MASKED] = False
        surging |= high[groups.of]
    return surging
