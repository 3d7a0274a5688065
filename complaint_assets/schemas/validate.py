"""Validation by model, without personal data in what it reports."""

from dataclasses import dataclass

import pandera.errors
import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.logic.contract import Contract
from complaint_assets.logic.standardise import Standardising

from .standardised import Quarantine, Standardised
from .types import Table, arrow_schema, to_pandas


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


def set_aside_invalid(result: Standardising, contract: Contract) -> Standardising:
    """Move deliveries that break the model of the table into the quarantine, before anything is written.

    Raises:
        ValueError: the table as a whole does not fit its model; that is a fault of the code.
    """
    fault: dict[int, str] = {}
    for breach in breaches(Standardised, result.deliveries):
        if not breach.rows:
            raise ValueError(f"standardised: column {breach.column} breaks {breach.rule} as a whole")
        for row in breach.rows:
            fault.setdefault(row, breach.column)
    if not fault:
        return result
    bad = result.deliveries.take(sorted(fault))
    schema = arrow_schema(Quarantine)
    columns = {name: bad[name] for name in schema.names if name in bad.column_names}
    columns["quarantine_id"] = bad["delivery_id"]
    columns["reason"] = pa.array(["invalid_value"] * bad.num_rows)
    columns["field"] = pa.array([fault[row] for row in sorted(fault)])
    keep = pc.invert(pc.is_in(pa.array(range(result.deliveries.num_rows)), value_set=pa.array(sorted(fault))))
    return Standardising(
        deliveries=result.deliveries.filter(keep),
        quarantine=pa.concat_tables(
            [result.quarantine, pa.table({name: columns[name] for name in schema.names}).cast(schema)]
        ),
        records_in=result.records_in,
    )
