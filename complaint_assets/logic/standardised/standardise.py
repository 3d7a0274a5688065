"""From records to deliveries in canonical columns; what cannot be used goes to the quarantine with a reason.

Identifiers leave here as pseudonyms, exchanged a batch at a time; texts and attributes leave masked. One bad
record never stops the others, and nothing that is written about it holds a value of it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import pyarrow as pa

from complaint_assets.logic.contract import Contract
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.privacy.erasure import Erased, Mark, Place
from complaint_assets.logic.privacy.mask import Masker
from complaint_assets.logic.raw.records import Columns, Miscounted, Record, Refused
from complaint_assets.schemas.standardised import Drifts, Quarantine, Standardised
from complaint_assets.schemas.types import arrow_schema

from .collect import Collector, Exchange, Subjects
from .origin import Origin, Rejected
from .record_reader import RecordReader

_STANDARDISED = arrow_schema(Standardised)
_QUARANTINE = arrow_schema(Quarantine)
_DRIFT = arrow_schema(Drifts)


@dataclass(frozen=True)
class Standardising:
    """What became of an object; every record is either a delivery or in the quarantine.

    ``drift``: how the object differs from its contract (``Drifts``).
    """

    deliveries: pa.Table
    quarantine: pa.Table
    drift: pa.Table
    records_in: int
    erased: Mapping[Place, Collection[Mark]] = field(default_factory=dict)
    """Where records of erased people lie, and of whom: they are in no table, and not in ``records_in``."""


def standardise(
    entries: Iterable[Record | Refused | Columns | Miscounted],
    contract: Contract,
    origin: Origin,
    keys: Keys,
    country: str,
    first_event_date: date,
    masker: Masker,
    exchange: Exchange | None = None,
    erased: Erased | None = None,
    expired: Collection[date] = (),
) -> Standardising:
    """Canonical columns (``Standardised``) and quarantine (``Quarantine``) of the entries of one object.

    ``exchange`` gives the subjects of identifiers, thousands at a time; without it they are pseudonyms under
    ``keys``, which whoever holds the keys can recompute.
    ``country`` is where numbers without country code are dialled. A record that happened before
    ``first_event_date``, or on a date that retention has taken (``expired``), is refused. One whose clock was
    not set (it says 1970, or a day or more after it arrived) counts as of its arrival and is flagged. An object
    none of whose records has a required field, or that does not hold as many records as it says, is held: it
    lies in the quarantine as a whole. Records of people in ``erased`` are passed over. ``masker`` has the
    profile of the environment: whatever people wrote goes through it.

    Raises:
        ValueError: the origin is of another source than the contract, or has no UTC time.
    """
    if (origin.channel, origin.source) != (contract.channel, contract.source):
        raise ValueError(
            f"contract {contract.channel}/{contract.source} cannot read {origin.channel}/{origin.source}"
        )
    if origin.received_at.utcoffset() != timedelta(0):
        raise ValueError("received_at must be in UTC")
    reader = RecordReader(contract, origin, keys, country, first_event_date, masker, erased, expired)
    common = {
        "channel": origin.channel,
        "source": origin.source,
        "slot": origin.slot,
        "arrival_date": date.fromisoformat(origin.slot[:10]),
        "object_sha256": origin.object_sha256,
        "received_at": origin.received_at,
        "contract_version": contract.version,
    }
    subjects = Subjects(exchange or (lambda wanted: [keys.pseudonym("author", "|".join(one)) for one in wanted]))
    deliveries = Collector(_STANDARDISED, common, subjects.put_in)
    quarantine = Collector(_QUARANTINE, common)
    passed_over: dict[Place, Collection[Mark]] = {}
    miscounted = False
    for entry in entries:
        if isinstance(entry, Miscounted):
            miscounted = True
            continue
        if isinstance(entry, Columns):
            reader.attributes.watch.columns(entry.names, contract.declared)
            continue
        if isinstance(entry, Refused):
            if entry.reason == "held":
                reader.attributes.watch.held(entry.field or "")
            quarantine.add(reader.quarantined(entry, entry.reason, entry.field))
            continue
        try:
            if erased and (of := reader.erased_authors(entry)):
                passed_over[entry.byte_offset, entry.ordinal] = of
                continue
            row = reader.delivery(entry)
        except Rejected as verdict:
            reader.attributes.note_rejected(entry.fields)
            quarantine.add(reader.quarantined(entry, verdict.reason, verdict.field))
        except (ValueError, TypeError, KeyError, OverflowError):
            reader.attributes.note_rejected(entry.fields)
            quarantine.add(reader.quarantined(entry, "invalid_value", None))
        else:
            deliveries.add(row)
    held = reader.attributes.watch.missing_required()
    if (miscounted or held is not None) and not quarantine.has("held"):
        why = "count_mismatch" if held is None else "held"
        deliveries = Collector(_STANDARDISED, common)
        quarantine = Collector(_QUARANTINE, common)
        quarantine.add(reader.quarantined(Refused(0, origin.size, 0, why), why, held))
    drift = Collector(_DRIFT, common)
    for difference in reader.attributes.drift():
        drift.add(vars(difference))
    records_in = deliveries.rows + quarantine.rows
    return Standardising(deliveries.table(), quarantine.table(), drift.table(), records_in, passed_over)
