"""From rows to Arrow batches, and in them from identifiers to subjects."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from complaint_assets.logic.identify import Identifier

_BATCH = 8192

Exchange = Callable[[Sequence[Identifier]], Sequence[str]]
"""Gives the subject of each identifier (``Vault.subject_ids``)."""


class Subjects:
    """Exchanges the identifiers of a batch of deliveries for subjects, all in one call."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def put_in(self, columns: dict[str, Sequence[Any]]) -> None:
        """Replace the identifiers in ``author_ref`` and ``subject_refs``."""
        wanted = list(dict.fromkeys(identifier for record in columns["subject_refs"] for identifier in record))
        subject = dict(zip(wanted, self._exchange(wanted), strict=True)) if wanted else {}
        columns["author_ref"] = [subject.get(identifier) for identifier in columns["author_ref"]]
        columns["subject_refs"] = [
            sorted({f"{one[0]}:{subject[one]}" for one in record}) if len(record) > 1 else []
            for record in columns["subject_refs"]
        ]


class Collector:
    """Rows as Arrow batches of one schema; ``common`` holds the columns in which all rows are alike."""

    def __init__(
        self,
        schema: pa.Schema,
        common: Mapping[str, Any],
        finish: Callable[[dict[str, Sequence[Any]]], None] = lambda columns: None,
    ) -> None:
        self._finish = finish
        self._schema = schema
        self._common = {name: common[name] for name in schema.names if name in common}
        self._names = [name for name in schema.names if name not in common]
        self._rows: list[tuple[Any, ...]] = []
        self._batches: list[pa.RecordBatch] = []
        self.rows = 0

    def has(self, value: str) -> bool:
        """Whether the only row holds ``value``."""
        return self.rows == 1 and value in self._rows[0]

    def add(self, row: Mapping[str, Any]) -> None:
        self._rows.append(tuple([row[name] for name in self._names]))
        self.rows += 1
        if len(self._rows) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        columns: dict[str, Sequence[Any]] = dict(zip(self._names, zip(*self._rows, strict=True), strict=True))
        self._finish(columns)
        alike = {name: [value] * len(self._rows) for name, value in self._common.items()}
        arrays = [pa.array((columns | alike)[field.name], field.type) for field in self._schema]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows = []

    def table(self) -> pa.Table:
        if self._rows:
            self._flush()
        return pa.Table.from_batches(self._batches, schema=self._schema)
