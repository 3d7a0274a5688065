"""Days that are like another day of the week: holidays, and what else is known beforehand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from .counts import Reals, Whole

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Holiday:
    """A day that resembles ``like`` (0 = Monday), with ``factor`` times the usual."""

    name: str
    like: int = 6
    factor: float = 1.0


Subscribers = Mapping[date, Mapping[str, float]]
"""Subscribers by region, from the first day of a month on; each month tells of every region. Empty = not known."""


def subscribers_on(known: Subscribers, day: date) -> Mapping[str, float]:
    """Subscribers by region on ``day``: of the latest month that has begun, or else of the first."""
    months = sorted(known)
    return known[max((month for month in months if month <= day), default=months[0])] if months else {}


@dataclass(frozen=True)
class Calendar:
    """Holidays by date, and subscribers where they are known."""

    holidays: Mapping[date, Holiday] = field(default_factory=dict)
    subscribers: Subscribers = field(default_factory=dict)

    @property
    def latest_subscribers(self) -> Mapping[str, float]:
        """Subscribers by region, of the latest month."""
        return subscribers_on(self.subscribers, date.max)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Calendar":
        """From what a file holds: ``holidays`` (date, name, like, factor) and ``subscribers`` by region.

        The subscribers of a region are a number, or numbers by month (YYYY-MM). A month without one takes that of
        the month before; before the first, that of the first.

        Raises:
            ValueError: a key or value is wrong; the message names it.
        """
        unknown = set(content) - {"holidays", "subscribers"}
        if unknown:
            raise ValueError(f"unknown keys: {', '.join(sorted(map(str, unknown)))}")
        holidays = {}
        for entry in content.get("holidays") or []:
            if not isinstance(entry, Mapping) or not isinstance(entry.get("date"), date):
                raise ValueError(f"holidays: each needs a date as YYYY-MM-DD and a name; found {entry!r}")
            like, factor = entry.get("like", "sunday"), entry.get("factor", 1.0)
            if like not in WEEKDAYS:
                raise ValueError(f"holidays: {entry['date']}: like must be one of {', '.join(WEEKDAYS)}")
            if not isinstance(factor, int | float) or not 0 < factor <= 10:
                raise ValueError(f"holidays: {entry['date']}: factor must be a number above 0, at most 10")
            holidays[entry["date"]] = Holiday(str(entry.get("name", "")), WEEKDAYS.index(like), float(factor))
        return cls(holidays, _subscribers(content.get("subscribers") or {}))

    def hours(self, day: date) -> tuple[Whole, float]:
        """The hours of the week from Monday on that ``day`` is like, and its factor."""
        holiday = self.holidays.get(day)
        weekday = day.weekday() if holiday is None else holiday.like
        return weekday * 24 + np.arange(24), 1.0 if holiday is None else holiday.factor


def _subscribers(content: Mapping[str, Any]) -> Subscribers:
    told: dict[str, dict[date, float]] = {}
    for region, numbers in content.items():
        by_month = numbers if isinstance(numbers, Mapping) else {"0001-01": numbers}
        for month, number in by_month.items():
            if not isinstance(number, int | float) or number <= 0:
                raise ValueError(f"subscribers: {region}: must be a number above 0, or such numbers by month")
            try:
                first = date.fromisoformat(f"{month}-01")
            except ValueError:
                raise ValueError(f"subscribers: {region}: {month} is no month as YYYY-MM") from None
            told.setdefault(str(region), {})[first] = float(number)
    return {
        month: {
            region: numbers[max((one for one in numbers if one <= month), default=min(numbers))]
            for region, numbers in told.items()
        }
        for month in sorted({month for numbers in told.values() for month in numbers})
    }


NO_CALENDAR = Calendar()


def silences(contacts: Reals, expected: Reals, enough: float = 8.0) -> tuple[Reals, Reals]:
    """Hours in which a channel is silent, and hours in which it catches up, as 1 and 0 [channel, hour].

    Silent: nothing came although, since the last contact, so much was expected that chance does not explain it
    (``enough`` = 8: once in 3,000). Catching up: more than usual comes right after such a silence, until what
    was missed has come, for a day at most. Each hour is told from itself and those before.
    """
    silent, catching = np.zeros(contacts.shape), np.zeros(contacts.shape)
    quiet = np.where(contacts > 0, 0.0, expected).cumsum(axis=1)
    since_contact = quiet - np.maximum.accumulate(np.where(contacts > 0, quiet, 0.0), axis=1)
    for channel in np.flatnonzero(since_contact.max(axis=1, initial=0.0) >= enough - 1e-6).tolist():
        missed = owed = 0.0
        since = 0
        # Plain numbers: the loop is short, and a channel is silent seldom.
        hours = zip(contacts[channel].tolist(), expected[channel].tolist(), strict=True)
        for hour, (came, usual) in enumerate(hours):
            if came > 0 and missed >= enough:
                owed, since = missed, 0
            else:
                since += 1
            if came > usual and owed > 0 and since < 24:
                catching[channel, hour] = 1
                owed -= came - usual
            elif came > 0:
                owed = 0.0
            missed = 0.0 if came > 0 else missed + usual
            silent[channel, hour] = missed >= enough
    return silent, catching
