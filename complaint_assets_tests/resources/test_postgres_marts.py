"""The promises of marts in Postgres, on a real server: each role its own, whole versions, read-only."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pyarrow as pa
import pytest

from complaint_assets_tests.postgres import PASSWORD, postgres_server
from resources.postgres_marts import Published, publish_marts

psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a server of one's own."""
    with postgres_server() as url:
        yield url


def version(number: int, rows: int = 500) -> list[Published]:
    """Two marts whose rows all carry ``number``; reporting may see those before 11 November."""
    days = [date(2026, 11, 10 + n % 2) for n in range(rows)]
    figures = pa.table(
        {"version": pa.array([number] * rows, pa.int64()), "event_date": pa.array(days, pa.date32())}
    )
    words = pa.table({"version": pa.array([number], pa.int64()), "phrases": pa.array([["a", "b\t\\N"]])})
    until = {"daily": ("event_date", date(2026, 11, 11))}
    return [
        Published("reporting", {"daily": figures, "all": figures}, until),
        Published("operations", {"surges": words}),
    ]


@pytest.fixture(scope="module")
def published(server: str) -> str:
    publish_marts(server, version(1))
    with psycopg.connect(server) as owner:
        for name in ("reporting", "operations"):
            owner.execute(f"CREATE ROLE reads_{name} LOGIN PASSWORD '{PASSWORD}' IN ROLE complaints_{name}")
    return server


def reader(server: str, name: str) -> "psycopg.Connection":
    return psycopg.connect(server.replace("owner:", f"reads_{name}:"), autocommit=True)


def test_a_reader_sees_the_rows_of_its_role_and_those_of_no_other(published: str) -> None:
    with reader(published, "reporting") as reporting:
        assert reporting.execute("SELECT count(*), max(event_date) FROM reporting.daily").fetchone() == (
            250,
            date(2026, 11, 10),
        )
        assert reporting.execute("SELECT count(*) FROM reporting_rows.daily").fetchone() == (250,)  # row security
        assert reporting.execute('SELECT count(*) FROM reporting."all"').fetchone() == (500,)
        for statement in (
            "SELECT * FROM operations.surges",
            "SELECT * FROM operations_rows.surges",
            "DELETE FROM reporting.daily",
            "DROP VIEW reporting.daily",
            "CREATE TABLE reporting.mine (n int)",
            "SET ROLE owner",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reporting.execute(statement)
    with reader(published, "operations") as operations:
        assert operations.execute("SELECT phrases FROM operations.surges").fetchone() == (["a", "b\t\\N"],)


def test_a_reader_sees_one_whole_version_while_others_are_published(published: str) -> None:
    query = 'SELECT min(version), max(version), count(*) FROM reporting."all"'
    over, seen = threading.Event(), set()

    def read() -> None:
        with reader(published, "reporting") as reporting:
            while not over.is_set():
                seen.add(reporting.execute(query).fetchone())

    with ThreadPoolExecutor() as pool:
        reads = [pool.submit(read) for _ in range(3)]
        try:
            for number in range(2, 8):
                publish_marts(published, version(number))
        finally:
            over.set()
        for one in reads:
            one.result()
    assert seen <= {(number, number, 500) for number in range(1, 8)}
    assert len(seen) > 1


def test_a_publication_that_fails_leaves_the_old_one(published: str) -> None:
    publish_marts(published, version(50))
    broken = Published("operations", {"surges": pa.table({"n": pa.array([b"x"], pa.binary())})})
    with pytest.raises(ValueError, match="n: no Postgres type"):
        publish_marts(published, [version(51)[0], broken])
    with reader(published, "reporting") as reporting:
        assert reporting.execute('SELECT max(version) FROM reporting."all"').fetchone() == (50,)
