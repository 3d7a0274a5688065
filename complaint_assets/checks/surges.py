"""Sanity of surge metrics: every active series is measured in every hour, and every source is heard."""

import dagster as dg

from complaint_assets.assets.common import WAREHOUSE_POOL
from complaint_assets.assets.surges import METRICS
from complaint_assets.logic.surges.surge_metrics import SILENT
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
            hours=metrics.count(),
            scored=metrics.score.count(),
            unscored=(metrics.expected.notnull() & metrics.score.isnull()).sum(),
        )
        days = series.group_by("event_date").agg(
            series=series.count(),
            scored=(series.scored > 0).cast("int64").sum(),
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
            "scored_series_on_newest_day": max(rows, key=lambda row: row["event_date"])["scored"] if rows else 0,
            "days_at_fault": len(faults),
            **({"first_days_at_fault": faults[:10]} if faults else {}),
        },
    )


@dg.asset_check(
    asset="surge_metrics",
    name="sources_are_heard",
    pool=WAREHOUSE_POOL,
    description="No channel is silent now where much was expected: a dead source is not a quiet one.",
)
def sources_are_heard(warehouse: Warehouse) -> dg.AssetCheckResult:
    """Name the channels that are silent now."""
    with warehouse.session() as connection:
        metrics = warehouse.ibis_table(connection, "surge_metrics", METRICS)
        newest = metrics.filter(metrics.bucket_start == metrics.bucket_start.max())
        states = newest.select("channel", "source_state").distinct().to_pyarrow().to_pylist()
    silent = sorted({row["channel"] for row in states if row["source_state"] == SILENT})
    return dg.AssetCheckResult(
        passed=not silent,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"silent_channels": silent, "channels": len({row["channel"] for row in states})},
    )


surge_checks = [every_series_is_scored, sources_are_heard]
