"""What reading a raw object yields, and the line source that the line-based formats share.

Every record carries its exact position, so that it can be found again in the raw object.
"""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

MAX_RECORD = 1 << 20
"""Bytes of one record in a line-based format."""
MAX_DOCUMENT = 64 << 20
"""Bytes of an object that has to be read as a whole (a JSON array, a workbook)."""

_CHUNK = 1 << 16
_HEAD = 256


@dataclass(frozen=True, slots=True)
class Record:
    """One record as delivered; ``ordinal`` tells records apart that share their bytes."""

    byte_offset: int
    byte_length: int
    ordinal: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """One record, or a whole object, that cannot be read: where it lies and why (a quarantine reason)."""

    byte_offset: int
    byte_length: int
    ordinal: int
    reason: str
    field: str | None = None


Entries = Iterator[Record | Refused]


@dataclass(slots=True)
class Line:
    """A physical line with its terminator.

    ``raw`` is None if it is longer than a record may be; ``head`` is always there. ``tries`` counts how often
    it was put back.
    """

    offset: int
    size: int
    raw: bytes | None
    head: bytes
    tries: int = 0


class Lines:
    """The lines of a stream with their offsets, without a byte-order mark; lines can be put back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._offset = 0
        self._pending: list[Line] = []

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        if self._pending:
            return self._pending.pop()
        raw = self._stream.readline(MAX_RECORD + 2)
        if self._offset == 0 and raw.startswith(codecs.BOM_UTF8):
            self._offset = len(codecs.BOM_UTF8)
            raw = raw[self._offset :] or self._stream.readline(MAX_RECORD + 2)
        if not raw:
            raise StopIteration
        line = Line(self._offset, len(raw), raw, raw[:_HEAD])
        if len(line_content(raw)) > MAX_RECORD:
            line.raw = None
            while raw and not raw.endswith(b"\n"):
                raw = self._stream.readline(_CHUNK)
                line.size += len(raw)
        self._offset += line.size
        return line

    def put_back(self, lines: Sequence[Line]) -> None:
        """Give ``lines`` again, in their order."""
        for line in lines:
            line.tries += 1
        self._pending.extend(reversed(lines))

    def rest(self) -> int:
        """Size of the object, after reading what is left of it."""
        for _line in self:
            pass
        return self._offset


def line_content(raw: bytes) -> bytes:
    """``raw`` without its line terminator."""
    return raw.removesuffix(b"\n").removesuffix(b"\r")


def read_whole(stream: BinaryIO) -> tuple[bytes | None, int]:
    """The whole object, or None if it is too large, and its size."""
    content = stream.read(MAX_DOCUMENT + 1)
    if len(content) <= MAX_DOCUMENT:
        return content, len(content)
    size = len(content)
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
    return None, size


def joined(lines: Sequence[Line]) -> bytes:
    """The bytes of ``lines`` without the last terminator."""
    return line_content(b"".join(line.raw or b"" for line in lines))
