"""The figures of a report, as expressions over the warehouse's tables."""

from datetime import datetime, timedelta

import ibis
import numpy as np
import pandas as pd

from complaint_assets.logic.marts.metric_rows import Slice, between
from complaint_assets.logic.marts.metrics import Metrics
from complaint_assets.logic.surges.counts import quantile

from .data import Period

NAMES = tuple(Period.__dataclass_fields__)
"""The metrics of a period."""


def period(metrics: Metrics, facts: ibis.Table, start: datetime, end: datetime) -> Period:
    """The metrics of one period."""
    rows = metrics.rows_of("facts", facts, Slice(start, end), metrics.needed(NAMES))
    return Period(**rows.aggregate(**metrics.measures(rows, NAMES)).to_pyarrow().to_pylist()[0])


def volume(
    metrics: Metrics, facts: ibis.Table, hourly: ibis.Table, start: datetime, end: datetime, unit: str
) -> pd.DataFrame:
    """One row per hour or day (``unit``: h or D) from ``start`` to ``end``, with what was expected of it.

    An expectation stands only where every hour of the row has one. The limit takes the series as independent.
    """
    inside = metrics.rows_of("facts", facts, Slice(start, end), metrics.needed(NAMES))
    buckets = inside.group_by(start=inside.occurred_at.truncate(unit))
    counted = buckets.agg(**metrics.measures(inside, NAMES)).to_pandas()
    watched = hourly.filter(
        hourly.event_date.between(start.date(), end.date())
        & (hourly.bucket_start >= start)
        & (hourly.bucket_start < end)
        & hourly.expected.notnull()
    )
    foreseen = (
        watched.group_by(start=watched.bucket_start.truncate(unit))
        .agg(
            expected=watched.expected.sum(),
            variance=watched.variance.sum(),
            hours=watched.bucket_start.nunique(),
        )
        .to_pandas()
    )
    step, hours = (timedelta(hours=1), 1) if unit == "h" else (timedelta(days=1), 24)
    grid = pd.DataFrame({"start": pd.date_range(start, end, freq=step, inclusive="left", unit="us")})
    rows = grid
    for frame in (counted, foreseen):
        at = pd.to_datetime(frame["start"], utc=True).dt.as_unit("us")
        rows = rows.merge(frame.assign(start=at), on="start", how="left")
    whole = rows["hours"] == hours
    rows["upper_95"] = np.nan
    if whole.any():
        mean, variance = (rows.loc[whole, name].to_numpy(float) for name in ("expected", "variance"))
        rows.loc[whole, "upper_95"] = quantile(0.95, mean, variance)
    rows["expected"] = rows["expected"].where(whole)
    rows[[*NAMES]] = rows[[*NAMES]].fillna(0).astype("int64")
    return rows[["start", *NAMES, "expected", "upper_95"]]


def compared(
    facts: ibis.Table, by: list[str], now: tuple[datetime, datetime], before: tuple[datetime, datetime]
) -> pd.DataFrame:
    """Complaints per ``by`` in two periods: columns ``by``, current, previous."""
    complaints = facts.filter(facts.is_complaint)
    halves = between(complaints, *now).mutate(now=1).union(between(complaints, *before).mutate(now=0))
    return halves.group_by(by).agg(current=halves.now.sum(), previous=(1 - halves.now).sum()).to_pandas()


def by_sentiment(metrics: Metrics, facts: ibis.Table, start: datetime, end: datetime) -> pd.DataFrame:
    """Complaints per category and band of sentiment; the bands are VADER's own."""
    complaints = between(facts.filter(facts.is_complaint), start, end)
    negative = metrics.conditions["negative"]
    band = ibis.cases(
        (complaints.sentiment.isnull(), "unmeasured"),
        (negative.holds(complaints), "negative"),
        (complaints.sentiment >= -(negative.at_most or 0), "positive"),
        else_="neutral",
    )
    return complaints.group_by(complaints.category, band=band).agg(complaints=complaints.count()).to_pandas()


def by_severity(facts: ibis.Table, start: datetime, end: datetime) -> pd.DataFrame:
    """Complaints per category and severity."""
    complaints = between(facts.filter(facts.is_complaint), start, end)
    return complaints.group_by("category", "severity").agg(complaints=complaints.count()).to_pandas()


def deliveries_by_channel(facts: ibis.Table, start: datetime, end: datetime) -> pd.DataFrame:
    """Per channel: last arrival of all, and deliveries and duplicates among the contacts of the period."""
    inside = (facts.occurred_at >= start) & (facts.occurred_at < end)
    return (
        facts.group_by("channel")
        .agg(
            last_received_at=facts.received_at.max(),
            deliveries=facts.deliveries.sum(where=inside).fill_null(0),
            duplicates=(facts.deliveries - 1).sum(where=inside).fill_null(0),
        )
        .to_pandas()
    )
