"""The enrichment as a plain pandas pipeline: ``apply`` row by row, Python's ``re``, the packages' own functions.

The baseline of the benchmarks, and the second opinion of the tests: equal output is proven against it.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from complaint_assets.logic.enriched import place
from complaint_assets.logic.enriched.classify import contact_class, label_of, topic
from complaint_assets.logic.enriched.language import SHORT, modelled, words_of
from complaint_assets.logic.enriched.rules import Rule, Rules
from complaint_assets.logic.enriched.sentiment import SUPPORTED, analyser
from complaint_assets.logic.enriched.severity import severity

_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
_BLANK = re.compile(r"[ \t\n\f\r\u00a0]")
_NEGATED = re.compile(
    r"(?:^|[^a-z])(?:not(?! (?:only|just))|no|never|without|[a-z]{2,6}n't|dont|didnt|isnt|wasnt|nor)"
    r"(?: [a-z']{1,12}){0,2} $"
)

Span = tuple[int, int, Rule]


def folded(text: str) -> str:
    return _BLANK.sub(" ", text.lower().translate(_QUOTES))


def searcher(rules: Rules) -> Callable[[str], list[Span]]:
    """A ``re`` loop over the rules of each category."""
    compiled = [
        (rule, re.compile("|".join(pattern.regex for pattern in rule.patterns), re.ASCII))
        for rule in rules.every()
    ]

    def search(text: str) -> list[Span]:
        found = []
        for rule, regex in compiled:
            for match in regex.finditer(text):
                start, end = match.span()
                if rule.unless_negated and _NEGATED.search(text[max(0, start - 40) : start]):
                    continue
                found.append((start, end, rule))
        return found

    return search


def language(text: str, rules: Rules) -> str:
    words = words_of(text)
    if not words:
        return "und"
    markers = {word for word in words if word in rules.pidgin}
    if len(markers) >= 2 and markers - rules.english:
        return "pcm"
    english = sum(word in rules.english for word in words)
    if english >= 3 and 5 * english >= 2 * len(words):
        return "en"
    if sum(map(len, words)) < SHORT:
        known = sum(word in rules.english or word in analyser().lexicon for word in words)
        return "en" if 2 * known >= len(words) else "und"
    return modelled(words)


def nearest(latitude: float, longitude: float, towns: place.Gazetteer) -> place.Found:
    if math.isnan(latitude) or math.isnan(longitude) or (latitude, longitude) in ((0, 0), (-1, -1)):
        return place.NOWHERE
    here = np.radians((latitude, longitude))
    half = np.sin((here - towns.positions) / 2) ** 2
    chord = half[:, 0] + np.cos(here[0]) * np.cos(towns.positions[:, 0]) * half[:, 1]
    town = int(np.argmin(chord))
    distance = 2 * place.EARTH_KM * math.asin(math.sqrt(min(1.0, chord[town])))
    if distance > place.FAR_KM:
        return place.NOWHERE
    return place.Found(towns.regions[town], "coordinates", 0.95 if distance <= place.NEAR_KM else 0.7)


def pipeline(rules: Rules) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The whole step as a function of a frame of complaints; gives the columns that the enrichment adds."""
    search, towns, score = searcher(rules), place.gazetteer(rules.places), analyser().polarity_scores

    def row(complaint: Any) -> dict[str, Any]:
        text = complaint["text"]
        spoken = language(text or "", rules)
        spans = [
            (start, end, rule)
            for start, end, rule in search(folded(text or ""))
            if (not rule.languages or spoken in rule.languages)
            and (not rule.channels or complaint["channel"] in rule.channels)
        ]
        mood, gap = None, "no_text"
        if text:
            mood, gap = (score(text)["compound"], None) if spoken in SUPPORTED else (None, "unsupported_language")
        fired = tuple({rule.id: rule for _, _, rule in spans}.values())
        labels = label_of(rules.labels, complaint["source_category"])
        about = topic(fired, labels[0], rules)
        rating = None if pd.isna(complaint["rating"]) else complaint["rating"]
        kind = contact_class(
            fired,
            about,
            rules,
            declared=complaint["declared_class"],
            label=labels[1],
            rating=rating,
            sentiment=mood,
        )
        reasons = severity(about.category, kind, fired, rules, sentiment=mood, rating=rating)
        where = nearest(complaint["latitude"], complaint["longitude"], towns)
        where = where if where.region else place.declared(complaint["place"], towns)
        where = where if where.region else place.mentioned(text, towns)
        evidence = sorted((start, end, rule.id) for start, end, rule in spans)
        return {
            "contact_class": kind,
            "domain": rules.categories[about.category].domain,
            "category": about.category,
            "subcategory": about.subcategory,
            "secondary_categories": about.secondary,
            "rule_ids": sorted({rule.id for rule in fired} | {label.id for label in labels if label}),
            "evidence": json.dumps(
                [{"rule": rule, "start": start, "end": end} for start, end, rule in evidence],
                separators=(",", ":"),
            ),
            "sentiment": mood,
            "sentiment_gap": gap,
            "severity": min(5, max(1, math.floor(sum(reasons.values()) + 0.5))),
            "severity_reasons": sorted(reasons),
            "language": spoken,
            "region": where.region,
            "region_method": where.method,
            "region_confidence": where.confidence,
        }

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.apply(row, axis=1, result_type="expand")

    return apply
