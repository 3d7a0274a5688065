"""Tables for spreadsheets: no cell of text is ever taken for a formula (CWE-1236)."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

_FORMULA = "=+-@\t\r\n＝＋－＠"


def harmless(value: Any) -> Any:
    """``value``, with an apostrophe before text that a spreadsheet would compute; numbers stay numbers.

    Blanks and invisible characters before the first sign do not help: spreadsheets skip them.
    """
    if isinstance(value, list | dict):
        value = str(value)
    if not isinstance(value, str):
        return value
    first = next((sign for sign in value if sign in _FORMULA or (sign.isprintable() and not sign.isspace())), "")
    return f"'{value}" if first and first in _FORMULA else value


def to_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """``rows`` as CSV (RFC 4180) with a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([harmless(name) for name in columns])
    writer.writerows([harmless(row[name]) for name in columns] for row in rows)
    return text.getvalue()


def to_xlsx(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """``rows`` as a workbook with one sheet; times are UTC, which a workbook cannot tell."""
    from openpyxl import Workbook  # slow to import, needed only here
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.append(list(columns))
    for row in rows:
        cells = []
        for name in columns:
            value = harmless(row[name])
            value = value.replace(tzinfo=None) if isinstance(value, datetime) else value
            cell = WriteOnlyCell(sheet, value=_printable(value) if isinstance(value, str) else value)
            if isinstance(value, str):
                cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _printable(text: str) -> str:
    """``text`` without the control characters that XML cannot hold."""
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")
