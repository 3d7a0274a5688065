"""Validation by model, without personal data in what it reports."""

from dataclasses import dataclass

import pandera.errors
import pyarrow as pa

from .types import Table, to_pandas


@dataclass(frozen=True)
class Breach:
    """Rows of a table that break one rule of its model."""

    column: str
    rule: str
    rows: tuple[int, ...]


def breaches(model: type[Table], table: pa.Table) -> list[Breach]:
    """Every rule of ``model`` that ``table`` breaks, with the positions of the rows at fault.

    A rule about the whole table (a missing column, a wrong type) has no rows.
    """
    try:
        model.validate(to_pandas(table), lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        found: dict[tuple[str, str], set[int]] = {}
        for column, rule, row in zip(cases["column"], cases["check"], cases["index"], strict=True):
            rows = found.setdefault((str(column), str(rule)), set())
            if row == row and row is not None:  # NaN and None mark a rule about the whole table
                rows.add(int(row))
        return [Breach(column, rule, tuple(sorted(rows))) for (column, rule), rows in sorted(found.items())]
    return []
