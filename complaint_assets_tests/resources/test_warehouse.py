"""The warehouse's promises: by name, in one transaction, in the declared types, whoever dies when."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from resources.warehouse import ON_COMMIT, WarehouseIOManager, connect

DAYS = dg.DailyPartitionsDefinition("2026-11-01", end_date="2026-12-01")
FIRST, SECOND = date(2026, 11, 2), date(2026, 11, 3)

Columns = Sequence[tuple[str, str, bool]]
COLUMNS: Columns = (
    ("event_date", "DATE", False),
    ("first", "VARCHAR", True),
    ("second", "VARCHAR", True),
    ("number", "BIGINT", True),
    ("at", "TIMESTAMP WITH TIME ZONE", True),
    ("words", "VARCHAR[]", True),
)


def declared(columns: Columns) -> dict[str, Any]:
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(name, kind, constraints=dg.TableColumnConstraints(nullable=nullable))
                for name, kind, nullable in columns
            ]
        )
    }


def facts(frame: pd.DataFrame, columns: Columns = COLUMNS, *, partitioned: bool = True) -> dg.AssetsDefinition:
    """An asset ``facts`` whose value is ``frame``."""

    @dg.asset(
        name="facts",
        partitions_def=DAYS if partitioned else None,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={**declared(columns), **({"partition_expr": "event_date"} if partitioned else {})},
    )
    def asset() -> pd.DataFrame:
        return frame

    return asset


def rows(*days: date | None, **values: Any) -> pd.DataFrame:
    """One plain pandas row per day."""
    plain = {"first": "a", "second": "b", "number": 1, "at": datetime(2026, 11, 2, 5, tzinfo=UTC)}
    return pd.DataFrame([{"event_date": day, **plain, "words": ["x"], **values} for day in days])


def nothing() -> pd.DataFrame:
    """No rows, in the types that pandas makes up for them."""
    return pd.DataFrame({name: [] for name, _, _ in COLUMNS})


class Store:
    """A warehouse in a folder, and the assets materialised into it."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.database = str(folder / "facts.duckdb")
        self.instance = instance

    def run(
        self, *assets: dg.AssetsDefinition, day: date | None = None, last: date | None = None
    ) -> dg.ExecuteInProcessResult:
        tags = None
        if day and last:
            prefix = "dagster/asset_partition_range"
            tags = {f"{prefix}_start": str(day), f"{prefix}_end": str(last)}
        return dg.materialize(
            list(assets),
            instance=self.instance,
            partition_key=None if last or day is None else str(day),
            tags=tags,
            resources={"io_manager": WarehouseIOManager(database=self.database, schema="warehouse")},
            raise_on_error=False,
        )

    def write(self, frame: pd.DataFrame, day: date = FIRST, columns: Columns = COLUMNS) -> None:
        assert self.run(facts(frame, columns), day=day).success

    def refusal(self, frame: pd.DataFrame, columns: Columns = COLUMNS) -> str:
        """What the event log says, all of it, about a write that must fail."""
        result = self.run(facts(frame, columns), day=FIRST)
        assert not result.success
        return "\n".join(str(entry) for entry in self.instance.all_logs(result.run_id))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        connection = connect(self.database, read_only=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def days(self) -> list[tuple[Any, ...]]:
        return self.query("SELECT event_date, number FROM warehouse.facts ORDER BY event_date, number")

    def loaded(self, columns: Columns = COLUMNS) -> pd.DataFrame:
        """What a downstream asset gets for the first day."""
        seen: list[pd.DataFrame] = []

        @dg.asset(partitions_def=DAYS, io_manager_key="nowhere")
        def downstream(facts: pd.DataFrame) -> None:
            seen.append(facts)

        upstream = facts(nothing(), columns)
        result = dg.materialize(
            [upstream, downstream],
            selection=[downstream],
            instance=self.instance,
            partition_key=str(FIRST),
            resources={
                "io_manager": WarehouseIOManager(database=self.database, schema="warehouse"),
                "nowhere": dg.mem_io_manager,
            },
        )
        assert result.success
        return seen[0]


def dagster_instance(folder: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.local_temp(str(folder), overrides={"telemetry": {"enabled": False}})


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> dg.DagsterInstance:
    return dagster_instance(tmp_path_factory.mktemp("instance"))


@pytest.fixture
def store(tmp_path: Path, instance: dg.DagsterInstance) -> Store:
    return Store(tmp_path, instance)


def test_columns_meet_by_name_whatever_their_order(store: Store) -> None:
    frame = rows(FIRST, first="left", second="right")
    store.write(frame[list(reversed(frame.columns))])
    assert store.query("SELECT first, second FROM warehouse.facts") == [("left", "right")]
    assert [name for name, *_ in store.query("DESCRIBE warehouse.facts")] == [name for name, _, _ in COLUMNS]


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (rows(FIRST).drop(columns="second"), "second is missing"),
        (rows(FIRST).assign(surplus=1), "surplus is not declared"),
        (rows(FIRST, number="+2348031234567"), "column number holds a value that BIGINT cannot hold"),
        (rows(FIRST, FIRST).assign(number=["+2348031234567", 1]), "number holds a value that BIGINT cannot hold"),
        (rows(FIRST, number=1.5), "column number holds a value that BIGINT cannot hold"),
        (rows(FIRST, number=2**63), "column number holds a value that BIGINT cannot hold"),
        (rows(FIRST, None), "column event_date is NOT NULL and holds 1 nulls"),
        (rows(FIRST, SECOND, SECOND), "2 of 3 rows lie outside the partitions of this run"),
    ],
)
def test_a_refused_frame_keeps_the_old_partition_and_quotes_no_value(
    store: Store, spoilt: pd.DataFrame, told: str
) -> None:
    store.write(rows(FIRST, number=7))
    log = store.refusal(spoilt)
    assert told in log
    assert "8031234567" not in log
    assert store.days() == [(FIRST, 7)]


def test_an_empty_frame_empties_exactly_its_partition(store: Store) -> None:
    store.write(rows(FIRST))
    store.write(rows(SECOND, number=8), SECOND)
    store.write(nothing())
    assert store.days() == [(SECOND, 8)]


def test_an_empty_first_write_makes_the_table_that_is_then_loaded(store: Store) -> None:
    store.write(nothing())
    assert store.days() == []
    assert list(store.loaded().columns) == [name for name, _, _ in COLUMNS]


@pytest.mark.parametrize("nothing_known", [None, float("nan"), pd.NA], ids=str)
def test_an_all_null_column_keeps_its_declared_type(store: Store, nothing_known: Any) -> None:
    store.write(rows(FIRST, **dict.fromkeys(("first", "number", "at", "words"), nothing_known)))
    assert {name: kind for name, kind, *_ in store.query("DESCRIBE warehouse.facts")} == {
        name: kind for name, kind, _ in COLUMNS
    }
    store.write(rows(SECOND, first="later", number=9), SECOND)
    assert store.query("SELECT first, number FROM warehouse.facts ORDER BY event_date") == [
        (None, None),
        ("later", 9),
    ]


@pytest.mark.parametrize("arrow", [False, True], ids=["plain pandas", "Arrow-backed pandas"])
def test_what_is_stored_is_loaded_in_the_declared_types(store: Store, arrow: bool) -> None:
    frame = rows(FIRST, words=["x", None])
    if arrow:
        frame = pa.Table.from_pandas(frame).to_pandas(types_mapper=pd.ArrowDtype)
    store.write(frame)
    store.write(rows(SECOND), SECOND)
    loaded = store.loaded()
    assert [str(kind.pyarrow_dtype) for kind in loaded.dtypes] == [
        "date32[day]",
        "string",
        "string",
        "int64",
        "timestamp[us, tz=UTC]",
        "list<l: string>",
    ]
    assert pa.Table.from_pandas(loaded).to_pylist() == [
        {
            "event_date": FIRST,
            "first": "a",
            "second": "b",
            "number": 1,
            "at": datetime(2026, 11, 2, 5, tzinfo=UTC),
            "words": ["x", None],
        }
    ]


def test_a_table_that_nobody_wrote_loads_as_no_rows_in_the_declared_types(store: Store) -> None:
    loaded = store.loaded()
    assert len(loaded) == 0
    assert str(loaded.dtypes["number"].pyarrow_dtype) == "int64"
    assert not Path(store.database).exists()


def test_an_input_that_maps_to_no_partition_loads_as_no_rows(store: Store) -> None:
    seen: list[pd.DataFrame] = []
    upstream = facts(nothing())
    before = dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
    )

    @dg.asset(partitions_def=DAYS, ins={"facts": dg.AssetIn(partition_mapping=before)}, metadata=declared(COLUMNS))
    def downstream(facts: pd.DataFrame) -> None:
        seen.append(facts)

    store.write(rows(FIRST))
    result = dg.materialize(
        [upstream, downstream],
        selection=[downstream],
        partition_key="2026-11-01",
        resources={"io_manager": WarehouseIOManager(database=store.database, schema="warehouse")},
    )
    assert result.success
    assert len(seen[0]) == 0


def test_one_run_replaces_a_range_of_partitions(store: Store) -> None:
    beyond = date(2026, 11, 4)
    for day in (FIRST, SECOND, beyond):
        store.write(rows(day), day)
    assert store.run(facts(rows(FIRST, SECOND, SECOND, number=2)), day=FIRST, last=SECOND).success
    assert store.days() == [(FIRST, 2), (SECOND, 2), (SECOND, 2), (beyond, 1)]


def test_an_unpartitioned_asset_is_replaced_whole_with_its_schema(store: Store) -> None:
    assert store.run(facts(rows(FIRST, SECOND), partitioned=False)).success
    changed = [("event_date", "DATE", False), ("number", "DOUBLE", False)]
    assert store.run(facts(rows(FIRST, number=0.5)[["event_date", "number"]], changed, partitioned=False)).success
    assert store.query("SELECT * FROM warehouse.facts") == [(FIRST, 0.5)]


def test_a_refused_unpartitioned_write_keeps_the_old_table(store: Store) -> None:
    assert store.run(facts(rows(FIRST, number=7), partitioned=False)).success
    assert not store.run(facts(rows(FIRST, number="x"), partitioned=False)).success
    assert store.days() == [(FIRST, 7)]


def test_a_new_nullable_column_is_added_and_old_rows_have_no_value_in_it(store: Store) -> None:
    store.write(rows(FIRST))
    more = [*COLUMNS, ("extra", "VARCHAR", True)]
    store.write(rows(SECOND).assign(extra="new"), SECOND, more)
    assert store.query("SELECT extra FROM warehouse.facts ORDER BY event_date") == [(None,), ("new",)]
    assert store.loaded(more)["extra"].isna().all()


@pytest.mark.parametrize(
    ("columns", "frame", "named"),
    [
        ([*COLUMNS, ("extra", "BIGINT", False)], rows(FIRST).assign(extra=1), "extra"),
        ([c for c in COLUMNS if c[0] != "second"], rows(FIRST).drop(columns="second"), "second"),
        (
            [("number", "DOUBLE", True) if c[0] == "number" else c for c in COLUMNS],
            rows(FIRST, number=0.5),
            "number",
        ),
    ],
    ids=["new NOT NULL column", "column gone", "other type"],
)
def test_any_other_change_of_schema_is_refused_by_name_and_keeps_the_rows(
    store: Store, columns: Columns, frame: pd.DataFrame, named: str
) -> None:
    store.write(rows(FIRST, number=7))
    assert f"the stored table and the declared schema differ in: {named}." in store.refusal(frame, columns)
    assert store.days() == [(FIRST, 7)]


def test_another_spelling_of_a_type_is_no_change(store: Store) -> None:
    store.write(rows(FIRST))
    spelt = [(name, "TIMESTAMPTZ" if kind.startswith("TIMESTAMP") else kind, null) for name, kind, null in COLUMNS]
    store.write(rows(SECOND), SECOND, spelt)
    assert store.days() == [(FIRST, 1), (SECOND, 1)]


def test_the_call_on_commit_is_made_after_the_rows_stand_and_never_for_a_refused_write(store: Store) -> None:
    found: list[list[tuple[Any, ...]]] = []
    frame = rows(FIRST)
    frame.attrs[ON_COMMIT] = lambda: found.append(store.days())
    store.write(frame)
    assert found == [[(FIRST, 1)]]
    stray = rows(SECOND)
    stray.attrs[ON_COMMIT] = frame.attrs[ON_COMMIT]
    store.refusal(stray)
    assert len(found) == 1


CHILD = """
import sys
from datetime import date
from pathlib import Path
sys.path.insert(0, {here!r})
import resources.warehouse as warehouse
from test_warehouse import Store, dagster_instance, facts, rows

def main(folder, day, number):
    day, home = date.fromisoformat(day), Path(folder)
    store = Store(home, dagster_instance(home / "instance"))
    sys.exit(0 if store.run(facts(rows(day, number=number)), day=day).success else 1)
"""

DIE_BEFORE_INSERT = """
import os, signal
opened = warehouse.connect

class Doomed:
    def __init__(self, connection):
        self.connection = connection
    def __getattr__(self, name):
        return getattr(self.connection, name)
    def execute(self, sql, *rest):
        if sql.startswith('INSERT INTO "warehouse"'):
            table, = self.connection.execute("SELECT count(*) FROM warehouse.facts").fetchall()
            print("rows left:", table[0], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return self.connection.execute(sql, *rest)

warehouse.connect = lambda database, *, read_only: Doomed(opened(database, read_only=read_only))
"""


def child(folder: Path, day: date, number: int, before: str = "") -> "subprocess.Popen[str]":
    """Another process that writes one row for ``day``."""
    home = folder / f"child-{day}-{number}"
    (home / "instance").mkdir(parents=True)
    (home / "facts.duckdb").symlink_to(folder / "facts.duckdb")
    script = CHILD.format(here=str(Path(__file__).parent)) + before
    return subprocess.Popen(
        [sys.executable, "-c", f"{script}\nmain({str(home)!r}, {str(day)!r}, {number})"],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_that_write_at_once_both_succeed(store: Store, tmp_path: Path) -> None:
    store.write(rows(FIRST))
    held = connect(store.database, read_only=False)
    both = [child(tmp_path, FIRST, 5), child(tmp_path, SECOND, 6)]
    try:
        with pytest.raises(subprocess.TimeoutExpired):  # they wait for the writer that has the file
            both[0].wait(timeout=6)
    finally:
        held.close()
    for process in both:
        _, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors[-2000:]
    assert store.days() == [(FIRST, 5), (SECOND, 6)]


def test_a_kill_between_delete_and_insert_leaves_the_old_rows_and_a_rerun_succeeds(
    store: Store, tmp_path: Path
) -> None:
    store.write(rows(FIRST, number=7))
    killed = child(tmp_path, FIRST, 8, DIE_BEFORE_INSERT)
    output, errors = killed.communicate(timeout=90)
    assert killed.returncode == -9, errors[-2000:]
    assert output.strip() == "rows left: 0"  # the delete had been made
    assert store.days() == [(FIRST, 7)]
    store.write(rows(FIRST, number=9))
    assert store.days() == [(FIRST, 9)]
