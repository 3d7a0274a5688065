"""Instants out of the layouts that a source declares. Nothing is guessed: no day-first rule, no fuzzy parser.

All declared layouts are tried on every value, and they must agree on exactly one instant.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Quality = Literal["exact", "minute", "date"]


class UnparseableTime(ValueError):
    """No declared layout gives an instant for the value."""


class AmbiguousTime(ValueError):
    """Two declared layouts give different instants for the value."""


@dataclass(frozen=True)
class Layouts:
    """How a source writes time: strptime layouts, "epoch_s", "epoch_ms" or "iso8601", and its time zone.

    A layout with an offset of its own (``%z``, ISO 8601 with offset) does not use the zone.

    Raises:
        ValueError: no layout, an unknown zone, or a layout that fixes neither a date nor a date with hour and
            minute.
    """

    layouts: tuple[str, ...]
    timezone: str

    def __post_init__(self) -> None:
        if not self.layouts:
            raise ValueError("declare at least one timestamp layout")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"unknown time zone {self.timezone!r}: use a name like Africa/Lagos") from error
        for layout in self.layouts:
            if layout not in _NAMED:
                _quality_of(layout)


@dataclass(frozen=True)
class ParsedTime:
    """An instant in UTC and how well it is known.

    ``fold``: the local hour happened twice; this is the first.
    """

    at: datetime
    quality: Quality
    fold: bool = False


def parse_timestamp(value: object, layouts: Layouts) -> ParsedTime:
    """The one instant that ``value`` means under the declared ``layouts``.

    A value without a time of day becomes midnight UTC of the stated day, with quality "date": as local
    midnight it could fall on the day before in UTC and so change the event date that the source states. That
    includes midnight in a spreadsheet, where a date is nothing but a date-time at midnight.

    Raises:
        UnparseableTime: no layout fits, or the local time was skipped by the clock change.
        AmbiguousTime: two layouts fit and mean different instants.
    """
    if isinstance(value, date):
        return _from_cell(value, ZoneInfo(layouts.timezone))
    text = _as_text(value)
    if len(layouts.layouts) == 1:
        found = _readers(layouts)[0](text)
    else:
        found = None
        for reader in _readers(layouts):
            parsed = reader(text)
            if parsed is None:
                continue
            if found is None or found.at == FAR:
                found = parsed
                continue
            if parsed.at == FAR:
                continue
            if parsed.at != found.at:
                raise AmbiguousTime("the declared timestamp layouts give different instants for this value")
            if _FINENESS[parsed.quality] < _FINENESS[found.quality]:
                found = parsed
    if found is None:
        raise UnparseableTime("no declared timestamp layout gives an instant for this value")
    return found


FAR = datetime.max.replace(tzinfo=UTC)
"""Stands for an instant beyond the calendar; beside a reading within it, it does not count."""
_FINENESS = {"exact": 0, "minute": 1, "date": 2}
_LENGTH_LIMIT = 64
_Reader = Callable[[str], ParsedTime | None]


def _as_text(value: object) -> str:
    if isinstance(value, str):
        if len(value) > _LENGTH_LIMIT:
            return ""
        return " ".join(value.split())
    if isinstance(value, bool):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value) if isinstance(value, int) and abs(value) < 10**20 else ""


def _from_cell(value: date, zone: ZoneInfo) -> ParsedTime:
    """A spreadsheet's date or date-time."""
    if not isinstance(value, datetime):
        return _day(value)
    if value.tzinfo is None and value == datetime(value.year, value.month, value.day):  # noqa: DTZ001 (naive, as is the cell)
        return _day(value)
    parsed = _instant(value, zone, "exact")
    if parsed is None:
        raise UnparseableTime("the clock change skipped this local time")
    return parsed


def _day(day: date) -> ParsedTime:
    return ParsedTime(datetime(day.year, day.month, day.day, tzinfo=UTC), "date")


def _instant(read: datetime, zone: ZoneInfo, quality: Quality) -> ParsedTime | None:
    """``read`` in UTC; None if it does not exist in ``zone`` or lies outside of the calendar."""
    try:
        if read.tzinfo is not None:
            return ParsedTime(read.astimezone(UTC), quality)
        first = read.replace(tzinfo=zone, fold=0)
        at = first.astimezone(UTC)
        # The offsets of the two readings differ only around a clock change.
        if first.utcoffset() == first.replace(fold=1).utcoffset():
            return ParsedTime(at, quality)
        if at.astimezone(zone).replace(tzinfo=None, fold=0) != read.replace(fold=0):
            return None
        return ParsedTime(at, quality, fold=True)
    except OverflowError:
        return None


@lru_cache(maxsize=256)
def _readers(layouts: Layouts) -> tuple[_Reader, ...]:
    zone = ZoneInfo(layouts.timezone)
    return tuple(_NAMED.get(layout, _strptime_reader)(layout, zone) for layout in layouts.layouts)


def _strptime_reader(layout: str, zone: ZoneInfo) -> _Reader:
    quality = _quality_of(layout)
    layout = " ".join(layout.split())

    def read(text: str) -> ParsedTime | None:
        try:
            parsed = datetime.strptime(text, layout)  # noqa: DTZ007 (the declared zone is applied next)
        except ValueError:
            return None
        return _day(parsed) if quality == "date" else _instant(parsed, zone, quality)

    return read


def _quality_of(layout: str) -> Quality:
    """What ``layout`` fixes, found by writing a known time with it and reading it back.

    ``%Z`` is refused: strptime drops the zone that it names, and which names it knows depends on the machine.
    """
    known = datetime(2001, 2, 3, 16, 5, 6, tzinfo=UTC)
    try:
        read = datetime.strptime(known.strftime(layout), layout).replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{layout!r} is not a timestamp layout that can be read back") from error
    if "%Z" not in layout:
        if read.replace(microsecond=0) == known:
            return "exact"
        if read == known.replace(second=0):
            return "minute"
        if read == known.replace(hour=0, minute=0, second=0):
            return "date"
    raise ValueError(
        f"the layout {layout!r} must fix a date, or a date with hour (24 h, or %p) and minute, without %Z"
    )


_ISO = re.compile(
    r"(?a:\d{4}-\d\d-\d\d"
    r"(?:[T ](?P<minute>\d\d:\d\d)(?P<second>:\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?)"
)


def _iso_reader(_layout: str, zone: ZoneInfo) -> _Reader:
    def read(text: str) -> ParsedTime | None:
        text = text.upper()
        shape = _ISO.fullmatch(text)
        if shape is None:
            return None
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            return None
        if shape["minute"] is None:
            return _day(parsed)
        return _instant(parsed, zone, "minute" if shape["second"] is None else "exact")

    return read


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_MILLISECONDS = 10**19
"""Milliseconds up to the year 2286, taken for seconds, in microseconds."""
_NUMBER = re.compile(r"(?a:(\d{1,15})(?:\.(\d{1,9}))?)")


def _epoch_reader(layout: str, _zone: ZoneInfo) -> _Reader:
    scale = 6 if layout == "epoch_s" else 3  # decimal places down to the microsecond

    def read(text: str) -> ParsedTime | None:
        number = _NUMBER.fullmatch(text)
        if number is None:
            return None
        microseconds = int(number[1] + (number[2] or "").ljust(scale, "0")[:scale])
        try:
            return ParsedTime(_EPOCH + timedelta(microseconds=microseconds), "exact")
        except OverflowError:
            # Milliseconds where seconds are promised: far in the future, whatever the year.
            return ParsedTime(FAR, "exact") if microseconds < _FAR_MILLISECONDS else None

    return read


_NAMED: dict[str, Callable[[str, ZoneInfo], _Reader]] = {
    "epoch_s": _epoch_reader,
    "epoch_ms": _epoch_reader,
    "iso8601": _iso_reader,
}
