"""Row tables as Delta Lake: a slice is replaced in one commit, readers see whole versions only."""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from resources.failpoints import failpoint
from resources.fencing import Overtaken

ATTEMPTS = 12
COMPACT_FILES = 400
"""Above so many files a table is compacted."""

CONFLICT = "concurrent transaction"
"""What delta-rs says when a later commit has touched what is being replaced."""

Filter = tuple[str, str, Any]
"""Column, operator (=, >=, <=, in; for lists: longer than), value."""


def literal(value: str | int | date) -> str:
    """``value`` as an SQL literal of a predicate."""
    if isinstance(value, date):
        return f"CAST('{value.isoformat()}' AS DATE)"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def equals(column: str, value: str | int | date) -> str:
    """Predicate: ``column`` is ``value``."""
    return f"{column} = {literal(value)}"


def between(column: str, low: str | int | date, high: str | int | date) -> str:
    """Predicate: ``column`` lies between ``low`` and ``high``, both included."""
    return f"{column} >= {literal(low)} AND {column} <= {literal(high)}"


def in_values(column: str, values: Iterable[str]) -> str:
    """Predicate: ``column`` is one of ``values``; false if there are none. For days see ``in_dates``."""
    listed = ", ".join(literal(value) for value in values)
    return f"{column} IN ({listed})" if listed else "1 = 0"


def in_dates(column: str, days: Iterable[date]) -> str:
    """Predicate: ``column`` is one of ``days``; false if there are none.

    Written as open ranges of consecutive days: Delta compares these with the files of a commit. It takes a list of
    more than twenty values, or what can be made one, to touch every file: disjoint slices would seem a conflict.
    """
    ranges: list[list[date]] = []
    one = timedelta(days=1)
    for day in sorted(set(days)):
        if ranges and day - ranges[-1][1] == one:
            ranges[-1][1] = day
        else:
            ranges.append([day, day])
    listed = " OR ".join(
        f"({column} > {literal(first - one)} AND {column} < {literal(last + one)})" for first, last in ranges
    )
    return f"({listed or '1 = 0'})"


class Tables:
    """The Delta tables of one home."""

    def __init__(self, root: str) -> None:
        self._root = root

    def location(self, name: str) -> str:
        """Where the table ``name`` lies."""
        return f"{self._root}/{name}"

    def version(self, name: str) -> int:
        """Version of the table as it stands; -1 if there is none yet."""
        table = self._open(name)
        return -1 if table is None else int(table.version())

    def changed_at(self, name: str, partition: str) -> dict[str, float]:
        """When each value of the column ``partition`` was last written, in seconds since 1970."""
        table = self._open(name)
        result: dict[str, float] = {}
        files = pa.table(table.get_add_actions(flatten=True)).to_pylist() if table else []
        for file in files:
            value = file[f"partition.{partition}"]
            result[value] = max(result.get(value, 0.0), file["modification_time"] / 1000)
        return result

    def _open(self, name: str) -> DeltaTable | None:
        try:
            return DeltaTable(self.location(name))
        except TableNotFoundError:
            return None

    def replace(
        self,
        name: str,
        data: pa.Table,
        *,
        schema: pa.Schema,
        partition_by: Sequence[str],
        where: str | None,
        sort_by: Sequence[str],
        statistics: Sequence[str],
        since: int | None = None,
    ) -> None:
        """Replace the rows that match ``where`` (all, if None) by ``data``, in one commit.

        Args:
            name: the table; it is created on first use.
            data: rows, all of which match ``where``; empty = the slice becomes empty.
            schema: columns of the table; ``data`` must have exactly these, in any order.
            partition_by: partition columns.
            where: predicate made of ``equals``, ``between`` and ``in_dates``.
            sort_by: order in which rows are written.
            statistics: columns for which files keep minimum and maximum. Delta keeps these in its log, where
                no deletion reaches them: never name a column with text or identifiers.
            since: what ``version`` told before the inputs of ``data`` were read.

        Raises:
            Overtaken: another writer has replaced the slice after ``since``.
            ValueError: the columns of ``data`` differ from ``schema``, or rows do not match ``where``.
            deltalake.exceptions.CommitFailedError: other writers kept winning the same slice.
        """
        if set(data.column_names) != set(schema.names):
            odd = sorted(set(data.column_names) ^ set(schema.names))
            raise ValueError(f"{name}: columns differ from the table's model: {', '.join(odd)}")
        rows = data.select(schema.names).cast(schema).sort_by([(column, "ascending") for column in sort_by])
        for attempt in range(ATTEMPTS):
            try:
                failpoint("tables.begun")
                self._create(name, schema, partition_by, statistics)
                failpoint("tables.before_commit")
                # A commit against an old version is refused if a later one has touched the slice.
                table = DeltaTable(self.location(name), version=None if since is None else max(since, 0))
                if rows.num_rows:
                    write_deltalake(table, rows, mode="overwrite", predicate=where)
                else:
                    table.delete(where)
                failpoint("tables.committed")
                break
            except CommitFailedError as error:
                if since is not None and CONFLICT in str(error):
                    raise Overtaken(name) from None
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0.02, 0.1) * 2 ** min(attempt, 5))  # noqa: S311 - jitter, no secret
            except DeltaError as error:
                # Its message would quote rows.
                if "failed validation check" in str(error):
                    raise ValueError(f"{name}: rows lie outside the slice that they replace") from None
                raise
        self._compact(name)

    def delete(self, name: str, where: str) -> None:
        """Remove the rows that match ``where`` in one commit; nothing if the table does not exist yet."""
        self._change(name, lambda table: table.delete(where))

    def update(self, name: str, where: str, values: Mapping[str, str]) -> None:
        """Set columns to ``values`` (SQL expressions) in the rows that match ``where``, in one commit."""
        self._change(name, lambda table: table.update(updates=dict(values), predicate=where))

    def _change(self, name: str, change: Callable[[DeltaTable], object]) -> None:
        for attempt in range(ATTEMPTS):
            table = self._open(name)
            try:
                if table is not None:
                    change(table)
                return
            except CommitFailedError:
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0.02, 0.1) * 2 ** min(attempt, 5))  # noqa: S311 - jitter, no secret

    def _create(
        self, name: str, schema: pa.Schema, partition_by: Sequence[str], statistics: Sequence[str]
    ) -> None:
        if self._open(name) is not None:
            return
        if "://" not in self._root:
            Path(self.location(name)).mkdir(parents=True, exist_ok=True)
        failpoint("tables.folder_made")
        DeltaTable.create(
            self.location(name),
            schema=schema,
            mode="ignore",
            partition_by=list(partition_by),
            configuration={"delta.dataSkippingStatsColumns": ",".join(statistics)},
        )
        failpoint("tables.created")

    def _compact(self, name: str) -> None:
        table = DeltaTable(self.location(name))
        if table.version() % 50 == 49 and len(table.file_uris()) > COMPACT_FILES:
            try:
                failpoint("tables.before_compact")
                table.optimize.compact()
                failpoint("tables.compacted")
            except CommitFailedError:
                return  # another writer came in between; its turn will compact

    def scan(
        self,
        name: str,
        schema: pa.Schema,
        *,
        columns: Sequence[str] | None = None,
        where: Sequence[Filter] = (),
    ) -> pa.Table:
        """Rows of the table that match every filter; empty if it does not exist yet."""
        wanted = [field for field in schema if columns is None or field.name in columns]
        target = pa.schema(wanted)
        table = self._open(name)
        if table is None:
            return target.empty_table()
        dataset = table.to_pyarrow_dataset()
        return dataset.to_table(columns=target.names, filter=_expression(where)).cast(target)

    def set_aside(self, name: str) -> Path | None:
        """Move a table that cannot be read out of the way; the next store makes it anew.

        Returns:
            Where it lies now; None if another process was faster.

        Raises:
            ValueError: the tables do not lie in a folder.
        """
        if "://" in self._root:
            raise ValueError(f"{self.location(name)} cannot be read: move it away, and run again")
        target = Path(self._root) / f".damaged-{name}-{time.time_ns()}"
        try:
            return Path(self.location(name)).rename(target)
        except FileNotFoundError:
            return None

    def purge(self, name: str, keep_hours: int = 0) -> int:
        """Remove every file and log entry of earlier versions that is older than ``keep_hours``.

        With 0 hours nobody else may be writing: files of a commit under way would go as well.

        Returns:
            Number of files removed.
        """
        table = self._open(name)
        if table is None:
            return 0
        removed = table.vacuum(
            retention_hours=keep_hours, dry_run=False, enforce_retention_duration=False, full=True
        )
        table = DeltaTable(self.location(name))
        table.create_checkpoint()
        table.cleanup_metadata()
        return len(removed)

    def count(self, name: str) -> int:
        """Number of rows; 0 if the table does not exist yet."""
        table = self._open(name)
        return 0 if table is None else int(table.to_pyarrow_dataset().count_rows())


def _expression(where: Sequence[Filter]) -> Any:
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    result = None
    for column, operator, value in where:
        field = ds.field(column)
        one = {
            "=": lambda f=field, v=value: f == v,
            ">=": lambda f=field, v=value: f >= v,
            "<=": lambda f=field, v=value: f <= v,
            "longer than": lambda f=field, v=value: pc.list_value_length(f) > v,
            "in": lambda f=field, v=value: f.isin(list(v)) if v else ds.scalar(False),
        }[operator]()
        result = one if result is None else result & one
    return result
