"""The files of a source: from records to bytes, the same bytes wherever and whenever it runs."""

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from xml.sax.saxutils import escape

from .formats import Payload, Source, conversation, to_json, webhook

_SMALL = 4096
"""Bytes of a file so small that another delivery could be the same by chance."""


class Files:
    """Where the files of one source go: ``<folder>/<channel>/<source>/<slot>/<file>``."""

    def __init__(self, folder: Path, source: Source) -> None:
        self._folder = folder / source.channel / source.name
        self._source = source
        self._seen: set[bytes] = set()
        self.count = 0

    def write(self, slot: datetime, name: str, payloads: Sequence[Payload], rng: Random) -> None:
        """Write one file of ``slot``; it bears its name only when it is whole.

        A file that holds nothing but redeliveries gets an empty line more, so that no two are the same.
        """
        source = self._source
        content = _ENCODERS[source.kind](source, payloads, slot, rng)
        if len(content) < _SMALL:
            while sha256(content).digest() in self._seen:
                content += source.newline.encode()
            self._seen.add(sha256(content).digest())
        folder = self._folder / slot.strftime("%Y-%m-%dT%H" if source.is_hourly else "%Y-%m-%d")
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{name}.{source.suffix}"
        part = target.with_name(f"{target.name}.part")
        part.write_bytes(content)
        part.replace(target)
        self.count += 1


def _jsonl(_source: Source, payloads: Sequence[Any], _slot: datetime, _rng: Random) -> bytes:
    return "".join(f"{line}\n" for line in payloads).encode()


def _webhooks(source: Source, payloads: Sequence[Any], slot: datetime, rng: Random) -> bytes:
    """One to five messages a body, and bodies with news of our own messages only; a broken one stands alone."""
    bodies: list[str] = []
    waiting: list[tuple[str, str]] = []
    size = 1
    for payload in payloads:
        if isinstance(payload, str):
            bodies.append(payload)
            continue
        waiting.append(payload)
        if len(waiting) >= size:
            bodies.append(conversation(waiting))
            waiting, size = [], rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 5))
            if rng.random() < 0.15:
                bodies.append(_status(slot, rng))
    if waiting:
        bodies.append(conversation(waiting))
    return _jsonl(source, bodies, slot, rng)


def _status(slot: datetime, rng: Random) -> str:
    state = rng.choice(("sent", "delivered", "read"))
    moment = int(slot.timestamp()) + rng.randrange(3600)
    message = f"wamid.HBgM{rng.getrandbits(64):016X}"
    return webhook(f'"statuses":[{to_json({"id": message, "status": state, "timestamp": str(moment)})}]')


def _array(_source: Source, payloads: Sequence[Any], _slot: datetime, _rng: Random) -> bytes:
    return ("[\n" + ",\n".join(payloads) + "\n]\n").encode()


def _rows(source: Source, payloads: Sequence[Any], slot: datetime, _rng: Random) -> bytes:
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator=source.newline)
    if source.encoding != "utf-8":
        exported = slot + timedelta(days=1, minutes=65)
        rows.writerow(["Okwutel Customer Care"])
        rows.writerow(["Contact log – daily export"])
        rows.writerow(["Period", slot.strftime("%d/%m/%Y")])
        rows.writerow(["Exported", exported.strftime("%d/%m/%Y %H:%M")])
    rows.writerow(source.columns)
    rows.writerows(payloads)
    return out.getvalue().encode(source.encoding)


_ENCODERS: dict[str, Callable[[Source, Sequence[Any], datetime, Random], bytes]] = {
    "jsonl": _jsonl,
    "webhook": _webhooks,
    "json": _array,
    "csv": _rows,
}


# Workbooks, by hand: openpyxl stamps them with the clock, and takes ten times as long.

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_DATE_STYLE = 1

_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_CONTENT}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_CONTENT}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}">'
    '<sheets><sheet name="Responses" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/styles.xml": f'<styleSheet xmlns="{_SHEET}"><fonts count="1"><font/></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf/>'
    '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}


def _workbook(source: Source, payloads: Sequence[Any], slot: datetime, _rng: Random) -> bytes:
    exported = f"{slot + timedelta(days=1):%Y-%m-%d}"
    rows = [["Recommendation survey"], ["Exported", exported], source.columns, *payloads]
    sheet = "".join(_row(number, cells) for number, cells in enumerate(rows, start=1))
    parts = _PARTS | {
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{sheet}</sheetData></worksheet>'
    }
    out = io.BytesIO()
    # Stored, not deflated: builds of zlib differ in what they make of the same bytes.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 0
            archive.writestr(entry, _XML + part)
    return out.getvalue()


def _row(number: int, cells: Sequence[Any]) -> str:
    written = []
    for letter, value in zip("ABCDEFGH", cells, strict=False):
        if value is None or value == "":
            continue
        at = f'r="{letter}{number}"'
        if isinstance(value, str):
            text = escape(value)
            written.append(f'<c {at} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>')
        elif isinstance(value, float):
            written.append(f'<c {at} s="{_DATE_STYLE}"><v>{value!r}</v></c>')
        else:
            written.append(f"<c {at}><v>{value}</v></c>")
    return f'<row r="{number}">{"".join(written)}</row>'


_ENCODERS["xlsx"] = _workbook


def slot_start(number: int, seconds: int) -> datetime:
    """Beginning of the slot ``number`` of ``seconds`` each, counted from 1970."""
    return datetime.fromtimestamp(number * seconds, UTC)
