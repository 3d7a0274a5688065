"""What a report is told: small frames and plain values, gathered elsewhere.

Frames may be in any order and hold whatever null pandas knows; an empty frame needs no columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
from pandas.api.types import is_scalar

SENTIMENT_BANDS = ("negative", "neutral", "positive", "unmeasured")


@dataclass(frozen=True)
class Period:
    """Metrics of one period, computed from the facts, never added up."""

    complaints: int = 0
    complainants: int = 0
    repeats: int = 0
    negative: int = 0
    with_sentiment: int = 0
    resolved: int = 0


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """What every report shows.

    Attributes:
        as_of: When the report was made.
        data_until: Newest event in the data; None = no data yet.
        current: The period reported on.
        previous: The period it is compared with.
        volume: start, complaints, complainants, repeats, negative, with_sentiment, resolved, expected
            (of complainants, nullable), upper_95 (nullable); one row per hour or day, without holes.
        surges: The columns of ``Surges``: open ones, and those that ended in the time of ``volume``.
        heat: category, region, current, previous (complaints in the two periods).
        channels: channel, current, previous (complaints).
        sentiment: category, band (one of SENTIMENT_BANDS), complaints, in the current period.
        severity: category, severity (1 to 5), complaints, in the current period.
        health: channel, last_received_at (nullable), stale_after_hours, deliveries, duplicates; one row
            per channel that should deliver, the counts in the current period.
        quarantine: reason, records (waiting for repair).
        region_names: Names of regions; a code without one is shown as it is.
    """

    as_of: datetime
    data_until: datetime | None
    current: Period
    previous: Period
    volume: pd.DataFrame
    surges: pd.DataFrame
    heat: pd.DataFrame
    channels: pd.DataFrame
    sentiment: pd.DataFrame
    severity: pd.DataFrame
    health: pd.DataFrame
    quarantine: pd.DataFrame
    region_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OperationsData(ReportData):
    """By hour: ``volume`` of 14 days, ``current`` = 24 hours, ``previous`` = the same a week before.

    Attributes:
        forecast: The rows of ``SurgeForecast`` with category 'all'.
    """

    forecast: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class ReportingData(ReportData):
    """By day: ``volume`` of 8 weeks, ``current`` = 7 days, ``previous`` = the 7 days before."""


def records(frame: pd.DataFrame, *columns: str) -> list[dict[str, Any]]:
    """The rows of ``frame`` as dicts, ordered by ``columns``; every null is None.

    Raises:
        KeyError: the frame has rows but not these columns.
    """
    if frame.empty:
        return []
    return [
        {str(key): None if is_scalar(value) and pd.isna(value) else value for key, value in row.items()}
        for row in frame.sort_values(list(columns)).to_dict("records")
    ]
