"""Counts of complainants per hour, channel, category and region, and beside each what a quiet hour brings."""

from datetime import date, datetime, timedelta

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from complaint_assets.schemas.surges import SurgeMetrics
from complaint_assets.schemas.types import arrow_schema, to_pandas

from .baseline import HISTORY_HOURS, fit
from .counts import KEYS, Cube, hour_column, hour_number, midnight, quantile, rounded, score

_COUNTS = ("subjects", "complaints", "amplifications")
_SCHEMA = arrow_schema(SurgeMetrics)


def hourly_counts(facts: ibis.Table) -> ibis.Table:
    """Counts per UTC hour, channel, category and region of ``facts`` (``ComplaintFacts``).

    Columns: ``bucket_start``, ``channel``, ``category``, ``region``, ``subjects`` (distinct customers who
    complained, without those who repeat themselves; a complaint of an unknown customer counts as one),
    ``complaints`` and ``amplifications`` (bare reposts). Hours without either have no row.
    """
    counted = facts.filter(facts.is_complaint | facts.is_amplification)
    return counted.group_by(
        bucket_start=counted.event_hour,
        channel=counted.channel,
        category=counted.category,
        region=counted.region,
    ).agg(
        subjects=ibis.coalesce(counted.subject_id, counted.complaint_id).nunique(
            where=counted.is_complaint & ~counted.is_repeat
        ),
        complaints=counted.count(where=counted.is_complaint),
        amplifications=counted.count(where=counted.is_amplification),
    )


def surge_metrics(counts: pa.Table | pd.DataFrame, dates: list[date], as_of: datetime) -> pd.DataFrame:
    """Rows of ``SurgeMetrics`` for ``dates``, for each hour that begins before ``as_of``.

    A date's rows depend on its own counts and those of the 56 days before, and on nothing later. Its series
    are those with any count in that time. ``expected``, ``variance``, ``upper_95`` and ``score`` are null
    while the series' channel has been heard for less than 14 days.

    Args:
        counts: ``hourly_counts`` from 56 days before the first of ``dates`` to the last.
        dates: event dates (UTC), in any order.
        as_of: how far the data reach; later hours are unknown, not zero.
    """
    days = sorted(day for day in set(dates) if midnight(day) < as_of)
    if not days:
        return to_pandas(_SCHEMA.empty_table())
    rows = counts if isinstance(counts, pa.Table) else pa.Table.from_pandas(counts, preserve_index=False)
    first = hour_number(midnight(days[0])) - HISTORY_HOURS
    end = min(hour_number(midnight(days[-1])) + 24, hour_number(as_of - timedelta(microseconds=1)) + 1)
    cube = Cube.of(rows, _COUNTS, first, end - first)
    return to_pandas(pa.concat_tables([_measure(cube, day, first) for day in days]))


def _measure(cube: Cube, day: date, first: int) -> pa.Table:
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
    baseline = fit(subjects[active, past], known_all[active], *(codes[active] for codes in cube.codes))
    seen = subjects[active, today]
    hours = seen.shape[1]

    ready = np.broadcast_to(baseline.ready[:, None], seen.shape)
    expected = rounded(baseline.expected(HISTORY_HOURS, hours))
    variance = rounded(baseline.variance(expected))
    upper, surprise = np.zeros(seen.shape), np.zeros(seen.shape)
    upper[ready] = quantile(0.95, expected[ready], variance[ready])
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
        **{name: flat(cube.measures[name][active, today]).astype(np.int64) for name in _COUNTS},
        **{
            name: pa.array(flat(values), mask=unready)
            for name, values in (
                ("expected", expected),
                ("variance", variance),
                ("upper_95", upper),
                ("score", surprise),
            )
        },
    }
    return pa.table(columns, schema=_SCHEMA)
