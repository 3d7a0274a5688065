"""What the assets of every layer share: owners, retries, column metadata, which partitions a run covers."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg

from complaint_assets.schemas.types import Table, duckdb_columns

OWNER = "team:complaint-data"
RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
ONE_RUN = dg.BackfillPolicy.single_run()
WAREHOUSE_POOL = "warehouse"
"""DuckDB has one writer: whatever opens the warehouse takes turns."""

STREAMING_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=3), warn_window=timedelta(hours=2)
)
DAILY_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36), warn_window=timedelta(hours=26))


def table_schema(model: type[Table]) -> dg.TableSchema:
    """The columns of ``model`` as the UI shows them; the warehouse makes its DDL from the same."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=kind,
                description=description,
                constraints=dg.TableColumnConstraints(nullable=nullable),
            )
            for name, kind, nullable, description in duckdb_columns(model)
        ]
    )


def table_metadata(model: type[Table], **more: Any) -> dict[str, Any]:
    """Definition metadata of an asset that holds a table of ``model``."""
    return {"dagster/column_schema": table_schema(model), **more}


def run_dates(context: dg.AssetExecutionContext) -> list[date]:
    """The event dates that this run covers, in order."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def add_partition_metadata(context: dg.AssetExecutionContext, figures: Mapping[str, Mapping[str, float]]) -> None:
    """Attach ``figures`` (partition key, then name) so that the UI plots each partition's own numbers."""
    for key in context.partition_keys:
        context.add_asset_metadata(dict(figures.get(key, {"dagster/partition_row_count": 0})), partition_key=key)
