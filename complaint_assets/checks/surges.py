"""Sanity of surge metrics: every series that was active is measured, in every hour."""

import dagster as dg

from complaint_assets.assets.common import WAREHOUSE_POOL
from complaint_assets.assets.surges import METRICS
from resources.warehouse import Warehouse


@dg.asset_check(
    asset="surge_metrics",
    name="every_series_is_scored",
    pool=WAREHOUSE_POOL,
    description=(
        "On each day all series have the same hours, and a series with an expectation has a score: one channel "
        "without history must not silence detection."
    ),
)
def every_series_is_scored(warehouse: Warehouse) -> dg.AssetCheckResult:
    """Count gaps in the grid and expectations without a score."""
    with warehouse.session() as connection:
        metrics = warehouse.ibis_table(connection, "surge_metrics", METRICS)
        series = metrics.group_by("event_date", "channel", "category", "region").agg(
            hours=metrics.count(), unscored=(metrics.expected.notnull() & metrics.score.isnull()).sum()
        )
        days = series.group_by("event_date").agg(
            series=series.count(),
            uneven=(series.hours.max() - series.hours.min()).cast("int64"),
            unscored=series.unscored.sum(),
        )
        rows = days.to_pyarrow().to_pylist()
    faults = [row["event_date"].isoformat() for row in rows if row["uneven"] or row["unscored"]]
    return dg.AssetCheckResult(
        passed=not faults,
        metadata={
            "days": len(rows),
            "most_series": max((row["series"] for row in rows), default=0),
            "days_at_fault": len(faults),
            **({"first_days_at_fault": faults[:10]} if faults else {}),
        },
    )


surge_checks = [every_series_is_scored]
