"""One factory turns every Pandera model into an asset check."""

from collections.abc import Callable
from datetime import date

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from complaint_assets.assets.common import WAREHOUSE_POOL
from complaint_assets.automation import RANGE_END, RANGE_START
from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.enriched import EnrichedComplaints
from complaint_assets.schemas.marts import CustomerFeatures
from complaint_assets.schemas.standardised import Quarantine, Standardised
from complaint_assets.schemas.subjects import SubjectLinks, Subjects
from complaint_assets.schemas.surges import SurgeForecast, SurgeMetrics, Surges, SurgeTransitions
from complaint_assets.schemas.taxonomy import Calibration, EmergingTerms
from complaint_assets.schemas.types import CHANNELS, Table, arrow_schema
from complaint_assets.schemas.validate import breaches
from complaint_assets.schemas.warehouse import ComplaintFacts
from complaint_assets.tables import MART_TABLES
from resources.settings import settings
from resources.stores import Stores
from resources.warehouse import Warehouse

PARTITION = "dagster/partition"
SAMPLE = 10
"""Most pseudonymous ids shown of the rows that break a rule."""

Reader = Callable[[Stores, Warehouse, tuple[str, str] | None], pa.Table]


def run_range(context: dg.AssetCheckExecutionContext) -> tuple[str, str] | None:
    """First and last partition of this run; None when the check runs on its own: then all is checked."""
    tags = context.run.tags
    if PARTITION in tags:
        return tags[PARTITION], tags[PARTITION]
    if RANGE_START in tags:
        return tags[RANGE_START], tags[RANGE_END]
    return None


def evaluate(model: type[Table], table: pa.Table, *, identity: str) -> dg.AssetCheckResult:
    """Validate ``table`` lazily: count the rows at fault and sample their ids, never their values."""
    found = breaches(model, table)
    at_fault = sorted({row for breach in found for row in breach.rows})
    rules = [
        {"column": breach.column, "rule": breach.rule, "rows": len(breach.rows) or table.num_rows}
        for breach in found
    ]
    sample = table[identity].take(at_fault[:SAMPLE]).to_pylist() if at_fault else []
    return dg.AssetCheckResult(
        passed=not found,
        metadata={
            "rows_checked": table.num_rows,
            "rows_at_fault": len(at_fault),
            **({"rules_broken": rules, "sample_ids": [str(value) for value in sample]} if found else {}),
        },
    )


def build_model_check(
    asset: str | list[str],
    model: type[Table],
    read: Reader,
    *,
    identity: str,
    blocking: bool,
    pool: str | None = None,
    name: str = "fits_model",
) -> dg.AssetChecksDefinition:
    """The check that what ``asset`` stored in this run fits ``model``.

    Args:
        asset: key of the asset.
        model: the table's model.
        read: reads the stored rows of the run's partitions.
        identity: pseudonymous column by which rows at fault are named.
        blocking: whether later layers of the run wait for it and stop when it fails.
        pool: whose turn to take.
        name: of the check, where an asset stores more than one table.
    """

    @dg.asset_check(
        asset=dg.AssetKey(asset),
        name=name,
        blocking=blocking,
        pool=pool,
        description=f"Every stored row fits the model {model.__name__}. {(model.__doc__ or '').strip()}",
    )
    def fits_model(
        context: dg.AssetCheckExecutionContext, stores: Stores, warehouse: Warehouse
    ) -> dg.AssetCheckResult:
        return evaluate(model, read(stores, warehouse, run_range(context)), identity=identity)

    return fits_model


def from_lake(name: str, model: type[Table], column: str, **equal: str) -> Reader:
    """Reads the table ``name`` where ``column`` lies in the run's range and ``equal`` holds."""

    def read(stores: Stores, _: Warehouse, bounds: tuple[str, str] | None) -> pa.Table:
        where: list[tuple[str, str, object]] = [(key, "=", value) for key, value in equal.items()]
        if bounds:
            low, high = (date.fromisoformat(b) if column == "event_date" else b for b in bounds)
            where += [(column, ">=", low), (column, "<=", high)]
        return stores.tables.scan(name, arrow_schema(model), where=where)

    return read


def from_warehouse(name: str, model: type[Table], *, partitioned: bool) -> Reader:
    """Reads the warehouse table ``name``, the run's event dates of it where it has partitions."""

    def read(_: Stores, warehouse: Warehouse, bounds: tuple[str, str] | None) -> pa.Table:
        if not (partitioned and bounds):
            return warehouse.read(name, arrow_schema(model))
        low, high = (date.fromisoformat(b) for b in bounds)
        with warehouse.session() as connection:
            table = warehouse.ibis_table(connection, name, arrow_schema(model))
            return table.filter(table.event_date.between(low, high)).to_pyarrow()

    return read


def from_mart(role: str, name: str, model: type[Table]) -> Reader:
    """Reads the published Parquet of ``role``: what readers see; empty if nothing is published."""

    def read(_: Stores, __: Warehouse, ___: tuple[str, str] | None) -> pa.Table:
        path = settings().marts / role / "current" / f"{name}.parquet"
        return pq.read_table(path) if path.exists() else arrow_schema(model).empty_table()

    return read


model_checks = [
    *(
        build_model_check(
            ["standardised", channel],
            Standardised,
            from_lake("standardised", Standardised, "slot", channel=channel),
            identity="delivery_id",
            blocking=True,
        )
        for channel in CHANNELS
    ),
    *(
        build_model_check(
            ["standardised", channel],
            Quarantine,
            from_lake("quarantine", Quarantine, "slot", channel=channel),
            identity="quarantine_id",
            blocking=False,
            name="quarantine_fits_model",
        )
        for channel in CHANNELS
    ),
    build_model_check(
        "complaints",
        Complaints,
        from_lake("complaints", Complaints, "event_date"),
        identity="complaint_id",
        blocking=True,
    ),
    build_model_check(
        "enriched_complaints",
        EnrichedComplaints,
        from_lake("enriched_complaints", EnrichedComplaints, "event_date"),
        identity="complaint_id",
        blocking=True,
    ),
    *(
        build_model_check(
            name,
            model,
            from_warehouse(name, model, partitioned=partitioned),
            identity=identity,
            blocking=blocking,
            pool=WAREHOUSE_POOL,
        )
        for name, model, partitioned, identity, blocking in (
            ("complaint_facts", ComplaintFacts, True, "complaint_id", True),
            ("surge_metrics", SurgeMetrics, True, "bucket_start", True),
            ("surges", Surges, False, "surge_id", True),
            ("surge_transitions", SurgeTransitions, False, "transition_id", True),
            ("surge_forecast", SurgeForecast, False, "bucket_start", False),
            ("customer_features", CustomerFeatures, False, "subject_id", True),
            ("subject_links", SubjectLinks, False, "left", False),
            ("subjects", Subjects, False, "subject_id", True),
            ("emerging_terms", EmergingTerms, False, "term", False),
            ("calibration", Calibration, False, "scope", False),
        )
    ),
    *(
        build_model_check(
            ["marts", role],
            model,
            from_mart(role, name, model),
            identity=next(iter(arrow_schema(model).names)),
            blocking=False,
            name=f"{name}_fits_model",
        )
        for role, tables in MART_TABLES.items()
        for name, model in tables.items()
    ),
]
