"""Reading chat exports of WhatsApp: a message begins with a time and a sender and goes on over lines."""

import re
from collections.abc import Sequence
from typing import BinaryIO

from complaint_assets.logic.contract import Contract

from .records import MAX_RECORD, Entries, Line, Lines, Record, Refused, joined, shown

_DIRECTIVE = {
    "%d": r"\d{1,2}",
    "%m": r"\d{1,2}",
    "%y": r"\d{2}",
    "%Y": r"\d{4}",
    "%H": r"\d{1,2}",
    "%I": r"\d{1,2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%p": r"[AaPp]\.?[^\S\n]?[Mm]\.?",
}
_LAYOUT_PART = re.compile(r"%.|\s+|[^%\s]+")
_HALF_DAY = re.compile(r"\b([AaPp])\.?\s?[Mm]\b\.?")
_SENDER = re.compile(r"[^\S\n]*([^:\n]{1,128}):(?:[^\S\n]|$)", re.MULTILINE)
_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u2068\u2069"))


def _header_pattern(layouts: Sequence[str]) -> re.Pattern[str]:
    """What matches the beginning of a message under one of ``layouts``, the longest first."""

    def part(found: str) -> str:
        return _DIRECTIVE.get(found) or (r"[^\S\n]+" if found.isspace() else re.escape(found))

    alternatives = [
        "".join(part(found) for found in _LAYOUT_PART.findall(layout.strip()))
        for layout in sorted(layouts, key=lambda layout: (-len(layout), layout))
    ]
    return re.compile(rf"[\u200e\u200f\u202a\u2068]*({'|'.join(alternatives)})")


def read_whatsapp(stream: BinaryIO, contract: Contract) -> Entries:
    header = _header_pattern(contract.format.headers)
    message: list[Line] = []
    size = 0
    lines = Lines(stream, contract.format.encoding)
    for line in lines:
        if header.match(line.head):
            yield from _read_message(message, size, header, lines.unit)
            message, size = [], 0
        size += line.size
        if size <= MAX_RECORD or not message:
            message.append(line)
    yield from _read_message(message, size, header, lines.unit)


def _read_message(lines: list[Line], size: int, header: re.Pattern[str], unit: int) -> Entries:
    """The message that ``lines`` hold, first line and those that go on; nothing if WhatsApp wrote it.

    ``unit``: bytes of a line break.
    """
    if not lines:
        return
    offset = lines[0].offset
    if size > MAX_RECORD:
        yield Refused(offset, size, 0, "oversize")
        return
    whole, length, damaged = joined(lines)
    text = whole.rstrip("\r\n")
    length -= (len(whole) - len(text)) * unit
    if not text.strip():
        return
    begins = header.match(text)
    if begins is None:
        yield Refused(offset, length, 0, "malformed")
        return
    sender = _SENDER.match(text, begins.end())
    if sender is None:
        return
    fields = {
        "time": _HALF_DAY.sub(lambda half: f"{half[1].upper()}M", " ".join(begins[1].split())),
        "sender": sender[1].translate(_MARKS).strip(),
        "text": text[sender.end() :].translate(_MARKS).replace("\r\n", "\n"),
    }
    yield Record(offset, length, 0, shown(fields) if damaged else fields, damaged)
