"""The figures of a report, as expressions over the warehouse's tables."""

from datetime import datetime, timedelta

import ibis
import numpy as np
import pandas as pd

from complaint_assets.logic.counts import quantile
from complaint_assets.logic.marts import NEGATIVE, measures

from .data import Period


def between(table: ibis.Table, start: datetime, end: datetime) -> ibis.Table:
    """Rows of ``table`` (with ``event_date`` and ``occurred_at``) from ``start`` up to, without, ``end``."""
    days = table.event_date.between(start.date(), end.date())  # lets the warehouse skip what is elsewhere
    return table.filter(days & (table.occurred_at >= start) & (table.occurred_at < end))


def period(facts: ibis.Table, start: datetime, end: datetime) -> Period:
    """The measures of one period."""
    names = list(Period.__dataclass_fields__)
    inside = between(facts, start, end)
    row = inside.aggregate(**measures(inside)).select(names).to_pyarrow().to_pylist()[0]
    return Period(**row)


def volume(facts: ibis.Table, metrics: ibis.Table, start: datetime, end: datetime, unit: str) -> pd.DataFrame:
    """One row per hour or day (``unit``: h or D) from ``start`` to ``end``, with what was expected of it.

    An expectation stands only where every hour of the row has one. The limit takes the series as independent.
    """
    inside = between(facts, start, end)
    counted = inside.group_by(start=inside.occurred_at.truncate(unit)).agg(**measures(inside)).to_pandas()
    watched = metrics.filter(
        metrics.event_date.between(start.date(), end.date())
        & (metrics.bucket_start >= start)
        & (metrics.bucket_start < end)
        & metrics.expected.notnull()
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
    counts = ["complaints", "complainants", "repeats", "negative", "with_sentiment", "resolved"]
    rows[counts] = rows[counts].fillna(0).astype("int64")
    return rows[["start", *counts, "expected", "upper_95"]]


def compared(
    facts: ibis.Table, by: list[str], now: tuple[datetime, datetime], before: tuple[datetime, datetime]
) -> pd.DataFrame:
    """Complaints per ``by`` in two periods: columns ``by``, current, previous."""
    complaints = facts.filter(facts.is_complaint)
    halves = between(complaints, *now).mutate(now=1).union(between(complaints, *before).mutate(now=0))
    return halves.group_by(by).agg(current=halves.now.sum(), previous=(1 - halves.now).sum()).to_pandas()


def by_sentiment(facts: ibis.Table, start: datetime, end: datetime) -> pd.DataFrame:
    """Complaints per category and band of sentiment; the bands are VADER's own."""
    complaints = between(facts.filter(facts.is_complaint), start, end)
    band = ibis.cases(
        (complaints.sentiment.isnull(), "unmeasured"),
        (complaints.sentiment <= NEGATIVE, "negative"),
        (complaints.sentiment >= -NEGATIVE, "positive"),
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
