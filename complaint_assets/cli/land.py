"""``complaints land``: files into the raw lake."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from complaint_assets.cli.common import AsJson, WrongUse, known_contract, show, stores
from resources.settings import settings

app = typer.Typer()


@app.command()
def land(
    channel: Annotated[str, typer.Argument(help="Channel, such as sms.")],
    source: Annotated[str, typer.Argument(help="Source of the channel, as its contract names it.")],
    files: Annotated[list[Path], typer.Argument(help="Files to land, as they are.")],
    slot: Annotated[str | None, typer.Option(help="Slot in which they arrived; default: now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put files into the raw lake; when this returns, they are safe."""
    from complaint_assets.partitions import slot_at, slot_window, slots_of

    known_contract(channel, source)
    for path in files:
        if not path.is_file():
            raise WrongUse(f"{path} is not a file")
    now = datetime.now(UTC)
    if slot:
        try:
            received_at = slot_window(channel, slot)[1]
        except ValueError:
            raise WrongUse(
                f"{slot} is no slot of {channel}; expected something like {slot_at(channel, now)}"
            ) from None
        if not slots_of(channel).has_partition_key(slot):
            raise WrongUse(f"slot {slot} lies outside the slots: they begin on {settings().first_slot}")
    else:
        slot, received_at = slot_at(channel, now), now
    lake = stores().lake
    rows = []
    for path in files:
        with path.open("rb") as stream:
            landed = lake.land(channel, source, slot, path.name, received_at, stream)
        rows.append(
            {
                "file": path.name,
                "bytes": landed.object.size,
                "sha256": landed.object.sha256,
                "slot": landed.object.slot,
                "new": landed.new,
            }
        )
    show(rows, as_json, f"Landed in {channel}/{source}")
