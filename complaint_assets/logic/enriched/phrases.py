"""Words that stand out against what was said before: in an incident, or among complaints that no rule knows."""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from math import log, sqrt
from typing import NamedTuple

LEAST_PEOPLE = 5
"""A word is told only if so many people used it."""
MOST = 8

_WORD = re.compile(r"[^\W\d_]{3,}", re.UNICODE)
_MASK = re.compile(r"\[[^\]]*\]|<[^>]*>")
_PRIOR = 50.0  # of all words, spread as they are used in general
_SIGNIFICANT = 2.0


class Term(NamedTuple):
    """A word, or two, that people use more than before."""

    words: str
    people: int
    people_before: int
    score: float
    """Log-odds in standard deviations."""


def phrases(inside: Iterable[tuple[str, str]], before: Iterable[tuple[str, str]]) -> list[str]:
    """What stands out in an incident: the ``MOST`` strongest terms, none of which contains another.

    Args:
        inside: person and masked text of complaints in the incident.
        before: the same of complaints before it.
    """
    told: list[str] = []
    for term in terms(inside, before):
        if not any(term.words in other or other in term.words for other in told):
            told.append(term.words)
    return told[:MOST]


def terms(inside: Iterable[tuple[str, str]], before: Iterable[tuple[str, str]]) -> list[Term]:
    """Words and pairs of words that relatively more people use ``inside`` than ``before``, the strongest first.

    Log-odds with an informative Dirichlet prior, in standard deviations (Monroe, Colaresi and Quinn 2008). What
    masks stand for, numbers, and what fewer than ``LEAST_PEOPLE`` people use is left out.
    """
    now, then = _people(inside), _people(before)
    total_now, total_then = sum(map(len, now.values())), sum(map(len, then.values()))
    total = total_now + total_then
    scored = []
    for words, people in now.items():
        if len(people) < LEAST_PEOPLE:
            continue
        used, usual = len(people), len(then.get(words, ()))
        prior = _PRIOR * (used + usual) / total
        odds = log((used + prior) / (total_now + _PRIOR - used - prior))
        odds -= log((usual + prior) / (total_then + _PRIOR - usual - prior))
        scored.append(Term(words, used, usual, odds / sqrt(1 / (used + prior) + 1 / (usual + prior))))
    strong = [term for term in scored if term.score >= _SIGNIFICANT]
    return sorted(strong, key=lambda term: (-term.score, term.words))


def _people(texts: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Who used each word, and each pair of words."""
    found: dict[str, set[str]] = defaultdict(set)
    for person, text in texts:
        words = _WORD.findall(_MASK.sub(" ", text).lower())
        for word in words:
            found[word].add(person)
        for pair in pairwise(words):
            found[" ".join(pair)].add(person)
    return found
