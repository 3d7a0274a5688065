"""Reading canonical values out of one record's fields, as a contract maps them. No keys, no masking.

A value that is there but unusable is null with a quality flag; unknown is null, never 0.
"""

import html
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from .contract import Contract, FieldPath, Paths, Time
from .timestamps import AmbiguousTime, ParsedTime, UnparseableTime, parse_timestamp

Fields = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_VERSION = 2**63 - 1
_UNSET_FLAGS = ("", "0", "n", "no", "false", "f")
_PAIR = re.compile(r"\(\s*(-?\d{1,3}(?:\.\d{1,20})?)\s*,\s*(-?\d{1,3}(?:\.\d{1,20})?)\s*\)")
_BREAK = re.compile(r"<(?:br|/p|/div|/li)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_BLANK = re.compile(r"[^\S\n]*\n\s*")


class FieldReader:
    """Reads records under one contract. Flags are added to the set that is passed in.

    Every method raises TypeError where a list or an object stands for a single value.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._missing = contract.missing

    def value(self, fields: Fields, path: FieldPath) -> Any:
        """What ``path`` holds, None if that is missing; text without surrounding white space."""
        return self.present(path.read(fields))

    def present(self, value: Any) -> Any:
        """``value``, None if it is missing under the contract."""
        if value is None:
            return None
        if isinstance(value, str):
            value = (value.replace("\x00", "") if "\x00" in value else value).strip()
            return value if value and value.casefold() not in self._missing else None
        if isinstance(value, list):
            return [item for item in map(self.present, value) if item is not None] or None
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return None if as_text(value).casefold() in self._missing else value

    def _strings(self, fields: Fields, paths: Paths) -> list[str]:
        """The values of ``paths`` that are there, as text."""
        found: list[str] = []
        for path in paths:
            value = self.value(fields, path)
            if value is not None:
                found.extend(map(as_text, value if isinstance(value, list) else [value]))
        return found

    def missing_field(self, fields: Fields) -> str | None:
        """The first required field that is missing."""
        for path in self._contract.required:
            if self.value(fields, path) is None:
                return path.text
        return None

    def record_id(self, fields: Fields) -> str | None:
        """The source's own id; None if any part of it is missing."""
        paths = self._contract.identity.record_id
        parts = self._strings(fields, paths)
        return "|".join(parts) if parts and len(parts) >= len(paths) else None

    def version(self, fields: Fields, flags: set[str]) -> int:
        """A number that grows with every edit, 0 for a record without version."""
        identity = self._contract.identity
        value = self.value(fields, identity.version) if identity.version else None
        if value is None:
            return 0
        if identity.version_counts:
            return len(value) if isinstance(value, list) else 1
        try:
            version = int(as_text(value))
        except ValueError:
            try:
                at = parse_timestamp(value, self._contract.occurred_at.layouts).at
            except (UnparseableTime, AmbiguousTime):
                version = -1
            else:
                version = (at - _EPOCH) // timedelta(milliseconds=1)
        if 0 <= version <= _MAX_VERSION:
            return version
        flags.add("invalid_version")
        return 0

    def feed(self, fields: Fields) -> str | None:
        """The part of the source that delivered the record."""
        path = self._contract.identity.feed
        return " ".join(self._strings(fields, (path,))) or None if path else None

    def time(self, fields: Fields, declared: Time) -> ParsedTime | None:
        """The time that ``declared`` gives, None if one of its fields is missing.

        Raises:
            UnparseableTime, AmbiguousTime: the fields give no instant, or several.
        """
        values = [self.value(fields, path) for path in declared.fields]
        if not values or any(value is None for value in values):
            return None
        if len(values) == 1:
            return parse_timestamp(values[0], declared.layouts)
        return parse_timestamp(" ".join(map(_time_part, values)), declared.layouts)

    def text(self, fields: Fields) -> str | None:
        """What was said."""
        parts = self._strings(fields, self._contract.text)
        if self._contract.markup == "html":
            parts = [_plain(part) for part in parts]
        return "\n".join(dict.fromkeys(part for part in parts if part)) or None

    def is_amplification(self, fields: Fields, text: str | None) -> bool:
        """Whether the record is a bare repost."""
        mark = self._contract.amplification
        if mark is None:
            return False
        if mark.field is None:
            return text is not None and text.startswith(mark.prefix or "")
        value = self.value(fields, mark.field)
        if mark.equals is None:
            return value is not None
        return mark.equals in map(as_text, value if isinstance(value, list) else [value])

    def category(self, fields: Fields) -> str | None:
        """The source's own category."""
        set_flags = [
            path.text
            for path in self._contract.category_flags
            if as_text(self.value(fields, path)).casefold() not in _UNSET_FLAGS
        ]
        return "; ".join(set_flags) or " > ".join(self._strings(fields, self._contract.category)) or None

    def place(self, fields: Fields) -> str | None:
        """Place as the source names it."""
        return ", ".join(self._strings(fields, self._contract.place)) or None

    def rating(self, fields: Fields, flags: set[str]) -> float | None:
        """Satisfaction from 1 to 5."""
        rating = self._contract.rating
        value = self.value(fields, rating.field) if rating else None
        if rating is None or value is None:
            return None
        number = _number_between(value, *sorted((rating.worst, rating.best)))
        if number is None:
            flags.add("invalid_rating")
            return None
        return 1 + 4 * (number - rating.worst) / (rating.best - rating.worst)

    def status(self, fields: Fields, flags: set[str]) -> str | None:
        """State of the matter."""
        status = self._contract.status
        value = self.value(fields, status.field) if status else None
        if status is None or value is None:
            return None
        state = status.values.get(as_text(value).casefold())
        if state is None:
            flags.add("unknown_status")
        return state

    def coordinates(self, fields: Fields, flags: set[str]) -> tuple[float | None, float | None]:
        """Degrees north and east, both or neither."""
        declared = self._contract.coordinates
        if declared is None:
            return None, None
        north, east = None, None
        if declared.pair is not None:
            pairs = _PAIR.findall(as_text(self.value(fields, declared.pair)))
            north, east = pairs[-1] if pairs else (None, None)
        elif declared.latitude is not None and declared.longitude is not None:
            north, east = self.value(fields, declared.latitude), self.value(fields, declared.longitude)
        if north is None and east is None:
            return None, None
        latitude, longitude = _number_between(north, -90, 90), _number_between(east, -180, 180)
        if (latitude, longitude) in declared.missing:
            flags.add("missing_coordinates")
        elif latitude is None or longitude is None:
            flags.add("invalid_coordinates")
        else:
            return latitude, longitude
        return None, None


def as_text(value: Any) -> str:
    """A single value as text; nothing for None.

    Raises:
        TypeError: it is an object or a list.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, int | float):
        return str(value)
    raise TypeError("a single value was expected")


def _time_part(value: Any) -> str:
    """A value that makes a time together with others: of a spreadsheet's date-time, only the date."""
    return value.date().isoformat() if isinstance(value, datetime) else as_text(value)


def _number_between(value: Any, low: float, high: float) -> float | None:
    """``value`` as a number, None if it is none or out of range."""
    try:
        number = float(as_text(value))
    except ValueError:
        return None
    return number if low <= number <= high else None


def _plain(markup: str) -> str:
    """The text of HTML: block ends become line breaks, tags vanish, character references are resolved."""
    return _BLANK.sub("\n", html.unescape(_TAG.sub("", _BREAK.sub("\n", markup)))).strip()
