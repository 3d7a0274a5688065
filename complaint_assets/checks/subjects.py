"""Sanity of customers: no chain of links joins more identifiers than one person has."""

import dagster as dg

from complaint_assets.assets.common import WAREHOUSE_POOL
from complaint_assets.schemas.subjects import Subjects
from complaint_assets.schemas.types import arrow_schema
from resources.settings import settings
from resources.warehouse import Warehouse


@dg.asset_check(
    asset="subjects",
    name="customers_are_persons",
    pool=WAREHOUSE_POOL,
    description=(
        "No customer has more linked identifiers than COMPLAINTS_LINK_ALARM: a chain so long joins strangers, "
        "through shared lines below the limit of COMPLAINTS_LINK_MOST."
    ),
)
def customers_are_persons(warehouse: Warehouse) -> dg.AssetCheckResult:
    """Count the customers with too many identifiers."""
    with warehouse.session() as connection:
        subjects = warehouse.ibis_table(connection, "subjects", arrow_schema(Subjects))
        sizes = subjects.group_by("customer_id").agg(size=subjects.identifiers.max()).to_pyarrow()["size"]
    large = [size for size in sizes.to_pylist() if size > settings().link_alarm]
    return dg.AssetCheckResult(
        passed=not large,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"customers": len(sizes), "too_large": len(large), "largest": max(sizes.to_pylist(), default=0)},
    )


subject_checks = [customers_are_persons]
