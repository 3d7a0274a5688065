"""Clocks that are wrong, late or changing: no record makes a partition of the future, and none is lost."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaint_assets.logic.contract import build_contract
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.raw.parse import parse
from complaint_assets.logic.standardised.standardise import Origin, Standardising, standardise
from complaint_assets.logic.timestamps import Layouts, UnparseableTime, parse_timestamp
from complaint_assets.vocabulary import load_masker

KEYS = Keys(b"a key for tests, 32 bytes long..")
MASKER = load_masker("analytic", "NG")
RECEIVED = datetime(2026, 11, 10, 18, tzinfo=UTC)
FIRST = date(2013, 1, 1)


def read(*values: Any, layout: str = "iso8601", zone: str = "UTC") -> Standardising:
    contract = build_contract(
        {
            "channel": "survey",
            "source": "s",
            "version": "1.0",
            "description": "d",
            "owner": "team:t",
            "format": {"type": "jsonl"},
            "identity": {"record_id": ["i"]},
            "occurred_at": {"fields": ["t"], "layouts": [layout], "timezone": zone},
        }
    )
    content = "".join(json.dumps({"i": n, "t": value}) + "\n" for n, value in enumerate(values)).encode()
    origin = Origin("survey", "s", "2026-11-10", "a" * 64, RECEIVED)
    return standardise(parse(io.BytesIO(content), contract), contract, origin, KEYS, "NG", FIRST, MASKER)


def row(value: Any, **form: str) -> Mapping[str, Any]:
    (found,) = read(value, **form).deliveries.to_pylist()
    return dict(found)


MILLISECONDS = int(RECEIVED.timestamp() * 1000)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 30)).map(str)  # noqa: DTZ001 (as a source writes it)
        | st.integers(-(10**16), 10**16)
        | st.floats()
        | st.text(max_size=20),
        min_size=50,
        max_size=50,
    ),
    st.sampled_from(["iso8601", "epoch_s", "epoch_ms", "%Y-%m-%d %H:%M:%S"]),
    st.sampled_from(["UTC", "Africa/Lagos", "Europe/London", "America/New_York", "Asia/Kolkata"]),
)
def test_ten_thousand_times_make_no_partition_beyond_a_day_and_lose_no_record(
    values: list[Any], layout: str, zone: str
) -> None:
    result = read(*values, layout=layout, zone=zone)
    assert result.deliveries.num_rows + result.quarantine.num_rows == result.records_in == len(values)
    for found in result.deliveries.to_pylist():
        assert FIRST <= found["event_date"] <= (RECEIVED + timedelta(days=1)).date()
        assert found["event_date"] == found["occurred_at"].date()
        assert (found["occurred_at_quality"] == "received") == ("implausible_time" in found["quality_flags"])


@pytest.mark.parametrize(
    ("value", "layout"),
    [
        (0, "epoch_s"),
        (MILLISECONDS // 1000, "epoch_ms"),  # seconds, where milliseconds are promised: January 1970
        (MILLISECONDS, "epoch_s"),  # milliseconds, where seconds are promised: the year 58,831
        ("1970-01-01T00:00:00Z", "iso8601"),
        ("2026-11-11T18:00:01Z", "iso8601"),
        ("9999-12-31T23:59:59Z", "iso8601"),
    ],
)
def test_a_clock_that_was_never_set_counts_as_of_the_arrival_and_keeps_what_it_said(
    value: Any, layout: str
) -> None:
    found = row(value, layout=layout)
    assert (found["occurred_at"], found["occurred_at_quality"]) == (RECEIVED, "received")
    assert "implausible_time" in found["quality_flags"]
    assert "t" in json.loads(found["attributes"])


def test_the_right_unit_is_read_as_ever() -> None:
    assert row(MILLISECONDS, layout="epoch_ms")["occurred_at"] == RECEIVED
    assert row(MILLISECONDS // 1000, layout="epoch_s")["occurred_at"] == RECEIVED
    both = Layouts(("epoch_s", "epoch_ms"), "UTC")
    assert parse_timestamp(MILLISECONDS, both).at == RECEIVED, "only one of the units gives a year there is"


@given(st.integers(0, 90 * 24 * 60))
@settings(deadline=None)
def test_what_is_up_to_ninety_days_late_is_taken_at_its_own_time_and_flagged(minutes: int) -> None:
    at = RECEIVED - timedelta(minutes=minutes)
    found = row(at.isoformat())
    assert (found["occurred_at"], found["event_date"]) == (at, at.date())
    assert ("late" in found["quality_flags"]) == (minutes > 7 * 24 * 60)


def test_what_is_older_than_the_first_event_date_is_quarantined_and_not_dated_today() -> None:
    assert (
        read("2012-12-31T23:59:59Z", "1971-01-01T00:00:00Z").quarantine["reason"].to_pylist()
        == ["time_out_of_range"] * 2
    )


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/London", date(2026, 3, 29), 23),
        ("Europe/London", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Asia/Kolkata", date(2026, 3, 29), 24),
        ("Africa/Lagos", date(2024, 2, 29), 24),
    ],
)
def test_a_local_day_has_as_many_hours_as_its_clock_shows(zone: str, day: date, hours: int) -> None:
    """Every half hour on the wall: hours that were skipped are refused, hours that come twice are marked."""
    refused = marked = 0
    for half in range(48):
        local = datetime(day.year, day.month, day.day, half // 2, 30 * (half % 2))  # noqa: DTZ001 (on the wall)
        try:
            found = parse_timestamp(f"{local:%Y-%m-%d %H:%M}", Layouts(("%Y-%m-%d %H:%M",), zone))
        except UnparseableTime:
            refused += 1
            continue
        assert found.at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local
        marked += found.fold
    assert 24 - refused / 2 + marked / 2 == hours


def test_kolkata_is_half_an_hour_off_and_a_day_can_begin_on_the_day_before() -> None:
    assert parse_timestamp("2026-11-10 02:15", Layouts(("%Y-%m-%d %H:%M",), "Asia/Kolkata")).at == datetime(
        2026, 11, 9, 20, 45, tzinfo=UTC
    )


def test_a_leap_day_is_a_day_in_leap_years_only() -> None:
    layouts = Layouts(("%d/%m/%Y",), "Africa/Lagos")
    assert parse_timestamp("29/02/2024", layouts).at.date() == date(2024, 2, 29)
    with pytest.raises(UnparseableTime):
        parse_timestamp("29/02/2026", layouts)
