"""Alerts about the machinery: failed runs, failed checks, stale assets; and the delivery of every alert.

Counts only: no complaint text, no identifier, and no number of people below five.
"""

import json

import dagster as dg

from complaint_assets.assets.common import OWNER
from complaint_assets.surges.ledger import acknowledged_surges
from resources.alert import Alert
from resources.audit import TamperedAudit
from resources.notifier import Notifier
from resources.settings import settings

WILL_RETRY = "dagster/will_retry"
MOST_RESULTS = 50
"""Most results per check that one tick reads."""


@dg.run_failure_sensor(
    name="run_failure_alerts",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=settings().sensor_seconds,
    description="One alert per failed run, at its first failure; its retries are the same matter.",
)
def run_failure_alerts(context: dg.RunFailureSensorContext, notifier: Notifier) -> None:
    """Alert for the first failure of a run."""
    run = context.dagster_run
    retried = run.tags.get(WILL_RETRY) == "true"
    what = "It is tried again by itself" if retried else "Mend the cause, then run it again"
    notifier.send(
        Alert(
            key=f"run_failed:{run.root_run_id or run.run_id}",
            severity="error",
            title=f"Run of {run.job_name} failed",
            body=f"Run {run.run_id} failed. {what}; the UI shows it under /runs/{run.run_id}.",
            owner=OWNER,
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
                notifier.store(
                    Alert(
                        key=f"check_failed:{asset}:{key.name}:{record.run_id}",
                        severity=evaluation.severity.value.lower(),
                        title=f"Check {key.name} of {asset} failed",
                        body="The figures stand on the asset's Checks page.",
                        asset=asset,
                        owner=OWNER,
                    )
                )
        notifier.flush()
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
            notifier.store(
                Alert(
                    key=f"asset_stale:{asset}:{since}",
                    severity="warn",
                    title=f"{asset} is stale",
                    body="It has not been materialised within its freshness policy. Is its source silent?",
                    asset=asset,
                    owner=OWNER,
                )
            )
        notifier.flush()
        context.update_cursor(json.dumps(now_stale, sort_keys=True))
        return dg.SkipReason(f"{len(now_stale)} assets are stale")

    return freshness_alerts


@dg.sensor(
    name="alert_delivery",
    minimum_interval_seconds=settings().sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Delivers what is due: retries, digests, quiet hours that end, second routes.",
)
def alert_delivery(context: dg.SensorEvaluationContext, notifier: Notifier) -> dg.SkipReason:
    """One tick. A damaged ledger of surges fails it, but keeps no alert from anybody."""
    try:
        acknowledged = acknowledged_surges()
    except TamperedAudit:
        notifier.flush(())
        raise
    notifier.flush(acknowledged)
    waiting = notifier.outbox.waiting()
    return dg.SkipReason(f"{waiting} deliveries wait: complaints alerts" if waiting else "everything is delivered")
