"""Restatement: event dates that new or late slots have touched are asked for, and exactly those."""

from datetime import UTC, datetime

import dagster as dg

from complaint_assets.automation import build_runs
from complaint_assets.jobs import BUILD_TAGS, build_jobs
from complaint_assets.ledger import Ledger
from resources.settings import settings
from resources.stores import Stores

RETRY_MINUTES = 10
"""A range whose run failed and left the ledger as it was is asked for again after so long."""

ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    jobs=build_jobs,
    minimum_interval_seconds=settings().sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for every event date that differs from what it would be built from now.",
)
def propagation(context: dg.SensorEvaluationContext, stores: Stores) -> dg.SensorResult | dg.SkipReason:
    """One tick: the ledger says what is pending; while a build runs, it is left to finish."""
    if context.instance.get_runs_count(dg.RunsFilter(statuses=ACTIVE, tags=BUILD_TAGS)):
        return dg.SkipReason("a build is queued or running; what it leaves pending is asked for afterwards")
    runs = build_runs(stores, context.instance)
    if not runs:
        return dg.SkipReason("every event date is up to date")
    now = datetime.now(UTC)
    window = f"{now:%Y-%m-%d}#{(now.hour * 60 + now.minute) // RETRY_MINUTES}"
    state = Ledger(stores.tables).state()
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=run.key(window, state), job_name=run.job, tags=run.tags) for run in runs
        ]
    )
