"""Layer marts: features per customer, and one published file per role."""

from collections.abc import Callable

import dagster as dg
import ibis
import pandas as pd
import pyarrow as pa

from complaint_assets.assets.common import (
    DAILY_FRESHNESS,
    OWNER,
    RETRIES,
    STREAMING_FRESHNESS,
    WAREHOUSE_POOL,
    table_metadata,
)
from complaint_assets.assets.enriched import ENRICHED, enriched_complaints
from complaint_assets.assets.subjects import subjects
from complaint_assets.assets.surges import surge_forecast, surges
from complaint_assets.assets.warehouse import FACTS, complaint_facts
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.features import customer_features as features_of
from complaint_assets.logic.marts import data_science, operations_hourly, reporting_daily
from complaint_assets.schemas.marts import (
    CustomerFeatures,
    DataScienceComplaints,
    OperationsHourly,
    ReportingDaily,
)
from complaint_assets.schemas.subjects import Subjects
from complaint_assets.schemas.surges import SurgeForecast, Surges
from complaint_assets.schemas.types import Table, arrow_schema, to_pandas
from resources.publish import publish, standing
from resources.settings import settings
from resources.stores import Stores
from resources.tables import Tables
from resources.warehouse import Warehouse


def from_facts(
    warehouse: Warehouse, expression: Callable[[ibis.Table], ibis.Table], model: type[Table]
) -> pa.Table:
    """The result of ``expression`` over the warehouse's facts, in the columns of ``model``."""
    schema = arrow_schema(model)
    with warehouse.session() as connection:
        rows = expression(warehouse.ibis_table(connection, "complaint_facts", FACTS)).to_pyarrow()
    return rows.select(schema.names).cast(schema)


def masked_complaints(tables: Tables) -> pa.Table:
    """Every enriched complaint in the columns that data scientists may see."""
    columns = list(DataScienceComplaints.to_schema().columns)
    enriched = tables.scan("enriched_complaints", ENRICHED, columns=columns)
    return evaluate(data_science, enriched).cast(arrow_schema(DataScienceComplaints))


@dg.asset(
    deps=[complaint_facts],
    group_name="marts",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "pseudonymous"},
    code_version="2",
    metadata=table_metadata(CustomerFeatures),
    retry_policy=RETRIES,
    freshness_policy=DAILY_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description="Point-in-time features per customer and day of contact: each row knows only what was known then.",
)
def customer_features(warehouse: Warehouse) -> dg.MaterializeResult[pd.DataFrame]:
    """Compute the features of every subject and day of contact."""
    rows = from_facts(warehouse, features_of, CustomerFeatures)
    return dg.MaterializeResult(value=to_pandas(rows), metadata={"dagster/row_count": rows.num_rows})


def build_mart(
    role: str,
    audience: str,
    deps: list[dg.AssetsDefinition],
    tables_of: Callable[[Stores, Warehouse], dict[str, pa.Table]],
    freshness: dg.FreshnessPolicy,
) -> dg.AssetsDefinition:
    """The mart of ``role``: a read-only DuckDB file and Parquet, published atomically."""

    @dg.asset(
        key=["marts", role],
        deps=deps,
        group_name="marts",
        owners=[OWNER],
        kinds={"duckdb", "parquet"},
        tags={"role": role},
        code_version="1",
        retry_policy=RETRIES,
        freshness_policy=freshness,
        pool=WAREHOUSE_POOL,
        description=f"Read-only file for {audience}. Readers see the old version or the new one, never a mixture.",
    )
    def mart(stores: Stores, warehouse: Warehouse) -> dg.MaterializeResult:
        before = standing(settings().marts, role)
        tables = tables_of(stores, warehouse)
        path = publish(settings().marts, role, tables, since=before)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(table.num_rows for table in tables.values()),
                "file": dg.MetadataValue.path(path),
                **{f"rows_{name}": table.num_rows for name, table in tables.items()},
            }
        )

    return mart


mart_assets = [
    build_mart(
        "operations",
        "network operations: hourly volume, surges and forecast",
        [complaint_facts, surges, surge_forecast],
        lambda _, warehouse: {
            "complaints_hourly": from_facts(warehouse, operations_hourly, OperationsHourly),
            "surges": warehouse.read("surges", arrow_schema(Surges)),
            "surge_forecast": warehouse.read("surge_forecast", arrow_schema(SurgeForecast)),
        },
        STREAMING_FRESHNESS,
    ),
    build_mart(
        "reporting",
        "CX and reporting: daily figures, small cells merged",
        [complaint_facts],
        lambda _, warehouse: {"complaints_daily": from_facts(warehouse, reporting_daily, ReportingDaily)},
        DAILY_FRESHNESS,
    ),
    build_mart(
        "data_science",
        "data scientists: masked text, labels, customer features and whose subjects are one customer's",
        [enriched_complaints, customer_features, subjects],
        lambda stores, warehouse: {
            "complaints": masked_complaints(stores.tables),
            "customer_features": warehouse.read("customer_features", arrow_schema(CustomerFeatures)),
            "subjects": warehouse.read("subjects", arrow_schema(Subjects)),
        },
        DAILY_FRESHNESS,
    ),
]
