"""``complaints show``: one complaint, and where each delivery of it lies in the raw lake."""

import json
import sys
from tempfile import TemporaryFile
from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, err, show, stores
from resources.settings import settings

app = typer.Typer()

WORDS = ("text", "attributes")
"""Columns with what was said."""
PLACE = ("delivery_id", "source", "slot", "byte_offset", "byte_length", "received_at", "contract_version")


@app.command("show")
def show_complaint(
    complaint_id: Annotated[str, typer.Argument(help="complaint_id, as tables and marts give it.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the original bytes of its deliveries; they hold personal data.")
    ] = False,
    text: Annotated[bool, typer.Option("--text", help="Also print what was said, masked.")] = False,
    as_json: AsJson = False,
) -> None:
    """One complaint: its canonical row, and object, offset and length of every delivery of it."""
    from complaint_assets.assets.complaints import COMPLAINTS
    from complaint_assets.assets.standardised import STANDARDISED

    tables = stores().tables
    wanted = [("complaint_id", "=", complaint_id)]
    found = tables.scan("complaints", COMPLAINTS, where=wanted).to_pylist()
    columns = ["channel", "object_sha256", *PLACE]
    deliveries = tables.scan("standardised", STANDARDISED, columns=columns, where=wanted).to_pylist()
    if not deliveries:
        raise WrongUse(f"{complaint_id} is no complaint of this home; the table complaints has the ids")
    deliveries.sort(key=lambda row: (row["received_at"], row["delivery_id"]))
    if raw:
        for row in deliveries:
            print_original(row, row["delivery_id"])
        return
    row = {name: value for name, value in (found[0] if found else {}).items() if text or name not in WORDS}
    places = [{"object": raw_object(one).key, **{name: one[name] for name in PLACE}} for one in deliveries]
    if as_json:
        typer.echo(json.dumps({"complaint": row, "deliveries": places}, default=str, indent=2))
        return
    show([{"column": name, "value": value} for name, value in row.items()], False, "Complaint")
    for place in places:
        show([{"delivery": name, "value": value} for name, value in place.items()], False)


def raw_object(row: dict[str, Any]) -> Any:
    """The raw object in which the record of ``row`` lies.

    Raises:
        RuntimeError: the lake no longer has it.
    """
    manifest = stores().lake.manifest(row["channel"], row["slot"])
    for item in manifest.objects if manifest else ():
        if item.sha256 == row["object_sha256"] and item.source == row["source"]:
            return item
    raise RuntimeError(f"object {row['object_sha256']} is not in the lake any more (slot {row['slot']})")


def print_original(row: dict[str, Any], record: str) -> None:
    """Print the bytes of a record as they came; its place goes to standard error.

    A row of a workbook or a Parquet file has no bytes of its own: it is printed as JSON, read anew.
    """
    from complaint_assets.contracts import load_contracts
    from complaint_assets.logic.identify import delivery_id
    from complaint_assets.logic.raw.parse import Record
    from complaint_assets.logic.raw.unpack import read_entries, unpacked

    item = raw_object(row)
    contract = load_contracts(settings().contract_folders()).get((row["channel"], row["source"]))
    place = f"{item.key} offset {row['byte_offset']} length {row['byte_length']}"
    if contract is not None and contract.format.type in ("xlsx", "parquet"):
        with stores().lake.open(item) as stream, TemporaryFile() as spool:
            for entry in read_entries(stream, contract, spool):
                if isinstance(entry, Record) and record == delivery_id(
                    row["channel"], row["source"], row["object_sha256"], entry.byte_offset, entry.ordinal
                ):
                    err.print(
                        f"{place}: row {entry.ordinal} of the {contract.format.type}, as JSON; the original bytes "
                        "are the object as a whole",
                        soft_wrap=True,
                        highlight=False,
                    )
                    line = json.dumps(entry.fields, default=str, ensure_ascii=False) + "\n"
                    sys.stdout.buffer.write(line.encode())
                    return
    err.print(place, soft_wrap=True, highlight=False)
    left = row["byte_length"]
    with stores().lake.open(item) as stream, TemporaryFile() as spool:
        source = unpacked(stream, spool)
        source.seek(row["byte_offset"])
        while left and (block := source.read(min(left, 1 << 20))):
            sys.stdout.buffer.write(block)
            left -= len(block)
    sys.stdout.buffer.write(b"\n")
