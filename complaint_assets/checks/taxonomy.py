"""Rules that people no longer agree with turn red."""

import dagster as dg

from complaint_assets.assets.common import WAREHOUSE_POOL
from complaint_assets.logic.enriched.calibration import LEAST, too_low
from complaint_assets.schemas.taxonomy import Calibration
from complaint_assets.schemas.types import arrow_schema
from resources.settings import settings
from resources.warehouse import Warehouse


@dg.asset_check(
    asset="calibration",
    name="people_agree",
    pool=WAREHOUSE_POOL,
    description=(
        "Cohen's kappa between people and rules is at least COMPLAINTS_KAPPA_LEAST (an error), and at most "
        "COMPLAINTS_KAPPA_DROP below that of the former rules (a warning). "
        f"Fewer than {LEAST} labels judge nothing."
    ),
)
def people_agree(warehouse: Warehouse) -> dg.AssetCheckResult:
    """Judge the kappa of the active rules."""
    rows = warehouse.read("calibration", arrow_schema(Calibration)).to_pylist()
    low, dropped = too_low(rows, settings().kappa_least, settings().kappa_drop)
    told = {row["scope"]: row for row in rows if row["kappa"] is not None}
    return dg.AssetCheckResult(
        passed=not (low or dropped),
        severity=dg.AssetCheckSeverity.ERROR if low else dg.AssetCheckSeverity.WARN,
        metadata={
            "labels": max((row["labels"] for row in rows if row["scope"] == "rules"), default=0),
            **{f"kappa_{scope}": told[scope]["kappa"] for scope in ("rules", "former_rules") if scope in told},
        },
    )


taxonomy_checks = [people_agree]
