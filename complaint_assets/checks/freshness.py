"""Freshness by the newest slot: a backfill of old partitions does not make a channel fresh."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from complaint_assets.ledger import Ledger, newest_slot_age
from complaint_assets.partitions import STALE_AFTER
from complaint_assets.schemas.types import CHANNELS
from resources.stores import Stores


def build_freshness_check(channel: str) -> dg.AssetChecksDefinition:
    """The check of the newest slot of ``channel``."""

    @dg.asset_check(
        asset=dg.AssetKey(["raw", channel]),
        name="newest_slot_is_fresh",
        description=f"The newest slot of {channel} with records ended less than {STALE_AFTER[channel]} ago.",
    )
    def newest_slot_is_fresh(stores: Stores) -> dg.AssetCheckResult:
        slot, age = newest_slot_age(Ledger(stores.tables).arrivals(), channel, datetime.now(UTC))
        return dg.AssetCheckResult(
            passed=age <= STALE_AFTER[channel],
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "newest_slot": slot or "none",
                "age_hours": round(min(age, timedelta(days=9999)) / timedelta(hours=1), 2),
            },
        )

    return newest_slot_is_fresh


freshness_checks = [build_freshness_check(channel) for channel in CHANNELS]

freshness_job = dg.define_asset_job(
    "check_freshness",
    selection=dg.AssetSelection.checks(*freshness_checks),
    description="Looks at the newest slot of every channel.",
    executor_def=dg.in_process_executor,
)
