"""Schema drift: what sources send beside, and short of, what their contracts declare."""

from collections import Counter

import dagster as dg

from complaint_assets.assets.standardised import DRIFT, QUARANTINE
from complaint_assets.checks.model import run_range
from complaint_assets.schemas.types import CHANNELS
from resources.stores import Stores

MOST_LISTED = 20
"""Most fields listed in the metadata of a check."""


def build_drift_check(channel: str) -> dg.AssetChecksDefinition:
    """The check of what arrived through ``channel``."""

    @dg.asset_check(
        asset=dg.AssetKey(["standardised", channel]),
        name="schema_drift",
        description=(
            "Objects have the fields that their contracts declare. An error: a required field is missing, or "
            "there are not as many records as the object says, so it is held as a whole, until the contract is "
            "mended and complaints quarantine replay reads it. "
            "A warning: a field is new (kept among the attributes), missing (null, flagged) or of another type."
        ),
    )
    def schema_drift(context: dg.AssetCheckExecutionContext, stores: Stores) -> dg.AssetCheckResult:
        where: list[tuple[str, str, object]] = [("channel", "=", channel)]
        bounds = run_range(context)
        if bounds:
            where += [("slot", ">=", bounds[0]), ("slot", "<=", bounds[1])]
        rows = stores.tables.scan("drift", DRIFT, where=where).to_pylist()
        objects = Counter((row["source"], row["kind"], row["field"], row["suggestion"]) for row in rows)
        held = {(row["source"], row["object_sha256"]) for row in rows if row["kind"] == "missing_required"}
        short = stores.tables.scan(
            "quarantine", QUARANTINE, columns=["reason"], where=[*where, ("reason", "=", "count_mismatch")]
        ).num_rows
        listed = [
            {"source": source, "kind": kind, "field": field, "perhaps_now": suggestion or "", "objects": count}
            for (source, kind, field, suggestion), count in sorted(objects.items(), key=str)[:MOST_LISTED]
        ]
        return dg.AssetCheckResult(
            passed=not rows and not short,
            severity=dg.AssetCheckSeverity.ERROR if held or short else dg.AssetCheckSeverity.WARN,
            metadata={
                "objects_held": len(held) + short,
                "objects_miscounted": short,
                "fields": len(objects),
                **({"drift": listed} if listed else {}),
            },
        )

    return schema_drift


drift_checks = [build_drift_check(channel) for channel in CHANNELS]
