"""A mart's promises: a reader sees one whole version, reaches nothing else, and a rerun changes nothing."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resources.publish import (
    ABANDONED_SECONDS,
    AS_OF_DAYS,
    KEEP,
    forget_versions,
    mart_file,
    open_mart,
    publish,
)

REPOSITORY = Path(__file__).resolve().parents[2]
CURRENT = Path("operations", "current", "operations.duckdb")


def tables(version: int, rows: int = 2_000) -> dict[str, pa.Table]:
    """Two tables that agree on a version number."""
    numbers = pa.array([version] * rows, pa.int64())
    order = pa.array(range(rows), pa.int64())
    return {
        "hourly": pa.table({"version": numbers, "id": order}),
        "surges": pa.table({"version": numbers, "id": order}),
    }


def versions(folder: Path) -> set[str]:
    return {path.name for path in (folder / "operations").iterdir() if not path.is_symlink()}


READER = """
import json, sys
from pathlib import Path
from resources.publish import open_mart

path, seen, reads = Path(sys.argv[1]), [], 0
print("ready", flush=True)
while not seen or seen[-1] < 20:
    mart = open_mart(path)
    found = mart.execute(
        "SELECT min(version), max(version), count(*) FROM (FROM hourly UNION ALL FROM surges)"
    ).fetchall()[0]
    mart.close()
    assert found[0] == found[1] and found[2] == 4000, found
    reads += 1
    if not seen or seen[-1] != found[0]:
        seen.append(found[0])
print(json.dumps([reads, seen]))
"""


def test_readers_see_one_whole_version_while_twenty_are_published(tmp_path: Path) -> None:
    publish(tmp_path, "operations", tables(0))
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path / CURRENT)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for version in range(1, 21):
        publish(tmp_path, "operations", tables(version))
    output, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors[-2000:]
    reads, seen = json.loads(output)
    assert seen == sorted(seen)
    assert len(seen) > 2, f"{reads} reads saw no publication happen"


def test_the_same_content_in_any_order_is_published_once(tmp_path: Path) -> None:
    first = publish(tmp_path, "operations", tables(1))
    stored = (first.stat().st_ino, first.read_bytes())
    turned = {name: table.take(list(range(1_999, -1, -1))) for name, table in reversed(tables(1).items())}
    again = publish(tmp_path, "operations", turned)
    assert again == first
    assert (again.stat().st_ino, again.read_bytes()) == stored
    assert publish(tmp_path, "operations", tables(2)) != first


def test_parquet_and_database_hold_the_same_rows_in_exact_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "day": pa.array([20_000, None], pa.date32()),
            "at": pa.array([1_762_754_112_000_000, None], pa.timestamp("us", tz="UTC")),
            "nothing": pa.array([None, None], pa.string()),
            "words": pa.array([["a", None], None], pa.list_(pa.string())),
            "share": pa.array([0.1, None], pa.float64()),
        }
    )
    path = publish(tmp_path, "operations", {"facts": table})
    mart = open_mart(path)
    assert [kind for _, kind, *_ in mart.execute("DESCRIBE facts").fetchall()] == [
        "DATE",
        "TIMESTAMP WITH TIME ZONE",
        "VARCHAR",
        "VARCHAR[]",
        "DOUBLE",
    ]
    rows = mart.execute("FROM facts ORDER BY day").to_arrow_table().to_pylist()
    mart.close()
    parquet = pq.read_table(path.with_name("facts.parquet"))
    assert parquet.schema.types == table.schema.types
    assert rows == table.to_pylist() == parquet.to_pylist()


def test_only_the_newest_versions_stay_and_the_published_one_is_among_them(tmp_path: Path) -> None:
    paths = [publish(tmp_path, "operations", tables(version)) for version in range(KEEP)]
    assert publish(tmp_path, "operations", tables(0)) == paths[0]  # old content, published anew
    latest = publish(tmp_path, "operations", tables(99))
    assert versions(tmp_path) == {p.parent.name for p in (paths[0], *paths[-(KEEP - 2) :], latest)}
    assert (tmp_path / CURRENT).resolve() == latest


def test_a_reader_of_a_removed_version_reads_on(tmp_path: Path) -> None:
    publish(tmp_path, "operations", tables(0))
    mart = open_mart(tmp_path / CURRENT)
    for version in range(1, KEEP + 2):
        publish(tmp_path, "operations", tables(version))
    assert mart.execute("SELECT DISTINCT version FROM hourly").fetchall() == [(0,)]
    mart.close()


def test_the_remains_of_a_killed_run_go_and_a_run_at_work_is_left_alone(tmp_path: Path) -> None:
    publish(tmp_path, "operations", tables(0))
    dead, alive = (tmp_path / "operations" / f".new-{name}" for name in ("dead", "alive"))
    for folder in (dead, alive):
        folder.mkdir()
    long_ago = time.time() - ABANDONED_SECONDS - 60
    os.utime(dead, (long_ago, long_ago))
    publish(tmp_path, "operations", tables(1))
    assert not dead.exists()
    assert alive.exists()


def test_two_processes_that_publish_the_same_content_at_once_both_succeed(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom test_publish import publish, tables\n"
        "for version in range(12): publish(Path(sys.argv[1]), 'operations', tables(version, rows=2))"
    )
    paths = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": paths},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors[-2000:]
    assert duckdb.connect(str((tmp_path / CURRENT).resolve()), read_only=True)


@pytest.fixture
def mart(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    publish(tmp_path, "operations", tables(1))
    return open_mart(tmp_path / CURRENT)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/hosts')",
        "SELECT * FROM read_text('/etc/hosts')",
        "ATTACH '/tmp/other.duckdb'",
        "COPY hourly TO '/tmp/hourly.csv'",
        "EXPORT DATABASE '/tmp/all'",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "CREATE TABLE mine (a INTEGER)",
        "INSERT INTO hourly VALUES (1, 1)",
        "DELETE FROM hourly",
        "DROP TABLE hourly",
    ],
)
def test_a_mart_can_be_read_and_nothing_else(mart: duckdb.DuckDBPyConnection, statement: str) -> None:
    with pytest.raises(duckdb.Error):
        mart.execute(statement)
    assert mart.execute("SELECT count(*) FROM hourly").fetchall() == [(2_000,)]
    mart.close()


def test_two_readers_in_one_process_are_both_locked_and_both_in_utc(tmp_path: Path) -> None:
    publish(tmp_path, "operations", tables(1))
    both = [open_mart(tmp_path / CURRENT) for _ in range(2)]
    for mart in both:
        assert mart.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
        with pytest.raises(duckdb.Error):
            mart.execute("SELECT * FROM read_text('/etc/hosts')")
    for mart in both:
        mart.close()


def test_a_mart_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(duckdb.IOException):
        open_mart(tmp_path / CURRENT)


def test_threads_that_open_a_mart_at_once_all_get_it_locked(tmp_path: Path) -> None:
    def opened(_: int) -> object:
        with open_mart(tmp_path / CURRENT) as mart:
            return mart.execute(
                "SELECT current_setting('lock_configuration'), max(version) FROM hourly"
            ).fetchone()

    with ThreadPoolExecutor(8) as pool:
        for version in range(5):
            publish(tmp_path, "operations", tables(version, rows=2))
            assert set(pool.map(opened, range(64))) == {(True, version)}


def test_a_mart_is_kept_as_of_a_day_for_a_while_and_erasure_leaves_only_the_current_one(tmp_path: Path) -> None:
    publish(tmp_path, "operations", tables(1, rows=2))
    home, today = tmp_path / "operations", datetime.now(UTC).date()
    days = [today - timedelta(days=n) for n in range(1, AS_OF_DAYS + 3)]
    for day in days:
        (home / f"as-of-{day}").symlink_to(f"{day:%Y%m%d}")
        (home / f"{day:%Y%m%d}").mkdir()
        os.utime(home / f"{day:%Y%m%d}", (0, 0))
    publish(tmp_path, "operations", tables(2, rows=2))
    assert mart_file(tmp_path, "operations", days[3]).parent.resolve().name == f"{days[3]:%Y%m%d}"
    assert mart_file(tmp_path, "operations", today).resolve() == (tmp_path / CURRENT).resolve()
    assert len(list(home.glob("as-of-*"))) == AS_OF_DAYS
    assert all(link.exists() for link in home.glob("as-of-*"))
    assert len(versions(tmp_path)) <= AS_OF_DAYS + KEEP
    with pytest.raises(FileNotFoundError, match="the oldest is of"):
        mart_file(tmp_path, "operations", days[-1])
    forget_versions(tmp_path)
    assert {path.name for path in home.iterdir()} == {
        "current",
        f"as-of-{today}",
        (home / "current").resolve().name,
    }
