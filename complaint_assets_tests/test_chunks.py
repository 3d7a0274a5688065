"""Work is cut so that neither days nor rows held at once grow with history; a day is never cut."""

from datetime import date, timedelta

from complaint_assets.partitions import CHUNK_DAYS, CHUNK_ROWS, chunks

FIRST = date(2026, 1, 1)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(count)]


def test_quiet_days_are_cut_by_their_number() -> None:
    found = chunks(days(CHUNK_DAYS * 2 + 1), {})
    assert [len(group) for group in found] == [CHUNK_DAYS, CHUNK_DAYS, 1]
    assert [day for group in found for day in group] == days(CHUNK_DAYS * 2 + 1)


def test_busy_days_are_cut_by_their_rows_and_a_huge_day_stands_alone() -> None:
    half, huge = CHUNK_ROWS // 2, CHUNK_ROWS * 3
    rows = dict(zip(days(6), [half, half, 1, huge, 1, half], strict=True))
    assert [len(group) for group in chunks(days(6), rows)] == [2, 1, 1, 2]


def test_no_days_are_no_work() -> None:
    assert chunks([], {}) == []
