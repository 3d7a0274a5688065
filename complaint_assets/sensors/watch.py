"""Alerts about what customers say and whether it arrives: surges, silent sources, odd volumes, quarantine.

Each tick reads a bounded stretch of recent data. A replay or backfill of history tells nothing: only what is
recent by the clock is told. Counts only, and none below five.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import dagster as dg
import ibis

from complaint_assets.assets.common import OWNER
from complaint_assets.assets.surges import METRICS
from complaint_assets.ledger import Ledger
from complaint_assets.schemas.surges import Surges, SurgeTransitions
from complaint_assets.schemas.types import arrow_schema
from resources.alert import Alert, count_told
from resources.notifier import Notifier
from resources.settings import settings
from resources.stores import Stores
from resources.warehouse import Warehouse

RECENT = timedelta(hours=12)
"""A change of a surge is told if the data that showed it are not older than this."""
TOLD_CHANGES = {"open": "opened", "escalate": "escalated", "resolve": "resolved", "reopen": "reopened"}
SEVERITY = {"SEV1": "critical", "SEV2": "error", "SEV3": "warn"}
VOLUME_HOURS = 6
VOLUME_WEEKS = 4
VOLUME_FACTOR = 10
VOLUME_LEAST = 50
"""Complaints in the greater of the two, now or usual, below which a factor says nothing."""
FEWEST_RECORDS = 50
"""Records of a channel below which a share in quarantine says nothing."""


def surge_alert(change: Mapping[str, Any], surge: Mapping[str, Any]) -> Alert:
    """What is told of ``change``, a row of surge_transitions, in ``surge``, a row of surges."""
    what = TOLD_CHANGES[change["change"]]
    where = surge["region"] or (f"{len(surge['regions'])} regions" if surge["regions"] else "all regions")
    channel = f" on {surge['channel']}" if surge["channel"] else ""
    matter = surge["category"] or "several matters"
    return Alert(
        key=f"surge_{what}:{change['transition_id']}",
        severity="info" if what == "resolved" else SEVERITY[change["severity"]],
        title=f"Surge {what} ({change['severity']}): {matter} in {where}{channel}",
        body=(
            f"{count_told(change['observed'])} customers complained since "
            f"{surge['started_at']:%Y-%m-%d %H:%M} UTC, where {count_told(change['expected'])} were expected. "
            f"complaints surges show {surge['surge_id'][:8]}"
        ),
        asset="surges",
        owner=OWNER,
        # What is over needs no answer; the others are one incident until somebody takes it on.
        incident=surge["surge_id"],
    )


@dg.sensor(
    name="surge_alerts",
    minimum_interval_seconds=settings().sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="One alert when a surge opens, escalates, resolves or reopens; a replay of history tells nothing.",
)
def surge_alerts(context: dg.SensorEvaluationContext, warehouse: Warehouse, notifier: Notifier) -> dg.SkipReason:
    """Tell each recent change once. The cursor holds the changes of the last hours that were told."""
    oldest = datetime.now(UTC) - RECENT
    cursor = json.loads(context.cursor or "{}")
    materialised = _last_materialised(context, "surge_transitions")
    if materialised is not None and materialised == cursor.get("materialised"):
        return dg.SkipReason("surge_transitions stand as they were")
    with warehouse.session() as session:
        changes = warehouse.ibis_table(session, "surge_transitions", arrow_schema(SurgeTransitions))
        new = changes.filter(changes.at >= ibis.literal(oldest), changes.change.isin(list(TOLD_CHANGES)))
        rows = new.order_by("at", "transition_id").to_pyarrow().to_pylist()
        surges = warehouse.ibis_table(session, "surges", arrow_schema(Surges))
        wanted = sorted({row["surge_id"] for row in rows})
        by_id = {
            row["surge_id"]: row
            for row in (surges.filter(surges.surge_id.isin(wanted)).to_pyarrow().to_pylist() if wanted else ())
        }
    rows = [row for row in rows if row["surge_id"] in by_id]
    seen = set(cursor.get("seen", ()))
    told = [row for row in rows if row["transition_id"] not in seen]
    for row in told:
        notifier.store(surge_alert(row, by_id[row["surge_id"]]))
    notifier.flush()
    context.update_cursor(
        json.dumps({"materialised": materialised, "seen": sorted(row["transition_id"] for row in rows)})
    )
    return dg.SkipReason(f"{len(told)} changes told")


def silent_alerts(hours: Iterable[Mapping[str, Any]], now: datetime) -> list[Alert]:
    """Channels that are silent in the newest of ``hours`` (channel, bucket_start, source_state)."""
    states: dict[str, dict[datetime, str]] = defaultdict(dict)
    for row in hours:
        states[row["channel"]][row["bucket_start"]] = row["source_state"]
    newest = max((hour for by_hour in states.values() for hour in by_hour), default=None)
    if newest is None or now - newest > RECENT:
        return []
    alerts = []
    for channel, by_hour in sorted(states.items()):
        since = newest
        while by_hour.get(since) == "silent":
            since -= timedelta(hours=1)
        if since < newest:
            begun = since + timedelta(hours=1)
            alerts.append(
                Alert(
                    key=f"source_silent:{channel}:{begun:%Y-%m-%dT%H}",
                    severity="error",
                    title=f"Nothing is heard from {channel}",
                    body=f"No complaint since {begun:%Y-%m-%d %H:%M} UTC, where many were expected.",
                    asset=f"raw/{channel}",
                    owner=OWNER,
                )
            )
    return alerts


def volume_alerts(hours: Iterable[Mapping[str, Any]], now: datetime) -> list[Alert]:
    """Channels whose volume is ten times, or a tenth of, what it is at that time of the week.

    Args:
        hours: complaints by channel and bucket_start. The last six whole hours are held against the median of
            the same hours of the same weekday in the four weeks before; two of these must have been measured.
        now: what is not recent by it tells nothing.
    """
    counts: dict[str, dict[datetime, int]] = defaultdict(dict)
    for row in hours:
        counts[row["channel"]][row["bucket_start"]] = row["complaints"]
    newest = max((hour for by_hour in counts.values() for hour in by_hour), default=None)
    if newest is None or now - newest > RECENT:
        return []
    alerts = []
    for channel, by_hour in sorted(counts.items()):
        # The newest hour is still filling.
        window = [newest - timedelta(hours=n) for n in range(1, VOLUME_HOURS + 1)]
        weeks = [
            [by_hour[hour] for hour in (h - timedelta(weeks=week) for h in window) if hour in by_hour]
            for week in range(1, VOLUME_WEEKS + 1)
        ]
        usual_weeks = [sum(week) for week in weeks if len(week) == VOLUME_HOURS]
        if len(usual_weeks) < 2:
            continue
        usual, seen = median(usual_weeks), sum(by_hour.get(hour, 0) for hour in window)
        if max(usual, seen) < VOLUME_LEAST or max(usual, seen) < VOLUME_FACTOR * min(usual, seen):
            continue
        how = "up" if seen > usual else "down"
        alerts.append(
            Alert(
                key=f"volume_changed:{channel}:{how}:{newest:%Y-%m-%d}",
                severity="error",
                title=f"The volume of {channel} is {how} tenfold",
                body=(
                    f"{count_told(seen)} complaints in {VOLUME_HOURS} hours, {count_told(usual)} "
                    "in the same hours of the weeks before."
                ),
                asset=f"raw/{channel}",
                owner=OWNER,
            )
        )
    return alerts


def quarantine_alerts(intake: Iterable[Mapping[str, Any]], alarm: float, now: datetime) -> list[Alert]:
    """Channels of whose records in the rows of ``intake`` more than the share ``alarm`` is in quarantine."""
    records: dict[str, int] = defaultdict(int)
    refused: dict[str, int] = defaultdict(int)
    for row in intake:
        records[row["channel"]] += row["records_in"]
        refused[row["channel"]] += row["quarantined"]
    return [
        Alert(
            key=f"quarantine_rate:{channel}:{now:%Y-%m-%d}",
            severity="error",
            title=f"{refused[channel] / count:.0%} of {channel} is in quarantine",
            body=f"{count_told(refused[channel])} of {count_told(count)} records of the last two days of slots.",
            asset=f"standardised/{channel}",
            owner=OWNER,
        )
        for channel, count in sorted(records.items())
        if count >= FEWEST_RECORDS and refused[channel] >= 5 and refused[channel] > alarm * count
    ]


@dg.sensor(
    name="intake_alerts",
    minimum_interval_seconds=max(60, settings().sensor_seconds),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="One alert when a channel is silent, ten times up or down, or has too much in quarantine.",
)
def intake_alerts(
    context: dg.SensorEvaluationContext, stores: Stores, warehouse: Warehouse, notifier: Notifier
) -> dg.SkipReason:
    """Look at the metrics when they have changed, and at two days of slots."""
    now = datetime.now(UTC)
    since = (now - timedelta(days=1)).strftime("%Y-%m-%d")
    alerts = quarantine_alerts(Ledger(stores.tables).intake(since_slot=since), settings().quarantine_alarm, now)
    materialised = _last_materialised(context, "surge_metrics")
    if materialised is None or str(materialised) != context.cursor:
        hours = recent_hours(warehouse, now)
        alerts += silent_alerts(hours, now) + volume_alerts(hours, now)
    for alert in alerts:
        notifier.store(alert)
    notifier.flush()
    context.update_cursor(str(materialised))
    return dg.SkipReason(f"{len(alerts)} channels are out of the ordinary")


def recent_hours(warehouse: Warehouse, now: datetime) -> list[dict[str, Any]]:
    """Complaints and source_state by channel and hour: the last two days, and the same of the weeks before."""
    days = [
        (now - timedelta(days=day, weeks=week)).date() for week in range(VOLUME_WEEKS + 1) for day in range(-1, 3)
    ]
    with warehouse.session() as session:
        metrics = warehouse.ibis_table(session, "surge_metrics", METRICS)
        recent = metrics.filter(metrics.event_date.isin(days))
        by_hour = recent.group_by("channel", "bucket_start").agg(
            complaints=recent.complaints.sum(), source_state=recent.source_state.max()
        )
        return by_hour.to_pyarrow().to_pylist()


def _last_materialised(context: dg.SensorEvaluationContext, asset: str) -> int | None:
    """Number of the last materialisation; None if there is none (or the table was made elsewhere)."""
    record = context.instance.get_latest_materialization_event(dg.AssetKey(asset))
    return None if record is None else int(record.timestamp * 1000)
