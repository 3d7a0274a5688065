"""Dead runs: what was killed is closed within two minutes, so that its places are free and it is tried again."""

import dagster as dg

from complaint_assets.orphans import close_dead_runs
from resources.settings import settings


@dg.sensor(
    name="close_dead_runs",
    minimum_interval_seconds=min(60, settings().sensor_seconds),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process is gone, so that they free their places and are tried again.",
)
def reaper(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """One tick."""
    closed = close_dead_runs(context.instance)
    if closed:
        context.log.warning(f"closed runs whose process is gone: {', '.join(closed)}")
    return dg.SkipReason(f"{len(closed)} dead runs closed")
