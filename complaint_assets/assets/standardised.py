"""Layer standardised: each delivery in canonical columns; what cannot be read goes to the quarantine.

One asset per channel. A slot is read from its manifest, parsed by contract, validated, and replaced as a
whole in the tables ``standardised`` and ``quarantine``; the intake ledger row comes last.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import date
from tempfile import TemporaryFile
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.assets.common import (
    DAILY_FRESHNESS,
    ONE_RUN,
    OWNER,
    RETRIES,
    STREAMING_FRESHNESS,
    add_partition_metadata,
    table_metadata,
)
from complaint_assets.contracts import load_contracts
from complaint_assets.ledger import Ledger
from complaint_assets.logic.contract import Contract
from complaint_assets.logic.digest import digests_by
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.privacy.erasure import Erased
from complaint_assets.logic.privacy.mask import Masker
from complaint_assets.logic.raw.unpack import read_entries
from complaint_assets.logic.standardised.set_aside import set_aside_invalid
from complaint_assets.logic.standardised.standardise import Origin, Standardising, standardise
from complaint_assets.partitions import slots_of
from complaint_assets.privacy.erasure import audit_log, cut_again, erased_people
from complaint_assets.schemas.standardised import Drifts, Quarantine, Standardised
from complaint_assets.schemas.types import CHANNELS, STREAMING_CHANNELS, arrow_schema
from complaint_assets.vocabulary import load_masker, masking_version
from resources.failpoints import failpoint
from resources.lake import RETIRED, Manifest, RawObject
from resources.settings import settings
from resources.stores import Stores
from resources.tables import Tables, between, equals

STANDARDISED = arrow_schema(Standardised)
QUARANTINE = arrow_schema(Quarantine)
DRIFT = arrow_schema(Drifts)


def masker_of_the_environment() -> Masker:
    """``analytic`` in production; what any other environment holds has been masked ``strict``."""
    return load_masker(
        settings().masking, settings().country, settings().brands.split(","), settings().word_folders()
    )


MASKING = masking_version(
    settings().masking, settings().country, settings().brands.split(","), settings().word_folders()
)
"""What masks the texts: its part of the code version shows which slots an older vocabulary has masked."""


def read_object(
    stores: Stores,
    item: RawObject,
    contract: Contract,
    keys: Keys,
    erased: Erased | None = None,
    expired: Collection[date] = (),
) -> Standardising:
    """Parse and standardise one raw object."""
    origin = Origin(
        channel=item.channel,
        source=item.source,
        slot=item.slot,
        object_sha256=item.sha256,
        received_at=item.received_at,
        size=item.size,
    )
    with stores.lake.open(item) as stream, TemporaryFile() as spool:
        return standardise(
            read_entries(stream, contract, spool),
            contract,
            origin,
            keys,
            country=settings().country,
            first_event_date=settings().first_event_date,
            masker=masker_of_the_environment(),
            exchange=stores.vault.subject_ids,
            erased=erased,
            expired=expired,
        )


def standing_rows(tables: Tables, item: RawObject) -> Standardising:
    """What was read from ``item`` before retention removed its bytes, as far as it still stands."""
    where = [
        ("channel", "=", item.channel),
        ("slot", "=", item.slot),
        ("source", "=", item.source),
        ("object_sha256", "=", item.sha256),
    ]
    deliveries = tables.scan("standardised", STANDARDISED, where=where)
    quarantine = tables.scan("quarantine", QUARANTINE, where=where)
    drift = tables.scan("drift", DRIFT, where=where)
    return Standardising(deliveries, quarantine, drift, deliveries.num_rows + quarantine.num_rows)


def touched_dates(tables: Tables, contract: Contract, deliveries: pa.Table) -> list[date]:
    """Event dates whose complaints ``deliveries`` can change.

    Where a source may move the time of a record (an edited review), or it counts as of its arrival, that
    includes the dates on which the same records stood before.
    """
    dates = set(pc.unique(deliveries["event_date"]).to_pylist())
    undated = pc.any(pc.equal(deliveries["occurred_at_quality"], "received")).as_py()
    if contract.event_time_moves or undated:
        known = tables.scan(
            "standardised",
            STANDARDISED,
            columns=["complaint_id", "event_date"],
            where=[("channel", "=", contract.channel), ("source", "=", contract.source)],
        )
        same = pc.is_in(known["complaint_id"], value_set=pc.unique(deliveries["complaint_id"]))
        dates.update(pc.unique(known.filter(same)["event_date"]).to_pylist())
    return sorted(dates)


def build_standardised(channel: str) -> dg.AssetsDefinition:
    """The standardised asset of ``channel``."""

    @dg.asset(
        key=["standardised", channel],
        deps=[dg.AssetKey(["raw", channel])],
        partitions_def=slots_of(channel),
        backfill_policy=ONE_RUN,
        group_name="standardised",
        owners=[OWNER],
        kinds={"python", "deltalake"},
        tags={"channel": channel, "pii": "masked"},
        code_version=f"2+{MASKING}",
        metadata=table_metadata(Standardised, masking=MASKING),
        retry_policy=RETRIES,
        freshness_policy=STREAMING_FRESHNESS if channel in STREAMING_CHANNELS else DAILY_FRESHNESS,
        pool=f"standardised_{channel}",
        description=(
            f"Deliveries of the {channel} channel in canonical columns: identifiers exchanged for pseudonyms, "
            "times in UTC, imperfections flagged. Records that cannot be read lie in the quarantine with "
            "reason, object and offset."
        ),
    )
    def standardised(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult:
        contracts = load_contracts(settings().contract_folders())
        keys = Keys(stores.vault.secret)
        erased = erased_people(audit_log())
        by_day: dict[str, list[str]] = defaultdict(list)
        for slot in context.partition_keys:
            by_day[slot[:10]].append(slot)
        figures: dict[str, dict[str, float]] = {}
        for done, (day, slots) in enumerate(sorted(by_day.items()), start=1):
            figures |= standardise_slots(stores, channel, sorted(slots), contracts, keys, erased)
            if len(by_day) > 1:
                context.log.info(f"{channel}: {day} standardised, {done} of {len(by_day)} days")
        add_partition_metadata(context, figures)
        return dg.MaterializeResult()

    return standardised


def standardise_slots(
    stores: Stores,
    channel: str,
    slots: list[str],
    contracts: dict[tuple[str, str], Contract],
    keys: Keys,
    erased: Erased | None = None,
) -> dict[str, dict[str, float]]:
    """Replace ``slots``, consecutive slots of one day, and return the figures of each.

    Records of people who have been erased (a restored backup, a file delivered again) are cut out of the lake
    on the way.
    """
    ledger = Ledger(stores.tables)
    fence = ledger.fence("standardised", "quarantine", "drift")
    expired = ledger.expired_dates()
    objects: list[tuple[RawObject, str, int]] = []
    parts: list[Standardising] = []
    for slot in slots:
        manifest = stores.lake.manifest(channel, slot) or Manifest(channel, slot, (), "")
        for item in manifest.objects:
            contract = contracts.get((channel, item.source))
            if contract is None:
                raise dg.Failure(
                    f"{channel}/{item.source} has objects in slot {slot} but no contract. Add {channel}/"
                    f"{item.source}.yaml to a folder named in COMPLAINTS_CONTRACTS, then run the slot again.",
                    allow_retries=False,
                )
            if RETIRED in item.flags:
                part = standing_rows(stores.tables, item)
            else:
                part = read_object(stores, item, contract, keys, erased, expired)
            if erased and cut_again(stores.lake, item, contract, part.erased, erased):
                return standardise_slots(stores, channel, slots, contracts, keys, erased)
            parts.append(part)
            objects.append((item, manifest.checksum, part.records_in))
    whole = set_aside_invalid(
        Standardising(
            deliveries=pa.concat_tables([STANDARDISED.empty_table(), *(part.deliveries for part in parts)]),
            quarantine=pa.concat_tables([QUARANTINE.empty_table(), *(part.quarantine for part in parts)]),
            drift=pa.concat_tables([DRIFT.empty_table(), *(part.drift for part in parts)]),
            records_in=sum(part.records_in for part in parts),
        )
    )
    refused = Counter(
        zip(whole.quarantine["source"].to_pylist(), whole.quarantine["object_sha256"].to_pylist(), strict=True)
    )
    of_source = {
        source: whole.deliveries.filter(pc.equal(whole.deliveries["source"], source))
        for source in {item.source for item, _, _ in objects}
    }
    digests = {source: digests_by(rows, "object_sha256") for source, rows in of_source.items()}
    intake: list[dict[str, Any]] = []
    figures: dict[str, dict[str, float]] = {
        slot: dict.fromkeys(("dagster/partition_row_count", "records_in", "quarantined", "bytes", "late"), 0)
        for slot in slots
    }
    for item, checksum, records_in in objects:
        contract = contracts[channel, item.source]
        rows = of_source[item.source]
        of_object = rows.filter(pc.equal(rows["object_sha256"], item.sha256))
        content_digest, standardised = digests[item.source].get(item.sha256, ("", 0))
        quarantined = refused[item.source, item.sha256]
        intake.append(
            {
                "channel": channel,
                "source": item.source,
                "slot": item.slot,
                "object_sha256": item.sha256,
                "manifest_sha256": checksum,
                "bytes": item.size,
                "records_in": records_in,
                "standardised": standardised,
                "quarantined": quarantined,
                "event_dates": touched_dates(stores.tables, contract, of_object),
                "content_digest": content_digest,
                "contract_version": contract.version,
            }
        )
        figures[item.slot]["dagster/partition_row_count"] += standardised
        figures[item.slot]["records_in"] += records_in
        figures[item.slot]["quarantined"] += quarantined
        figures[item.slot]["bytes"] += item.size
        figures[item.slot]["late"] += sum("late" in flags for flags in of_object["quality_flags"].to_pylist())
    failpoint("standardised.parsed")
    where = (
        f"{equals('channel', channel)} AND {equals('arrival_date', date.fromisoformat(slots[0][:10]))} "
        f"AND {between('slot', slots[0], slots[-1])}"
    )
    for name, rows, schema, sort_by in (
        (
            "standardised",
            whole.deliveries,
            STANDARDISED,
            ["event_date", "slot", "source", "object_sha256", "byte_offset"],
        ),
        ("quarantine", whole.quarantine, QUARANTINE, ["slot", "source", "object_sha256", "byte_offset"]),
        ("drift", whole.drift, DRIFT, ["slot", "source", "object_sha256", "kind", "field"]),
    ):
        stores.tables.replace(
            name,
            rows,
            schema=schema,
            partition_by=["channel", "arrival_date"],
            where=where,
            sort_by=sort_by,
            statistics=[
                c for c in ("channel", "source", "slot", "arrival_date", "event_date") if c in schema.names
            ],
            since=fence[name],
        )
        failpoint("standardised.table_stored")
    failpoint("standardised.rows_stored")
    ledger.record_intake(channel, slots, intake, fence)
    return figures


standardised_assets = [build_standardised(channel) for channel in CHANNELS]
