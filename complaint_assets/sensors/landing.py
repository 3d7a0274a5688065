"""Arrivals: sealed files in the inbox, messages in the queue and objects in the lake become runs of their slots.

One sensor per channel. A file counts as sealed when two looks found it unchanged. Streaming channels ask at
most once per micro-batch, so that a run carries what came together.
"""

import json
from datetime import UTC, datetime

import dagster as dg

from complaint_assets.assets.raw import arrival_mark, arrival_slot
from complaint_assets.automation import ingest_runs
from complaint_assets.contracts import load_contracts
from complaint_assets.ledger import Ledger
from complaint_assets.partitions import slot_at, slots_of
from complaint_assets.schemas.types import CHANNELS, STREAMING_CHANNELS
from resources.queue import QueueUnavailable
from resources.settings import settings
from resources.stores import Stores

LOOK_LIMIT = 2_000
"""Most arrivals that one tick lists: a tick stays short, and the cursor small."""
BATCH_CHANNEL_MINUTES = 5


def batch_window(channel: str, now: datetime) -> str:
    """The micro-batch of ``channel`` in which ``now`` lies."""
    minutes = settings().micro_batch_minutes if channel in STREAMING_CHANNELS else BATCH_CHANNEL_MINUTES
    since_midnight = now.hour * 60 + now.minute
    return f"{now:%Y-%m-%d}#{since_midnight // minutes}"


def waiting_messages(context: dg.SensorEvaluationContext, stores: Stores, channel: str) -> int:
    """Messages of ``channel`` in the queue; a queue that does not answer keeps no file waiting."""
    if stores.queue is None:
        return 0
    try:
        return stores.queue.depth(channel).waiting
    except QueueUnavailable as error:
        context.log.warning(f"{error}; its messages wait")
        return 0


def build_landing_sensor(channel: str) -> dg.SensorDefinition:
    """The landing sensor of ``channel``."""

    @dg.sensor(
        name=f"landing_{channel}",
        job_name=f"ingest_{channel}",
        minimum_interval_seconds=settings().sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Asks for the slots of {channel} that have sealed files, pushed messages or unread objects.",
    )
    def landing(context: dg.SensorEvaluationContext, stores: Stores) -> dg.SensorResult | dg.SkipReason:
        cursor = json.loads(context.cursor or "{}")
        contracts = load_contracts(settings().contract_folders())
        arrivals = stores.inbox.look(channel, LOOK_LIMIT)
        known = [a for a in arrivals if (channel, a.source) in contracts]
        if len(known) < len(arrivals):
            context.log.warning(
                f"{len(arrivals) - len(known)} files in the inbox of {channel} belong to no contract and stay "
                "where they are: add a contract, or move them"
            )
        marks = {arrival_mark(arrival): arrival_slot(arrival) for arrival in known}
        seen = set(cursor.get("seen", []))
        sealed = {mark: slot for mark, slot in marks.items() if mark in seen}
        now = datetime.now(UTC)
        window = batch_window(channel, now)
        pushed = [slot_at(channel, now)] if waiting_messages(context, stores, channel) else []
        stale = Ledger(stores.tables).stale_slots(stores.lake, channel)
        wanted = sorted({*sealed.values(), *pushed, *stale})
        in_range = [slot for slot in wanted if slots_of(channel).has_partition_key(slot)]
        if len(in_range) < len(wanted):
            context.log.warning(f"{len(wanted) - len(in_range)} slots of {channel} lie outside the partitions")
        asked = window if in_range else cursor.get("asked")
        next_cursor = json.dumps({"seen": sorted(marks), "asked": asked})
        if not in_range or cursor.get("asked") == window:
            context.update_cursor(json.dumps({"seen": sorted(marks), "asked": cursor.get("asked")}))
            return dg.SkipReason(
                f"{len(marks)} arrivals, {len(sealed)} sealed, {len(in_range)} slots to take in"
                + (f"; this micro-batch ({window}) has been asked for" if in_range else "")
            )
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    # The window makes a failed batch be asked for again; a run key is spent for ever.
                    run_key=run.key(window, *sorted(sealed)),
                    run_config=run.run_config,
                    tags=run.tags,
                )
                for run in ingest_runs(channel, in_range, list(sealed))
            ],
            cursor=next_cursor,
        )

    return landing


landing_sensors = [build_landing_sensor(channel) for channel in CHANNELS]
