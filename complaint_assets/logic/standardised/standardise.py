"""From records to deliveries in canonical columns; what cannot be used goes to the quarantine with a reason.

Identifiers leave here as pseudonyms, exchanged a batch at a time; texts and attributes leave masked. One bad
record never stops the others, and nothing that is written about it holds a value of it.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from complaint_assets.logic.privacy.erasure import Erased, Mark, Place, mark_of
from complaint_assets.logic.privacy.mask import Masker
from complaint_assets.logic.raw.records import Columns, Miscounted, Record, Refused
from complaint_assets.schemas.standardised import Drifts, Quarantine, Standardised
from complaint_assets.schemas.types import arrow_schema

from .contract import Contract
from .drift import Drift, DriftWatch, above, leaves
from .fields import FieldReader, Fields, Findings, as_text
from .identify import Keys, cluster_words, delivery_id, normalise_identifier, normalise_text
from .timestamps import AmbiguousTime, UnparseableTime

FUTURE_TOLERANCE = timedelta(days=1)
_UNSET_CLOCK = 1970
"""Year that a clock shows when it was never set, and a time in seconds when it is read as milliseconds."""
LATE_AFTER = timedelta(days=7)

_STANDARDISED = arrow_schema(Standardised)
_QUARANTINE = arrow_schema(Quarantine)
_DRIFT = arrow_schema(Drifts)
_BATCH = 8192
_MASK_CACHE = 8192
_LONGEST_SHARED = 64
_SHORTEST_IDENTIFIER = 7
_SHORTEST_WORD = 3
_GLOBAL_KINDS = ("phone", "email")
_to_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_OWN_WORDS = ("phone", "email", "account")

Identifier = tuple[str, str]
"""Kind and normalised value of what identifies a customer."""
Exchange = Callable[[Sequence[Identifier]], Sequence[str]]
"""Gives the subject of each identifier (``Vault.subject_ids``)."""


@dataclass(frozen=True)
class Origin:
    """Where the records come from: the raw object and its size, its slot, and when it arrived (UTC)."""

    channel: str
    source: str
    slot: str
    object_sha256: str
    received_at: datetime
    size: int = 0


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


class _OwnWords(NamedTuple):
    """What a record says of its customer, and the single words of that in lower case."""

    phrases: tuple[str, ...]
    words: tuple[str, ...]


class _Rejected(Exception):
    """The record belongs into the quarantine."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


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
    reader = _RecordReader(contract, origin, keys, country, first_event_date, masker, erased, expired)
    common = {
        "channel": origin.channel,
        "source": origin.source,
        "slot": origin.slot,
        "arrival_date": date.fromisoformat(origin.slot[:10]),
        "object_sha256": origin.object_sha256,
        "received_at": origin.received_at,
        "contract_version": contract.version,
    }
    subjects = _Subjects(exchange or (lambda wanted: [keys.pseudonym("author", "|".join(one)) for one in wanted]))
    deliveries = _Collector(_STANDARDISED, common, subjects.put_in)
    quarantine = _Collector(_QUARANTINE, common)
    passed_over: dict[Place, Collection[Mark]] = {}
    miscounted = False
    for entry in entries:
        if isinstance(entry, Miscounted):
            miscounted = True
            continue
        if isinstance(entry, Columns):
            reader.watch.columns(entry.names, contract.declared)
            continue
        if isinstance(entry, Refused):
            if entry.reason == "held":
                reader.watch.held(entry.field or "")
            quarantine.add(reader.quarantined(entry, entry.reason, entry.field))
            continue
        try:
            if erased and (of := reader.erased_authors(entry)):
                passed_over[entry.byte_offset, entry.ordinal] = of
                continue
            row = reader.delivery(entry)
        except _Rejected as verdict:
            reader.note_rejected(entry.fields)
            quarantine.add(reader.quarantined(entry, verdict.reason, verdict.field))
        except (ValueError, TypeError, KeyError, OverflowError):
            reader.note_rejected(entry.fields)
            quarantine.add(reader.quarantined(entry, "invalid_value", None))
        else:
            deliveries.add(row)
    held = reader.watch.missing_required()
    if (miscounted or held is not None) and not quarantine.has("held"):
        why = "count_mismatch" if held is None else "held"
        deliveries = _Collector(_STANDARDISED, common)
        quarantine = _Collector(_QUARANTINE, common)
        quarantine.add(reader.quarantined(Refused(0, origin.size, 0, why), why, held))
    drift = _Collector(_DRIFT, common)
    for difference in reader.drift():
        drift.add(vars(difference))
    records_in = deliveries.rows + quarantine.rows
    return Standardising(deliveries.table(), quarantine.table(), drift.table(), records_in, passed_over)


class _Subjects:
    """Exchanges the identifiers of a batch of deliveries for subjects, all in one call."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def put_in(self, columns: dict[str, Sequence[Any]]) -> None:
        """Replace the identifiers in ``author_ref`` and ``subject_refs``."""
        wanted = list(dict.fromkeys(identifier for record in columns["subject_refs"] for identifier in record))
        subject = dict(zip(wanted, self._exchange(wanted), strict=True)) if wanted else {}
        columns["author_ref"] = [subject.get(identifier) for identifier in columns["author_ref"]]
        columns["subject_refs"] = [
            sorted({f"{one[0]}:{subject[one]}" for one in record}) if len(record) > 1 else []
            for record in columns["subject_refs"]
        ]


class _Collector:
    """Rows as Arrow batches of one schema; ``common`` holds the columns in which all rows are alike."""

    def __init__(
        self,
        schema: pa.Schema,
        common: Mapping[str, Any],
        finish: Callable[[dict[str, Sequence[Any]]], None] = lambda columns: None,
    ) -> None:
        self._finish = finish
        self._schema = schema
        self._common = {name: common[name] for name in schema.names if name in common}
        self._names = [name for name in schema.names if name not in common]
        self._rows: list[tuple[Any, ...]] = []
        self._batches: list[pa.RecordBatch] = []
        self.rows = 0

    def has(self, value: str) -> bool:
        """Whether the only row holds ``value``."""
        return self.rows == 1 and value in self._rows[0]

    def add(self, row: Mapping[str, Any]) -> None:
        self._rows.append(tuple([row[name] for name in self._names]))
        self.rows += 1
        if len(self._rows) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        columns: dict[str, Sequence[Any]] = dict(zip(self._names, zip(*self._rows, strict=True), strict=True))
        self._finish(columns)
        alike = {name: [value] * len(self._rows) for name, value in self._common.items()}
        arrays = [pa.array((columns | alike)[field.name], field.type) for field in self._schema]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows = []

    def table(self) -> pa.Table:
        if self._rows:
            self._flush()
        return pa.Table.from_batches(self._batches, schema=self._schema)


class _RecordReader:
    """Reads the records of one object under one contract."""

    def __init__(
        self,
        contract: Contract,
        origin: Origin,
        keys: Keys,
        country: str,
        first_event_date: date,
        masker: Masker,
        erased: Erased | None,
        expired: Collection[date],
    ) -> None:
        self._contract = contract
        self._read = FieldReader(contract)
        self._origin = origin
        self._keys = keys
        self._country = country
        self._first = first_event_date
        self._erased = erased
        self._expired = expired
        self._last = origin.received_at + FUTURE_TOLERANCE
        self._scope = f"{contract.channel}/{contract.source}"
        self._mapped = frozenset(path.generic for path in contract.mapped)
        self._known = frozenset(path.generic for path in (*contract.attributes, *contract.required))
        self._above = frozenset(above(path.generic for path in contract.declared))
        self.watch = DriftWatch(contract)
        self._seen: dict[str, int] = {}
        self._masker = masker
        self._mask_shared: Callable[[str], str] = lru_cache(maxsize=_MASK_CACHE)(masker.text)

    def drift(self) -> list[Drift]:
        """How the object differs from its contract, names of fields masked as those of attributes are."""
        return self.watch.found(self._field_name)

    def _field_name(self, path: str) -> str:
        """``path`` as it may be shown: what the contract does not name can hold anything."""
        return path if path in self._known or path in self._mapped else self._mask_shared(path)

    def quarantined(self, entry: Record | Refused, reason: str, field: str | None) -> dict[str, Any]:
        """The row of the quarantine for ``entry``, without what all rows share."""
        return {
            "quarantine_id": self._delivery_id(entry),
            "byte_offset": entry.byte_offset,
            "byte_length": entry.byte_length,
            "reason": reason,
            "field": field,
        }

    def delivery(self, record: Record) -> dict[str, Any]:
        """The row of the deliveries for ``record``, without what all rows share.

        Raises:
            _Rejected: it belongs into the quarantine.
            ValueError, TypeError, KeyError, OverflowError: a value is of an unexpected form.
        """
        read, fields = self._read, record.fields
        flags = Findings()
        missing = read.missing_field(fields)
        if missing is not None:
            raise _Rejected("missing_required", missing)
        occurred_at, quality = self._occurred_at(fields, flags)
        own = self._own_words(fields)
        text = read.text(fields, flags)
        identifiers = self._identifiers(fields, flags)
        author = identifiers[0] if identifiers else None
        if author is None:
            flags.add("no_author")
        if text is None:
            flags.add("no_text")
        record_id = read.record_id(fields)
        latitude, longitude = read.coordinates(fields, flags)
        words = cluster_words(text) if text else None
        if record.damaged:
            flags.add("undecodable")
        row: dict[str, Any] = {
            "delivery_id": self._delivery_id(record),
            "complaint_id": self._complaint_id(fields, record_id, author, occurred_at, quality, text),
            "feed": read.feed(fields, flags),
            "source_record_id": record_id,
            "record_version": read.version(fields, flags),
            "byte_offset": record.byte_offset,
            "byte_length": record.byte_length,
            "occurred_at": occurred_at,
            "occurred_at_quality": quality,
            "event_date": occurred_at.date(),
            "author_ref": author,
            "subject_refs": identifiers,
            "text": self._masker.text(text, own.phrases) if text else None,
            "content_key": self._keys.pseudonym("content", words) if words else None,
            "is_amplification": read.is_amplification(fields, text, flags),
            "rating": read.rating(fields, flags),
            "declared_class": self._contract.declared_class,
            "source_category": self._masked(read.category(fields, flags), own),
            "resolution_status": read.status(fields, flags),
            "resolved_at": self._resolved_at(fields, occurred_at, flags),
            "place": self._masked(read.place(fields, flags), own),
            "latitude": latitude,
            "longitude": longitude,
        }
        # These come last: they tell of everything found above.
        row["attributes"] = self._attributes(fields, own, flags)
        row["quality_flags"] = sorted(flags)
        return row

    def note_rejected(self, fields: Fields) -> None:
        """Let the watch see a record that goes to the quarantine."""
        found = dict(leaves(fields))
        shape = tuple(found)
        new = {
            path for path, value in found.items() if value not in (None, "", [], {}) and not self._is_known(path)
        }
        self.watch.record(shape, new, ())

    def _is_known(self, path: str) -> bool:
        steps = [end for end, sign in enumerate(path) if sign in ".["]
        return any(path[:end] in self._known or path[:end] in self._mapped for end in (*steps, len(path)))

    def erased_authors(self, record: Record) -> list[Mark]:
        """By which identifiers the record is of somebody who has been erased, and of the time before that.

        What arrived before goes whatever it says; what arrives later only if it states an earlier time: a new
        contact begins a new life.
        """
        if self._erased is None:
            return []
        found: dict[Mark, datetime] = {}
        for kind, registered in self._identifiers(record.fields, Findings()):
            mark = mark_of(kind, registered)
            moment = self._erased.moment(mark.identity)
            if moment is not None:
                found[mark] = moment
        if not found or self._origin.received_at <= max(found.values()):
            return list(found)
        try:
            occurred_at, quality = self._occurred_at(record.fields, Findings())
        except (_Rejected, ValueError, TypeError, KeyError, OverflowError):
            return []
        return list(found) if quality != "received" and occurred_at <= max(found.values()) else []

    # Identity

    def _delivery_id(self, entry: Record | Refused) -> str:
        origin = self._origin
        return delivery_id(origin.channel, origin.source, origin.object_sha256, entry.byte_offset, entry.ordinal)

    def _complaint_id(
        self,
        fields: Fields,
        record_id: str | None,
        author: Identifier | None,
        occurred_at: datetime,
        quality: str,
        text: str | None,
    ) -> str:
        """Pseudonym of the delivery key: which event this is, in whatever object it comes.

        By the source's own id; else by who said what when, as far as that tells events apart; else by the
        whole record and its number among equal ones in the object, so that equal rows stay separate and a
        file exported again matches itself.
        """
        key: list[Any]
        if record_id is not None:
            key = ["id", self._scope, record_id]
        elif text is not None and quality in ("exact", "minute"):
            key = ["said", self._scope, author, occurred_at.isoformat(), normalise_text(text)]
        else:
            canonical = json.dumps(fields, sort_keys=True, default=str)
            fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
            number = self._seen[fingerprint] = self._seen.get(fingerprint, -1) + 1
            key = ["record", self._scope, fingerprint, number]
        return self._keys.pseudonym("complaint", json.dumps(key))

    def _identifiers(self, fields: Fields, flags: Findings) -> list[Identifier]:
        """What identifies the customer, best first."""
        found: dict[Identifier, None] = {}
        for author in self._contract.author:
            value = self._read.value(fields, author.field)
            if value is None:
                continue
            if isinstance(value, dict | list):
                flags.wrong_type(author.field, personal=True)
                continue
            identifier = normalise_identifier(author.kind, value, self._country)
            if identifier is not None:
                register = "" if author.kind in _GLOBAL_KINDS else f"{author.of or self._scope}|"
                found[author.kind, f"{register}{identifier}"] = None
        return list(found)

    def _own_words(self, fields: Fields) -> _OwnWords:
        """What the record says of the customer, to be masked wherever it turns up again.

        Handles and platform ids are left out: they are often ordinary words.
        """
        found: list[str] = []
        for path in self._contract.personal:
            _collect_strings(path.read(fields), found)
        for author in self._contract.author:
            if author.kind in _OWN_WORDS:
                _collect_strings(author.field.read(fields), found)
        phrases = tuple(dict.fromkeys(phrase for phrase in found if self._read.present(phrase) is not None))
        words = {word.strip(".,;") for phrase in phrases for word in phrase.casefold().split()}
        return _OwnWords(phrases, tuple(word for word in words if len(word) >= _SHORTEST_WORD))

    # Times

    def _occurred_at(self, fields: Fields, flags: Findings) -> tuple[datetime, str]:
        declared = self._contract.occurred_at
        received_at = self._origin.received_at
        first_field = declared.fields[0].text if declared.fields else None
        try:
            parsed = self._read.time(fields, declared)
        except AmbiguousTime:
            raise _Rejected("ambiguous_time", first_field) from None
        except UnparseableTime:
            raise _Rejected("unparseable_time", first_field) from None
        if parsed is None:
            if declared.otherwise is None:
                raise _Rejected("missing_required", first_field)
            if declared.otherwise == "received":
                return received_at, "received"
            at, quality = datetime.combine(declared.otherwise, time(tzinfo=UTC)), "declared"
        else:
            at, quality = parsed.at, parsed.quality
        if at > self._last or (at.year == _UNSET_CLOCK and parsed is not None):
            for path in declared.fields:
                flags.unusable(path, "implausible_time")
            return received_at, "received"
        if at.date() < self._first or at.date() in self._expired:
            raise _Rejected("time_out_of_range", first_field)
        if at > received_at:
            flags.add("future_time")
        elif received_at - at > LATE_AFTER and quality != "declared":
            flags.add("late")
        if parsed is not None and parsed.fold:
            flags.add("repeated_hour")
        return at, quality

    def _resolved_at(self, fields: Fields, occurred_at: datetime, flags: Findings) -> datetime | None:
        declared = self._contract.resolved_at
        if declared is None:
            return None
        try:
            parsed = self._read.time(fields, declared)
        except (UnparseableTime, AmbiguousTime, TypeError):
            for path in declared.fields:
                flags.wrong_type(path, "invalid_resolved_at")
            return None
        if parsed is None:
            return None
        # A date without time of day stands for the whole day.
        ends = parsed.at + timedelta(days=1) if parsed.quality == "date" else parsed.at
        if ends < occurred_at or parsed.at > self._last:
            for path in declared.fields:
                flags.unusable(path, "invalid_resolved_at")
            return None
        return max(parsed.at, occurred_at)

    # Everything else

    def _masked(self, value: str | None, own: _OwnWords) -> str | None:
        """``value`` masked. Short values repeat from record to record, so their masks are remembered."""
        if value is None:
            return None
        if len(value) <= _LONGEST_SHARED:
            folded = value.casefold()
            if not any(word in folded for word in own.words):
                return self._mask_shared(value)
        return self._masker.text(value, own.phrases)

    def _attributes(self, fields: Fields, own: _OwnWords, flags: Findings) -> str:
        """The fields that the contract does not map, as a JSON object of field paths.

        Beside them stand values that could not become canonical ones.
        """
        kept: dict[str, Any] = {}
        shape: list[str] = []
        new: set[str] = set()

        def keep(value: Any, path: str, known: bool) -> None:
            if path in self._mapped:
                if path not in flags.kept:
                    shape.append(path)
                    return
                known = True
            if value and isinstance(value, dict):
                known = known or path in self._known
                for name, inner in value.items():
                    keep(inner, f"{path}.{name}", known)
                return
            if value and isinstance(value, list):
                known = known or path in self._known
                for inner in value:
                    keep(inner, f"{path}[]", known)
                return
            shape.append(path)
            if (leaf := self._read.present(value)) is not None:
                if path in self._above:
                    flags.add("retyped")
                    flags.retyped.add(path)
                    known = True
                if not known and path not in self._known:
                    new.add(path)
                kept.setdefault(self._field_name(path), []).append(self._attribute(leaf, own))

        for name, value in fields.items():
            keep(value, name, known=False)
        if new:
            flags.add("new_field")
        if self.watch.record(tuple(shape), new, flags.retyped):
            flags.add("missing_field")
        return _to_json({path: held if "[]" in path else held[-1] for path, held in kept.items()})

    def _attribute(self, value: Any, own: _OwnWords) -> Any:
        if isinstance(value, str):
            return self._masked(value, own)
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            # A spreadsheet or JSON may hold a phone number as a number.
            text = as_text(value)
            masked = self._mask_shared(text) if len(text) >= _SHORTEST_IDENTIFIER else text
            return value if masked == text else masked
        return as_text(value)


def _collect_strings(value: Any, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value.strip())
    elif isinstance(value, dict):
        for inner in value.values():
            _collect_strings(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _collect_strings(inner, found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found.append(as_text(value))
