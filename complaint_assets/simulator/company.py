"""A company as counts alone: 6 channels, 8 categories, 12 regions, with outages of known place, size and time.

For judging detectors: rates with rhythms of day and week, noise that series share, noise of their own, and
a history that holds surges of the same kind.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CHANNELS = ("call_centre", "sms", "social", "survey", "web_form", "whatsapp")
CATEGORIES = tuple(f"matter_{n}" for n in range(1, 9))
REGIONS = tuple(f"R-{n:02}" for n in range(1, 13))
"""On a ring: each is beside the one before and the one after."""
SIZES = (1.5, 2.0, 3.0, 5.0, 10.0)
DURATIONS = (1, 2, 4, 8, 12)
PLACES = ("series", "region x category", "category", "region", "channel x category", "all", "3 regions")
HISTORY_WEEKS = 8
QUARTERS = 4

_SHARED = {"all": 0.07, "category": 0.06, "region": 0.06, "region x category": 0.10}  # log standard deviations
_MEMORY = 0.8  # hour to hour
OWN_SHAPE = 6.0
_DRIFT = 0.012  # a week
_TAIL_HOURS = 1.5


@dataclass(frozen=True)
class Event:
    """An outage: from hour ``start``, for ``hours`` and a tail, ``series`` has ``size`` times the usual rate."""

    start: int
    hours: int
    size: float
    place: str
    series: Flags
    excess: float


@dataclass(frozen=True)
class Company:
    """Counts with their truth.

    Attributes:
        quarters: [series, quarter of an hour] counts.
        codes: position in CHANNELS, CATEGORIES, REGIONS per series.
        rate: [series, hour] true mean without events and without noise.
        known: [series, hour] true mean without events, noise that is shared included.
        events: the outages after the history.
        past: those in the history.
    """

    quarters: Whole
    codes: tuple[Whole, Whole, Whole]
    rate: Reals
    known: Reals
    events: list[Event]
    past: list[Event]

    @property
    def hourly(self) -> Whole:
        """[series, hour] counts."""
        return np.asarray(self.quarters.reshape(len(self.quarters), -1, QUARTERS).sum(2))


def company(
    seed: int,
    *,
    weeks: int = 4,
    events_per_week: float = 7,
    past_events: int = 50,
    per_hour: float = 240.0,
    own: list[Event] | None = None,
) -> Company:
    """``weeks`` after eight weeks of history.

    Args:
        seed: equal seeds give equal companies.
        weeks: how many follow the history.
        events_per_week: outages after the history.
        past_events: outages in the history.
        per_hour: complaints an hour in all.
        own: outages to plant instead of those after the history, hours counted from its end.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    codes = tuple(
        part.ravel()
        for part in np.meshgrid(
            np.arange(len(CHANNELS)), np.arange(len(CATEGORIES)), np.arange(len(REGIONS)), indexing="ij"
        )
    )
    hours = (HISTORY_WEEKS + weeks) * 168
    rate = _rates(rng, codes, hours, per_hour)
    noise = _shared_noise(rng, codes, hours)
    known = rate * noise
    begin = HISTORY_WEEKS * 168
    past = _events(rng, codes, rate, 24, begin - 24, past_events)
    drawn = _events(rng, codes, rate, begin, hours - 24, round(events_per_week * weeks))
    if own is not None:
        drawn = [Event(begin + e.start, e.hours, e.size, e.place, e.series, e.excess) for e in own]
    factor = np.ones((len(rate), hours))
    for event in [*past, *drawn]:
        shape = event_shape(rng, event.hours)[: hours - event.start]
        factor[event.series, event.start : event.start + len(shape)] *= 1 + (event.size - 1) * shape
    gamma = rng.gamma(OWN_SHAPE, 1 / OWN_SHAPE, rate.shape)
    mean = np.repeat(known * gamma * factor / QUARTERS, QUARTERS, axis=1)
    return Company(rng.poisson(mean), codes, rate, known, drawn, past)  # type: ignore[arg-type]


def _rates(rng: np.random.Generator, codes: tuple[Whole, ...], hours: int, per_hour: float) -> Reals:
    channel, category, region = codes
    share = (
        rng.dirichlet(np.full(len(CHANNELS), 4.0))[channel]
        * rng.dirichlet(np.full(len(CATEGORIES), 4.0))[category]
        * rng.dirichlet(np.full(len(REGIONS), 4.0))[region]
        * rng.lognormal(0, 0.35, len(channel))
    )
    clock = np.arange(24)
    peak, depth = rng.uniform(10, 20, len(CHANNELS)), rng.uniform(0.5, 0.9, len(CHANNELS))
    day = 1 + depth[:, None] * np.cos((clock - peak[:, None]) * 2 * np.pi / 24)
    week = rng.lognormal(0, 0.12, (len(CHANNELS), len(CATEGORIES), 7))
    week[:, :, 5:] *= rng.uniform(0.5, 1.0, (len(CHANNELS), 1, 1))
    at = np.arange(hours)
    rhythm = day[channel][:, at % 24] * week[channel, category][:, at // 24 % 7]
    drift = np.exp(rng.choice([-_DRIFT, _DRIFT], len(CATEGORIES))[category][:, None] * at / 168)
    rate = share[:, None] * rhythm * drift
    return np.asarray(rate * per_hour / rate.sum(0).mean())


def _shared_noise(rng: np.random.Generator, codes: tuple[Whole, ...], hours: int) -> Reals:
    """[series, hour] factor with a mean of about 1."""
    from scipy.signal import lfilter

    _, category, region = codes
    of = {
        "all": np.zeros_like(category),
        "category": category,
        "region": region,
        "region x category": category * len(REGIONS) + region,
    }
    total = np.zeros((len(category), hours))
    for name, deviation in _SHARED.items():
        steps = rng.normal(0, np.sqrt(1 - _MEMORY**2), (of[name].max() + 1, hours))
        total += deviation * lfilter([1.0], [1.0, -_MEMORY], steps, axis=1)[of[name]]
    return np.asarray(np.exp(total))


def _events(
    rng: np.random.Generator, codes: tuple[Whole, ...], rate: Reals, first: int, last: int, count: int
) -> list[Event]:
    """One in each of ``count`` equal stretches."""
    edges = np.linspace(first, last, count + 1).astype(int)
    return [
        make_event(
            codes,
            rate,
            start=int(rng.integers(low, max(high, low + 1))),
            hours=int(rng.choice(DURATIONS)),
            size=float(rng.choice(SIZES)),
            place=str(rng.choice(PLACES)),
            series=int(rng.integers(len(rate))),
        )
        for low, high in pairwise(edges)
    ]


def make_event(
    codes: tuple[Whole, ...], rate: Reals, *, start: int, hours: int, size: float, place: str, series: int
) -> Event:
    """An outage at the ``place`` (one of PLACES) that holds ``series``."""
    channel, category, region = (part == part[series] for part in codes)
    beside = (codes[2] - codes[2][series]) % len(REGIONS) < 3
    flags = {
        "series": channel & category & region,
        "region x category": category & region,
        "category": category,
        "region": region,
        "channel x category": channel & category,
        "all": np.ones(len(rate), dtype=bool),
        "3 regions": category & beside,
    }[place]
    excess = (size - 1) * float(rate[flags, start : start + hours].sum())
    return Event(start, hours, size, place, flags, excess)


def event_shape(rng: np.random.Generator, hours: int) -> Reals:
    """Share of the full size per hour: 40 % rise over a third of the time; all fade out."""
    rise = max(hours // 3, 1) if rng.random() < 0.4 else 0
    body = np.ones(hours)
    body[:rise] = (np.arange(rise) + 1) / (rise + 1)
    return np.concatenate([body, np.exp(-(np.arange(6) + 1) / _TAIL_HOURS)])
