"""The warehouse: one DuckDB file, written through dagster-duckdb-pandas, a slice in one transaction.

The stock handler inserts by position, deletes before it inserts in transactions of their own, and makes up
types from the frame. Here the table comes from the schema that the asset declares, columns meet by name, and
delete and insert commit together.
"""

import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, cast

import dagster as dg
import duckdb
import ibis
import pandas as pd
import pyarrow as pa
from dagster import InputContext, OutputContext
from dagster._core.storage.db_io_manager import DbIOManager, DbTypeHandler, TableSlice
from dagster_duckdb.io_manager import DuckDbClient, DuckDBIOManager
from dagster_duckdb_pandas import DuckDBPandasTypeHandler

from resources.failpoints import failpoint
from resources.fencing import Overtaken

ON_COMMIT = "on_commit"
"""Key in ``DataFrame.attrs``: a call without arguments to be made once the frame is stored."""
SCHEMA = "warehouse"
STORES_DDL = (
    "CREATE SCHEMA IF NOT EXISTS fencing; CREATE TABLE IF NOT EXISTS fencing.stores"
    " (n BIGINT, name VARCHAR, first_day DATE, end_day DATE, writer VARCHAR)"
)
"""Who stored which slice of which table, numbered in order."""
PATIENCE_SECONDS = 90.0


def connect(database: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection in UTC; waits for its turn while another process holds the file.

    Raises:
        duckdb.IOException: the file stayed locked for 90 seconds, or cannot be opened.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    wait = 0.02
    while True:
        try:
            connection = duckdb.connect(database, read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower() or time.monotonic() > deadline:
                raise
        else:
            connection.execute("SET TimeZone = 'UTC'")
            return connection
        time.sleep(random.uniform(wait / 2, wait))  # noqa: S311 - jitter, no secret
        wait = min(1.0, wait * 2)


def stores_so_far(database: str) -> int:
    """How many stores the warehouse has seen."""
    if not Path(database).exists():
        return 0
    connection = connect(database, read_only=True)
    try:
        return int(connection.execute("SELECT coalesce(max(n), 0) FROM fencing.stores").fetchall()[0][0])
    except duckdb.CatalogException:
        return 0
    finally:
        connection.close()


def declared_columns(metadata: Mapping[str, Any] | None, asset: str) -> list[dg.TableColumn]:
    """The columns that the asset declares under ``dagster/column_schema``.

    Raises:
        ValueError: it declares none.
    """
    schema = (metadata or {}).get("dagster/column_schema")
    schema = getattr(schema, "schema", schema)
    if not isinstance(schema, dg.TableSchema):
        raise ValueError(f"{asset}: declare its columns in the metadata dagster/column_schema")
    return list(schema.columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _target(table_slice: TableSlice) -> str:
    return f"{_quoted(table_slice.schema)}.{_quoted(table_slice.table)}"


class TransactionalHandler(DuckDBPandasTypeHandler):
    """Stores a frame by name in a table of the declared schema, replacing its slice in one transaction.

    ``since`` is how many stores the warehouse had seen before the run read anything: a slice that another
    run has stored since is left alone.
    """

    def __init__(self, since: int | None = None) -> None:
        self.since = since
        self._me = uuid.uuid4().hex

    def handle_output(
        self,
        context: OutputContext,
        table_slice: TableSlice,
        obj: pd.DataFrame,
        connection: duckdb.DuckDBPyConnection,
    ) -> dict[str, Any]:
        """Replace the slice by ``obj``; an empty frame empties the slice.

        Raises:
            Overtaken: another run has stored the slice meanwhile.
            ValueError: columns are missing, undeclared or changed, a value does not fit, or rows lie outside
                the slice. What was stored stays.
        """
        asset = context.asset_key.to_user_string()
        columns = declared_columns(context.definition_metadata, asset)
        rows = _fitted(obj, columns, connection, asset)
        connection.begin()
        try:
            failpoint("warehouse.begun")
            self._count_store(connection, table_slice, asset)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(table_slice.schema)}")
            if table_slice.partition_dimensions:
                connection.execute(f"CREATE TABLE IF NOT EXISTS {_target(table_slice)} ({_ddl(columns)})")
                failpoint("warehouse.created")
                self._add_new_columns(connection, table_slice, columns, asset)
                self._delete(connection, table_slice)
                failpoint("warehouse.deleted")
            else:  # every row is replaced, so a changed schema simply holds from now on
                connection.execute(f"CREATE OR REPLACE TABLE {_target(table_slice)} ({_ddl(columns)})")
                failpoint("warehouse.emptied")
            self._insert(connection, table_slice, rows)
            failpoint("warehouse.inserted")
            self._refuse_strays(connection, table_slice, rows.num_rows, asset)
            failpoint("warehouse.before_commit")
            connection.commit()
            failpoint("warehouse.committed")
        except BaseException:
            with suppress(duckdb.Error):  # a failed commit has rolled back already; its error is the one to see
                connection.rollback()
            raise
        return {"dagster/storage_kind": "duckdb"}

    def _count_store(self, connection: duckdb.DuckDBPyConnection, table_slice: TableSlice, asset: str) -> None:
        """Note in the transaction who stores which slice, unless another has done so after ``since``."""
        connection.execute(STORES_DDL)
        _, bounds = _window(table_slice)
        first, end = bounds or (date.min, date.max)
        standing = connection.execute(
            "SELECT coalesce(max(n), 0), coalesce(max(n) FILTER (WHERE name = ? AND first_day < ? AND end_day > ?"
            " AND writer <> ?), 0) FROM fencing.stores",
            [table_slice.table, end, first, self._me],
        ).fetchall()
        newest, of_slice = standing[0]
        if self.since is not None and of_slice > self.since:
            raise Overtaken(asset)
        connection.execute(
            "DELETE FROM fencing.stores WHERE name = ? AND first_day >= ? AND end_day <= ?",
            [table_slice.table, first, end],
        )
        connection.execute(
            "INSERT INTO fencing.stores VALUES (?, ?, ?, ?, ?)",
            [newest + 1, table_slice.table, first, end, self._me],
        )

    def _add_new_columns(
        self,
        connection: duckdb.DuckDBPyConnection,
        table_slice: TableSlice,
        columns: Sequence[dg.TableColumn],
        asset: str,
    ) -> None:
        described = connection.execute(f"DESCRIBE {_target(table_slice)}").fetchall()
        standing = {name: (kind, null == "YES") for name, kind, null, *_ in described}
        # DuckDB spells the declared types as it spells the stored ones: INT and INTEGER are no change.
        spelt = connection.execute(f"DESCRIBE {_no_rows(columns)}").fetchall()
        nullable = {column.name: column.constraints.nullable for column in columns}
        declared = {name: (kind, nullable[name]) for name, kind, *_ in spelt}
        new = [name for name in declared if name not in standing and nullable[name]]
        changed = {name for name, _ in standing.items() ^ declared.items()} - set(new)
        if changed:
            raise ValueError(
                f"{asset}: the stored table and the declared schema differ in: {', '.join(sorted(changed))}. "
                "Only new nullable columns are added by themselves; for any other change drop the table "
                f"{table_slice.schema}.{table_slice.table} and materialise all its partitions again"
            )
        for name in new:
            connection.execute(
                f"ALTER TABLE {_target(table_slice)} ADD COLUMN {_quoted(name)} {declared[name][0]}"
            )

    def _delete(self, connection: duckdb.DuckDBPyConnection, table_slice: TableSlice) -> None:
        where, bounds = _window(table_slice)
        connection.execute(f"DELETE FROM {_target(table_slice)}{where}", bounds)

    def _insert(
        self,
        connection: duckdb.DuckDBPyConnection,
        table_slice: TableSlice,
        rows: pa.Table,
    ) -> None:
        connection.register("incoming", rows)
        connection.execute(f"INSERT INTO {_target(table_slice)} BY NAME SELECT * FROM incoming")
        connection.unregister("incoming")

    def _refuse_strays(
        self, connection: duckdb.DuckDBPyConnection, table_slice: TableSlice, written: int, asset: str
    ) -> None:
        where, bounds = _window(table_slice)
        inside = connection.execute(
            f"SELECT count(*) FROM {_target(table_slice)}{where}",
            bounds,
        ).fetchall()[0][0]
        if inside != written:
            raise ValueError(
                f"{asset}: {written - inside} of {written} rows lie outside the partitions of this run"
            )

    def load_input(
        self, context: InputContext, table_slice: TableSlice, connection: duckdb.DuckDBPyConnection
    ) -> pd.DataFrame:
        """The slice as Arrow-backed pandas; without rows, but with its columns, if nothing is stored yet."""
        upstream = context.upstream_output
        metadata = upstream.definition_metadata if upstream else None
        columns = declared_columns(metadata, context.asset_key.to_user_string())
        listed = ", ".join(f"CAST({_quoted(c.name)} AS {c.type}) AS {_quoted(c.name)}" for c in columns)
        where, bounds = _window(table_slice)
        try:
            result = connection.execute(f"SELECT {listed} FROM {_target(table_slice)}{where}", bounds)
        except duckdb.CatalogException:
            result = connection.execute(_no_rows(columns))
        return result.to_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)


def _ddl(columns: Sequence[dg.TableColumn]) -> str:
    return ", ".join(f"{_quoted(c.name)} {c.type}{'' if c.constraints.nullable else ' NOT NULL'}" for c in columns)


def _no_rows(columns: Sequence[dg.TableColumn]) -> str:
    nulls = ", ".join(f"CAST(NULL AS {c.type}) AS {_quoted(c.name)}" for c in columns)
    return f"SELECT {nulls} LIMIT 0"


def _fitted(
    frame: pd.DataFrame, columns: Sequence[dg.TableColumn], connection: duckdb.DuckDBPyConnection, asset: str
) -> pa.Table:
    """``frame`` in exactly the declared columns and types, before anything stored is touched.

    Raises:
        ValueError: a column is missing or undeclared, or holds what its type cannot hold unchanged. The
            libraries' own errors quote the value, so they are not passed on.
    """
    names = [column.name for column in columns]
    odd = [f"{name} is missing" for name in names if name not in frame.columns]
    odd += [f"{name} is not declared" for name in frame.columns if name not in names]
    if odd:
        raise ValueError(f"{asset}: the frame does not match the declared schema: {', '.join(odd)}")
    bare = pd.DataFrame(frame)  # without attrs, which pandas would copy for every column
    arrays = []
    kinds = connection.execute(_no_rows(columns)).to_arrow_table().schema.types
    for column, kind in zip(columns, kinds, strict=True):
        try:
            values = bare[column.name]
            # Pandas takes a column without values for numbers: here it has the declared type.
            empty = values.isna().all()
            array = pa.nulls(len(values), kind) if empty else pa.Array.from_pandas(values, type=kind)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            array = None
        if array is None:
            raise ValueError(f"{asset}: column {column.name} holds a value that {column.type} cannot hold")
        if array.null_count and not column.constraints.nullable:
            raise ValueError(f"{asset}: column {column.name} is NOT NULL and holds {array.null_count} nulls")
        arrays.append(array)
    return pa.Table.from_arrays(arrays, names=names)


def _window(table_slice: TableSlice) -> tuple[str, list[Any]]:
    if not table_slice.partition_dimensions:
        return "", []
    (dimension,) = table_slice.partition_dimensions
    if not dimension.partitions:  # an input that maps to no partition
        return " WHERE false", []
    start, end = cast("tuple[Any, Any]", dimension.partitions)
    column = _quoted(str(dimension.partition_expr))
    return f" WHERE {column} >= ? AND {column} < ?", [start.date(), end.date()]


class TransactionalClient(DuckDbClient):
    """Leaves all writing to the handler's transaction, and always closes its connection."""

    @staticmethod
    def delete_table_slice(context: OutputContext, table_slice: TableSlice, connection: Any) -> None:
        """Nothing: the handler deletes where it inserts."""

    @staticmethod
    def ensure_schema_exists(context: OutputContext, table_slice: TableSlice, connection: Any) -> None:
        """Nothing: the handler creates what is missing."""

    @staticmethod
    def get_table_name(table_slice: TableSlice) -> str:
        """Schema and table; where the file lies is the resource's business."""
        return f"{table_slice.schema}.{table_slice.table}"

    @staticmethod
    @contextmanager
    def connect(context: OutputContext | InputContext, _: TableSlice) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one store or load."""
        database = str((context.resource_config or {})["database"])
        writes = isinstance(context, OutputContext)
        if not writes and not Path(database).exists():
            connection = connect(":memory:", read_only=False)
        else:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
            connection = connect(database, read_only=not writes)
        try:
            yield connection
        finally:
            connection.close()


class CommittingIOManager(DbIOManager):
    """Calls what the frame carries under ``ON_COMMIT`` once the frame is stored."""

    handler: TransactionalHandler

    def handle_output(self, context: OutputContext, obj: object) -> None:
        """Store ``obj``, then tell whoever asked to be told."""
        try:
            super().handle_output(context, obj)
        except Overtaken:
            # The retry reads its inputs after this moment.
            self.handler.since = stores_so_far(str((context.resource_config or {})["database"]))
            raise
        failpoint("warehouse.stored")
        told = cast("pd.DataFrame", obj).attrs.get(ON_COMMIT)
        if told:
            cast("Callable[[], None]", told)()
            failpoint("warehouse.told")


class WarehouseIOManager(DuckDBIOManager):
    """The IO manager of the warehouse."""

    @staticmethod
    def type_handlers() -> Sequence[DbTypeHandler]:
        """Pandas frames, stored transactionally."""
        return [TransactionalHandler()]

    def create_io_manager(self, context: Any) -> CommittingIOManager:
        """The manager for one run."""
        handler = TransactionalHandler(stores_so_far(self.database))
        manager = CommittingIOManager(
            db_client=TransactionalClient(),
            database=self.database,
            schema=self.schema_,
            type_handlers=[handler],
            default_load_type=pd.DataFrame,
            io_manager_name="WarehouseIOManager",
        )
        manager.handler = handler
        return manager


class Warehouse(dg.ConfigurableResource):
    """Reads of the warehouse, for whatever is more than one asset's frame."""

    database: str

    def delete_dates(self, name: str, dates: Sequence[date]) -> None:
        """Remove the rows of these event dates from the table ``name``, if there is one."""
        if not dates or not Path(self.database).exists():
            return
        connection = connect(self.database, read_only=False)
        try:
            tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = ?", [SCHEMA])
            if name in {row[0] for row in tables.fetchall()}:
                target = f"{_quoted(SCHEMA)}.{_quoted(name)}"
                connection.execute(f"DELETE FROM {target} WHERE event_date IN (SELECT unnest(?))", [list(dates)])
        finally:
            connection.close()

    def rewrite(self) -> None:
        """Copy the warehouse into a new file and drop the old one: deleted rows stay in a file for ever.

        Raises:
            duckdb.IOException: another process holds the file.
        """
        path = Path(self.database)
        if not path.exists():
            return
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        connection = connect(self.database, read_only=False)
        try:
            connection.execute("CHECKPOINT")
            connection.execute(f"ATTACH '{str(fresh).replace(chr(39), chr(39) * 2)}' AS fresh")
            (name,) = connection.execute("SELECT current_database()").fetchall()[0]
            connection.execute(f"COPY FROM DATABASE {_quoted(name)} TO fresh")
            connection.execute("DETACH fresh")
        finally:
            connection.close()
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
        path.with_name(path.name + ".wal").unlink(missing_ok=True)

    @contextmanager
    def session(self) -> Iterator[ibis.BaseBackend]:
        """An Ibis session in UTC that reads the warehouse; empty if there is none yet."""
        if Path(self.database).exists():
            raw = connect(self.database, read_only=True)
        else:
            raw = connect(":memory:", read_only=False)
        try:
            yield ibis.duckdb.from_connection(raw)
        finally:
            raw.close()

    def ibis_table(self, session: ibis.BaseBackend, name: str, schema: pa.Schema) -> ibis.Table:
        """The table ``name`` in ``session``; without rows if it does not exist yet."""
        if name in (session.list_tables(database=SCHEMA) if SCHEMA in session.list_databases() else ()):
            return session.table(name, database=SCHEMA)
        return ibis.memtable(schema.empty_table())

    def read(self, name: str, schema: pa.Schema) -> pa.Table:
        """The whole table in the columns and types of ``schema``."""
        with self.session() as session:
            return self.ibis_table(session, name, schema).to_pyarrow().select(schema.names).cast(schema)

    def count(self, name: str, schema: pa.Schema) -> int:
        """Rows of the table; 0 if it does not exist yet."""
        with self.session() as session:
            return int(self.ibis_table(session, name, schema).count().execute())
