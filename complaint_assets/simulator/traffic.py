"""How much happens when, where and about what: rhythms, outages, and the contacts of one hour."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Literal, NamedTuple

import numpy as np

from .customers import CITIES, CITY_WEIGHTS, REGION_SHARES, City, Customer, Customers, customer

HOUR = 3600
_LAGOS = timedelta(hours=1)

# Contacts per hour of the local day, and per weekday from Monday.
_EVENING = (3, 2, 1, 1, 1, 2, 4, 6, 7, 8, 8, 8, 9, 9, 9, 9, 9, 10, 11, 12, 12, 11, 9, 6)
_DAYTIME = (1, 1, 1, 1, 1, 2, 4, 7, 9, 11, 11, 11, 10, 10, 10, 10, 10, 9, 8, 8, 7, 5, 4, 2)
_OFFICE = (0.2, 0.1, 0.1, 0.1, 0.1, 0.3, 1, 4, 10, 13, 13, 12, 10, 11, 11, 11, 9, 6, 4, 3, 2, 1, 0.6, 0.3)
_FLAT_WEEK = (1, 1, 1, 1, 1.05, 1.1, 1)
_WORK_WEEK = (1.2, 1.1, 1.05, 1.05, 1, 0.5, 0.35)

_THEMES = {
    "network": 13,
    "internet_speed": 13,
    "coverage": 5,
    "billing": 9,
    "payments_recharge": 9,
    "sim_porting": 5,
    "customer_service": 6,
    "device": 3,
    "broadband_installation": 3,
    "fraud": 3,
    "promotions_contract": 3,
    "app_website": 3,
    "enquiry": 12,
    "praise": 7,
    "spam": 5,
}
COMPLAINTS = frozenset(_THEMES) - {"enquiry", "praise", "spam"}


class Profile(NamedTuple):
    """The traffic of a source: its share, its rhythm, and where its themes differ from the usual."""

    share: float
    day: Sequence[float]
    week: Sequence[float]
    themes: dict[str, float]


PROFILES = {
    "social/x": Profile(0.30, _EVENING, _FLAT_WEEK, {"praise": 8, "spam": 7, "enquiry": 8}),
    "social/mastodon": Profile(0.03, _EVENING, _FLAT_WEEK, {"spam": 3, "app_website": 6, "enquiry": 8}),
    "sms/gateway": Profile(0.17, _DAYTIME, _FLAT_WEEK, {"enquiry": 22, "spam": 6, "app_website": 1}),
    "whatsapp/cloud_api": Profile(0.21, _DAYTIME, _FLAT_WEEK, {"enquiry": 16}),
    "call_centre/contact_log": Profile(0.13, _OFFICE, _WORK_WEEK, {"enquiry": 18, "spam": 2, "praise": 3}),
    "web_form/website": Profile(0.05, _DAYTIME, _WORK_WEEK, {"broadband_installation": 12, "billing": 14}),
    "web_form/app": Profile(0.05, _EVENING, _FLAT_WEEK, {"app_website": 10, "spam": 1}),
    "survey/csat": Profile(0.04, _OFFICE, _WORK_WEEK, {"praise": 30, "spam": 0.5, "enquiry": 1}),
    "survey/nps": Profile(0.02, _DAYTIME, _FLAT_WEEK, {"praise": 30, "spam": 0.5, "enquiry": 1}),
}
"""By ``channel/source``."""

OUTAGES_PER_WEEK = 2
ENOUGH = 40
"""Complaints that an outage adds at least, so that it can be found in little traffic."""
_OUTAGE_THEMES = {
    "network": 4,
    "internet_speed": 3,
    "payments_recharge": 2,
    "sim_porting": 0.5,
    "broadband_installation": 0.5,
}

_WEIGHTS = {key: list(accumulate((_THEMES | profile.themes).values())) for key, profile in PROFILES.items()}
_SHARES = {
    theme: np.array([(_THEMES | p.themes)[theme] / sum((_THEMES | p.themes).values()) for p in PROFILES.values()])
    for theme in _OUTAGE_THEMES
}
"""Of the contacts of each source, those about a theme."""
_REGIONAL = {
    region: ([city for city in CITIES if city.region == region], [c.share for c in CITIES if c.region == region])
    for region in REGION_SHARES
}


@dataclass(frozen=True)
class Outage:
    """A planted incident: from ``start`` to ``end`` the region has more complaints of the category.

    ``multiplier`` is the rate at its height relative to the usual rate of region and category over all
    channels; ``extra_complaints`` is what it adds in all, on ``channels`` only.
    """

    id: str
    region: str
    category: str
    channels: tuple[str, ...]
    start: datetime
    end: datetime
    multiplier: float
    extra_complaints: int


class Contact(NamedTuple):
    """One customer getting in touch, ``second`` seconds into the hour; ``serial`` is unique in the source."""

    second: int
    theme: str
    customer: Customer
    serial: int
    origin: Literal["usual", "repeat", "outage"]


class Hour:
    """One hour of the simulation and its clock faces; ``index`` counts from the start."""

    def __init__(self, index: int, start: datetime) -> None:
        self.index = index
        self.start = start
        self.epoch = int(start.timestamp())
        self._utc = start.strftime("%Y-%m-%dT%H:")
        self._local = (start + _LAGOS).strftime("%Y-%m-%d %H:")

    def utc(self, second: int) -> str:
        """``2026-11-10T06:35:12``."""
        return f"{self._utc}{second // 60:02}:{second % 60:02}"

    def local(self, second: int) -> str:
        """``2026-11-10 07:35:12``, in Lagos."""
        return f"{self._local}{second // 60:02}:{second % 60:02}"

    def local_at(self, second: int) -> datetime:
        """Wall clock in Lagos, without a zone, also beyond the hour."""
        return (self.start + _LAGOS + timedelta(seconds=second)).replace(tzinfo=None)


def _in_turn(chance: Random, weights: Mapping[str, float]) -> Iterator[str]:
    """Names drawn by weight without end; none comes again before all have been drawn."""
    while True:
        left = dict(weights)
        while left:
            name = chance.choices(list(left), list(left.values()))[0]
            del left[name]
            yield name


class Plan:
    """How many events each source has in each hour, and the outages: all that needs to be known beforehand."""

    def __init__(self, events: int, start: datetime, days: int, seed: int) -> None:
        self.start = start
        self.hours = days * 24
        self.events = events
        rng = np.random.Generator(np.random.PCG64(seed))
        weights = self._weights(rng)
        expected = events * weights / weights.sum()
        self._planted: dict[tuple[int, str], list[tuple[str, str, int]]] = {}
        self.outages = tuple(self._outages(Random(f"outages/{seed}"), rng, expected, days))
        usual = events - sum(outage.extra_complaints for outage in self.outages)
        flat = weights.ravel() / weights.sum()
        self._counts = rng.multinomial(max(usual, 0), flat).reshape(weights.shape)

    def __iter__(self) -> Iterator[Hour]:
        for index in range(self.hours):
            yield Hour(index, self.start + timedelta(hours=index))

    def usual(self, hour: Hour, source: str) -> int:
        """Events of ``source`` in ``hour`` that belong to no outage."""
        return int(self._counts[hour.index, list(PROFILES).index(source)])

    def planted(self, hour: Hour, source: str) -> list[tuple[str, str, int]]:
        """Category, region and number of the events that outages add."""
        return self._planted.get((hour.index, source), [])

    def _weights(self, rng: np.random.Generator) -> np.ndarray:
        """Relative traffic by hour and source: rhythm of day and week, and some noise that all share."""
        sources = PROFILES.values()
        local = [self.start + _LAGOS + timedelta(hours=index) for index in range(self.hours)]
        rhythm = np.array(
            [
                [p.share * p.day[at.hour] * p.week[at.weekday()] / (sum(p.day) * sum(p.week)) for p in sources]
                for at in local
            ]
        )
        days = rng.lognormal(0, 0.06, self.hours // 24).repeat(24)
        return rhythm * (days * rng.lognormal(0, 0.05, self.hours))[:, None]

    def _outages(
        self, chance: Random, rng: np.random.Generator, expected: np.ndarray, days: int
    ) -> Iterator[Outage]:
        """One outage in each of as many equal stretches as there are outages, so that they do not crowd."""
        # Detectors need a baseline: outages begin after 15 days, or after most of a shorter run.
        first = 15 * 24 if days > 16 else int(self.hours * 0.6)
        available = self.hours - first
        # In little traffic there are fewer, so that they do not drown everything else.
        most = self.events // (10 * ENOUGH)
        count = max(1, min(round(OUTAGES_PER_WEEK * days / 7), available // 24, most))
        regions, categories = _in_turn(chance, REGION_SHARES), _in_turn(chance, _OUTAGE_THEMES)
        for number in range(count):
            stretch = range(first + number * available // count, first + (number + 1) * available // count)
            where, what = next(regions), next(categories)
            yield self._outage(f"outage-{number + 1}", where, what, chance, rng, expected, stretch)

    def _outage(
        self,
        name: str,
        region: str,
        category: str,
        chance: Random,
        rng: np.random.Generator,
        expected: np.ndarray,
        stretch: range,
    ) -> Outage:
        """An outage somewhere in ``stretch``, steep enough to be seen where there is little traffic."""
        hours = self._when(chance, stretch, chance.randint(2, 6))
        rates = expected[hours.start : hours.stop] * _SHARES[category] * REGION_SHARES[region]
        usual = rates.sum(axis=1)
        usual[0] *= 0.5  # it takes a while until everybody has noticed,
        usual[-1] *= 0.6  # and the repair reaches one after the other
        added = max(usual.sum() * (chance.uniform(4, 10) - 1), ENOUGH * chance.uniform(1, 2))
        extra = np.diff(np.floor(np.cumsum(usual / usual.sum() * added) + 0.5), prepend=0)
        others = [channel for channel in ("sms", "web_form") if chance.random() < 0.6]
        channels = ("social", "whatsapp", "call_centre", *others)
        hit = np.array([source.partition("/")[0] in channels for source in PROFILES])
        for hour, rate, number in zip(hours, rates * hit, extra, strict=True):
            spread = rng.multinomial(int(number), rate / rate.sum())
            for source, part in zip(PROFILES, spread.tolist(), strict=True):
                if part:
                    self._planted.setdefault((hour, source), []).append((category, region, part))
        start, end = (self.start + timedelta(hours=hour) for hour in (hours.start, hours.stop))
        multiplier = round(float(1 + added / usual.sum()), 1)
        return Outage(name, region, category, channels, start, end, multiplier, int(extra.sum()))

    def _when(self, chance: Random, stretch: range, duration: int) -> range:
        """``duration`` hours within ``stretch`` that begin by daylight, if it is long enough to hold such."""
        begins = range(stretch.start, max(stretch.stop - duration, stretch.start) + 1)
        daylight = [h for h in begins if 7 <= (self.start + timedelta(hours=h)).hour <= 17]
        begin = min(chance.choice(daylight or begins), self.hours - duration)
        return range(begin, begin + duration)


class Traffic:
    """Who gets in touch in an hour; remembers a sample of the last day, for those who come again."""

    def __init__(self, plan: Plan, days: int) -> None:
        self.plan = plan
        # So many that meeting the same customer twice in a day by chance stays rare.
        self._customers = Customers(min(300 * max(plan.events // days, 10), 60_000_000))
        self._past: dict[str, deque[list[tuple[str, int, City]]]] = {key: deque(maxlen=23) for key in PROFILES}

    def contacts(self, rng: Random, hour: Hour, source: str, more: int, repeats: float) -> list[Contact]:
        """The contacts of ``source`` in ``hour`` in order of time, and ``more`` beyond the plan.

        A share of ``repeats`` comes from customers who complained of the same in the 23 hours before.
        """
        number = self.plan.usual(hour, source) + more
        themes = rng.choices(list(_THEMES), cum_weights=_WEIGHTS[source], k=number)
        cities = rng.choices(CITIES, cum_weights=CITY_WEIGHTS, k=number)
        for category, region, count in self.plan.planted(hour, source):
            themes += [category] * count
            cities += rng.choices(*_REGIONAL[region], k=count)
        known = [known for past in self._past[source] for known in past]
        others = [known for pasts in self._past.values() for past in pasts for known in past[:5]]
        draw, chance = self._customers.draw, rng.random
        drafts: list[tuple[int, str, Customer, Literal["usual", "repeat", "outage"]]] = []
        for place, (theme, city) in enumerate(zip(themes, cities, strict=True)):
            second = int(chance() * HOUR)
            if place >= number:
                drafts.append((second, theme, draw(rng, city), "outage"))
            elif known and chance() < repeats:
                theme, who, home = rng.choice(known if chance() < 0.6 else others)
                drafts.append((second, theme, customer(who, home), "repeat"))
            else:
                drafts.append((second, theme, draw(rng, city), "usual"))
        drafts.sort(key=lambda draft: draft[0])
        found = [
            Contact(second, theme, who, hour.index << 22 | place, origin)
            for place, (second, theme, who, origin) in enumerate(drafts)
        ]
        sample = [(c.theme, c.customer.number, c.customer.city) for c in found if c.theme in COMPLAINTS]
        self._past[source].append(sample[: min(30 + len(sample) // 20, 1000)])
        return found


def whole_hour(moment: datetime) -> bool:
    """Whether ``moment`` is aware, in UTC, and on the hour."""
    return moment.utcoffset() == timedelta(0) and moment == moment.astimezone(UTC).replace(
        minute=0, second=0, microsecond=0
    )
