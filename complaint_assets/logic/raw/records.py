"""What reading a raw object yields, and what the text formats share: decoding, and a source of lines.

Every record carries its exact position, so that it can be found again in the raw object.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

MAX_RECORD = 1 << 20
"""Bytes of one record."""
MAX_DOCUMENT = 64 << 20
"""Bytes of an object that has to be read as a whole (a workbook)."""

_CHUNK = 1 << 16
_HEAD = 256
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NEWLINES = {"utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}


@dataclass(frozen=True, slots=True)
class Record:
    """One record as delivered; ``ordinal`` tells records apart that share their bytes.

    ``damaged``: it holds bytes that its encoding does not know, or half characters; they stand as ``\\xNN``
    and ``\\uNNNN``.
    """

    byte_offset: int
    byte_length: int
    ordinal: int
    fields: dict[str, Any]
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """One record, or a whole object, that cannot be read: where it lies and why (a quarantine reason)."""

    byte_offset: int
    byte_length: int
    ordinal: int
    reason: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table, before its records: they are there though no row may be."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Miscounted:
    """After the records of a file: they are not as many as its trailer says, or it has none."""


Entries = Iterator[Record | Refused | Columns | Miscounted]


class WrongMark(ValueError):
    """A byte-order mark says that the object is not in the encoding that its contract declares."""


def mark_length(head: bytes, encoding: str) -> int:
    """Length of the byte-order mark with which an object begins.

    Raises:
        WrongMark: the mark is of another encoding.
    """
    for mark, of in _MARKS:
        if head.startswith(mark):
            if of != encoding:
                raise WrongMark
            return len(mark)
    return 0


def _keep(error: UnicodeError) -> tuple[str, int]:
    """Bytes that cannot be decoded travel as lone surrogates until the structure of a record is read."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("complaints.keep", _keep)

_LONE = re.compile("[\ud800-\udfff]")


def decode(raw: bytes, encoding: str) -> tuple[str, bool]:
    """``raw`` as text, and whether some of it could not be decoded: see ``shown``."""
    try:
        return raw.decode(encoding), False
    except UnicodeDecodeError:
        return raw.decode(encoding, "complaints.keep"), True


def shown(value: Any) -> Any:
    """``value`` with what is no character written out: bytes as ``\\xNN``, half characters as ``\\uNNNN``."""
    if isinstance(value, str):
        return _LONE.sub(_written_out, value)
    if isinstance(value, dict):
        return {shown(name): shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return value


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC00 <= code <= 0xDCFF else f"\\u{code:04x}"


@dataclass(slots=True)
class Line:
    """A physical line with its terminator, ``end`` bytes of it.

    ``text`` is None if it is longer than a record may be; ``head`` is always there. ``tries`` counts how often
    it was put back.
    """

    offset: int
    size: int
    end: int
    text: str | None
    head: str
    damaged: bool
    tries: int = 0


class Lines:
    """The lines of a stream with their offsets, without a byte-order mark; lines can be put back."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._newline = _NEWLINES.get(encoding, b"\n")
        self.unit = len(self._newline)
        self._offset = 0
        self._pending: list[Line] = []

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        """The next line.

        Raises:
            WrongMark: see ``mark_length``.
        """
        if self._pending:
            return self._pending.pop()
        raw = self._read(MAX_RECORD + 2 * self.unit)
        if self._offset == 0:
            self._offset = mark_length(raw, self._encoding)
            raw = raw[self._offset :] or self._read(MAX_RECORD + 2 * self.unit)
        if not raw:
            raise StopIteration
        text, damaged = decode(raw, self._encoding)
        end = (len(text) - len(content(text))) * self.unit
        line = Line(self._offset, len(raw), end, text, text[:_HEAD], damaged)
        if len(raw) - end > MAX_RECORD:
            line.text = None
            while raw and not self._ends(raw):
                raw = self._read(_CHUNK)
                line.size += len(raw)
        self._offset += line.size
        return line

    def _ends(self, raw: bytes | bytearray) -> bool:
        return raw.endswith(self._newline) and len(raw) % self.unit == 0

    def _read(self, limit: int) -> bytes:
        """Up to ``limit`` bytes, no further than the end of the line."""
        raw = self._stream.readline(limit)
        if self.unit == 1:
            return raw
        taken = bytearray(raw)
        # In UTF-16 the byte of a line break may be half of another character.
        while raw and len(taken) < limit and not self._ends(taken):
            raw = self._stream.read(1) if len(taken) % 2 else self._stream.readline(limit - len(taken))
            taken += raw
        return bytes(taken)

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


def content(text: str) -> str:
    """``text`` without its line terminator."""
    return text.removesuffix("\n").removesuffix("\r")


def joined(lines: Sequence[Line]) -> tuple[str, int, bool]:
    """The text of ``lines`` without the last terminator, its length in bytes, and whether it is damaged."""
    text = content("".join(line.text or "" for line in lines))
    return text, sum(line.size for line in lines) - lines[-1].end, any(line.damaged for line in lines)


def size_of(stream: BinaryIO, known: int = 0) -> int:
    """Size of an object of which ``known`` bytes are read, after reading the rest."""
    while chunk := stream.read(_CHUNK):
        known += len(chunk)
    return known


def read_whole(stream: BinaryIO) -> tuple[bytes | None, int]:
    """The whole object, or None if it is too large, and its size."""
    whole = stream.read(MAX_DOCUMENT + 1)
    if len(whole) <= MAX_DOCUMENT:
        return whole, len(whole)
    return None, size_of(stream, len(whole))
