"""Content digests that do not depend on the order of rows or on how files are cut."""

from typing import Any

import duckdb
import pyarrow as pa


def digests_by(table: pa.Table, key: str) -> dict[Any, tuple[str, int]]:
    """Digest and number of the rows of ``table`` for each value of the column ``key``."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", table)
        found = connection.execute(
            "SELECT k, md5(string_agg(row_digest, '' ORDER BY row_digest)), count(*) FROM "
            "(SELECT rows[?] AS k, md5(CAST(to_json(rows) AS VARCHAR)) AS row_digest FROM rows) GROUP BY k",
            [key],
        ).fetchall()
    return {value: (digest, count) for value, digest, count in found}


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
