"""Schedules: the daily slots of the batch channels, the daily publication, the hourly freshness checks."""

from datetime import timedelta

import dagster as dg

from complaint_assets.automation import RANGE_END, RANGE_START
from complaint_assets.checks.freshness import freshness_job
from complaint_assets.jobs import backtest_job, privacy_job, publish_job
from complaint_assets.partitions import DAY
from complaint_assets.schemas.types import CHANNELS, STREAMING_CHANNELS

BATCH_CHANNELS = [channel for channel in CHANNELS if channel not in STREAMING_CHANNELS]


def build_batch_schedule(channel: str) -> dg.ScheduleDefinition:
    """Every morning: yesterday's slot of ``channel``, and today's as far as it has come."""

    @dg.schedule(
        name=f"daily_{channel}",
        job_name=f"ingest_{channel}",
        cron_schedule="0 5 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Takes in yesterday's and today's slot of {channel} at 05:00 UTC.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        today = context.scheduled_execution_time
        yesterday = today - timedelta(days=1)
        return dg.RunRequest(tags={RANGE_START: yesterday.strftime(DAY), RANGE_END: today.strftime(DAY)})

    return daily


publish_daily = dg.ScheduleDefinition(
    name="daily_publish",
    job=publish_job,
    cron_schedule="30 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Features, marts and reports at 05:30 UTC, whether or not anything was restated.",
)

privacy_daily = dg.ScheduleDefinition(
    name="daily_privacy",
    job=privacy_job,
    cron_schedule="30 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Retention and the erasure ledger at 04:30 UTC, before the daily publication.",
)

freshness_hourly = dg.ScheduleDefinition(
    name="hourly_freshness",
    job=freshness_job,
    cron_schedule="10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks at the newest slot of every channel.",
)

backtest_weekly = dg.ScheduleDefinition(
    name="weekly_backtest",
    job=backtest_job,
    cron_schedule="15 3 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Proves surge detection on the newest weeks, Mondays at 03:15 UTC.",
)

default_schedules = [
    *(build_batch_schedule(channel) for channel in BATCH_CHANNELS),
    publish_daily,
    privacy_daily,
    freshness_hourly,
    backtest_weekly,
]
