"""Where rules fire in texts, in time linear in the text.

One RE2 set over all rules tells which of their needles a text holds; spans, proximity and negation are worked out
for the patterns that these leave, which are few.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from .rules import Hit, Pattern, Rule, Rules

MEMORY = 256 << 20
"""Bytes that the automaton of the set may take; beyond it starts anew, slower and with equal answers."""

_NEGATED = re.compile(
    r"(?:^|[^a-z])(?:not(?! (?:only|just))|no|never|without|[a-z]{2,6}n't|dont|didnt|isnt|wasnt|nor)"
    r"(?: [a-z']{1,12}){0,2} $"
)
_NEGATION_WINDOW = 40


def fold(texts: pa.Array) -> pa.Array:
    """``texts`` as rules see them: lower case, plain apostrophes and blanks; no character moves."""
    folded = pc.utf8_lower(texts)
    folded = pc.replace_substring_regex(folded, pattern="[’‘ʼ`]", replacement="'")
    return pc.replace_substring_regex(folded, pattern=r"[\s\x{a0}]", replacement=" ")


def spans(rule: Rule, patterns: Sequence[Pattern], folded: str) -> list[Hit]:
    """Where ``rule`` fires in ``folded``: as its ``patterns`` joined by ``|`` would be found, without overlap."""
    found, end = [], 0
    ahead = [pattern.search(folded) for pattern in patterns]
    while True:
        first = None
        for number, match in enumerate(ahead):
            if match is not None and match.start() < end:
                match = ahead[number] = patterns[number].search(folded, end)
            if match is not None and (first is None or match.start() < first.start()):
                first = match
        if first is None:
            break
        found.append(first.span())
        end = first.end()
    return [
        Hit(rule, start, end)
        for start, end in found
        if not (rule.unless_negated and _NEGATED.search(folded[max(0, start - _NEGATION_WINDOW) : start]))
    ]


class Matcher:
    """The rules of one version, ready to be looked for."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Compile ``rules``; their order is that of the hits of a text."""
        import re2  # type: ignore[import-untyped]  # heavy, needed only where texts are read

        options = re2.Options()
        options.max_mem = MEMORY
        self._set = re2.Set.SearchSet(options)
        numbers: dict[str, int] = {}
        alone: dict[int, list[tuple[int, int]]] = defaultdict(list)
        apart: dict[int, list[tuple[frozenset[int], tuple[int, int]]]] = defaultdict(list)
        self._rules = tuple(rules)
        for place, rule in enumerate(self._rules):
            for part, pattern in enumerate(rule.patterns):
                needles = []
                for needle in pattern.needles:
                    if needle not in numbers:
                        numbers[needle] = self._set.Add(needle)
                    needles.append(numbers[needle])
                if len(needles) == 1:
                    alone[needles[0]].append((place, part))
                else:
                    apart[needles[0]].append((frozenset(needles), (place, part)))
        self._set.Compile()
        self._alone = dict(alone)
        self._apart = dict(apart)

    def hits(self, folded: str) -> list[Hit]:
        """Every hit in ``folded`` (see ``fold``), by rule and position."""
        found = self._set.Match(folded)
        if not found:
            return []
        places: list[tuple[int, int]] = []
        held = set(found)
        for needle in found:
            places += self._alone.get(needle, ())
            for needles, place in self._apart.get(needle, ()):
                if needles <= held:
                    places.append(place)
        places.sort()
        hits: list[Hit] = []
        at, count = 0, len(places)
        while at < count:
            number = places[at][0]
            rule = self._rules[number]
            patterns = []
            while at < count and places[at][0] == number:
                patterns.append(rule.patterns[places[at][1]])
                at += 1
            hits += spans(rule, patterns, folded)
        return hits


@lru_cache(maxsize=4)
def matcher(rules: Rules) -> Matcher:
    """The matcher of ``rules``, made once for each."""
    return Matcher(rules.every())
