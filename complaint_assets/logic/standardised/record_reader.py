"""Reads one record after the other under a contract: who, what and when, as the row of its delivery."""

import hashlib
import json
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from complaint_assets.logic.contract import Contract
from complaint_assets.logic.identify import (
    Identifier,
    Keys,
    cluster_words,
    delivery_id,
    normalise_identifier,
    normalise_text,
)
from complaint_assets.logic.privacy.erasure import Erased, Mark, mark_of
from complaint_assets.logic.privacy.mask import Masker
from complaint_assets.logic.raw.records import Record, Refused

from .attributes import Attributes
from .fields import FieldReader, Fields, Findings
from .occurrence import Occurrence
from .origin import Origin, Rejected

_GLOBAL_KINDS = ("phone", "email")


class RecordReader:
    """Reads the records of one object under one contract; arguments as of ``standardise``."""

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
        self._times = Occurrence(contract, origin, first_event_date, expired)
        self.attributes = Attributes(contract, masker)
        self._origin = origin
        self._keys = keys
        self._country = country
        self._erased = erased
        self._masker = masker
        self._scope = f"{contract.channel}/{contract.source}"
        self._seen: dict[str, int] = {}

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
            Rejected: it belongs into the quarantine.
            ValueError, TypeError, KeyError, OverflowError: a value is of an unexpected form.
        """
        read, fields = self._read, record.fields
        flags = Findings()
        missing = read.missing_field(fields)
        if missing is not None:
            raise Rejected("missing_required", missing)
        occurred_at, quality = self._times.occurred_at(fields, flags)
        own = self.attributes.own_words(fields)
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
            "source_category": self.attributes.masked(read.category(fields, flags), own),
            "resolution_status": read.status(fields, flags),
            "resolved_at": self._times.resolved_at(fields, occurred_at, flags),
            "place": self.attributes.masked(read.place(fields, flags), own),
            "latitude": latitude,
            "longitude": longitude,
        }
        # These come last: they tell of everything found above.
        row["attributes"] = self.attributes.kept(fields, own, flags)
        row["quality_flags"] = sorted(flags)
        return row

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
            occurred_at, quality = self._times.occurred_at(record.fields, Findings())
        except (Rejected, ValueError, TypeError, KeyError, OverflowError):
            return []
        return list(found) if quality != "received" and occurred_at <= max(found.values()) else []

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
