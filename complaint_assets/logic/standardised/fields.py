"""Reading canonical values out of one record's fields, as a contract maps them. No keys, no masking.

A value that is there but unusable is null with a quality flag; unknown is null, never 0.
"""

import html
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from complaint_assets.logic.contract import Contract, FieldPath, Paths, Time
from complaint_assets.logic.timestamps import AmbiguousTime, ParsedTime, UnparseableTime, parse_timestamp

Fields = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_VERSION = 2**63 - 1
_UNSET_FLAGS = ("", "0", "n", "no", "false", "f")
_PAIR = re.compile(r"\(\s*(-?\d{1,3}(?:\.\d{1,20})?)\s*,\s*(-?\d{1,3}(?:\.\d{1,20})?)\s*\)")
_BREAK = re.compile(r"<(?:br|/p|/div|/li)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_BLANK = re.compile(r"[^\S\n]*\n\s*")


class Findings(set[str]):
    """Quality flags of one record, and what is wrong with its fields, by generic path.

    ``kept``: fields whose value is no canonical one and is kept as it is, among the attributes.
    ``retyped``: fields whose value is not of the declared type.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: set[str] = set()
        self.retyped: set[str] = set()

    def unusable(self, path: FieldPath, flag: str) -> None:
        """The value of ``path`` is of the declared type, but none that counts."""
        self.add(flag)
        self.kept.add(path.generic)

    def wrong_type(self, path: FieldPath, flag: str | None = None, *, personal: bool = False) -> None:
        """The value of ``path`` is of another type; a ``personal`` one is not kept."""
        self.update(("retyped", flag) if flag else ("retyped",))
        self.retyped.add(path.generic)
        if not personal:
            self.kept.add(path.generic)


class FieldReader:
    """Reads records under one contract.

    Where a list or an object stands for a single value, the value counts as missing and the field is noted as
    retyped; ``record_id`` and ``time`` raise TypeError.
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
        if isinstance(value, dict):
            return value or None
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return None if as_text(value).casefold() in self._missing else value

    def _strings(self, fields: Fields, paths: Paths, findings: Findings | None = None) -> list[str]:
        """The values of ``paths`` that are there, as text.

        Raises:
            TypeError: a value is no single one, and there are no ``findings`` to note it in.
        """
        found: list[str] = []
        for path in paths:
            value = self.value(fields, path)
            if value is None:
                continue
            try:
                found.extend([as_text(item) for item in (value if isinstance(value, list) else [value])])
            except TypeError:
                if findings is None:
                    raise
                findings.wrong_type(path)
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

    def version(self, fields: Fields, findings: Findings) -> int:
        """A number that grows with every edit, 0 for a record without version."""
        identity = self._contract.identity
        value = self.value(fields, identity.version) if identity.version else None
        if value is None or identity.version is None:
            return 0
        if identity.version_counts:
            return len(value) if isinstance(value, list) else 1
        try:
            version = int(as_text(value))
        except (ValueError, TypeError):
            try:
                at = parse_timestamp(value, self._contract.occurred_at.layouts).at
            except (UnparseableTime, AmbiguousTime):
                findings.wrong_type(identity.version, "invalid_version")
                return 0
            version = (at - _EPOCH) // timedelta(milliseconds=1)
        if 0 <= version <= _MAX_VERSION:
            return version
        findings.unusable(identity.version, "invalid_version")
        return 0

    def feed(self, fields: Fields, findings: Findings) -> str | None:
        """The part of the source that delivered the record."""
        path = self._contract.identity.feed
        return " ".join(self._strings(fields, (path,), findings)) or None if path else None

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

    def text(self, fields: Fields, findings: Findings) -> str | None:
        """What was said."""
        parts = self._strings(fields, self._contract.text, findings)
        if self._contract.markup == "html":
            parts = [_plain(part) for part in parts]
        return "\n".join(dict.fromkeys(part for part in parts if part)) or None

    def is_amplification(self, fields: Fields, text: str | None, findings: Findings) -> bool:
        """Whether the record is a bare repost."""
        mark = self._contract.amplification
        if mark is None:
            return False
        if mark.field is None:
            return text is not None and text.startswith(mark.prefix or "")
        value = self.value(fields, mark.field)
        if mark.equals is None:
            return value is not None
        return mark.equals in self._strings(fields, (mark.field,), findings)

    def category(self, fields: Fields, findings: Findings) -> str | None:
        """The source's own category."""
        set_flags = [
            path.text
            for path in self._contract.category_flags
            if "".join(self._strings(fields, (path,), findings)).casefold() not in _UNSET_FLAGS
        ]
        words = self._strings(fields, self._contract.category, findings)
        return "; ".join(set_flags) or " > ".join(words) or None

    def place(self, fields: Fields, findings: Findings) -> str | None:
        """Place as the source names it."""
        return ", ".join(self._strings(fields, self._contract.place, findings)) or None

    def rating(self, fields: Fields, findings: Findings) -> float | None:
        """Satisfaction from 1 to 5."""
        rating = self._contract.rating
        value = self.value(fields, rating.field) if rating else None
        if rating is None or value is None:
            return None
        number = _number(value)
        low, high = sorted((rating.worst, rating.best))
        if number is None:
            findings.wrong_type(rating.field, "invalid_rating")
            return None
        if not low <= number <= high:
            findings.unusable(rating.field, "invalid_rating")
            return None
        return 1 + 4 * (number - rating.worst) / (rating.best - rating.worst)

    def status(self, fields: Fields, findings: Findings) -> str | None:
        """State of the matter."""
        status = self._contract.status
        value = self.value(fields, status.field) if status else None
        if status is None or value is None:
            return None
        words = self._strings(fields, (status.field,), findings)
        state = status.values.get(" ".join(words).casefold())
        if words and state is None:
            findings.unusable(status.field, "unknown_status")
        return state

    def coordinates(self, fields: Fields, findings: Findings) -> tuple[float | None, float | None]:
        """Degrees north and east, both or neither."""
        declared = self._contract.coordinates
        if declared is None:
            return None, None
        north: Any = None
        east: Any = None
        paths: tuple[FieldPath, ...] = ()
        if declared.pair is not None:
            paths = (declared.pair,)
            pairs = _PAIR.findall(" ".join(self._strings(fields, paths, findings)))
            north, east = pairs[-1] if pairs else (None, None)
        elif declared.latitude is not None and declared.longitude is not None:
            paths = (declared.latitude, declared.longitude)
            north, east = (self.value(fields, path) for path in paths)
        if north is None and east is None:
            return None, None
        latitude, longitude = _number(north), _number(east)
        if latitude is None or longitude is None:
            for path, value, number in zip(paths, (north, east), (latitude, longitude), strict=False):
                if value is not None and number is None:
                    findings.wrong_type(path)
            findings.add("invalid_coordinates")
        elif (latitude, longitude) in declared.missing:
            findings.add("missing_coordinates")
        elif -90 <= latitude <= 90 and -180 <= longitude <= 180:
            return latitude, longitude
        else:
            for path in paths:
                findings.unusable(path, "invalid_coordinates")
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


def _number(value: Any) -> float | None:
    """``value`` as a finite number, None if it is none."""
    try:
        number = float(as_text(value))
    except (ValueError, TypeError):
        return None
    return number if math.isfinite(number) else None


def _plain(markup: str) -> str:
    """The text of HTML: block ends become line breaks, tags vanish, character references are resolved."""
    return _BLANK.sub("\n", html.unescape(_TAG.sub("", _BREAK.sub("\n", markup)))).strip()
