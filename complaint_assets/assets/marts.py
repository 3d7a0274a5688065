"""Layer marts: features per customer, and one published file per role."""

import json
from collections.abc import Callable
from datetime import date, datetime

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
    table_schema,
)
from complaint_assets.assets.enriched import enriched_complaints
from complaint_assets.assets.subjects import subjects
from complaint_assets.assets.surges import surge_forecast, surges
from complaint_assets.assets.warehouse import FACTS, complaint_facts
from complaint_assets.ledger import Ledger
from complaint_assets.logic.marts.features import customer_features as features_of
from complaint_assets.logic.marts.marts import figures, restatements
from complaint_assets.logic.marts.roles import MartTable, Role
from complaint_assets.metrics import load_metrics
from complaint_assets.privacy.erasure import audit_log
from complaint_assets.roles import load_roles
from complaint_assets.schemas.marts import CustomerFeatures
from complaint_assets.schemas.types import Table, arrow_schema, to_pandas
from complaint_assets.tables import LAKE_TABLES, MART_TABLES, WAREHOUSE_TABLES
from resources.postgres_marts import Published, publish_marts
from resources.publish import publish, standing
from resources.settings import settings
from resources.stores import Stores
from resources.warehouse import Warehouse


def from_facts(
    warehouse: Warehouse, expression: Callable[[ibis.Table], ibis.Table], model: type[Table]
) -> pa.Table:
    """The result of ``expression`` over the warehouse's facts, in the columns of ``model``."""
    schema = arrow_schema(model)
    with warehouse.session() as connection:
        rows = expression(warehouse.ibis_table(connection, "complaint_facts", FACTS)).to_pyarrow()
    return rows.select(schema.names).cast(schema)


def mart_table(stores: Stores, warehouse: Warehouse, role: Role, table: MartTable) -> pa.Table:
    """What ``role`` gets as ``table``: its columns and its rows, nothing else."""
    model = MART_TABLES[role.name][table.name]
    schema = pa.schema([arrow_schema(model).field(name) for name in table.columns])
    end = role.end(Ledger(stores.tables).as_of())
    if table.metrics:
        return from_facts(
            warehouse,
            lambda facts: figures(load_metrics(), facts, table.by, table.metrics, end, role.small_cell),
            model,
        )
    if table.of == "restatements":
        hours = load_roles().closing_hours
        return from_facts(warehouse, lambda facts: restatements(facts, end, hours, role.small_cell), model)
    if table.of == "audit":
        rows = [
            {**row, "at": datetime.fromisoformat(row["at"]), "details": json.dumps(row["details"], sort_keys=True)}
            for row in audit_log().rows()
        ]
        return pa.Table.from_pylist(rows, schema=schema)
    if table.of in LAKE_TABLES:
        of = arrow_schema(LAKE_TABLES[table.of])
        return stores.tables.scan(table.of, of, columns=list(table.columns)).select(schema.names).cast(schema)
    return warehouse.read(table.of, arrow_schema(WAREHOUSE_TABLES[table.of])).select(schema.names).cast(schema)


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


def closed_rows(role: Role, as_of: datetime | None) -> dict[str, tuple[str, date]]:
    """Column and end of what ``role`` may see of each table, where it sees closed days only."""
    if role.days == "open":
        return {}
    day = {name: next(c for c in ("event_date", "month") if c in t.columns) for name, t in role.tables.items()}
    return {name: (column, role.end(as_of).date()) for name, column in day.items()}


_ASSETS = {
    "": complaint_facts,
    "restatements": complaint_facts,
    "enriched_complaints": enriched_complaints,
    "customer_features": customer_features,
    "subjects": subjects,
    "surges": surges,
    "surge_forecast": surge_forecast,
}
"""The asset behind each source of a mart's table; what is not here belongs to no single asset."""


def build_mart(role: Role) -> dg.AssetsDefinition:
    """The mart of ``role``: a read-only DuckDB file and Parquet, published atomically."""
    sources = [table.of for table in role.tables.values() if table.of in _ASSETS]

    @dg.asset(
        key=["marts", role.name],
        deps=list({_ASSETS[name].key: _ASSETS[name] for name in sources or [""]}.values()),
        group_name="marts",
        owners=[OWNER],
        kinds={"duckdb", "parquet"},
        tags={"role": role.name},
        code_version=f"2-{load_metrics().version}-{load_roles().version}",
        retry_policy=RETRIES,
        freshness_policy=STREAMING_FRESHNESS if role.freshness == "streaming" else DAILY_FRESHNESS,
        pool=WAREHOUSE_POOL,
        description=f"For {role.audience}. {role.purpose} "
        "A read-only file: readers see the old version or the new one, never a mixture.",
    )
    def mart(stores: Stores, warehouse: Warehouse) -> dg.MaterializeResult:
        before = standing(settings().marts, role.name)
        tables = {name: mart_table(stores, warehouse, role, table) for name, table in role.tables.items()}
        path = publish(settings().marts, role.name, tables, since=before)
        if url := settings().postgres.get_secret_value():
            publish_marts(url, [Published(role.name, tables, closed_rows(role, Ledger(stores.tables).as_of()))])
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(table.num_rows for table in tables.values()),
                "file": dg.MetadataValue.path(path),
                **{f"rows_{name}": table.num_rows for name, table in tables.items()},
                **{
                    f"columns_{name}": dg.MetadataValue.table_schema(table_schema(model))
                    for name, model in MART_TABLES[role.name].items()
                },
            }
        )

    return mart


mart_assets = [build_mart(role) for role in load_roles().roles.values()]
