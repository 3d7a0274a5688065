"""The two clocks: slots (when bytes arrived) and event dates (when contacts happened), all in UTC."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from complaint_assets.schemas.types import STREAMING_CHANNELS
from resources.settings import settings

HOUR_SLOT = "%Y-%m-%dT%H"
DAY = "%Y-%m-%d"

# end_offset=1: the slot that is still open exists, or nothing could arrive in it.
hourly_slots = dg.HourlyPartitionsDefinition(
    start_date=settings().first_slot.strftime("%Y-%m-%dT00"), fmt=HOUR_SLOT, end_offset=1
)
daily_slots = dg.DailyPartitionsDefinition(start_date=settings().first_slot.strftime(DAY), end_offset=1)
event_dates = dg.DailyPartitionsDefinition(start_date=settings().first_event_date.strftime(DAY), end_offset=2)


def slots_of(channel: str) -> dg.TimeWindowPartitionsDefinition:
    """The slots of ``channel``: hours for streaming channels, days for the others."""
    return hourly_slots if channel in STREAMING_CHANNELS else daily_slots


def slot_at(channel: str, moment: datetime) -> str:
    """The slot of ``channel`` in which ``moment`` (aware) lies."""
    return moment.astimezone(UTC).strftime(HOUR_SLOT if channel in STREAMING_CHANNELS else DAY)


def slot_window(channel: str, slot: str) -> tuple[datetime, datetime]:
    """Start and end of ``slot``.

    Raises:
        ValueError: ``slot`` is not a slot of ``channel``.
    """
    hourly = channel in STREAMING_CHANNELS
    start = datetime.strptime(slot, HOUR_SLOT if hourly else DAY).replace(tzinfo=UTC)
    return start, start + (timedelta(hours=1) if hourly else timedelta(days=1))


def ranges(keys: list[str], definition: dg.TimeWindowPartitionsDefinition) -> list[tuple[str, str]]:
    """``keys`` as the fewest contiguous (first, last) ranges, in order: one run each."""
    result: list[tuple[str, str]] = []
    window_end: datetime | None = None
    for key in sorted(set(keys)):
        window = definition.time_window_for_partition_key(key)
        if result and window_end == window.start:
            result[-1] = (result[-1][0], key)
        else:
            result.append((key, key))
        window_end = window.end
    return result


def days(first: date, last: date) -> list[date]:
    """Every day from ``first`` to ``last``, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
