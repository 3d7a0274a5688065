"""Counts of complainants per hour, channel, category and region, and beside each what a quiet hour brings."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from complaint_assets.logic.cores import cores
from complaint_assets.schemas.surges import SurgeMetrics
from complaint_assets.schemas.types import arrow_schema, to_pandas

from .baseline import HISTORY_HOURS, Baseline, borne_out, fit
from .calendar import NO_CALENDAR, Calendar, silences
from .counts import KEYS, Cube, Flags, Groups, Reals, hour_column, hour_number, midnight, quantiles, rounded, score

COUNTS = ("subjects", "by_15", "by_30", "by_45", "complaints", "amplifications")
BANDS = {
    "lower_99": 0.005,
    "lower_90": 0.05,
    "lower_50": 0.25,
    "upper_50": 0.75,
    "upper_95": 0.95,
    "upper_99": 0.995,
}
"""Columns of the central 50, 90 and 99 % bands and their quantiles; the 90 % band ends with ``upper_95``."""
HEARD, SILENT, CATCHING_UP = "heard", "silent", "catching_up"
_REMEMBERED_HOURS = 7 * 24
_SCHEMA = arrow_schema(SurgeMetrics)


def hourly_counts(facts: ibis.Table) -> ibis.Table:
    """Counts per UTC hour, channel, category and region of ``facts`` (``ComplaintFacts``).

    Columns: ``bucket_start``, ``channel``, ``category``, ``region``, ``subjects`` (distinct customers who
    complained, without those who repeat themselves; a complaint of an unknown customer counts as one),
    ``by_15``, ``by_30``, ``by_45`` (those of them who had complained by that minute of the hour),
    ``complaints`` and ``amplifications`` (bare reposts). Hours without either have no row.
    """
    counted = facts.filter(facts.is_complaint | facts.is_amplification)
    counted = counted.mutate(who=ibis.coalesce(counted.subject_id, counted.complaint_id))
    people = counted.group_by(
        bucket_start=counted.event_hour,
        channel=counted.channel,
        category=counted.category,
        region=counted.region,
        who=counted.who,
    ).agg(
        first=counted.occurred_at.min(where=counted.is_complaint & ~counted.is_repeat),
        complaints=counted.count(where=counted.is_complaint),
        amplifications=counted.count(where=counted.is_amplification),
    )
    return people.group_by("bucket_start", *KEYS).agg(
        subjects=people["first"].count(),
        **{
            f"by_{minute}": people["first"].count(where=people["first"].minute() < minute)
            for minute in (15, 30, 45)
        },
        complaints=people.complaints.sum(),
        amplifications=people.amplifications.sum(),
    )


def surge_metrics(
    counts: pa.Table | pd.DataFrame, dates: list[date], as_of: datetime, calendar: Calendar = NO_CALENDAR
) -> pd.DataFrame:
    """Rows of ``SurgeMetrics`` for ``dates``, for each hour that begins before ``as_of``.

    A date's rows depend on its own counts and those of the 56 days before, and on nothing later. Its series
    are those with any count in that time. ``expected`` and what follows from it are null while the series'
    channel has been heard for less than ``WARM_UP_DAYS``.

    Args:
        counts: ``hourly_counts`` from 56 days before the first of ``dates`` to the last.
        dates: event dates (UTC), in any order.
        as_of: how far the data reach; later hours are unknown, not zero.
        calendar: holidays.
    """
    days = sorted(day for day in set(dates) if midnight(day) < as_of)
    if not days:
        return to_pandas(_SCHEMA.empty_table())
    rows = counts if isinstance(counts, pa.Table) else pa.Table.from_pandas(counts, preserve_index=False)
    first = hour_number(midnight(days[0])) - HISTORY_HOURS
    end = min(hour_number(midnight(days[-1])) + 24, hour_number(as_of - timedelta(microseconds=1)) + 1)
    cube = Cube.of(rows, COUNTS, first, end - first)
    with ThreadPoolExecutor(cores()) as pool:  # array work, which lets other threads run
        return to_pandas(pa.concat_tables(pool.map(lambda day: _measure(cube, day, first, calendar), days)))


def _measure(cube: Cube, day: date, first: int, calendar: Calendar) -> pa.Table:
    """The rows of ``day`` from the ``cube`` that begins with the hour ``first``."""
    begin = hour_number(midnight(day)) - first
    past, today = slice(begin - HISTORY_HOURS, begin), slice(begin, begin + 24)
    known_all = np.any([values[:, past].any(1) for values in cube.measures.values()], axis=0)
    active = np.flatnonzero(
        known_all | np.any([values[:, today].any(1) for values in cube.measures.values()], axis=0)
    )
    if not active.size:
        return _SCHEMA.empty_table()
    subjects = cube.measures["subjects"]
    contacts = cube.measures["complaints"] + cube.measures["amplifications"]
    baseline = fit(
        subjects[active, past],
        known_all[active],
        *(codes[active] for codes in cube.codes),
        apart=days_apart(day, calendar),
        contacts=contacts[active, past],
    )
    seen = subjects[active, today]
    hours = seen.shape[1]

    ready = np.broadcast_to(baseline.ready[:, None], seen.shape)
    expected = rounded(expected_on(baseline, day, calendar)[:, :hours])
    variance = rounded(baseline.variance(expected))
    state = _source_state(
        baseline, contacts[active, begin - _REMEMBERED_HOURS : begin + 24], expected, ready, cube.codes[0][active]
    )
    bands = {name: np.zeros(seen.shape) for name in BANDS}
    surprise = np.zeros(seen.shape)
    for name, values in zip(
        BANDS, quantiles(tuple(BANDS.values()), expected[ready], variance[ready]), strict=True
    ):
        bands[name][ready] = values
    surprise[ready] = rounded(score(seen[ready], expected[ready], variance[ready]))

    def flat(values: np.ndarray) -> np.ndarray:
        """Hour by hour, series by series."""
        return values.T.ravel()

    series = np.tile(active, hours)
    unready = ~flat(ready)
    columns = {
        "event_date": pa.array([day]).take(pa.array(np.zeros(series.size, dtype=np.int64))),
        "bucket_start": hour_column(np.repeat(np.arange(hours) + begin + first, active.size)),
        **{key: cube.column(key, series) for key in KEYS},
        **{name: flat(cube.measures[name][active, today]).astype(np.int64) for name in COUNTS},
        "source_state": pa.array([HEARD, SILENT, CATCHING_UP]).take(pa.array(flat(state))),
        **{
            name: pa.array(flat(values), mask=unready)
            for name, values in (
                ("expected", expected),
                ("variance", variance),
                *bands.items(),
                ("score", surprise),
            )
        },
    }
    return pa.table(columns, schema=_SCHEMA)


def days_apart(day: date, calendar: Calendar) -> Flags:
    """[day of the history before ``day``] that the calendar sets apart."""
    length = HISTORY_HOURS // 24
    return np.array([day - timedelta(days=length - n) in calendar.holidays for n in range(length)])


def expected_on(baseline: Baseline, day: date, calendar: Calendar, of_history: date | None = None) -> Reals:
    """[series, 24] expected on ``day``.

    Args:
        baseline: of the history that ends with the day before ``of_history``.
        day: the day.
        calendar: holidays.
        of_history: ``day`` if None.
    """
    hours, factor = calendar.hours(day)
    # The profile's week begins with the weekday on which the history begins and ends.
    week_begins = (of_history or day).weekday() * 24
    return baseline.profile[:, (hours - week_begins) % 168] * factor


def _source_state(
    baseline: Baseline, contacts: Reals, expected: Reals, ready: Flags, channel: np.ndarray
) -> np.ndarray:
    """[series, hour of today]: 0 = heard, 1 = silent, 2 = catching up."""
    channels = Groups(len(contacts), channel)
    before = baseline.expected(HISTORY_HOURS - _REMEMBERED_HOURS, _REMEMBERED_HOURS)
    usual = np.concatenate([before, expected], axis=1) * baseline.ready[:, None]
    silent, catching = silences(channels.sum(contacts), borne_out(channels.sum(usual), baseline.rhythm))
    state = np.where(silent > 0, 1, np.where(catching > 0, 2, 0))[:, _REMEMBERED_HOURS:]
    return state[channels.of] * ready
