"""Dagster's storage with kept engines: what it writes is what the stock storage reads, and the other way round."""

from pathlib import Path

import dagster as dg
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
