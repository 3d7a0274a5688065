"""Layer raw: bytes exactly as they came, one asset per channel, one partition per slot.

A partition takes what lies sealed in the inbox for its slot, and what waits in the queue, into the lake, verifies
every object, and writes the slot's manifest last. Nothing is parsed here.
"""

import hashlib
import time

import dagster as dg
from pydantic import Field

from complaint_assets.assets.common import (
    DAILY_FRESHNESS,
    ONE_RUN,
    OWNER,
    RETRIES,
    STREAMING_FRESHNESS,
    add_partition_metadata,
)
from complaint_assets.capture.drain import drain
from complaint_assets.contracts import load_contracts
from complaint_assets.partitions import slot_at, slot_window, slots_of
from complaint_assets.schemas.types import CHANNELS, STREAMING_CHANNELS
from resources.alert import Alert
from resources.failpoints import failpoint
from resources.inbox import Arrival
from resources.lake import NAME_REUSED, WrongBytes
from resources.notifier import Notifier
from resources.queue import QueueUnavailable
from resources.settings import settings
from resources.stores import Stores

LOOK_LIMIT = 20_000
"""Most arrivals of a channel that one look lists; the rest waits for the next."""
SECOND_LOOK_SECONDS = 2.0


class CaptureConfig(dg.Config):
    """Arrivals that a sensor has seen unchanged in two looks; empty = this run looks twice itself."""

    sealed: list[str] = Field(default_factory=list)


def arrival_mark(arrival: Arrival) -> str:
    """What identifies an arrival and its state, without its name: names can hold personal data."""
    return f"{hashlib.sha256(arrival.key.encode()).hexdigest()[:16]}:{arrival.mark}"


def arrival_slot(arrival: Arrival) -> str:
    """The slot of an arrival: the one its folder states, or the one in which it arrived."""
    return arrival.slot or slot_at(arrival.channel, arrival.arrived_at)


def sealed_arrivals(stores: Stores, channel: str, marks: list[str]) -> list[Arrival]:
    """Arrivals of ``channel`` that are complete: named in ``marks``, or unchanged in two looks."""
    arrivals = stores.inbox.look(channel, LOOK_LIMIT)
    if marks:
        wanted = set(marks)
        return [arrival for arrival in arrivals if arrival_mark(arrival) in wanted]
    if not arrivals:
        return []
    seen = {arrival.key: arrival.mark for arrival in arrivals}
    time.sleep(SECOND_LOOK_SECONDS)
    return [a for a in stores.inbox.look(channel, LOOK_LIMIT) if seen.get(a.key) == a.mark]


def take_in(stores: Stores, arrival: Arrival) -> bool:
    """Move a file from the inbox into the lake; whether its bytes came for the first time.

    Raises:
        WrongBytes: it is not what its sidecar promises; it stays where it is.
    """
    slot = arrival_slot(arrival)
    # A stated slot has no finer arrival time than its end.
    received_at = slot_window(arrival.channel, slot)[1] if arrival.slot else arrival.arrived_at
    promised = stores.inbox.promised(arrival)
    with stores.inbox.open(arrival) as stream:
        landed = stores.lake.land(
            arrival.channel, arrival.source, slot, arrival.name, received_at, stream, promised
        )
    failpoint("raw.landed")
    stores.inbox.remove(arrival)
    failpoint("raw.removed")
    return landed.new


def mismatch(arrival: Arrival) -> Alert:
    """What is told of a file that is not what its sidecar promises."""
    return Alert(
        key=f"checksum:{arrival_mark(arrival)}",
        severity="error",
        title=f"A file of {arrival.channel}/{arrival.source} does not match its checksum",
        body=(
            f"It stays in the inbox and is not read. Run sha256sum -c *.sha256 in {arrival.channel}/"
            f"{arrival.source} there, then deliver the file or its .sha256 again."
        ),
        asset=f"raw/{arrival.channel}",
    )


def build_raw(channel: str) -> dg.AssetsDefinition:
    """The raw asset of ``channel``."""

    @dg.asset(
        key=["raw", channel],
        partitions_def=slots_of(channel),
        backfill_policy=ONE_RUN,
        group_name="raw",
        owners=[OWNER],
        kinds={"file", "s3"},
        tags={"channel": channel, "pii": "raw"},
        code_version="1",
        retry_policy=RETRIES,
        freshness_policy=STREAMING_FRESHNESS if channel in STREAMING_CHANNELS else DAILY_FRESHNESS,
        pool=f"raw_{channel}",
        description=(
            f"Deliveries of the {channel} channel, byte for byte, content-addressed, with a verified manifest "
            "per slot. Sealed files of the inbox and messages of the queue are taken in; what stands is never "
            "rewritten."
        ),
    )
    def raw(
        context: dg.AssetExecutionContext, config: CaptureConfig, stores: Stores, notifier: Notifier
    ) -> dg.MaterializeResult:
        slots = set(context.partition_keys)
        new = held = messages = 0
        for arrival in sealed_arrivals(stores, channel, config.sealed):
            failpoint("raw.before_landing")
            if arrival_slot(arrival) not in slots:
                continue
            try:
                new += take_in(stores, arrival)
            except WrongBytes:
                held += 1
                notifier.store(mismatch(arrival))
        if stores.queue:
            try:
                contracts = load_contracts(settings().contract_folders())
                messages = drain(stores.queue, stores.lake, channel, contracts)
            except QueueUnavailable as error:
                # Its messages wait where they are; the files need not wait with them.
                context.log.warning(f"{channel}: {error}")
        figures = {}
        for slot in sorted(slots.intersection(stores.lake.unsealed(channel))):
            failpoint("raw.before_seal")
            stores.lake.seal(channel, slot)
            failpoint("raw.sealed")
        for slot in sorted(slots):
            manifest = stores.lake.manifest(channel, slot)
            if manifest:
                figures[slot] = {
                    "dagster/partition_row_count": len(manifest.objects),
                    "bytes": sum(item.size for item in manifest.objects),
                    "sources": len({item.source for item in manifest.objects}),
                    "names_reused": sum(NAME_REUSED in item.flags for item in manifest.objects),
                }
        add_partition_metadata(context, figures)
        context.log.info(
            f"{channel}: {new} new files and {messages} messages taken in, {held} files held: not their checksum"
        )
        return dg.MaterializeResult()

    return raw


raw_assets = [build_raw(channel) for channel in CHANNELS]
