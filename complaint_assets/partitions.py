"""The two clocks, in UTC: slots (when bytes arrived) and event dates (when contacts happened); groups of dates."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import dagster as dg

from complaint_assets.schemas.types import CHANNELS, STREAMING_CHANNELS
from resources.settings import settings

HOUR_SLOT = "%Y-%m-%dT%H"
DAY = "%Y-%m-%d"

# end_offset=1: the slot that is still open exists, or nothing could arrive in it.
hourly_slots = dg.HourlyPartitionsDefinition(
    start_date=settings().first_slot.strftime("%Y-%m-%dT00"), fmt=HOUR_SLOT, end_offset=1
)
daily_slots = dg.DailyPartitionsDefinition(start_date=settings().first_slot.strftime(DAY), end_offset=1)
event_dates = dg.DailyPartitionsDefinition(start_date=settings().first_event_date.strftime(DAY), end_offset=2)

STALE_AFTER = {
    channel: timedelta(hours=3) if channel in STREAMING_CHANNELS else timedelta(hours=36) for channel in CHANNELS
}
"""How old the end of a channel's newest slot may be."""


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


MOST_RANGES = 8
"""Scattered partitions become at most so many runs: a run's start costs more than an idle rebuild."""


def ranges(keys: list[str], definition: dg.TimeWindowPartitionsDefinition, idle: int = 0) -> list[tuple[str, str]]:
    """``keys`` as (first, last) ranges, in order: one run each.

    Neighbours share a range, also those with up to ``idle`` partitions between them. Where that leaves more
    than ``MOST_RANGES``, the nearest ranges are joined. What lies between joined ranges is covered too,
    which changes nothing but costs the time of a rebuild.
    """
    ordered = sorted(set(keys))
    windows = [definition.time_window_for_partition_key(key) for key in ordered]
    gaps = [after.start - before.end for before, after in pairwise(windows)]
    joined = idle * (windows[0].end - windows[0].start) if windows else timedelta()
    widest = sorted((gap for gap in gaps if gap > joined), reverse=True)[: MOST_RANGES - 1]
    smallest_cut = widest[-1] if widest else None
    result: list[tuple[str, str]] = []
    for position, key in enumerate(ordered):
        gap = gaps[position - 1] if position else None
        cut = gap is None or (smallest_cut is not None and gap >= smallest_cut and len(result) < MOST_RANGES)
        result = [*result, (key, key)] if cut else [*result[:-1], (result[-1][0], key)]
    return result


CHUNK_DAYS = 366
CHUNK_ROWS = 1_000_000
"""How many event dates, and rows of them, are held in memory at once; a day is never cut."""


def chunks(dates: list[date], rows: Mapping[date, int]) -> list[list[date]]:
    """``dates`` in groups that are worked on one after the other, to bound memory; ``rows`` of each date."""
    groups: list[list[date]] = []
    held = 0
    for day in dates:
        held += rows.get(day, 0)
        if not groups or len(groups[-1]) == CHUNK_DAYS or held > CHUNK_ROWS:
            groups.append([])
            held = rows.get(day, 0)
        groups[-1].append(day)
    return groups
