"""Reading tables: separated text, in which a row may span lines, and workbooks."""

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any, BinaryIO

from .contract import Contract, Format
from .records import MAX_RECORD, Entries, Line, Lines, Record, Refused, joined, line_content, read_whole

MAX_UNPACKED = 1 << 30
"""Bytes that a workbook may unpack to."""
MAX_TRIES = 8
"""How often a line may be read anew as part of another row, before what follows a stray quote is given up."""

csv.field_size_limit(MAX_RECORD)  # the module's own limit is an eighth of what a record may be

_CLOSING = re.compile(rb'(?:[^"]++|"")*+"')


def _open_after(line: bytes, delimiter: bytes, is_open: bool) -> bool:
    """Whether a quoted field is open at the end of ``line``, as ``csv`` reads it; ``is_open``: before it.

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


def _take_row(lines: Lines, delimiter: bytes) -> tuple[list[Line], bool]:
    """The lines of the next row, and whether it ends within them; no lines at the end of the object.

    A row that does not end within the size of a record began with a stray quote, which must not swallow the
    rows behind it: its first line is given up, and the others are read anew.
    """
    taken: list[Line] = []
    size = 0
    is_open = False
    for line in lines:
        taken.append(line)
        size += line.size
        if line.raw is None or size > MAX_RECORD + 2:
            break
        is_open = _open_after(line.raw, delimiter, is_open)
        if not is_open:
            return taken, True
    if taken:
        given_up = 1 if taken[0].tries < MAX_TRIES else max(1, len(taken) - 1)
        lines.put_back(taken[given_up:])
        del taken[given_up:]
    return taken, False


def _cells(raw: bytes, form: Format, strict: bool = False) -> list[str]:
    """The cells of one row; if ``strict``, nothing may follow a closing quote.

    Raises:
        UnicodeDecodeError, csv.Error
    """
    return next(csv.reader([raw.decode(form.encoding)], delimiter=form.delimiter, strict=strict), [])


def read_csv(stream: BinaryIO, contract: Contract) -> Entries:
    form = contract.format
    delimiter = form.delimiter.encode(form.encoding)
    lines = Lines(stream)
    for _row in range(form.preamble_rows):
        _take_row(lines, delimiter)
    names = _read_header(lines, delimiter, contract)
    if isinstance(names, Refused):
        yield names
        return
    while True:
        taken, complete = _take_row(lines, delimiter)
        if not taken:
            return
        offset, raw = taken[0].offset, joined(taken)
        if taken[0].raw is None:
            yield Refused(offset, taken[0].size, 0, "oversize")
            continue
        try:
            # A row over several lines with text behind a closing quote began with a stray one.
            cells = _cells(raw, form, strict=len(taken) > 1) if complete else None
        except UnicodeDecodeError:
            yield Refused(offset, len(raw), 0, "undecodable")
            continue
        except csv.Error:
            cells = None
        if cells is not None and not any(cell.strip() for cell in cells):
            continue
        if cells is not None and len(cells) == len(names):
            yield Record(offset, len(raw), 0, dict(zip(names, cells, strict=True)))
        elif taken[0].tries < MAX_TRIES and _hides_row(taken[1:], len(names), form):
            lines.put_back(taken[1:])
            yield Refused(offset, len(joined(taken[:1])), 0, "malformed")
        else:
            yield Refused(offset, len(raw), 0, "malformed")


def _read_header(lines: Lines, delimiter: bytes, contract: Contract) -> list[str] | Refused:
    """The names of the columns, or why the whole object is refused."""
    cells: list[str] = []
    while not any(cell.strip() for cell in cells):
        taken, complete = _take_row(lines, delimiter)
        if not complete:
            return Refused(0, lines.rest(), 0, "missing_required", "header")
        try:
            cells = _cells(joined(taken), contract.format)
        except UnicodeDecodeError:
            return Refused(0, lines.rest(), 0, "undecodable", "header")
        except csv.Error:
            return Refused(0, lines.rest(), 0, "malformed", "header")
    names = _names(cells)
    missing = _missing_column(names, contract)
    return Refused(0, lines.rest(), 0, "missing_required", missing) if missing else names


def _hides_row(lines: Sequence[Line], columns: int, form: Format) -> bool:
    """Whether a good row lies in ``lines``, behind the stray quote of a row of wrong width."""
    for line in lines:
        if line.raw is not None and not _open_after(line.raw, form.delimiter.encode(form.encoding), False):
            try:
                if len(_cells(line_content(line.raw), form)) == columns:
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


def read_xlsx(stream: BinaryIO, contract: Contract) -> Entries:
    content, size = read_whole(stream)
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
        sheet.reset_dimensions()  # what a workbook says about its own extent is often wrong
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
