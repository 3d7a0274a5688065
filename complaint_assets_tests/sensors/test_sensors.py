"""Sensors on real instances, folders and tables: what they ask for, once, and whom they tell."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from complaint_assets.ledger import Ledger
from complaint_assets.partitions import slot_at
from complaint_assets.sensors.alerts import build_check_alerts, run_failure_alerts
from complaint_assets.sensors.landing import LOOK_LIMIT, build_landing_sensor
from complaint_assets.sensors.propagation import propagation
from resources.notifier import Notifier
from resources.stores import Stores

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
landing = build_landing_sensor("sms")


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(
        lake_url=str(tmp_path / "lake"),
        inbox_url=str(tmp_path / "inbox"),
        tables_url=str(tmp_path / "tables"),
        queue_url=str(tmp_path / "queue.db"),
    )


@pytest.fixture
def notifier(tmp_path: Path) -> Notifier:
    return Notifier(folder=str(tmp_path / "alerts"))


@pytest.fixture
def dropped(tmp_path: Path) -> Path:
    """A file in the inbox of sms/gateway."""
    path = tmp_path / "inbox" / "sms" / "gateway" / "one.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("{}\n")
    return path


def told(notifier: Notifier) -> list[dict[str, Any]]:
    log = Path(notifier.folder) / "alerts.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def look(stores: Stores, cursor: str | None) -> tuple[list[dg.RunRequest], str | None]:
    """One tick of the landing sensor: what it asks for, and its cursor."""
    with dg.build_sensor_context(cursor=cursor, resources={"stores": stores}) as context:
        result = landing(context)
        if isinstance(result, dg.SensorResult):
            return list(result.run_requests or ()), result.cursor
        return [], context.cursor


def test_a_file_is_asked_for_once_two_looks_found_it_unchanged(stores: Stores, dropped: Path) -> None:
    asked, cursor = look(stores, None)
    assert not asked, "it may still be written"
    asked, cursor = look(stores, cursor)
    slot = slot_at("sms", datetime.now(UTC))
    assert [tuple(request.tags[name] for name in RANGE) for request in asked] == [(slot, slot)]
    again, _ = look(stores, cursor)
    assert not again, "one micro-batch is asked for once"


def test_a_file_that_changed_between_two_looks_is_left_alone(stores: Stores, dropped: Path) -> None:
    _, cursor = look(stores, None)
    dropped.write_text("{}\n{}\n")
    asked, _ = look(stores, cursor)
    assert not asked


def test_an_unfinished_file_and_one_without_contract_are_never_asked_for(stores: Stores, dropped: Path) -> None:
    dropped.rename(dropped.with_suffix(".jsonl.part"))
    stranger = dropped.parent.parent / "nobody" / "file.jsonl"
    stranger.parent.mkdir()
    stranger.write_text("{}\n")
    _, cursor = look(stores, None)
    asked, _ = look(stores, cursor)
    assert not asked
    assert stranger.exists()


def test_a_cursor_stays_small_however_many_files_there_are(stores: Stores, dropped: Path) -> None:
    for n in range(LOOK_LIMIT + 50):
        os.link(dropped, dropped.with_name(f"{n}.jsonl"))
    _, cursor = look(stores, None)
    assert len(json.loads(cursor or "{}")["seen"]) == LOOK_LIMIT


def test_bytes_that_were_landed_by_hand_are_asked_for_too(stores: Stores, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    slot = slot_at("sms", now - timedelta(days=2))
    path = tmp_path / "file.jsonl"
    path.write_text("{}\n")
    with path.open("rb") as stream:
        stores.lake.land("sms", "gateway", slot, path.name, now, stream)
    asked, _ = look(stores, None)
    assert [request.tags[RANGE[0]] for request in asked] == [slot]


def test_pushed_messages_are_asked_for_in_the_current_slot_while_any_wait(stores: Stores) -> None:
    assert stores.queue
    stores.queue.send("sms", "gateway", [b"{}"])
    slots = {slot_at("sms", datetime.now(UTC))}
    asked, _ = look(stores, None)
    slots.add(slot_at("sms", datetime.now(UTC)))
    assert {request.tags[RANGE[0]] for request in asked} <= slots
    assert len(asked) == 1
    stores.queue.ack("sms", stores.queue.receive("sms", 1, 60))
    asked, _ = look(stores, None)
    assert not asked


def test_a_queue_that_does_not_answer_keeps_no_file_waiting(stores: Stores, dropped: Path) -> None:
    Path(stores.queue_url).mkdir()  # no SQLite file can be opened there
    _, cursor = look(stores, None)
    asked, _ = look(stores, cursor)
    assert len(asked) == 1


def record(stores: Stores, days: list[date]) -> None:
    """What the ledger knows of one object whose records happened on ``days``."""
    Ledger(stores.tables).record_intake(
        "sms",
        ["2026-11-10T08"],
        [
            {
                "channel": "sms",
                "source": "gateway",
                "slot": "2026-11-10T08",
                "object_sha256": "a" * 64,
                "manifest_sha256": "b" * 64,
                "bytes": 3,
                "records_in": 1,
                "standardised": 1,
                "quarantined": 0,
                "event_dates": days,
                "content_digest": "c",
                "contract_version": "1.0",
            }
        ],
    )


def restate(stores: Stores) -> list[dg.RunRequest]:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, resources={"stores": stores}) as context,
    ):
        result = propagation(context)
        return list(result.run_requests or ()) if isinstance(result, dg.SensorResult) else []


def test_exactly_the_touched_event_dates_are_asked_for(stores: Stores) -> None:
    assert not restate(stores)
    record(stores, [date(2026, 11, 3), date(2026, 11, 4), date(2026, 11, 9)])
    asked = restate(stores)
    ranges = [tuple(request.tags[name] for name in RANGE) for request in asked]
    assert ranges == [("2026-11-03", "2026-11-04"), ("2026-11-09", "2026-11-09")]
    assert {request.job_name for request in asked} == {"build_dates"}


def test_one_range_is_rebuilt_and_published_in_one_run(stores: Stores) -> None:
    record(stores, [date(2026, 11, 3)])
    assert [request.job_name for request in restate(stores)] == ["build"]


@dg.asset
def figures() -> None:
    """An asset with a check that fails."""


@dg.asset_check(asset=figures)
def never_passes() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


def test_a_failed_check_is_told_once(notifier: Notifier) -> None:
    sensor = build_check_alerts([never_passes])
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([figures, never_passes], instance=instance)
        cursor = None
        for _ in range(2):
            with dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"notifier": notifier}
            ) as context:
                sensor(context)
                cursor = context.cursor
        assert [alert["asset"] for alert in told(notifier)] == ["figures"]
        dg.materialize([figures, never_passes], instance=instance)
        with dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"notifier": notifier}
        ) as context:
            sensor(context)
    assert len(told(notifier)) == 2


@dg.op
def breaks() -> None:
    raise ValueError("the customer +2348031234567 is angry")


@dg.job
def breaking() -> None:
    breaks()


def test_a_failed_run_is_told_without_what_its_error_says(notifier: Notifier) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = breaking.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failure_alerts",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={"notifier": notifier},
        ).for_run_failure()
        run_failure_alerts(context)
        run_failure_alerts(context)
    (alert,) = told(notifier)
    assert result.run_id in alert["body"]
    assert "2348031234567" not in json.dumps(alert)
