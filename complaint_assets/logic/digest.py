"""Content digests that do not depend on the order of rows or on how files are cut."""

from datetime import date

import duckdb
import pyarrow as pa


def digests_by_date(table: pa.Table, *, omit: tuple[str, ...] = ()) -> dict[date, tuple[str, int]]:
    """Digest and number of the rows of each ``event_date`` in ``table``, without the columns in ``omit``."""
    rows = table.select([name for name in table.column_names if name not in omit])
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", rows)
        found = connection.execute(
            "SELECT event_date, md5(string_agg(row_digest, '' ORDER BY row_digest)), count(*) FROM "
            "(SELECT event_date, md5(CAST(to_json(rows) AS VARCHAR)) AS row_digest FROM rows) GROUP BY event_date"
        ).fetchall()
    return {day: (digest, count) for day, digest, count in found}


def digest(table: pa.Table) -> str:
    """Digest of all rows of ``table``."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", table)
        found = connection.execute(
            "SELECT md5(coalesce(string_agg(row_digest, '' ORDER BY row_digest), '')) FROM "
            "(SELECT md5(CAST(to_json(rows) AS VARCHAR)) AS row_digest FROM rows)"
        ).fetchall()
    return str(found[0][0])
