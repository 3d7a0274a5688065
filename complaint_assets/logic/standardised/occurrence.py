"""When a contact happened, and when its matter was closed, as far as the record can be believed."""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from complaint_assets.logic.contract import Contract
from complaint_assets.logic.timestamps import AmbiguousTime, UnparseableTime

from .fields import FieldReader, Fields, Findings
from .origin import Origin, Rejected

FUTURE_TOLERANCE = timedelta(days=1)
_UNSET_CLOCK = 1970
"""Year that a clock shows when it was never set, and a time in seconds when it is read as milliseconds."""
LATE_AFTER = timedelta(days=7)


class Occurrence:
    """Reads the times of the records of one object.

    Args:
        contract: which fields tell them.
        origin: when the object arrived.
        first_event_date: what happened before it is out of range.
        expired: dates that retention has taken.
    """

    def __init__(
        self, contract: Contract, origin: Origin, first_event_date: date, expired: Collection[date]
    ) -> None:
        self._contract = contract
        self._read = FieldReader(contract)
        self._received_at = origin.received_at
        self._first = first_event_date
        self._expired = expired
        self._last = origin.received_at + FUTURE_TOLERANCE

    def occurred_at(self, fields: Fields, flags: Findings) -> tuple[datetime, str]:
        """The time of the contact (UTC), and how well it is known.

        Raises:
            Rejected: there is none that counts.
        """
        declared = self._contract.occurred_at
        received_at = self._received_at
        first_field = declared.fields[0].text if declared.fields else None
        try:
            parsed = self._read.time(fields, declared)
        except AmbiguousTime:
            raise Rejected("ambiguous_time", first_field) from None
        except UnparseableTime:
            raise Rejected("unparseable_time", first_field) from None
        if parsed is None:
            if declared.otherwise is None:
                raise Rejected("missing_required", first_field)
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
            raise Rejected("time_out_of_range", first_field)
        if at > received_at:
            flags.add("future_time")
        elif received_at - at > LATE_AFTER and quality != "declared":
            flags.add("late")
        if parsed is not None and parsed.fold:
            flags.add("repeated_hour")
        return at, quality

    def resolved_at(self, fields: Fields, occurred_at: datetime, flags: Findings) -> datetime | None:
        """When the source closed the matter; not before it happened."""
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
