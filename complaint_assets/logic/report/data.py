"""What a report is told: plain values and small frames by name, gathered elsewhere.

Frames may be in any order and hold whatever null pandas knows: a null figure is not known, or withheld because it
tells of few people. What a role's page does not show is not even gathered for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from pandas.api.types import is_scalar

from complaint_assets.logic.marts.metrics import Metric
from complaint_assets.logic.marts.roles import Role

FRAMES: Mapping[str, str] = {
    "freshness": "channel, newest (end of its newest slot; null = never), stale_after_hours",
    "surges": "the columns of Surges and owner: those open, and those that ended in the time of volume",
    "volume": "start, complaints, complainants, expected (of complainants), lower_05, upper_95; a row per bucket",
    "forecast": "the rows of SurgeForecast with category 'all'",
    "heat": "category, region, current, previous, people (the fewest behind either; 0 = nobody)",
    "categories": "category, current, previous, people: the rows of heat as wholes",
    "regions": "region, current, previous, people: its columns as wholes",
    "channels": "channel, current, previous (contacts), share, share_before",
    "sentiment": "category, complaints, with_sentiment, negative, positive",
    "severity": "category, severity, complaints, people",
    "languages": "language, complaints, with_sentiment, sentiment_coverage",
    "resolution": "category, timed, resolved_within_limit, resolved_beyond_limit, within_limit_share, "
    "median_hours_to_resolve, p80_hours_to_resolve, limit_hours",
    "ageing": "age, current, previous (open complaints)",
    "repeats": "category, attributed, repeat_rate_7d, repeat_rate_30d, reopened, before (repeat_rate_7d)",
    "rate": "region, current, previous (complaints per 100,000 subscribers); empty = no subscribers known",
    "terms": "the rows of EmergingTerms",
    "months": "month, complaints, resolved, resolved_within_limit, resolved_beyond_limit, p80_hours_to_resolve",
    "restatements": "the rows of Restatements in the time of volume",
    "agreement": "the rows of Calibration",
    "arrivals": "channel, deliveries, duplicates, median_minutes_to_arrive, p95_minutes_to_arrive",
    "quarantine": "reason, records (waiting for repair)",
    "conservation": "channel, judged_at, slots, slots_pending, records_in, complaints, non_complaints, "
    "duplicates, quarantined, difference: what the check last found",
    "changes": "at, action, former, version, reason: of the rules, all",
    "versions": "taxonomy_version, complaints: which rules classified the period",
    "audit": "action, rows, newest",
}
"""Every frame with its columns."""


@dataclass(frozen=True)
class Tile:
    """A metric of the period, of the one before, and its course; beside it what it misleads without."""

    metric: Metric
    current: float | None
    previous: float | None
    course: Sequence[float | None]
    beside: Sequence[tuple[Metric, float | None]] = ()


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """What the page of a role shows.

    Attributes:
        role: Whose page it is.
        made: When it was made.
        data_until: The data is whole up to then; None = nothing has arrived.
        end: End of the period reported on.
        tiles: The metrics at its head.
        starts: Buckets of the tiles' courses.
        frames: By name, see ``FRAMES``.
        provenance: What the page was made from, as label and value.
        lineage: Address of its lineage in the UI; empty = not for this role.
        region_names: Names of regions; a code without one is shown as it is.
    """

    role: Role
    made: datetime
    data_until: datetime | None
    end: datetime
    tiles: Sequence[Tile] = ()
    starts: Sequence[datetime] = ()
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    provenance: Sequence[tuple[str, str]] = ()
    lineage: str = ""
    region_names: Mapping[str, str] = field(default_factory=dict)

    def rows(self, name: str, *order: str) -> list[dict[str, Any]]:
        """The rows of the frame ``name``, ordered by ``order``; none if it was not gathered.

        Raises:
            KeyError: ``FRAMES`` tells of no such frame.
        """
        _ = FRAMES[name]
        return records(self.frames.get(name, pd.DataFrame()), *order)

    def overdue(self) -> list[dict[str, Any]]:
        """Channels that have delivered, but not for longer than promised."""
        return [
            row
            for row in self.rows("freshness", "channel")
            if row["newest"] is not None
            and self.made - row["newest"] > timedelta(hours=float(row["stale_after_hours"]))
        ]


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
