"""Records cut out of a raw object, the bytes of all others untouched.

Line formats and JSON arrays lose the bytes of the record and of its separator. A document that holds records of
several people loses the elements that belong to the person. A workbook loses the cells of the row, a Parquet
file the row.
"""

import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any

from complaint_assets.logic.contract import Contract, Format
from complaint_assets.logic.privacy.erasure import Markers, Place

from .records import Record, Refused
from .trailer import recounted

Entry = Record | Refused


class CannotCut(ValueError):
    """Records of this format share their bytes in a way that is not known here."""


def cut(
    content: bytes, contract: Contract, entries: Sequence[Entry], doomed: Collection[Place], markers: Markers
) -> bytes:
    """``content`` without the entries at ``doomed``, and with ``markers`` overwritten in the rest.

    Args:
        content: the whole object.
        contract: how it is read.
        entries: everything that was read from it, in order.
        doomed: where the entries to cut lie.
        markers: what must not be left; may be empty.

    Raises:
        CannotCut: the format is unknown here and several records share their bytes.
    """
    form = contract.format
    if form.type == "xlsx":
        return _cut_workbook(content, form.sheet, {ordinal for _, ordinal in doomed}, markers)
    if form.type == "parquet":
        return _cut_parquet(content, {ordinal for _, ordinal in doomed}, markers)
    sharing: dict[tuple[int, int], set[Place]] = defaultdict(set)
    for entry in entries:
        sharing[entry.byte_offset, entry.byte_length].add((entry.byte_offset, entry.ordinal))
    gone = set(doomed)
    fewer = sum((one.byte_offset, one.ordinal) in gone for one in entries)
    for (offset, length), places in sorted(sharing.items(), reverse=True):
        if gone.issuperset(places):
            content = _remove(content, offset, length, form)
        elif gone.intersection(places):
            if form.records is None:
                raise CannotCut(f"records of {form.type} share their bytes")
            document = json.loads(content[offset : offset + length].decode(form.encoding))
            ordinals = {ordinal for _, ordinal in gone.intersection(places)}
            kept = _without_records(document, form.records.split("."), ordinals)
            kept = _without_markers(kept, lambda value: bool(markers.count(str(value).encode())))
            text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
            content = content[:offset] + text.encode(form.encoding) + content[offset + length :]
    content = recounted(content, form, fewer)
    if form.encoding.startswith("utf-16"):
        as_utf8 = content.decode(form.encoding, "surrogatepass").encode("utf-8", "surrogatepass")
        return markers.redact(as_utf8).decode("utf-8", "surrogatepass").encode(form.encoding, "surrogatepass")
    return markers.redact(content)


def _remove(content: bytes, offset: int, length: int, form: Format) -> bytes:
    """Without the record and what separates it from the next; in an array, from its neighbour."""
    before, after = content[:offset], content[offset + length :]
    unit = 2 if form.encoding.startswith("utf-16") else 1
    if form.type != "json":
        ends = {char.encode(form.encoding) for char in "\r\n"}
        start = 0
        while after[start : start + unit] in ends:
            start += unit
        return before + after[start:]
    comma = ",".encode(form.encoding)
    behind = _past_space(after, 0, form)
    if after.startswith(comma, behind):
        return before + after[_past_space(after, behind + unit, form) :]
    kept = len(before)
    while kept and before[kept - unit : kept].decode(form.encoding, "replace").isspace():
        kept -= unit
    if before[:kept].endswith(comma):
        before = before[: kept - unit]
    return before + (after if after[behind:] else "]".encode(form.encoding))


def _past_space(content: bytes, position: int, form: Format) -> int:
    unit = 2 if form.encoding.startswith("utf-16") else 1
    while content[position : position + unit].decode(form.encoding, "replace").isspace():
        position += unit
    return position


def _without_records(document: Any, steps: Sequence[str], ordinals: Collection[int]) -> Any:
    """``document`` without the records of these numbers, counted as the reader counts them."""
    number = -1

    def narrow(node: Any, depth: int) -> Any:
        nonlocal number
        name = steps[depth].removesuffix("[]")
        inner = node.get(name)
        if depth == len(steps) - 1 and inner is None:
            return node
        listed = steps[depth].endswith("[]")
        elements = (inner if isinstance(inner, list) else [None]) if listed else [inner]
        kept = []
        for element in elements:
            if depth == len(steps) - 1 or not isinstance(element, dict):
                number += 1
                if number not in ordinals:
                    kept.append(element)
            else:
                kept.append(narrow(element, depth + 1))
        if listed and isinstance(inner, list):
            return {**node, name: kept}
        return {**node, name: kept[0]} if kept else {k: v for k, v in node.items() if k != name}

    return narrow(document, 0)


def _without_markers(node: Any, marked: Callable[[Any], bool]) -> Any:
    """``node`` without the elements of lists (a contact, a mention) in which a marker stands."""
    if isinstance(node, dict):
        return {key: _without_markers(value, marked) for key, value in node.items()}
    if isinstance(node, list):
        kept = [_without_markers(value, marked) for value in node]
        return [value for value in kept if not (_is_flat(value) and _holds(value, marked))]
    return node


def _is_flat(value: Any) -> bool:
    """Without lists below: the smallest element that stands for one thing."""
    if isinstance(value, dict):
        return all(_is_flat(inner) for inner in value.values())
    return not isinstance(value, list)


def _holds(value: Any, marked: Callable[[Any], bool]) -> bool:
    return any(_holds(inner, marked) for inner in value.values()) if isinstance(value, dict) else marked(value)


def _cut_workbook(content: bytes, sheet: str | None, rows: Collection[int], markers: Markers) -> bytes:
    """Emptied rows keep the numbers of all others; an empty row is no record."""
    from openpyxl import load_workbook  # slow to import, needed only where a workbook is cut

    book = load_workbook(io.BytesIO(content))
    of_records = book[sheet] if sheet else book.worksheets[0]
    for page in book.worksheets:
        for row in page.iter_rows():
            for cell in row:
                doomed = page is of_records and cell.row in rows
                value = None if doomed else _redacted(cell.value, markers)
                if value != cell.value:
                    cell.value = value
                    cell.comment = None
                    cell.hyperlink = None
    saved = io.BytesIO()
    book.save(saved)
    return _timeless(saved)


def _cut_parquet(content: bytes, rows: Collection[int], markers: Markers) -> bytes:
    """The rows that stay, in a new file; the reader numbers rows from 1."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    table = table.take([number for number in range(table.num_rows) if number + 1 not in rows])
    for position, column in enumerate(table.schema):
        values = table[column.name].to_pylist()
        if any(value is not None and markers.count(str(value).encode()) for value in values):
            clean = [_redacted(value, markers) for value in values]
            table = table.set_column(position, column, pa.array(clean, column.type))
    saved = io.BytesIO()
    pq.write_table(table, saved, compression="zstd")
    return saved.getvalue()


def _redacted(value: Any, markers: Markers) -> Any:
    """``value`` if no marker stands in it; a text with the marker overwritten, anything else as null."""
    if value is None or not markers.count(str(value).encode()):
        return value
    return markers.redact(value.encode()).decode() if isinstance(value, str) else None


def _timeless(book: io.BytesIO) -> bytes:
    """The workbook without the times at which it was saved: the same rows cut again give the same bytes."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(book) as archive, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            content = _SAVED_AT.sub(rb"\g<1>2000-01-01T00:00:00Z\g<2>", archive.read(name))
            copy.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


_SAVED_AT = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(</dcterms:)")
