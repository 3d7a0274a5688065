"""Compressed objects (gz, zst, zip) are read as what they hold; the raw lake keeps them as they came.

What an object is, its first bytes tell. It is unpacked as a whole before its first record is read, so that one
that is cut, spoilt or a bomb is refused as a whole. Offsets of its records are those in the unpacked bytes: of an
archive, in its entries one behind the other.
"""

import gzip
import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO, cast

from complaint_assets.logic.contract import Contract

from .parse import parse
from .records import Entries, Miscounted, Record, Refused
from .trailer import find_trailer
from .window import window

MAX_EXPANDED = 4 << 30
"""Bytes that an object may unpack to."""
MAX_RATIO = 200
"""How much larger than itself an object may become, beyond ``FREE_EXPANDED``."""
FREE_EXPANDED = 64 << 20
MAX_ENTRIES = 1_000
MAX_DIRECTORY = 4 << 20
"""Bytes of an archive's list of entries."""
MAX_NESTING = 2
"""Levels of compression: an archive of compressed files."""

_GZIP, _ZSTD, _ZIP, _EMPTY_ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PK\x05\x06"
_CHUNK = 1 << 18
_DIRECTORY_END = struct.Struct("<4s4H2LH")
_SPOILT = (EOFError, OSError, ValueError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile)
"""What the libraries raise over bytes that they cannot unpack."""
_WORKBOOK = "[Content_Types].xml"
_JUNK = "__MACOSX/"
"""What one operating system adds to its archives beside the files."""


class CannotUnpack(Exception):
    """The object cannot be unpacked; the text is the reason of the quarantine."""


def read_entries(stream: BinaryIO, contract: Contract, spool: BinaryIO) -> Entries:
    """The records of one raw object, compressed or not.

    Args:
        stream: the object; seekable.
        contract: what its source promises of each file in it.
        spool: an empty file for what it unpacks to.
    """
    try:
        parts = unpack(stream, spool)
    except CannotUnpack as refusal:
        yield Refused(0, stream.seek(0, io.SEEK_END), 0, str(refusal))
        return
    if parts is None:
        stream.seek(0)
        yield from _counted(stream, contract)
        return
    for start, size in parts:
        for entry in _counted(window(spool, start, size), contract):
            if start and isinstance(entry, Record | Refused):
                yield replace(entry, byte_offset=entry.byte_offset + start)
            else:
                yield entry


def _counted(file: BinaryIO, contract: Contract) -> Entries:
    """The records of one file, without the trailer in which it counts them."""
    if contract.format.trailer is None:
        yield from parse(file, contract)
        return
    trailer = find_trailer(file, contract.format)
    size = trailer.offset if trailer else file.seek(0, io.SEEK_END)
    number = 0
    for entry in parse(window(file, 0, size), contract):
        number += isinstance(entry, Record | Refused)
        yield entry
    if trailer is None or trailer.count != number:
        yield Miscounted()


def unpacked(stream: BinaryIO, spool: BinaryIO) -> BinaryIO:
    """The file in which the offsets of ``read_entries`` count: ``spool``, or the object as it came."""
    try:
        return stream if unpack(stream, spool) is None else spool
    except CannotUnpack:
        return stream  # refused as a whole


def repacked(stream: BinaryIO, spool: BinaryIO, change: Callable[[int, bytes], bytes]) -> bytes:
    """The object with each file in it as ``change`` leaves it, compressed as it came.

    The files of an archive lose their names, which can tell of people, and those of which nothing is left go.

    Args:
        stream: the object; seekable.
        spool: an empty file for what it unpacks to.
        change: makes of the offset of a file in the unpacked bytes, and of its content, the new content.

    Raises:
        CannotUnpack: the object is spoilt.
    """
    parts = unpack(stream, spool)
    stream.seek(0)
    if parts is None:
        return change(0, stream.read())
    kind = _kind(stream)
    files = []
    for start, size in parts:
        spool.seek(start)
        files.append(change(start, spool.read(size)))
    if kind == _GZIP:
        return gzip.compress(files[0], mtime=0)
    if kind == _ZSTD:
        import pyarrow as pa

        return cast("bytes", pa.Codec("zstd").compress(files[0], asbytes=True))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, content in enumerate(filter(None, files), start=1):
            archive.writestr(zipfile.ZipInfo(str(number)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unpack(stream: BinaryIO, spool: BinaryIO) -> list[tuple[int, int]] | None:
    """Unpack ``stream`` into ``spool``: start and size of every file there; None if it is not compressed.

    Raises:
        CannotUnpack: it is spoilt, or too large.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if _kind(stream) is None:
        return None
    return _Unpacking(size, spool).parts(stream)


def _kind(stream: BinaryIO) -> bytes | None:
    """The compression of ``stream``, whose position is 0 before and after."""
    head = stream.read(4)
    stream.seek(0)
    kind = next((magic for magic in (_GZIP, _ZSTD, _ZIP, _EMPTY_ZIP) if head.startswith(magic)), None)
    if kind == _ZIP:
        # A workbook is an archive too, and its own format.
        try:
            _check_directory(stream)
            with zipfile.ZipFile(stream) as archive:
                kind = None if _WORKBOOK in archive.NameToInfo else kind
        except _SPOILT:
            raise CannotUnpack("malformed") from None
        stream.seek(0)
    return kind


def _check_directory(stream: BinaryIO) -> None:
    """Refuse an archive whose list of entries is too large to be looked at."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _DIRECTORY_END.size - (1 << 16)))
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(_EMPTY_ZIP)
    if at < 0 or len(tail) - at < _DIRECTORY_END.size:
        raise CannotUnpack("malformed")
    _, _, _, _, entries, directory, _, _ = _DIRECTORY_END.unpack_from(tail, at)
    if entries > MAX_ENTRIES or directory > MAX_DIRECTORY:
        raise CannotUnpack("oversize")


class _Unpacking:
    """One object on its way into ``spool``, and what it may still become."""

    def __init__(self, size: int, spool: BinaryIO) -> None:
        self._spool = spool
        self._left = min(MAX_EXPANDED, max(FREE_EXPANDED, size * MAX_RATIO))
        self._entries = MAX_ENTRIES
        self._position = 0

    def parts(self, stream: BinaryIO) -> list[tuple[int, int]]:
        try:
            return list(self._expand(stream, 0))
        except _SPOILT:
            raise CannotUnpack("malformed") from None

    def _expand(self, stream: BinaryIO, depth: int) -> Iterator[tuple[int, int]]:
        kind = _kind(stream)
        if kind is None:
            yield self._copy(stream)
            return
        if depth == MAX_NESTING:
            raise CannotUnpack("oversize")
        if kind in (_ZIP, _EMPTY_ZIP):
            _check_directory(stream)
            with zipfile.ZipFile(stream) as archive:
                for entry in archive.infolist():
                    if entry.is_dir() or entry.filename.startswith(_JUNK):
                        continue
                    self._entries -= 1
                    if self._entries < 0:
                        raise CannotUnpack("oversize")
                    with archive.open(entry) as member:
                        yield from self._expand(cast("BinaryIO", member), depth + 1)
            return
        start, size = self._copy(_decompressed(stream, kind))
        # What was compressed twice is told by its unpacked beginning: nobody does so in good faith.
        self._spool.seek(start)
        if self._spool.read(4).startswith((_GZIP, _ZSTD)):
            raise CannotUnpack("oversize")
        yield start, size

    def _copy(self, stream: BinaryIO) -> tuple[int, int]:
        start = self._position
        self._spool.seek(start)
        while block := stream.read(_CHUNK):
            self._left -= len(block)
            if self._left < 0:
                raise CannotUnpack("oversize")
            self._spool.write(block)
            self._position += len(block)
        return start, self._position - start


def _decompressed(stream: BinaryIO, kind: bytes) -> BinaryIO:
    if kind == _GZIP:
        return cast("BinaryIO", gzip.GzipFile(fileobj=stream))
    import pyarrow as pa

    # Arrow closes what it has read; the window takes that upon itself.
    source = pa.PythonFile(window(stream, 0, sys.maxsize), mode="r")
    return cast("BinaryIO", pa.CompressedInputStream(source, "zstd"))
