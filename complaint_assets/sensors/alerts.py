"""Alerts: failed runs, failed checks, stale assets and surges go to the notifier. Counts only, no text."""

import json

import dagster as dg
import pyarrow.compute as pc

from complaint_assets.assets.surges import surges
from complaint_assets.schemas.surges import Surges
from complaint_assets.schemas.types import arrow_schema
from resources.notifier import Alert, Notifier
from resources.settings import settings
from resources.warehouse import Warehouse

WILL_RETRY = "dagster/will_retry"
MOST_RESULTS = 50
"""Most results per check that one tick reads."""


@dg.run_failure_sensor(
    name="run_failure_alerts",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=settings().sensor_seconds,
    description="One alert per failed run, once no retry is coming.",
)
def run_failure_alerts(context: dg.RunFailureSensorContext, notifier: Notifier) -> None:
    """Alert for a run that failed for good."""
    run = context.dagster_run
    if run.tags.get(WILL_RETRY) == "true":
        return
    notifier.send(
        Alert(
            key=f"run:{run.root_run_id or run.run_id}",
            severity="error",
            title=f"Run of {run.job_name} failed",
            body=f"Run {run.run_id} failed. Open it in the UI, mend the cause, then run it again.",
            asset=None,
        )
    )


def build_check_alerts(checks: list[dg.AssetChecksDefinition]) -> dg.SensorDefinition:
    """The sensor that tells of each failure of one of ``checks``, whether or not it stopped a run."""
    keys = sorted((key for check in checks for key in check.check_keys), key=str)

    @dg.sensor(
        name="check_failure_alerts",
        minimum_interval_seconds=settings().sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="One alert per failed asset check and run.",
    )
    def check_failure_alerts(context: dg.SensorEvaluationContext, notifier: Notifier) -> dg.SkipReason:
        last_seen = newest = int(context.cursor or 0)
        told = 0
        for key in keys:
            # The history, because the latest result alone would hide a failure between two ticks.
            for record in context.instance.event_log_storage.get_asset_check_execution_history(
                key, limit=MOST_RESULTS
            ):
                newest = max(newest, record.id)
                evaluation = record.event and record.event.asset_check_evaluation
                if record.id <= last_seen or evaluation is None or evaluation.passed:
                    continue
                told += 1
                asset = key.asset_key.to_user_string()
                notifier.send(
                    Alert(
                        key=f"check:{asset}:{key.name}:{record.run_id}",
                        severity=evaluation.severity.value.lower(),
                        title=f"Check {key.name} of {asset} failed",
                        body="The figures stand on the asset's Checks page.",
                        asset=asset,
                    )
                )
        context.update_cursor(str(newest))
        return dg.SkipReason(f"{told} checks failed since the last tick")

    return check_failure_alerts


def build_freshness_alerts(assets: list[dg.AssetsDefinition]) -> dg.SensorDefinition:
    """The sensor that tells when one of ``assets`` goes stale, and once again after it recovered."""
    keys = sorted(key for asset in assets for key in asset.keys)

    @dg.sensor(
        name="freshness_alerts",
        minimum_interval_seconds=max(60, settings().sensor_seconds),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="One alert when an asset fails its freshness policy, until it is fresh again.",
    )
    def freshness_alerts(context: dg.SensorEvaluationContext, notifier: Notifier) -> dg.SkipReason:
        stale: dict[str, str] = json.loads(context.cursor or "{}")
        now_stale: dict[str, str] = {}
        for key, record in context.instance.get_freshness_state_records(keys).items():
            if record.freshness_state.value != "FAIL":
                continue
            asset = key.to_user_string()
            since = now_stale[asset] = stale.get(asset, record.updated_at.isoformat())
            notifier.send(
                Alert(
                    key=f"freshness:{asset}:{since}",
                    severity="warn",
                    title=f"{asset} is stale",
                    body="It has not been materialised within its freshness policy. Is its source silent?",
                    asset=asset,
                )
            )
        context.update_cursor(json.dumps(now_stale, sort_keys=True))
        return dg.SkipReason(f"{len(now_stale)} assets are stale")

    return freshness_alerts


@dg.asset_sensor(
    asset_key=surges.key,
    name="surge_alerts",
    minimum_interval_seconds=settings().sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="One alert when a surge opens and one when it resolves.",
)
def surge_alerts(
    context: dg.SensorEvaluationContext,
    asset_event: dg.EventLogEntry,
    warehouse: Warehouse,
    notifier: Notifier,
) -> dg.SkipReason:
    """Tell every transition once: the notifier's keys make a replay silent."""
    found = warehouse.read("surges", arrow_schema(Surges))
    newest = pc.max(found["last_hour_at"]).as_py() if found.num_rows else None
    told = 0
    for row in found.to_pylist():
        # A replay of history raises no alarm: only incidents of the last two days are told.
        if newest is None or (newest - row["last_hour_at"]).days >= 2:
            continue
        told += 1
        notifier.send(
            Alert(
                key=f"surge:{row['surge_id']}:{row['status']}:{row['severity']}",
                severity=row["severity"].lower(),
                title=(
                    f"Surge {row['status']}: {row['category'] or 'several matters'} "
                    f"in {row['region'] or 'several regions'}"
                ),
                body=row["explanation"],
                asset="surges",
            )
        )
    return dg.SkipReason(f"{told} recent surges")
