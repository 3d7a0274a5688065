"""``complaints send`` and ``complaints queue``: messages into the queue, and what waits there."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from complaint_assets.cli.common import AsJson, WrongUse, known_contract, show
from resources.queue import BATCH_BYTES, Queue, open_queue
from resources.settings import settings

app = typer.Typer()
queue_app = typer.Typer(no_args_is_help=True, help="Messages that were pushed and wait to be taken in.")

BATCH_RECORDS = 1_000
MOST_LETTERS = 1_000


@app.command()
def send(
    channel: Annotated[str, typer.Argument(help="Channel, such as sms.")],
    source: Annotated[str, typer.Argument(help="Source of the channel, as its contract names it.")],
    file: Annotated[str, typer.Argument(help="Records, one a line; - for standard input.")] = "-",
    as_json: AsJson = False,
) -> None:
    """Put records into the queue; when this returns, they are safe.

    Each line is a message. Of a source whose format is not jsonl, the file as a whole is one.
    """
    contract = known_contract(channel, source)
    if file != "-" and not Path(file).is_file():
        raise WrongUse(f"{file} is not a file")
    queue = queue_of_home()
    sent = size = 0
    with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
        for batch in batches(stream, queue.largest, by_line=contract.format.type == "jsonl"):
            queue.send(channel, source, batch)
            sent += len(batch)
            size += sum(map(len, batch))
    show([{"channel": channel, "source": source, "messages": sent, "bytes": size}], as_json, "Sent")


def batches(stream: BinaryIO, largest: int, *, by_line: bool) -> Iterator[list[bytes]]:
    """The messages in ``stream``, in batches.

    Raises:
        WrongUse: one is too large for the queue; those in earlier batches have been given.
    """
    batch: list[bytes] = []
    size = number = 0
    while line := stream.readline(largest + 3) if by_line else stream.read(largest + 1):
        number += 1
        body = line.removesuffix(b"\n").removesuffix(b"\r") if by_line else line
        if len(body) > largest:
            where = f"line {number}" if by_line else "the file"
            raise WrongUse(
                f"{where} is larger than a message may be ({largest} bytes). What came before it may have been "
                "sent; sending it again does no harm. Deliver it as a file: complaints land"
            )
        if not body.strip():
            continue
        batch.append(body)
        size += len(body)
        if len(batch) == BATCH_RECORDS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def queue_of_home() -> Queue:
    """The queue of this home."""
    return open_queue(settings().queue_url())


@queue_app.command("status")
def status(as_json: AsJson = False) -> None:
    """Messages that wait, that are leased to a run, and that nobody could take in."""
    from complaint_assets.schemas.types import CHANNELS

    queue = queue_of_home()
    rows = [{"channel": channel, **vars(queue.depth(channel))} for channel in CHANNELS]
    show(rows, as_json, "Queue")


@queue_app.command("dead")
def dead(channel: Annotated[str, typer.Argument(help="Channel, such as sms.")], as_json: AsJson = False) -> None:
    """Dead letters of a channel: received time and again, never taken in."""
    known_channel(channel)
    rows: list[dict[str, Any]] = [
        {"id": letter.id, "source": letter.source, "bytes": len(letter.body), "sent_at": letter.sent_at}
        for letter in queue_of_home().dead(channel, MOST_LETTERS)
    ]
    show(rows, as_json, f"Dead letters of {channel}")


@queue_app.command("redrive")
def redrive(
    channel: Annotated[str, typer.Argument(help="Channel, such as sms.")], as_json: AsJson = False
) -> None:
    """Put the dead letters of a channel back into the queue, once their cause is mended."""
    known_channel(channel)
    show([{"channel": channel, "redriven": queue_of_home().redrive(channel)}], as_json, "Redriven")


def known_channel(channel: str) -> None:
    """Refuse a channel that does not exist.

    Raises:
        WrongUse: it does not.
    """
    from complaint_assets.schemas.types import CHANNELS

    if channel not in CHANNELS:
        raise WrongUse(f"{channel} is no channel; there are {', '.join(CHANNELS)}")
