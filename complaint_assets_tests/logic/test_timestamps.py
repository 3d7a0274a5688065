"""A value means exactly one instant under its declared layouts, or it is refused."""

import contextlib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.logic.timestamps import (
    AmbiguousTime,
    Layouts,
    ParsedTime,
    UnparseableTime,
    parse_timestamp,
)

LAGOS = "Africa/Lagos"  # UTC+1 all year
LONDON = "Europe/London"  # clocks change on 29 March and 25 October 2026


def utc(year: int, month: int, day: int, *clock: int) -> datetime:
    hour, minute, second, microsecond = (*clock, 0, 0, 0, 0)[:4]
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "layout", "expected", "quality"),
    [
        ("10/11/2026 14:35", "%d/%m/%Y %H:%M", utc(2026, 11, 10, 13, 35), "minute"),
        ("  10/11/2026   14:35 ", "%d/%m/%Y %H:%M", utc(2026, 11, 10, 13, 35), "minute"),
        ("2026-11-10 00:35:12", "%Y-%m-%d %H:%M:%S", utc(2026, 11, 9, 23, 35, 12), "exact"),
        ("10 Nov 2026 02:35 PM", "%d %b %Y %I:%M %p", utc(2026, 11, 10, 13, 35), "minute"),
        (
            "Wed Oct 10 20:19:24 +0000 2018",
            "%a %b %d %H:%M:%S %z %Y",
            utc(2018, 10, 10, 20, 19, 24),
            "exact",
        ),
        ("20261110", "%Y%m%d", utc(2026, 11, 10), "date"),
        (20261110, "%Y%m%d", utc(2026, 11, 10), "date"),
        ("2026-11-10T06:35:12.000Z", "iso8601", utc(2026, 11, 10, 6, 35, 12), "exact"),
        ("2026-11-10T06:35:12+01:00", "iso8601", utc(2026, 11, 10, 5, 35, 12), "exact"),
        ("2026-11-10 06:35", "iso8601", utc(2026, 11, 10, 5, 35), "minute"),
        ("2026-11-10", "iso8601", utc(2026, 11, 10), "date"),
        ("1762754112", "epoch_s", utc(2025, 11, 10, 5, 55, 12), "exact"),
        (1762754112.5, "epoch_s", utc(2025, 11, 10, 5, 55, 12, 500000), "exact"),
        (1762754112250, "epoch_ms", utc(2025, 11, 10, 5, 55, 12, 250000), "exact"),
        (datetime(2026, 11, 10, 14, 35, 12), "iso8601", utc(2026, 11, 10, 13, 35, 12), "exact"),  # noqa: DTZ001
        (datetime(2026, 11, 10), "iso8601", utc(2026, 11, 10), "date"),  # noqa: DTZ001
        (date(2026, 11, 10), "iso8601", utc(2026, 11, 10), "date"),
        (utc(2026, 11, 10, 14, 35), "iso8601", utc(2026, 11, 10, 14, 35), "exact"),
    ],
)  # fmt: skip
def test_a_declared_layout_gives_its_instant(value: object, layout: str, expected: datetime, quality: str) -> None:
    assert parse_timestamp(value, Layouts((layout,), LAGOS)) == ParsedTime(expected, quality)  # type: ignore[arg-type]  # a str is no Literal


@pytest.mark.parametrize(
    ("value", "layout"),
    [
        ("11/13/2026 14:35", "%d/%m/%Y %H:%M"),
        ("31/02/2026 10:00", "%d/%m/%Y %H:%M"),
        ("10/11/2026", "%d/%m/%Y %H:%M"),
        ("10/11/2026 14:35:12", "%d/%m/%Y %H:%M"),
        ("2026-11-10T25:00:00Z", "iso8601"),
        ("20261110T101010", "iso8601"),
        ("0001-01-01T00:00:00+05:00", "iso8601"),
        ("2026-11-10T10:00:60Z", "iso8601"),
        ("-5", "epoch_s"),
        ("999999999999999", "epoch_s"),
        ("1.7e9", "epoch_s"),
        (float("nan"), "epoch_s"),
        (float("inf"), "epoch_s"),
        (True, "epoch_s"),
        (None, "iso8601"),
        ("", "iso8601"),
        ("1" * 10_000, "epoch_s"),
    ],
)
def test_what_no_declared_layout_reads_is_refused(value: object, layout: str) -> None:
    with pytest.raises(UnparseableTime):
        parse_timestamp(value, Layouts((layout,), LAGOS))


def test_two_layouts_with_different_instants_are_never_guessed() -> None:
    both = Layouts(("%d/%m/%Y", "%m/%d/%Y"), LAGOS)
    with pytest.raises(AmbiguousTime):
        parse_timestamp("03/04/2026", both)
    assert parse_timestamp("03/03/2026", both).at == utc(2026, 3, 3)
    assert parse_timestamp("25/04/2026", both).at == utc(2026, 4, 25)


def test_the_order_of_the_layouts_does_not_matter() -> None:
    layouts = ("iso8601", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
    results = {parse_timestamp("2026-11-10 14:35:00", Layouts(order, LAGOS)) for order in (layouts, layouts[::-1])}
    assert results == {ParsedTime(utc(2026, 11, 10, 13, 35), "exact")}


def test_an_error_does_not_repeat_the_value() -> None:
    with pytest.raises(UnparseableTime) as caught:
        parse_timestamp("08031234567", Layouts(("iso8601",), LAGOS))
    assert "0803" not in str(caught.value)


def test_a_local_time_that_the_clock_skipped_is_refused() -> None:
    with pytest.raises(UnparseableTime):
        parse_timestamp("29/03/2026 01:30", Layouts(("%d/%m/%Y %H:%M",), LONDON))
    with pytest.raises(UnparseableTime):
        parse_timestamp(datetime(2026, 3, 29, 1, 30), Layouts(("iso8601",), LONDON))  # noqa: DTZ001


def test_of_a_repeated_local_hour_the_first_is_taken_and_marked() -> None:
    found = parse_timestamp("25/10/2026 01:30", Layouts(("%d/%m/%Y %H:%M",), LONDON))
    assert found == ParsedTime(utc(2026, 10, 25, 0, 30), "minute", fold=True)
    after = parse_timestamp("25/10/2026 02:30", Layouts(("%d/%m/%Y %H:%M",), LONDON))
    assert after == ParsedTime(utc(2026, 10, 25, 2, 30), "minute", fold=False)


@pytest.mark.parametrize("zone", [LAGOS, "America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_stated_date_is_the_event_date_in_every_zone(zone: str) -> None:
    assert parse_timestamp("10/11/2026", Layouts(("%d/%m/%Y",), zone)).at.date() == date(2026, 11, 10)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)),  # noqa: DTZ001 (local readings of a clock)
    st.sampled_from([LAGOS, LONDON, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.sampled_from(["%Y-%m-%d %H:%M:%S", "iso8601"]),
)
def test_an_accepted_local_time_reads_the_same_on_the_local_clock(local: datetime, zone: str, layout: str) -> None:
    local = local.replace(microsecond=0)
    try:
        found = parse_timestamp(str(local), Layouts((layout,), zone))
    except UnparseableTime:
        # Refused only when no instant shows this reading: an hour to either side there is none.
        base = local.replace(tzinfo=UTC)
        shown = {
            (base + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            for minutes in range(-15 * 60, 15 * 60, 15)
        }
        assert local not in shown
    else:
        assert found.at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local


@given(st.text(max_size=70))
def test_any_text_is_read_or_refused(text: str) -> None:
    layouts = Layouts(("%d/%m/%Y %H:%M", "iso8601", "epoch_s", "epoch_ms"), LONDON)
    with contextlib.suppress(UnparseableTime, AmbiguousTime):
        assert parse_timestamp(text, layouts).at.tzinfo is UTC


@pytest.mark.parametrize(
    ("layouts", "zone"),
    [
        ((), LAGOS),
        (("%d/%m",), LAGOS),
        (("%d/%m/%Y %I:%M",), LAGOS),
        (("%d/%m/%Y %H",), LAGOS),
        (("%Y-%m-%d %H:%M %Z",), LAGOS),
        (("%s",), LAGOS),
        (("epoch",), LAGOS),
        (("iso8601",), "Lagos"),
        (("iso8601",), "../etc/passwd"),
    ],
)
def test_a_declaration_that_leaves_room_for_guessing_is_refused(layouts: tuple[str, ...], zone: str) -> None:
    with pytest.raises(ValueError):
        Layouts(layouts, zone)
