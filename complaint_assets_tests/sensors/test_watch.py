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
from complaint_assets.schemas.surges import SurgeMetrics, Surges, SurgeTransitions
from complaint_assets.schemas.types import duckdb_columns
from complaint_assets.sensors.alerts import alert_delivery
from complaint_assets.sensors.watch import (
    intake_alerts,
    quarantine_alerts,
    silent_alerts,
    surge_alert,
    surge_alerts,
    volume_alerts,
)
from complaint_assets.surges.ledger import surge_ledger
from resources.audit import TamperedAudit
from resources.notifier import Notifier
from resources.settings import settings
from resources.stores import Stores
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
        name = {Surges: "surges", SurgeTransitions: "surge_transitions", SurgeMetrics: "surge_metrics"}[model]
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


def test_the_intake_sensor_looks_at_new_metrics_only_and_tells_once(
    tmp_path: Path, warehouse: Warehouse, notifier: Notifier
) -> None:
    stores = Stores(
        lake_url=str(tmp_path / "lake"),
        inbox_url=str(tmp_path / "inbox"),
        tables_url=str(tmp_path / "tables"),
        queue_url=str(tmp_path / "queue.db"),
    )
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [
        {
            "event_date": at.date(),
            "bucket_start": at,
            "channel": "sms",
            "complaints": 0 if hour < 3 else 9,
            "source_state": "silent" if hour < 3 else "heard",
        }
        for hour in range(8)
        for at in [now - timedelta(hours=hour)]
    ]
    fill(warehouse, SurgeMetrics, rows)
    resources = {"stores": stores, "warehouse": warehouse, "notifier": notifier}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("surge_metrics"))
        cursor = None
        for _ in range(2):
            with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
                intake_alerts(context)
                cursor = context.cursor
            fill(warehouse, SurgeMetrics, [])  # not looked at again: nothing was materialised since
    assert [alert["key"] for alert in told(notifier)] == [
        f"source_silent:sms:{now - timedelta(hours=2):%Y-%m-%dT%H}"
    ]


def test_an_acknowledged_surge_goes_to_no_second_route_and_a_damaged_ledger_keeps_no_alert_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPLAINTS_HOME", str(tmp_path))
    monkeypatch.setenv("COMPLAINTS_ENV", "test")
    settings.cache_clear()
    try:
        routes = tmp_path / "routes.yaml"
        routes.write_text(
            "routes: {hook: {kind: webhook, url_env: NOT_SET}, log: {kind: log}}\n"
            "rules: [{to: [hook], second: [log]}]"
        )
        notifier = Notifier(folder=str(settings().alerts), routes=str(routes))
        ten_minutes_ago = datetime.now(UTC) - timedelta(minutes=10)
        surges = {name: {**SURGE, "surge_id": name * 32} for name in "ab"}
        for number, surge in enumerate(surges.values()):
            notifier.store(surge_alert(change("open", number, NOW), surge), lambda: ten_minutes_ago)
        surge_ledger().add(NOW, "ack", "a" * 32, "ada")

        def tick() -> None:
            with dg.build_sensor_context(resources={"notifier": notifier}) as context:
                alert_delivery(context)

        tick()
        assert [alert["incident"] for alert in told(notifier)] == ["b" * 32]
        settings().surge_log.write_text("{}\n")
        late = {**SURGE, "surge_id": "c" * 32}
        notifier.store(surge_alert(change("open", 9, NOW), late), lambda: ten_minutes_ago)
        with pytest.raises(TamperedAudit):
            tick()
        assert [alert["incident"] for alert in told(notifier)] == ["b" * 32, "c" * 32]
    finally:
        settings.cache_clear()
