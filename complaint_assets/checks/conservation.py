"""Nothing lost, nothing counted twice: per raw slot, records in equal what became of them."""

import dagster as dg
import pyarrow as pa

from complaint_assets.assets.complaints import COMPLAINTS, STANDARDISED
from complaint_assets.assets.enriched import ENRICHED
from complaint_assets.assets.standardised import QUARANTINE
from complaint_assets.ledger import INTAKE, Ledger
from complaint_assets.logic.conservation import account
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.schemas.types import CHANNELS
from resources.stores import Stores
from resources.tables import Tables

SAMPLE = 20
"""Most slots listed when the account does not balance."""


def slot_accounts(tables: Tables, channel: str) -> pa.Table:
    """The account of every slot of ``channel``, columns as in ``logic.conservation.account``."""
    of_channel = [("channel", "=", channel)]
    return evaluate(
        account,
        *(
            tables.scan(name, schema, columns=columns, where=of_channel)
            for name, schema, columns in (
                ("intake", INTAKE, ["channel", "slot", "records_in"]),
                ("standardised", STANDARDISED, ["channel", "slot", "delivery_id", "complaint_id"]),
                ("quarantine", QUARANTINE, ["channel", "slot"]),
                ("complaints", COMPLAINTS, ["complaint_id", "first_delivery_id"]),
                ("enriched_complaints", ENRICHED, ["complaint_id", "contact_class"]),
            )
        ),
    )


def build_conservation_check(channel: str) -> dg.AssetChecksDefinition:
    """The check of the raw slots of ``channel``."""

    @dg.asset_check(
        asset=dg.AssetKey(["raw", channel]),
        name="conservation",
        additional_deps=["enriched_complaints"],
        description=(
            "Records in = complaints + non-complaints + duplicates + quarantined, for every slot. Slots whose "
            "event dates are still to be rebuilt are counted as pending and judged once they are."
        ),
    )
    def conservation(stores: Stores) -> dg.AssetCheckResult:
        ledger = Ledger(stores.tables)
        waiting = set(ledger.pending_dates().chain)
        pending = {row["slot"] for row in ledger.intake(channel) if waiting.intersection(row["event_dates"])}
        accounts = slot_accounts(stores.tables, channel).to_pylist()
        judged = [row for row in accounts if row["slot"] not in pending]
        wrong = [row for row in judged if row["difference"]]
        names = ("records_in", "complaints", "non_complaints", "duplicates", "quarantined", "difference")
        return dg.AssetCheckResult(
            passed=not wrong,
            metadata={
                "slots": len(accounts),
                "slots_pending": len(accounts) - len(judged),
                **{name: sum(int(row[name]) for row in judged) for name in names},
                **({"slots_at_fault": wrong[:SAMPLE]} if wrong else {}),
            },
        )

    return conservation


conservation_checks = [build_conservation_check(channel) for channel in CHANNELS]
