"""Alerts about surges and arrivals: what is recent is told once, history is silent, small numbers are not said."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from complaint_assets.alerting import KINDS
from complaint_assets.schemas.surges import Surges, SurgeTransitions
from complaint_assets.schemas.types import duckdb_columns
from complaint_assets.sensors.watch import (
    quarantine_alerts,
    silent_alerts,
    surge_alert,
    surge_alerts,
    volume_alerts,
)
from resources.notifier import Notifier
from resources.warehouse import Warehouse

NOW = datetime(2026, 11, 23, 12, 20, tzinfo=UTC)
HOUR = NOW.replace(minute=0)
SURGE: dict[str, Any] = {
    "surge_id": "5" * 32,
    "status": "open",
    "severity": "SEV2",
    "channel": None,
    "category": "network",
    "region": "NG-LA",
    "regions": ["NG-LA"],
    "started_at": datetime(2026, 11, 23, 9, tzinfo=UTC),
}


def change(name: str, number: int, at: datetime, **more: Any) -> dict[str, Any]:
    row = {"transition_id": f"{number:032x}", "surge_id": SURGE["surge_id"], "change": name, "at": at}
    return {**row, "severity": "SEV2", "observed": 40, "expected": 3.2, **more}


@pytest.fixture
def notifier(tmp_path: Path) -> Notifier:
    return Notifier(folder=str(tmp_path / "alerts"))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "complaints.duckdb"))


def fill(warehouse: Warehouse, model: Any, rows: list[dict[str, Any]]) -> None:
    """Store ``rows``; columns that a test does not speak of are null."""
    with duckdb.connect(warehouse.database) as db:
        name = {Surges: "surges", SurgeTransitions: "surge_transitions"}[model]
        columns = [(column, kind) for column, kind, *_ in duckdb_columns(model)]
        declared = ", ".join(f'"{column}" {kind}' for column, kind in columns)
        db.execute("CREATE SCHEMA IF NOT EXISTS warehouse; SET TimeZone = 'UTC'")
        db.execute(f"CREATE OR REPLACE TABLE warehouse.{name} ({declared})")
        for row in rows:
            db.execute(
                f"INSERT INTO warehouse.{name} VALUES ({', '.join('?' for _ in columns)})",
                [row.get(column) for column, _ in columns],
            )


def told(notifier: Notifier) -> list[dict[str, Any]]:
    log = Path(notifier.folder) / "alerts.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def tick(warehouse: Warehouse, notifier: Notifier) -> Callable[[str | None], str | None]:
    def look(cursor: str | None) -> str | None:
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"warehouse": warehouse, "notifier": notifier}
            ) as context,
        ):
            surge_alerts(context)
            return context.cursor

    return look


def test_each_recent_change_is_told_once_and_a_replay_of_history_tells_nothing(
    warehouse: Warehouse, notifier: Notifier, tick: Callable[[str | None], str | None]
) -> None:
    now = datetime.now(UTC)
    fill(warehouse, Surges, [SURGE])
    old = [change("open", n, now - timedelta(days=n)) for n in range(1, 30)]
    fill(warehouse, SurgeTransitions, old)
    cursor = tick(None)
    assert told(notifier) == []
    news = [
        change(name, 100 + n, now - timedelta(hours=4 - n))
        for n, name in enumerate(("open", "update", "escalate", "resolve"))
    ]
    fill(warehouse, SurgeTransitions, [*old, *news])
    cursor = tick(cursor)
    kinds = ["surge_opened", "surge_escalated", "surge_resolved"]
    assert [alert["kind"] for alert in told(notifier)] == kinds
    tick(cursor)
    tick(None)  # a cursor that was lost
    assert len(told(notifier)) == 3
    fill(warehouse, SurgeTransitions, [*old, *news, change("reopen", 200, now)])
    cursor = tick(cursor)
    assert [alert["kind"] for alert in told(notifier)] == [*kinds, "surge_reopened"]
    assert len(json.loads(cursor or "{}")["seen"]) == 4, "the cursor holds recent changes only"


def test_a_surge_alert_says_counts_and_where_to_act_and_no_number_below_five() -> None:
    alert = surge_alert(change("open", 1, NOW), SURGE)
    assert (alert.kind, alert.severity, alert.incident) == ("surge_opened", "error", SURGE["surge_id"])
    assert alert.body == (
        "40 customers complained since 2026-11-23 09:00 UTC, where fewer than 5 were expected. "
        "complaints surges show 55555555"
    )
    assert surge_alert(change("resolve", 1, NOW), SURGE).severity == "info"
    assert surge_alert(change("open", 1, NOW, severity="SEV1"), SURGE).severity == "critical"
    assert {surge_alert(change(c, 1, NOW), SURGE).kind for c in ("open", "escalate", "resolve", "reopen")} == {
        kind for kind in KINDS if kind.startswith("surge_")
    }


def hours(channel: str, count: Callable[[datetime], int], state: str = "heard", weeks: int = 4) -> list[Any]:
    starts = [HOUR - timedelta(hours=hour, weeks=week) for week in range(weeks + 1) for hour in range(12)]
    return [
        {"channel": channel, "bucket_start": at, "complaints": count(at), "source_state": state} for at in starts
    ]


def test_a_silent_source_is_told_once_per_silence_and_only_while_it_is_recent() -> None:
    rows = hours("sms", lambda _: 9)
    for row in rows:
        if row["bucket_start"] > HOUR - timedelta(hours=3):
            row["source_state"] = "silent"
    (alert,) = silent_alerts([*rows, *hours("social", lambda _: 9)], NOW)
    assert alert.key == "source_silent:sms:2026-11-23T10"
    later = {"channel": "sms", "bucket_start": HOUR + timedelta(hours=1), "source_state": "silent"}
    (same,) = silent_alerts([*rows, later], NOW + timedelta(hours=1))
    assert same.key == alert.key
    assert silent_alerts([*rows, {**later, "source_state": "heard"}], NOW + timedelta(hours=1)) == []
    assert silent_alerts(rows, NOW + timedelta(days=2)) == [], "history"


@pytest.mark.parametrize(
    ("usual", "now", "weeks", "said"),
    [
        (10, 100, 4, "up"),
        (10, 99, 4, None),
        (10, 1, 4, "down"),
        (10, 2, 4, None),
        (8, 0, 4, None),  # 48 complaints in six hours are too few to say anything
        (0, 9, 4, "up"),
        (10, 100, 1, None),  # one week is no usual
    ],
)
def test_a_volume_ten_times_up_or_down_is_told(usual: int, now: int, weeks: int, said: str | None) -> None:
    rows = hours("sms", lambda at: now if at > HOUR - timedelta(days=1) else usual, weeks=weeks)
    for row in rows:
        row["complaints"] = 0 if row["bucket_start"] == HOUR else row["complaints"]  # still filling
    alerts = volume_alerts(rows, NOW)
    assert [alert.key for alert in alerts] == ([f"volume_changed:sms:{said}:2026-11-23"] if said else [])
    assert volume_alerts(rows, NOW + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("records", "quarantined", "tells"),
    [(100, 6, True), (100, 5, False), (49, 49, False), (60, 4, False), (1000, 51, True), (0, 0, False)],
)
def test_a_share_in_quarantine_above_the_setting_is_told(records: int, quarantined: int, tells: bool) -> None:
    row = {"channel": "sms", "records_in": records, "quarantined": quarantined}
    half = [{**row, "records_in": records // 2, "quarantined": quarantined // 2}]
    half.append({**row, "records_in": records - records // 2, "quarantined": quarantined - quarantined // 2})
    alerts = quarantine_alerts(half, 0.05, NOW)
    assert [alert.key for alert in alerts] == ([f"quarantine_rate:sms:{date(2026, 11, 23)}"] if tells else [])
