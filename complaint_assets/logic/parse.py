"""From the bytes of a raw object to records: one reader per format, bounded in memory, never stopped by a bad record.

Every record carries its exact position, so that it can be found again in the raw object. What cannot be read
becomes a ``Refused`` with a reason. What the fields mean is the matter of ``standardise``.
"""

import codecs
import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from .contract import Contract, Format

MAX_RECORD = 1 << 20
"""Bytes of one record in a line-based format."""
MAX_DOCUMENT = 64 << 20
"""Bytes of an object that has to be read as a whole (a JSON array, a workbook)."""
MAX_UNPACKED = 1 << 30
"""Bytes that a workbook may unpack to."""
MAX_DEPTH = 64
"""Levels of nesting in a JSON document."""
MAX_TRIES = 8
"""How often a line may be read anew as part of another row, before what follows a stray quote is given up."""

_CHUNK = 1 << 16


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


def parse(stream: BinaryIO, contract: Contract) -> Entries:
    """The records of one raw object in their order, read as ``contract`` promises them.

    Blank lines, empty rows, messages of WhatsApp itself and JSON documents without records are no records.
    """
    return _READERS[contract.format.type](stream, contract)


@dataclass(slots=True)
class _Line:
    """A physical line with its terminator; ``raw`` is None if it is longer than a record may be."""

    offset: int
    size: int
    raw: bytes | None
    tries: int = 0


class _Lines:
    """The lines of a stream with their offsets, without a byte-order mark; lines can be put back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._offset = 0
        self._pending: list[_Line] = []

    def __iter__(self) -> Iterator[_Line]:
        return self

    def __next__(self) -> _Line:
        if self._pending:
            return self._pending.pop()
        raw = self._stream.readline(MAX_RECORD + 2)
        if self._offset == 0 and raw.startswith(codecs.BOM_UTF8):
            self._offset = len(codecs.BOM_UTF8)
            raw = raw[self._offset :] or self._stream.readline(MAX_RECORD + 2)
        if not raw:
            raise StopIteration
        line = _Line(self._offset, len(raw), raw)
        if len(_content(raw)) > MAX_RECORD:
            line.raw = None
            while raw and not raw.endswith(b"\n"):
                raw = self._stream.readline(_CHUNK)
                line.size += len(raw)
        self._offset += line.size
        return line

    def put_back(self, lines: Sequence[_Line]) -> None:
        """Give ``lines`` again, in their order."""
        for line in lines:
            line.tries += 1
        self._pending.extend(reversed(lines))

    def rest(self) -> int:
        """Size of the object, after reading what is left of it."""
        for _line in self:
            pass
        return self._offset


def _content(raw: bytes) -> bytes:
    """``raw`` without its line terminator."""
    return raw.removesuffix(b"\n").removesuffix(b"\r")


# JSON


_JSON = json.JSONDecoder(parse_constant=lambda _name: None)  # NaN and Infinity mean missing
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def _nesting(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """Position and depth after every bracket of the JSON ``text`` outside of strings."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        else:
            continue
        yield token.end(), depth


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") > MAX_DEPTH and any(depth > MAX_DEPTH for _, depth in _nesting(text)):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _without_lone_surrogates(text: str, value: Any) -> Any:
    r"""``value`` as read from ``text``; half of a \ud83d\ude00 pair is no character and becomes "?"."""
    if "\\ud" not in text and "\\uD" not in text:
        return value
    return _JSON.decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8"))


def _records_in(document: Any, form: Format, offset: int, length: int) -> Entries:
    """The records in one JSON document that lies at ``offset``."""
    if not isinstance(document, dict):
        yield Refused(offset, length, 0, "malformed")
        return
    if form.records is None:
        yield Record(offset, length, 0, document)
        return
    for ordinal, fields in enumerate(_narrow(document, form.records.split("."))):
        if fields is None:
            yield Refused(offset, length, ordinal, "malformed")
        else:
            yield Record(offset, length, ordinal, fields)


def _narrow(node: dict[str, Any], steps: Sequence[str]) -> Iterator[dict[str, Any] | None]:
    """``node`` once per record, with each list on the way narrowed to one element; None where the way is broken."""
    name = steps[0].removesuffix("[]")
    inner = node.get(name)
    if len(steps) == 1 and inner is None:
        return
    if steps[0].endswith("[]"):
        elements = inner if isinstance(inner, list) else [None]
    else:
        elements = [inner]
    for element in elements:
        if not isinstance(element, dict):
            yield None
        elif len(steps) == 1:
            yield {**node, name: element}
        else:
            for narrowed in _narrow(element, steps[1:]):
                yield None if narrowed is None else {**node, name: narrowed}


def _read_jsonl(stream: BinaryIO, contract: Contract) -> Entries:
    form = contract.format
    for line in _Lines(stream):
        if line.raw is None:
            yield Refused(line.offset, line.size, 0, "oversize")
            continue
        raw = _content(line.raw)
        if not raw.strip():
            continue
        try:
            text = raw.decode(form.encoding)
            _check_depth(text)
            document = _without_lone_surrogates(text, _JSON.decode(text))
        except UnicodeDecodeError:
            yield Refused(line.offset, len(raw), 0, "undecodable")
        except (ValueError, RecursionError):
            yield Refused(line.offset, len(raw), 0, "malformed")
        else:
            yield from _records_in(document, form, line.offset, len(raw))


def _read_whole(stream: BinaryIO) -> tuple[bytes | None, int]:
    """The whole object, or None if it is too large, and its size."""
    content = stream.read(MAX_DOCUMENT + 1)
    if len(content) <= MAX_DOCUMENT:
        return content, len(content)
    size = len(content)
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
    return None, size


_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR_END = re.compile(r"(?=[,\]])")


def _read_json(stream: BinaryIO, contract: Contract) -> Entries:
    content, size = _read_whole(stream)
    if content is None:
        yield Refused(0, size, 0, "oversize")
        return
    form = contract.format
    offset = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
    # Bytes that cannot be decoded spoil their own record only: they travel as lone surrogates until then.
    text = content[offset:].decode(form.encoding, "surrogateescape")
    del content
    measured = 0

    def byte_at(position: int) -> int:
        nonlocal offset, measured
        offset += len(text[measured:position].encode(form.encoding, "surrogateescape"))
        measured = position
        return offset

    position = _skip_space(text, 0)
    if not text.startswith("[", position):
        yield Refused(0, size, 0, "malformed")
        return
    position = _skip_space(text, position + 1)
    while not text.startswith("]", position):
        start = byte_at(position)
        end = _element_end(text, position)
        if end is None:
            yield Refused(start, size - start, 0, "malformed")
            return
        length = byte_at(end) - start
        yield from _read_element(text[position:end], form, start, length)
        position = _skip_space(text, end)
        if text.startswith(",", position):
            position = _skip_space(text, position + 1)
        elif not text.startswith("]", position):
            start = byte_at(position)
            yield Refused(start, size - start, 0, "malformed")
            return
    if text[position + 1 :].strip():
        start = byte_at(position + 1)
        yield Refused(start, size - start, 0, "malformed")


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _element_end(text: str, start: int) -> int | None:
    """Where the array element that begins at ``start`` ends, even if it is broken; None if it does not end."""
    try:
        return _JSON.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        if text[start : start + 1] in ("{", "["):
            return next((end for end, depth in _nesting(text, start) if depth == 0), None)
        found = _SCALAR_END.search(text, start)
        return found.start() if found and found.start() > start else None


def _read_element(text: str, form: Format, offset: int, length: int) -> Entries:
    if length > MAX_RECORD:
        yield Refused(offset, length, 0, "oversize")
        return
    try:
        text.encode(form.encoding)
        _check_depth(text)
        document = _without_lone_surrogates(text, _JSON.decode(text))
    except UnicodeEncodeError:
        yield Refused(offset, length, 0, "undecodable")
    except (ValueError, RecursionError):
        yield Refused(offset, length, 0, "malformed")
    else:
        yield from _records_in(document, form, offset, length)


# Tables


_CLOSING = re.compile(rb'(?:[^"]|"")*+"')


def _open_after(line: bytes, delimiter: bytes, is_open: bool) -> bool:
    """Whether a quoted field is open at the end of ``line``, if one was at its beginning; as ``csv`` reads it.

    A quote opens a field only as its first character.
    """
    if b'"' not in line:
        return is_open
    position = 0
    while True:
        if is_open or line.startswith(b'"', position):
            closing = _CLOSING.match(line, position if is_open else position + 1)
            if closing is None:
                return True
            position, is_open = closing.end(), False
        position = line.find(delimiter, position) + 1
        if position == 0:
            return False


def _take_row(lines: _Lines, delimiter: bytes) -> tuple[list[_Line], bool]:
    """The lines of the next row, and whether it ends within them and within the size of a record."""
    taken: list[_Line] = []
    size = 0
    is_open = False
    for line in lines:
        taken.append(line)
        size += line.size
        if line.raw is None or size > MAX_RECORD + 2:
            return taken, False
        is_open = _open_after(line.raw, delimiter, is_open)
        if not is_open:
            return taken, True
    return taken, False


def _row_bytes(lines: Sequence[_Line]) -> bytes:
    return _content(b"".join(line.raw or b"" for line in lines))


def _cells(raw: bytes, form: Format) -> list[str]:
    return next(csv.reader([raw.decode(form.encoding)], delimiter=form.delimiter), [])


def _read_csv(stream: BinaryIO, contract: Contract) -> Entries:
    form = contract.format
    delimiter = form.delimiter.encode(form.encoding)
    lines = _Lines(stream)
    names: list[str] = []
    preamble = form.preamble_rows
    while True:
        taken, complete = _take_row(lines, delimiter)
        if not taken:
            break
        if not complete:
            # A stray quote must not swallow the rows behind it: give up its line only.
            cut = 1 if taken[0].tries < MAX_TRIES else len(taken)
            lines.put_back(taken[cut:])
            taken = taken[:cut]
        offset = taken[0].offset
        if preamble:
            preamble -= 1
            continue
        if not complete:
            long = taken[0].raw is None
            size = sum(line.size for line in taken) if long else len(_row_bytes(taken))
            if not names:
                break
            yield Refused(offset, size, 0, "oversize" if long else "malformed")
            continue
        raw = _row_bytes(taken)
        try:
            cells = _cells(raw, form)
        except UnicodeDecodeError:
            if not names:
                yield Refused(0, lines.rest(), 0, "undecodable")
                return
            yield Refused(offset, len(raw), 0, "undecodable")
            continue
        except csv.Error:
            yield Refused(offset, len(raw), 0, "malformed")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = _names(cells)
            missing = _missing_column(names, contract)
            if missing:
                yield Refused(0, lines.rest(), 0, "missing_required", missing)
                return
        elif len(cells) == len(names):
            yield Record(offset, len(raw), 0, dict(zip(names, cells, strict=True)))
        elif taken[0].tries < MAX_TRIES and _hides_row(taken[1:], len(names), form):
            lines.put_back(taken[1:])
            yield Refused(offset, len(_row_bytes(taken[:1])), 0, "malformed")
        else:
            yield Refused(offset, len(raw), 0, "malformed")
    if not names:
        yield Refused(0, lines.rest(), 0, "missing_required", "header")


def _hides_row(lines: Sequence[_Line], columns: int, form: Format) -> bool:
    """Whether a good row lies in ``lines``, behind the stray quote of a row with a wrong number of columns."""
    for line in lines:
        if line.raw is not None and not _open_after(line.raw, form.delimiter.encode(form.encoding), False):
            try:
                if len(_cells(_content(line.raw), form)) == columns:
                    return True
            except (UnicodeDecodeError, csv.Error):
                continue
    return False


def _names(header: Sequence[Any]) -> list[str]:
    """One name per column: as in the header, numbered where it has none or repeats one."""
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        name = "" if cell is None else str(cell).strip()
        names.append(name if name and name not in names else f"{name or 'column'} {number}")
    return names


def _missing_column(names: Sequence[str], contract: Contract) -> str | None:
    return next((path.text for path in contract.header if path.text not in names), None)


def _read_xlsx(stream: BinaryIO, contract: Contract) -> Entries:
    content, size = _read_whole(stream)
    if content is None:
        yield Refused(0, size, 0, "oversize")
        return
    from openpyxl import load_workbook  # slow to import, needed only where a workbook comes

    form = contract.format
    number = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_UNPACKED:
                yield Refused(0, size, 0, "oversize")
                return
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book[form.sheet] if form.sheet else book.worksheets[0]
        names: list[str] = []
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            if number <= form.preamble_rows or all(cell in (None, "") for cell in cells):
                continue
            if not names:
                names = _names(cells)
                missing = _missing_column(names, contract)
                if missing:
                    yield Refused(0, size, number, "missing_required", missing)
                    return
            elif any(cell is not None for cell in cells[len(names) :]):
                yield Refused(0, size, number, "malformed")
            else:
                row = [*cells, *[None] * (len(names) - len(cells))]
                yield Record(0, size, number, dict(zip(names, row, strict=False)))
        if not names:
            yield Refused(0, size, number, "missing_required", "header")
    # A broken workbook fails in as many ways as there are parts in it (archive, XML, styles, references).
    except Exception:  # noqa: BLE001
        yield Refused(0, size, number + 1, "malformed")


# WhatsApp exports


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


def _read_whatsapp(stream: BinaryIO, contract: Contract) -> Entries:
    form = contract.format
    header = _header_pattern(form.headers)
    message: list[_Line] = []
    size = 0
    for line in _Lines(stream):
        begins = line.raw is not None and header.match(line.raw.decode(form.encoding, "surrogateescape"))
        if begins:
            yield from _read_message(message, size, header, form)
            message, size = [], 0
        size += line.size
        if size <= MAX_RECORD or not message:
            message.append(line)
    yield from _read_message(message, size, header, form)


def _read_message(lines: list[_Line], size: int, header: re.Pattern[str], form: Format) -> Entries:
    """The message that ``lines`` hold, its first line and those that go on; nothing if WhatsApp itself wrote it."""
    if not lines:
        return
    offset = lines[0].offset
    if size > MAX_RECORD:
        yield Refused(offset, size, 0, "oversize")
        return
    raw = _row_bytes(lines).rstrip(b"\r\n")
    if not raw.strip():
        return
    try:
        text = raw.decode(form.encoding)
    except UnicodeDecodeError:
        yield Refused(offset, len(raw), 0, "undecodable")
        return
    begins = header.match(text)
    if begins is None:
        yield Refused(offset, len(raw), 0, "malformed")
        return
    sender = _SENDER.match(text, begins.end())
    if sender is None:
        return
    fields = {
        "time": _HALF_DAY.sub(lambda half: f"{half[1].upper()}M", " ".join(begins[1].split())),
        "sender": sender[1].translate(_MARKS).strip(),
        "text": text[sender.end() :].translate(_MARKS).replace("\r\n", "\n"),
    }
    yield Record(offset, len(raw), 0, fields)


_READERS: dict[str, Callable[[BinaryIO, Contract], Entries]] = {
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": _read_csv,
    "tsv": _read_csv,
    "xlsx": _read_xlsx,
    "whatsapp_export": _read_whatsapp,
}
