"""Dagster's storage with kept engines: what it writes is what the stock storage reads, and the other way round."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from resources.dagster_storage import KEPT, EventLog


def entry(run_id: str, message: str) -> dg.EventLogEntry:
    return dg.EventLogEntry(
        error_info=None,
        level=20,
        user_message=message,
        run_id=run_id,
        timestamp=0.0,
        dagster_event=None,
    )


def messages(storage: SqliteEventLogStorage, run_id: str) -> list[str]:
    return [record.user_message for record in storage.get_logs_for_run(run_id)]


def test_events_written_with_kept_engines_are_read_by_the_stock_storage(tmp_path: Path) -> None:
    kept, stock = EventLog(str(tmp_path)), SqliteEventLogStorage(str(tmp_path))
    runs = [f"run-{n}" for n in range(KEPT + 3)]
    for round_ in ("first", "second"):
        for run_id in runs:
            kept.store_event(entry(run_id, f"{round_} of {run_id}"))
    for run_id in runs:
        assert messages(stock, run_id) == [f"first of {run_id}", f"second of {run_id}"]
        stock.store_event(entry(run_id, "stock"))
        assert messages(kept, run_id)[-1] == "stock"


def test_a_deleted_run_leaves_no_event_behind(tmp_path: Path) -> None:
    kept = EventLog(str(tmp_path))
    kept.store_event(entry("gone", "a"))
    kept.delete_events("gone")
    assert messages(kept, "gone") == []
    kept.store_event(entry("gone", "b"))
    assert messages(kept, "gone") == ["b"]


DAYS = dg.StaticPartitionsDefinition([f"day-{n:03}" for n in range(7)])


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def daily(context: dg.AssetExecutionContext) -> None:
    for n, key in enumerate(context.partition_keys):
        context.add_asset_metadata({"rows": n}, partition_key=key)


@dg.asset_check(asset=daily)
def is_daily() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


@dg.asset(deps=[daily])
def weekly() -> None: ...


@pytest.mark.parametrize("together", [0, 3, 500])
def test_partitions_of_one_run_are_told_alike_however_many_are_stored_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", str(together))
    config = {
        "module": "resources.dagster_storage",
        "class": "DagsterStorage",
        "config": {"base_dir": str(tmp_path)},
    }
    overrides = {"storage": {"custom": config}, "telemetry": {"enabled": False}}
    with dg.instance_for_test(temp_dir=str(tmp_path), overrides=overrides) as instance:
        assert isinstance(instance.event_log_storage, EventLog)
        keys = DAYS.get_partition_keys()
        tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        job = dg.Definitions(
            assets=[daily, weekly],
            asset_checks=[is_daily],
            jobs=[dg.define_asset_job("all", [daily, weekly])],
        ).resolve_job_def("all")
        done = job.execute_in_process(instance=instance, tags=tags)
        told = instance.fetch_materializations(dg.AssetKey("daily"), limit=100).records
        assert {record.partition_key: record.asset_materialization.metadata["rows"].value for record in told} == {
            key: n for n, key in enumerate(keys)
        }
        assert len(told) == len(keys)
        assert instance.get_materialized_partitions(dg.AssetKey("daily")) == set(keys)
        of_run = [
            entry
            for entry in SqliteEventLogStorage(f"{tmp_path}/history/runs").get_logs_for_run(done.run_id)
            if entry.dagster_event
            and entry.dagster_event.is_step_materialization
            and entry.dagster_event.asset_key == dg.AssetKey("daily")
        ]
        stored = [entry.dagster_event.partition for entry in of_run]
        assert sorted(stored) == keys
        assert (
            instance.get_latest_materialization_event(dg.AssetKey("daily")).dagster_event.partition == stored[-1]
        )
        assert instance.get_latest_materialization_event(dg.AssetKey("weekly")) is not None
        (check,) = instance.event_log_storage.get_asset_check_execution_history(is_daily.check_key, limit=5)
        assert check.status == AssetCheckExecutionRecordStatus.FAILED
        planned = {
            record.dagster_event.asset_key.to_user_string()
            for record in instance.all_logs(done.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        }
        assert planned == {"daily", "weekly"}
