"""Runs Ibis expressions over Arrow tables: one engine, one time zone."""

from collections.abc import Callable

import ibis
import pyarrow as pa


def evaluate(expression: Callable[..., ibis.Table], *tables: pa.Table) -> pa.Table:
    """What ``expression`` makes of ``tables``, computed by DuckDB in UTC.

    Args:
        expression: takes one Ibis table per Arrow table, returns the Ibis table to compute.
        tables: the inputs.
    """
    connection = ibis.duckdb.connect()
    try:
        connection.raw_sql("SET TimeZone = 'UTC'")
        named = []
        for position, table in enumerate(tables):
            connection.con.register(f"input_{position}", table)
            named.append(connection.table(f"input_{position}"))
        return connection.to_pyarrow(expression(*named))
    finally:
        connection.disconnect()
