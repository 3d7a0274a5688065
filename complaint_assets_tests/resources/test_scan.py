"""The scan finds a value wherever it is stored, also where the bytes of the file do not show it."""

import gzip
import io
import os
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resources.lake import Lake
from resources.object_store import open_store
from resources.scan import BLOCK, scan
from resources.tables import Tables

WANTED = "+2348031234567"
NOISE = "\n".join(f"line {number} of something that compresses well" for number in range(2000))


def count(data: bytes) -> int:
    return data.count(WANTED.encode())


def zipped(inner: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet.xml", inner)
    return file.getvalue()


def parquet(path: Path) -> None:
    column = pa.array([NOISE, f"call {WANTED}"] * 50).dictionary_encode()
    nested = pa.array([["a"], ["b"]] * 50)
    pq.write_table(pa.table({"t": column, "n": nested}), path, compression="zstd", write_statistics=False)


def warehouse(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA warehouse")
        connection.execute(
            "CREATE TABLE warehouse.t AS SELECT CASE WHEN i = 77000 THEN ? ELSE 'nothing ' || i % 3 END AS v "
            "FROM range(100000) r(i)",
            [WANTED],
        )


def events(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE e (body TEXT)")
    # Across overflow pages the value is cut in two in the file.
    connection.executemany(
        "INSERT INTO e VALUES (?)", [("x" * n + WANTED + "y" * 9000,) for n in range(4000, 4100)]
    )
    connection.commit()
    connection.close()


WRITERS: dict[str, Callable[[Path], object]] = {
    "plain": lambda path: path.write_text(NOISE + WANTED),
    "across_blocks": lambda path: path.write_bytes(b"x" * (BLOCK - 5) + WANTED.encode() + b"y" * 100),
    "gzip": lambda path: path.write_bytes(gzip.compress((NOISE + WANTED).encode())),
    "zstd": lambda path: path.write_bytes(pa.compress((NOISE + WANTED).encode(), "zstd", asbytes=True)),
    "workbook": lambda path: path.write_bytes(zipped((NOISE + WANTED).encode())),
    "archive_in_archive": lambda path: path.write_bytes(zipped(zipped((NOISE + WANTED).encode()))),
    "utf16": lambda path: path.write_bytes((NOISE + WANTED).encode("utf-16")),
    "parquet": parquet,
    "duckdb": warehouse,
    "sqlite": events,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_value_is_found_in_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    WRITERS[kind](tmp_path / "file")
    (tmp_path / "other").write_text(NOISE)
    found = scan([str(tmp_path)], count)
    assert set(found) == {f"{tmp_path}/file"}


def test_names_hidden_and_unfinished_files_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / f"chat with {WANTED}.txt").write_text("nothing")
    (tmp_path / ".abc.tmp").write_text(WANTED)
    (tmp_path / "export.part").write_text(WANTED)
    assert len(scan([str(tmp_path)], count)) == 3


def test_a_damaged_file_does_not_stop_the_scan(tmp_path: Path) -> None:
    for name, head in (("a", b"PK\x03\x04"), ("b", b"PAR1"), ("c", b"\x1f\x8b"), ("d", b"SQLite format 3\0")):
        (tmp_path / name).write_bytes(head + os.urandom(100))
    (tmp_path / "e").write_text(WANTED)
    assert set(scan([str(tmp_path)], count)) == {f"{tmp_path}/e"}


def test_a_purged_table_holds_nothing_of_its_earlier_versions(tmp_path: Path) -> None:
    tables, schema = Tables(str(tmp_path)), pa.schema([("k", pa.string()), ("v", pa.string())])
    for value in (WANTED, "nothing"):
        tables.replace(
            "t",
            pa.table({"k": ["a"], "v": [value]}, schema=schema),
            schema=schema,
            partition_by=[],
            where="k = 'a'",
            sort_by=["k"],
            statistics=["k"],
        )
    assert scan([str(tmp_path)], count)
    assert tables.purge("t") >= 1
    assert not scan([str(tmp_path)], count)
    assert tables.scan("t", schema)["v"].to_pylist() == ["nothing"]


def test_replaced_bytes_are_gone_with_every_version_that_s3_kept(s3: object, tmp_path: Path) -> None:

    import boto3

    client = boto3.client("s3")
    client.create_bucket(Bucket="versioned-scan", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket="versioned-scan", VersioningConfiguration={"Status": "Enabled"})
    url = f"s3://versioned-scan/{tmp_path.name}"
    lake, at = Lake(url), datetime(2026, 11, 1, tzinfo=UTC)
    item = lake.land("sms", "gateway", "2026-11-01T00", "a.jsonl", at, io.BytesIO(WANTED.encode())).object
    lake.seal("sms", "2026-11-01T00")
    store = open_store(url)
    store.put("late/a", WANTED.encode())
    store.put("late/a", b"nothing")
    assert len(scan([url], count)) == 2
    store.purge("late/a")
    assert lake.replace(item, b"nothing", item.name) is not None
    assert not scan([url], count)
    manifest = lake.manifest("sms", "2026-11-01T00")
    assert manifest is not None
    assert [lake.open(one).read() for one in manifest.objects] == [b"nothing"]
