"""Slots, and the ranges that partitions are asked for in."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.partitions import (
    MOST_RANGES,
    daily_slots,
    event_dates,
    ranges,
    slot_at,
    slot_window,
    slots_of,
)

dates = st.dates(date(2014, 1, 1), date(2026, 1, 1)).map(lambda day: day.isoformat())


def test_neighbours_share_a_range_and_others_do_not() -> None:
    keys = ["2026-03-01", "2026-02-28", "2026-03-03", "2026-03-03"]
    assert ranges(keys, event_dates) == [("2026-02-28", "2026-03-01"), ("2026-03-03", "2026-03-03")]
    assert ranges([], event_dates) == []


@given(st.lists(dates, max_size=60))
def test_ranges_cover_every_partition_in_few_disjoint_runs(keys: list[str]) -> None:
    found = ranges(keys, event_dates)
    assert len(found) <= MOST_RANGES
    assert all(any(first <= key <= last for first, last in found) for key in keys)
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert all(first in keys and last in keys for first, last in found)


def test_scattered_partitions_are_joined_where_they_lie_nearest() -> None:
    start = date(2020, 1, 1)
    far = [(start + timedelta(days=100 * n)).isoformat() for n in range(MOST_RANGES)]
    near = (start + timedelta(days=2)).isoformat()
    assert ranges([*far, near], event_dates)[0] == (far[0], near)


def test_a_slot_is_an_hour_for_streaming_channels_and_a_day_for_the_others() -> None:
    moment = datetime(2026, 11, 23, 6, 59, 59, tzinfo=UTC)
    assert slot_at("sms", moment) == "2026-11-23T06"
    assert slot_at("survey", moment) == "2026-11-23"
    assert slot_window("sms", "2026-11-23T06")[1] == datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert slots_of("sms").has_partition_key("2026-11-23T06")
    assert daily_slots.has_partition_key("2026-11-23")


def test_a_slot_of_another_channel_is_refused() -> None:
    with pytest.raises(ValueError):
        slot_window("sms", "2026-11-23")
