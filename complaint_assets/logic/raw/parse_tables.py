"""Reading tables: separated text, in which a row may span lines, workbooks, and Parquet.

The rows of a workbook or a Parquet file have no bytes of their own: their place is the whole object, and
their ordinal the number of the row.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from complaint_assets.logic.contract import Contract

from .records import (
    MAX_RECORD,
    Columns,
    Entries,
    Line,
    Lines,
    Record,
    Refused,
    content,
    joined,
    read_whole,
    shown,
)

MAX_UNPACKED = 1 << 30
"""Bytes that a workbook may unpack to."""
MAX_ROW_GROUP = 128 << 20
"""Bytes that a row group of a Parquet file may unpack to."""
BATCH_ROWS = 64
"""Rows of a Parquet file that are held at once: a repeated value takes next to no room in the file."""
MAX_TRIES = 8
"""How often a line may be read anew as part of another row, before what follows a stray quote is given up."""

csv.field_size_limit(MAX_RECORD)  # the module's own limit is an eighth of what a record may be

_CLOSING = re.compile(r'(?:[^"]++|"")*+"')


def _open_after(line: str, delimiter: str, is_open: bool) -> bool:
    """Whether a quoted field is open at the end of ``line``, as ``csv`` reads it; ``is_open``: before it.

    A quote opens a field only as its first character.
    """
    if '"' not in line:
        return is_open
    position = 0
    while True:
        if is_open or line.startswith('"', position):
            closing = _CLOSING.match(line, position if is_open else position + 1)
            if closing is None:
                return True
            position, is_open = closing.end(), False
        position = line.find(delimiter, position) + 1
        if position == 0:
            return False


def _take_row(lines: Lines, delimiter: str) -> tuple[list[Line], bool]:
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
        if line.text is None or size > MAX_RECORD + 2 * lines.unit:
            break
        is_open = _open_after(line.text, delimiter, is_open)
        if not is_open:
            return taken, True
    if taken:
        given_up = 1 if taken[0].tries < MAX_TRIES else max(1, len(taken) - 1)
        lines.put_back(taken[given_up:])
        del taken[given_up:]
    return taken, False


def _cells(text: str, delimiter: str, strict: bool = False) -> list[str]:
    """The cells of one row; if ``strict``, nothing may follow a closing quote.

    Raises:
        csv.Error
    """
    return next(csv.reader([text], delimiter=delimiter, strict=strict), [])


def read_csv(stream: BinaryIO, contract: Contract) -> Entries:
    form = contract.format
    delimiter = form.delimiter
    lines = Lines(stream, form.encoding)
    for _row in range(form.preamble_rows):
        _take_row(lines, delimiter)
    names = _read_header(lines, contract)
    if isinstance(names, Refused):
        yield names
        return
    for entry in _layout(names, contract, lines.rest):
        yield entry
        if isinstance(entry, Refused):
            return
    while True:
        taken, complete = _take_row(lines, delimiter)
        if not taken:
            return
        offset = taken[0].offset
        if taken[0].text is None:
            yield Refused(offset, taken[0].size, 0, "oversize")
            continue
        text, length, damaged = joined(taken)
        try:
            # A row over several lines with text behind a closing quote began with a stray one.
            cells = _cells(text, delimiter, strict=len(taken) > 1) if complete else None
        except csv.Error:
            cells = None
        if cells is not None and not any(cell.strip() for cell in cells):
            continue
        if cells is not None and len(cells) == len(names):
            yield Record(
                offset, length, 0, dict(zip(names, shown(cells) if damaged else cells, strict=True)), damaged
            )
        elif taken[0].tries < MAX_TRIES and _hides_row(taken[1:], len(names), delimiter):
            lines.put_back(taken[1:])
            yield Refused(offset, taken[0].size - taken[0].end, 0, "malformed")
        else:
            yield Refused(offset, length, 0, "malformed")


def _read_header(lines: Lines, contract: Contract) -> list[str] | Refused:
    """The names of the columns, or why the whole object is refused; none in an object without a byte."""
    cells: list[str] = []
    while not any(cell.strip() for cell in cells):
        taken, complete = _take_row(lines, contract.format.delimiter)
        if not complete:
            return Refused(0, lines.rest(), 0, "held", "header")
        text, _length, damaged = joined(taken)
        if damaged:
            return Refused(0, lines.rest(), 0, "undecodable", "header")
        try:
            cells = _cells(text, contract.format.delimiter)
        except csv.Error:
            return Refused(0, lines.rest(), 0, "malformed", "header")
    return _names(cells)


def _hides_row(lines: Sequence[Line], columns: int, delimiter: str) -> bool:
    """Whether a good row lies in ``lines``, behind the stray quote of a row of wrong width."""
    for line in lines:
        if line.text is not None and not _open_after(line.text, delimiter, False):
            try:
                if len(_cells(content(line.text), delimiter)) == columns:
                    return True
            except csv.Error:
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


def _layout(names: Sequence[str], contract: Contract, size: Callable[[], int]) -> Iterator[Columns | Refused]:
    """The columns; without one that is required the object is held: no row of it is read."""
    yield Columns(tuple(names))
    missing = _missing_column(names, contract)
    if missing:
        yield Refused(0, size(), 0, "held", missing)


def read_xlsx(stream: BinaryIO, contract: Contract) -> Entries:
    whole, size = read_whole(stream)
    if whole is None:
        yield Refused(0, size, 0, "oversize")
        return
    from openpyxl import load_workbook  # slow to import, needed only where a workbook comes

    form = contract.format
    number = 0
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_UNPACKED:
                yield Refused(0, size, 0, "oversize")
                return
            if archive.testzip():  # before any row: its checksums are the workbook's promise as a whole
                yield Refused(0, size, 0, "malformed")
                return
        book = load_workbook(io.BytesIO(whole), read_only=True, data_only=True)
        sheet = book[form.sheet] if form.sheet else book.worksheets[0]
        sheet.reset_dimensions()  # what a workbook says about its own extent is often wrong
        names: list[str] = []
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            if number <= form.preamble_rows or all(cell in (None, "") for cell in cells):
                continue
            if not names:
                names = _names(cells)
                for entry in _layout(names, contract, lambda: size):
                    yield entry
                    if isinstance(entry, Refused):
                        return
            elif any(cell is not None for cell in cells[len(names) :]):
                yield Refused(0, size, number, "malformed")
            else:
                row = [*cells, *[None] * (len(names) - len(cells))]
                yield Record(0, size, number, dict(zip(names, row, strict=False)))
        if not names:
            yield Refused(0, size, number, "held", "header")
    # A broken workbook fails in as many ways as there are parts in it (archive, XML, styles, references).
    except Exception:  # noqa: BLE001
        yield Refused(0, size, number + 1, "malformed")


def read_parquet(stream: BinaryIO, contract: Contract) -> Entries:
    import pyarrow.parquet as pq  # needed only where such a file comes

    number = 0
    size = stream.seek(0, io.SEEK_END)
    try:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        groups = [file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups)]
        if max(groups, default=0) > MAX_ROW_GROUP:
            yield Refused(0, size, 0, "oversize")
            return
        for entry in _layout(_names(file.schema_arrow.names), contract, lambda: size):
            yield entry
            if isinstance(entry, Refused):
                return
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            for row in _without_nanoseconds(batch).to_pylist():
                number += 1
                if _weight(row) > MAX_RECORD:
                    yield Refused(0, size, number, "oversize")
                else:
                    yield Record(0, size, number, row)
        if number != file.metadata.num_rows:
            yield Refused(0, size, number + 1, "malformed")
    # A broken file fails in as many ways as there are encodings and types.
    except Exception:  # noqa: BLE001
        yield Refused(0, size, number + 1, "malformed")


def _without_nanoseconds(batch: Any) -> Any:
    """``batch`` with times that Python can hold."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp("us", field.type.tz))
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns"
        else field
        for field in batch.schema
    ]
    return pa.Table.from_batches([batch]).cast(pa.schema(fields), safe=False)


def _weight(value: Any) -> int:
    """Roughly how many bytes ``value`` takes."""
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    if isinstance(value, list):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, str | bytes) else 8
