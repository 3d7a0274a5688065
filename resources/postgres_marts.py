"""Publishes marts to Postgres (extra ``postgres``): a schema and a login-less role per role, in one transaction.

Whoever reads is granted ``complaints_<role>``. It sees views in the schema ``<role>`` whose rows lie in
``<role>_rows``; both are made anew by every publication: a reader sees the old version or the new one, and a
failure leaves the old. Postgres 15 or later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

PREFIX = "complaints_"
"""Before the name of every role, which a server shares with others."""
_TYPES = {
    pa.string(): "text",
    pa.int64(): "bigint",
    pa.int32(): "integer",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us", tz="UTC"): "timestamptz",
    pa.list_(pa.string()): "text[]",
}


@dataclass(frozen=True)
class Published:
    """The mart of one role.

    Attributes:
        tables: Rows by table.
        visible_until: Column of a table and the day before which its rows are visible, held by row security.
    """

    role: str
    tables: Mapping[str, pa.Table]
    visible_until: Mapping[str, tuple[str, Any]] = field(default_factory=dict)


def publish_marts(url: str, marts: list[Published]) -> None:
    """Publish ``marts`` at ``url``, all of them in one transaction.

    Raises:
        psycopg.Error: the server refuses; what was published before stays.
        ValueError: a column has a type that Postgres is not told of here.
    """
    import psycopg  # of the extra postgres

    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        # One publication at a time: the lock goes with the transaction.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('complaint marts'))")
        for mart in marts:
            _publish(cursor, mart)


def _publish(cursor: Any, mart: Published) -> None:
    from psycopg import sql

    name, reader = sql.Identifier(mart.role), sql.Identifier(PREFIX + mart.role)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [PREFIX + mart.role])
    if cursor.fetchone() is None:
        cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(reader))
    for schema in (name, sql.Identifier(f"{mart.role}_rows")):
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, reader))
    for table, rows in mart.tables.items():
        target = sql.Identifier(f"{mart.role}_rows", table)
        columns = [sql.SQL("{} {}").format(sql.Identifier(one.name), sql.SQL(_type(one))) for one in rows.schema]
        cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(target, sql.SQL(", ").join(columns)))
        with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(target)) as copy:
            for batch in rows.to_batches(10_000):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    copy.write_row(row)
        if table in mart.visible_until:
            column, day = mart.visible_until[table]
            cursor.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(target))
            policy = sql.SQL("CREATE POLICY visible ON {} FOR SELECT TO {} USING ({} < {})")
            cursor.execute(policy.format(target, reader, sql.Identifier(column), sql.Literal(day)))
        cursor.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(target, reader))
        view = sql.SQL("CREATE VIEW {} WITH (security_barrier, security_invoker) AS SELECT * FROM {}")
        shown = sql.Identifier(mart.role, table)
        cursor.execute(view.format(shown, target))
        cursor.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(shown, reader))


def _type(column: pa.Field) -> str:
    if column.type not in _TYPES:
        raise ValueError(f"{column.name}: no Postgres type for {column.type}")
    return _TYPES[column.type] + ("" if column.nullable else " NOT NULL")
