"""From the bytes of a raw object to records: bounded in memory, never stopped by a bad record.

What cannot be read becomes a ``Refused`` with a reason. What the fields mean is settled in ``standardise``.
"""

from collections.abc import Callable
from typing import BinaryIO

from .contract import Contract
from .parse_json import read_json, read_jsonl
from .parse_tables import read_csv, read_xlsx
from .parse_whatsapp import read_whatsapp
from .records import Entries, Record, Refused

__all__ = ["Entries", "Record", "Refused", "parse"]

_READERS: dict[str, Callable[[BinaryIO, Contract], Entries]] = {
    "jsonl": read_jsonl,
    "json": read_json,
    "csv": read_csv,
    "tsv": read_csv,
    "xlsx": read_xlsx,
    "whatsapp_export": read_whatsapp,
}


def parse(stream: BinaryIO, contract: Contract) -> Entries:
    """The records of one raw object in their order, read as ``contract`` promises them.

    Blank lines, empty rows, messages of WhatsApp itself and JSON documents without records are no records.
    """
    return _READERS[contract.format.type](stream, contract)
