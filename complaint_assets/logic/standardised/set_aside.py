"""Last gate before the write: deliveries that break the model of their table join the quarantine."""

import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.schemas.standardised import Quarantine, Standardised
from complaint_assets.schemas.types import arrow_schema
from complaint_assets.schemas.validate import breaches

from .standardise import Standardising


def set_aside_invalid(result: Standardising) -> Standardising:
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
        drift=result.drift,
        records_in=result.records_in,
    )
