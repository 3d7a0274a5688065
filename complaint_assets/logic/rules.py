"""Rules as the enrichment uses them, and how they are found in texts.

Patterns are limited to what RE2 can run, so that a scan takes time linear in the text. The scan has two
stages: RE2 over the whole batch finds the texts and rules that hit; Python works out spans and negation for
those alone.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

OTHER = "other"
"""Category, and domain, of what no rule recognises."""

_NEGATED = re.compile(
    r"(?:^|[^a-z])(?:not(?! (?:only|just))|no|never|without|[a-z]{2,6}n't|dont|didnt|isnt|wasnt|nor)"
    r"(?: [a-z']{1,12}){0,2} $"
)
_NEGATION_WINDOW = 40


class Hit(NamedTuple):
    """One place in a text where a rule fired: characters ``start`` to ``end``, end excluded."""

    rule: "Rule"
    start: int
    end: int


@dataclass(frozen=True)
class Rule:
    """Words that speak for something.

    ``pattern`` is written for lower-case text, in the syntax that RE2 and Python share. A hit does not count
    where a negation stands up to three words before it if ``unless_negated``. ``topic`` rules tell what a
    text is about without saying that anything is wrong.
    """

    id: str
    pattern: str
    weight: float = 1.0
    subcategory: str | None = None
    unless_negated: bool = False
    topic: bool = False

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern for Python; ASCII, as RE2 knows no other word boundary."""
        return re.compile(self.pattern, re.ASCII)

    def hits(self, folded: str) -> list[Hit]:
        """Where the rule fires in ``folded`` (see ``fold``)."""
        return [
            Hit(self, found.start(), found.end())
            for found in self.regex.finditer(folded)
            if not (
                self.unless_negated
                and _NEGATED.search(folded[max(0, found.start() - _NEGATION_WINDOW) : found.start()])
            )
        ]


@dataclass(frozen=True)
class Category:
    """What a complaint can be about. ``fault`` marks the categories in which things break."""

    name: str
    domain: str
    fault: bool
    severity: float
    subcategories: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Label:
    """What a source's own label of a record stands for: a category, a class of contact, or both."""

    id: str
    regex: re.Pattern[str]
    category: str | None
    contact_class: str | None
    weight: float


@dataclass(frozen=True)
class Severity:
    """Weights that turn what is known of a complaint into a severity (see ``logic.severity``)."""

    cues: tuple[Rule, ...]
    sentiment: tuple[tuple[float, float], ...]  # (at or below, weight), worst first
    rating: tuple[tuple[float, float], ...]  # (at or below, weight), worst first
    classes: Mapping[str, float]


@dataclass(frozen=True, eq=False)  # compared by identity: a gazetteer is made once for each
class Places:
    """Names of places of the configured country, beside what the gazetteer knows."""

    country: str
    regions: Mapping[str, tuple[str, ...]]  # ISO 3166-2 code -> names
    cue_only: frozenset[str]  # names that are words or people too
    admin1: Mapping[str, str]  # the gazetteer's code of a subdivision -> ISO 3166-2


@dataclass(frozen=True)
class Rules:
    """Everything the enrichment is told by data."""

    version: str
    categories: Mapping[str, Category]
    labels: tuple[Label, ...]
    classes: Mapping[str, tuple[Rule, ...]]
    severity: Severity
    places: Places
    english: frozenset[str]
    pidgin: frozenset[str]

    def figures(self) -> dict[str, Any]:
        """How much there is of everything."""
        return {
            "categories": len(self.categories),
            "subcategories": sum(len(category.subcategories) for category in self.categories.values()),
            "category_rules": sum(len(category.rules) for category in self.categories.values()),
            "class_rules": sum(map(len, self.classes.values())),
            "severity_cues": len(self.severity.cues),
            "labels": len(self.labels),
            "places": sum(map(len, self.places.regions.values())),
        }


def fold(texts: pa.Array) -> pa.Array:
    """``texts`` as rules see them: lower case, plain apostrophes and blanks; no character moves."""
    folded = pc.utf8_lower(texts)
    folded = pc.replace_substring_regex(folded, pattern="[’‘ʼ`]", replacement="'")
    return pc.replace_substring_regex(folded, pattern=r"[\s\x{a0}]", replacement=" ")


def scan(folded: pa.Array, groups: Iterable[tuple[Rule, ...]]) -> list[list[Hit]]:
    """Every hit of the rules of ``groups`` in each of the ``folded`` texts (no nulls)."""
    found: list[list[Hit]] = [[] for _ in range(len(folded))]
    for rules in groups:
        if not rules:
            continue
        some = pc.indices_nonzero(
            pc.match_substring_regex(folded, pattern="|".join(f"(?:{rule.pattern})" for rule in rules))
        )
        texts = folded.take(some)
        positions, strings = some.to_pylist(), texts.to_pylist()
        for rule in rules:
            matched = pc.indices_nonzero(pc.match_substring_regex(texts, pattern=rule.pattern))
            for index in matched.to_pylist():
                found[positions[index]].extend(rule.hits(strings[index]))
    return found


_SEPARATOR = r"[ \-]{1,3}"
_GAP = r"(?: {1,3}[^ .!?;]{1,25}){0,3} {1,3}"
_WORD = re.compile(r"[a-z0-9'#*\-]+(?:\|[a-z0-9'#*\-]+)*\??")


def phrase_pattern(phrase: str) -> str:
    """The pattern of a phrase as people write it in the rule files.

    Words stand between single blanks. ``a|b`` is one of several words, ``word*`` any ending, ``word?`` may be
    missing, ``#`` is a number, and ``..`` between two words allows up to three others, within a sentence.

    Raises:
        ValueError: the phrase holds something else.
    """
    words = phrase.split(" ")
    if words[0] == ".." or words[-1] == "..":
        raise ValueError("'..' must stand between two words")
    pattern, separator = "", ""
    for word in words:
        if word == "..":
            separator = _GAP
            continue
        if not _WORD.fullmatch(word):
            raise ValueError(f"{word!r} is no word; write lower-case letters, digits and ' - | * ? #")
        one = "|".join(_word_pattern(choice) for choice in word.removesuffix("?").split("|"))
        pattern += f"(?:{separator}(?:{one}))?" if word.endswith("?") else f"{separator}(?:{one})"
        separator = _SEPARATOR
    if words[0].endswith("?"):
        raise ValueError("the first word of a phrase cannot be optional")
    return rf"\b(?:{pattern})\b"


def _word_pattern(word: str) -> str:
    return "".join({"'": "'?", "*": "[a-z]{0,15}", "#": "[0-9][0-9.,]{0,9}"}.get(char, char) for char in word)


# What could make Python's engine try a text again and again: loops without an end and loops over groups.
_UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{\d+,\}|\)\{)|\(\?(?!:)|\\[1-9]")


def check_regex(pattern: str) -> str:
    """``pattern``, if every engine in use runs it in time linear in the text.

    Raises:
        ValueError: it loops without bound or over a group, looks around or back, or is no regular expression.
    """
    if found := _UNBOUNDED.search(pattern):
        raise ValueError(
            f"{found.group()!r} is not allowed: bound every repetition, as in a{{0,20}}, and repeat no group"
        )
    try:
        re.compile(pattern, re.ASCII)
        pc.match_substring_regex(pa.array([""]), pattern=pattern)
    except (re.error, pa.ArrowInvalid) as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern
