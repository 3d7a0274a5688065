"""Looks at every stored byte, as it lies and as it is read: the proof that something is nowhere any more.

Compressed streams, archives, Parquet columns, DuckDB and SQLite tables are read as well, because a value in a
compressed page leaves no trace in the bytes of the file.
"""

import codecs
import gzip
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

from resources.object_store import open_store

BLOCK = 4 << 20
OVERLAP = 1 << 10
"""Longer than any marker: what lies across two blocks is found in the second."""
ROWS = 8192
DEPTH = 3
"""Archives within archives are opened so deep."""

Count = Callable[[bytes], int]


def scan(urls: list[str], count: Count) -> dict[str, int]:
    """Every place under ``urls`` (folders or s3 prefixes) in which ``count`` finds something, and how much."""
    found: dict[str, int] = {}
    for url in urls:
        for key, stream in open_store(url).everything():
            with stream:
                hits = count(key.encode("utf-8", "surrogateescape")) + count_in(stream, count)
            if hits:
                found[f"{url}/{key}"] = hits
    return found


def count_in(stream: BinaryIO, count: Count, depth: int = DEPTH) -> int:
    """What ``count`` finds in the bytes of ``stream`` and in what they stand for."""
    head = stream.read(16)
    stream.seek(0)
    hits = _count_blocks(stream, count)
    if depth:
        stream.seek(0)
        # A damaged or half-written file is what its bytes are; they have been looked at.
        with suppress(zipfile.BadZipFile, EOFError, OSError, zlib.error, sqlite3.Error, _Unreadable):
            for piece in _decoded(head, stream, count, depth):
                hits += piece if isinstance(piece, int) else count(piece)
    return hits


def readable(stream: BinaryIO) -> str:
    """The text in ``stream`` and in what it stands for, such as the parts of a workbook."""
    pieces: list[bytes] = []

    def take(data: bytes) -> int:
        pieces.append(data)
        return 0

    count_in(stream, take)
    return b"\n".join(pieces).decode("utf-8", "replace")


class _Unreadable(Exception):
    """The file is not what its first bytes promise."""


def _count_blocks(stream: BinaryIO, count: Count) -> int:
    hits, tail = 0, b""
    while block := stream.read(BLOCK):
        data = tail + block
        # What lies wholly in the tail was counted with the block before.
        hits += count(data) - (count(tail) if tail else 0)
        tail = data[-OVERLAP:]
    return hits


def _decoded(head: bytes, stream: BinaryIO, count: Count, depth: int) -> Iterator[bytes | int]:
    """What the bytes stand for, piece by piece; a number is what was counted in a piece already."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        yield from _spooled(codecs.EncodedFile(stream, "utf-8", "utf-16", "replace"))
    elif head.startswith(b"\x1f\x8b"):
        with gzip.open(stream) as inner:
            yield from _spooled(inner)
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa

        with pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd") as inner:
            yield from _spooled(inner)
    elif head.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(stream) as archive:
            for item in archive.infolist():
                yield item.filename.encode()
                with archive.open(item) as member, tempfile.TemporaryFile() as spool:
                    shutil.copyfileobj(member, spool)
                    spool.seek(0)
                    yield count_in(spool, count, depth - 1)
    elif head.startswith(b"PAR1"):
        yield from _parquet(stream)
    elif head[8:12] == b"DUCK":
        yield from _copied(stream, _duckdb)
    elif head.startswith(b"SQLite format 3\0"):
        yield from _copied(stream, _sqlite)


def _spooled(inner: Any) -> Iterator[bytes]:
    tail = b""
    # Of a gzip stream that is cut, read1 gives what comes before the cut.
    more = inner.read1 if isinstance(inner, gzip.GzipFile) else inner.read
    while block := more(BLOCK):
        yield tail + block
        tail = block[-OVERLAP:]


def _copied(stream: BinaryIO, read: Callable[[Path], Iterator[bytes]]) -> Iterator[bytes]:
    """A copy is opened: looking must not lock, recover or change what is looked at."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        with copy.open("wb") as file:
            shutil.copyfileobj(stream, file)
        yield from read(copy)


def _joined(values: list[Any]) -> bytes:
    return "\n".join(str(value) for value in values if value is not None).encode("utf-8", "surrogateescape")


def _parquet(stream: BinaryIO) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=ROWS):
            for column in batch.columns:
                yield _joined(column.to_pylist())
    except pa.ArrowException:
        raise _Unreadable from None


def _duckdb(path: Path) -> Iterator[bytes]:
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            for schema, name in tables:
                target = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
                for batch in connection.execute(f"SELECT * FROM {target}").to_arrow_reader(ROWS):  # noqa: S608
                    for column in batch.columns:
                        yield _joined(column.to_pylist())
    except duckdb.Error:
        raise _Unreadable from None


def _sqlite(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            target = '"' + name.decode().replace('"', '""') + '"'
            rows = connection.execute(f"SELECT * FROM {target}")  # noqa: S608
            while some := rows.fetchmany(ROWS):
                yield b"\n".join(v for row in some for v in row if isinstance(v, bytes))
                yield _joined([v for row in some for v in row if isinstance(v, int | float)])
