"""The count of records that a file may carry in its last line: found there, and lowered when records are cut."""

import io
import re
from dataclasses import dataclass
from typing import BinaryIO

from complaint_assets.logic.contract import Format

_TAIL = 1 << 16
"""Bytes at the end of a file in which its last line must lie."""
_MOST_DIGITS = 18


@dataclass(frozen=True)
class Trailer:
    """The last line of a file begins at ``offset``; ``digits`` is where its count stands in the file."""

    offset: int
    count: int
    digits: tuple[int, int]


def find_trailer(stream: BinaryIO, form: Format) -> Trailer | None:
    """The trailer that ``form`` declares; None if the last line that is not blank is none."""
    size = stream.seek(0, io.SEEK_END)
    start = max(0, size - _TAIL)
    stream.seek(start)
    tail = stream.read().rstrip()
    line = max(tail.rfind(b"\n"), tail.rfind(b"\r")) + 1
    found = re.fullmatch((form.trailer or "").encode(form.encoding), tail[line:])
    if found is None or not 0 < len(found["count"]) <= _MOST_DIGITS or not found["count"].isdigit():
        return None
    first, last = found.span("count")
    return Trailer(start + line, int(found["count"]), (start + line + first, start + line + last))


def recounted(content: bytes, form: Format, fewer: int) -> bytes:
    """``content`` with ``fewer`` in its trailer, if it has one: what did not agree before does not agree after."""
    trailer = find_trailer(io.BytesIO(content), form) if form.trailer else None
    if trailer is None:
        return content
    first, last = trailer.digits
    padded = last - first if content[first:last].startswith(b"0") else 0
    return content[:first] + b"%0*d" % (padded, max(0, trailer.count - fewer)) + content[last:]
