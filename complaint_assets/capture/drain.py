"""From the queue into the raw lake: leased, stored, and only then acknowledged."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence

from complaint_assets.logic.contract import Contract
from complaint_assets.logic.raw.batch import as_objects
from complaint_assets.partitions import slot_at
from resources.failpoints import failpoint
from resources.lake import Lake
from resources.queue import LEASE_SECONDS, Message, Queue, held

BATCH_MESSAGES = 5_000
MOST_BATCHES = 200
"""Batches that one run takes in: what comes faster than that waits for the next."""


def drain(queue: Queue, lake: Lake, channel: str, contracts: Mapping[tuple[str, str], Contract]) -> int:
    """Take the messages of ``channel`` into the lake, each in the slot in which it was sent; return how many.

    Whatever happens between the storing and the acknowledgement, the messages come again and are the same
    complaints: by the same bytes where they come in the same batch, by their delivery key otherwise. Messages
    of a source without contract are left, and become dead letters.

    Raises:
        QueueUnavailable: the queue cannot be reached; what was taken so far is safe.
    """
    taken = 0
    for _batch in range(MOST_BATCHES):
        messages = queue.receive(channel, BATCH_MESSAGES, LEASE_SECONDS)
        if not messages:
            break
        failpoint("drain.leased")
        known = [message for message in messages if (channel, message.source) in contracts]
        with held(queue, channel, known, LEASE_SECONDS):
            store(lake, channel, known, contracts)
        failpoint("drain.stored")
        queue.ack(channel, known)
        failpoint("drain.acknowledged")
        taken += len(known)
    return taken


def store(
    lake: Lake, channel: str, messages: Sequence[Message], contracts: Mapping[tuple[str, str], Contract]
) -> None:
    """Land ``messages``; when this returns, they are safe."""
    together: dict[tuple[str, str], list[Message]] = defaultdict(list)
    for message in messages:
        together[message.source, slot_at(channel, message.sent_at)].append(message)
    for (source, slot), group in sorted(together.items()):
        form = contracts[channel, source].format.type
        received_at = max(message.sent_at for message in group)
        for data in as_objects([message.body for message in group], lines=form == "jsonl"):
            name = f"queue-{hashlib.sha256(data).hexdigest()[:16]}.{form}"
            lake.land(channel, source, slot, name, received_at, io.BytesIO(data))
