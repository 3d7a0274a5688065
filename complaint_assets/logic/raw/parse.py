"""From the bytes of a raw object to records: bounded in memory, never stopped by a bad record.

What cannot be read becomes a ``Refused`` with a reason. What the fields mean is settled in ``standardise``.
"""

from collections.abc import Callable
from typing import BinaryIO

from complaint_assets.logic.contract import Contract

from .parse_json import read_json, read_jsonl
from .parse_tables import read_csv, read_parquet, read_xlsx
from .parse_whatsapp import read_whatsapp
from .parse_xml import read_xml
from .records import Columns, Entries, Record, Refused, WrongMark, size_of

__all__ = ["Columns", "Entries", "Record", "Refused", "parse"]

_READERS: dict[str, Callable[[BinaryIO, Contract], Entries]] = {
    "jsonl": read_jsonl,
    "json": read_json,
    "csv": read_csv,
    "tsv": read_csv,
    "xlsx": read_xlsx,
    "xml": read_xml,
    "parquet": read_parquet,
    "whatsapp_export": read_whatsapp,
}


def parse(stream: BinaryIO, contract: Contract) -> Entries:
    """The records of one raw object in their order, read as ``contract`` promises them.

    Blank lines, empty rows, messages of WhatsApp itself and JSON documents without records are no records. A
    table gives its ``Columns`` first. An object whose byte-order mark contradicts the declared encoding is
    refused as a whole.
    """
    try:
        yield from _READERS[contract.format.type](stream, contract)
    except WrongMark:
        stream.seek(0)
        yield Refused(0, size_of(stream), 0, "undecodable", "encoding")
