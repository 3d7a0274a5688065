"""Dagster's SQLite storage with engines that are kept.

The stock event log makes a database engine for every event, opens a connection, and compiles every statement anew:
in a run over hundreds of partitions that is most of the work. It also commits twice for every asset that is
planned and for every partition that has been materialised; here they go together.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from dagster._core.events import ASSET_EVENTS, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    SQLITE_BUSY_TIMEOUT_SECONDS,
    SqliteEventLogStorage,
)
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine

KEPT = 8
"""Engines kept: one for the index, the others for the runs written or read last."""
TOGETHER = 500
"""Events that are stored in one transaction."""
TOLD_TOGETHER = ASSET_EVENTS | {DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED}


class EventLog(SqliteEventLogStorage):
    """The stock event log, with the engines of the databases used last."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(TOGETHER))  # Dagster has no other way to say it
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engines.pop(shard, None) or create_engine(
                self.conn_string_for_shard(shard),
                pool_size=1,
                # Threads take turns: whoever holds the lock has the connection.
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            self._engines[shard] = engine
            if len(self._engines) > KEPT:
                self._engines.popitem(last=False)[1].dispose()
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store what is planned for, or happened to, assets and their partitions in one run.

        One transaction per database, and the entry of an asset is written for the newest of its events only.
        """
        rows = [self._event_to_row(event) for event in events]
        if not {event.dagster_event_type for event in events} <= TOLD_TOGETHER or (
            len({row["run_id"] for row in rows}) > 1
        ):
            return super().store_event_batch(events)
        insert = SqlEventLogStorageTable.insert()
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(insert, rows)
        with self.index_transaction() as connection:
            ids = [int(connection.execute(insert, row).lastrowid) for row in rows]
            numbered = list(zip(events, ids, strict=True))
            of_assets = [(event, n) for event, n in numbered if event.dagster_event_type in ASSET_EVENTS]
            self._store_asset_event_tags(connection, [event for event, _ in of_assets], [n for _, n in of_assets])
            for event, n in {event.get_dagster_event().asset_key: (event, n) for event, n in of_assets}.values():
                self._store_asset_event(connection, event, n)
        for event, n in numbered:
            if event.dagster_event_type not in ASSET_EVENTS:
                self.store_asset_check_event(event, n)
        return None


class DagsterStorage(DagsterSqliteStorage):
    """Runs, events and schedules of one home (``storage.custom`` in ``dagster.yaml``)."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage: Any = EventLog(f"{base_dir}/history/runs/")

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> Self:
        """The storage in ``base_dir``."""
        return cls.from_local(inst_data=inst_data, **config_value)
