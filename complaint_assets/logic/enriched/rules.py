"""Rules as the enrichment uses them, and the language in which they are written.

Patterns are limited to what RE2 can run and Python runs without going back and forth, so that a scan takes time
linear in the text. How they are found in texts: ``matcher``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

OTHER = "other"
"""Category, and domain, of what no rule recognises."""


class Hit(NamedTuple):
    """One place in a text where a rule fired: characters ``start`` to ``end``, end excluded."""

    rule: "Rule"
    start: int
    end: int


_IN_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


@dataclass(frozen=True)
class Pattern:
    """One phrase or regular expression of a rule.

    ``regex`` says exactly where it stands, for lower-case text, in the syntax that RE2 and Python share.
    ``needles`` are RE2 patterns each of which a text holds wherever ``regex`` matches.
    """

    source: str
    regex: str
    needles: tuple[str, ...]
    begins_word: bool = False
    """``regex`` is ``\\b`` and something that begins with a letter or digit."""

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], bool]:
        # Python looks for a beginning much faster where none is tied to a boundary: that is checked afterwards.
        return re.compile(
            self.regex.removeprefix(r"\b") if self.begins_word else self.regex, re.ASCII
        ), self.begins_word

    def search(self, folded: str, start: int = 0) -> re.Match[str] | None:
        """The first match of ``regex`` in ``folded`` from ``start`` on; ASCII, as RE2 knows no other boundary."""
        regex, loose = self._compiled
        found = regex.search(folded, start)
        while loose and found is not None and found.start() and folded[found.start() - 1] in _IN_WORD:
            found = regex.search(folded, found.start() + 1)
        return found


@dataclass(frozen=True, eq=False)  # compared by identity: verdicts are remembered by the rules that fired
class Rule:
    """Words that speak for something; any of ``patterns`` will do.

    A hit does not count where a negation stands up to three words before it if ``unless_negated``. ``topic``
    rules tell what a text is about without saying that anything is wrong. A rule with ``channels`` or
    ``languages`` counts only there. ``examples`` are texts in which it must fire, ``counter_examples`` texts in
    which it must not.
    """

    id: str
    patterns: tuple[Pattern, ...]
    weight: float = 1.0
    subcategory: str | None = None
    unless_negated: bool = False
    topic: bool = False
    channels: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()


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
    """Weights that turn what is known of a complaint into a severity (see ``severity``)."""

    cues: tuple[Rule, ...]
    sentiment: tuple[tuple[float, float], ...]  # (at or below, weight), worst first
    rating: tuple[tuple[float, float], ...]  # (at or below, weight), worst first
    repeat: float  # weight of an earlier complaint of the same subject and matter
    classes: Mapping[str, float]


@dataclass(frozen=True, eq=False)  # compared by identity: a gazetteer is made once for each
class Places:
    """Names of places of the configured country, beside what the gazetteer knows."""

    country: str
    regions: Mapping[str, tuple[str, ...]]  # ISO 3166-2 code -> names
    cue_only: frozenset[str]  # names that are words or people too
    admin1: Mapping[str, str]  # the gazetteer's code of a subdivision -> ISO 3166-2
    postcode: str | None = None  # regular expression of a post code
    postcodes: Mapping[str, str] = field(default_factory=dict)  # beginning of a post code -> ISO 3166-2


@dataclass(frozen=True, eq=False)  # compared by identity: a matcher is made once for each
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

    def every(self) -> Iterator[Rule]:
        """Every rule that is looked for in texts: of categories, of classes, and the cues of severity."""
        for category in self.categories.values():
            yield from category.rules
        for rules in self.classes.values():
            yield from rules
        yield from self.severity.cues

    def figures(self) -> dict[str, Any]:
        """How much there is of everything."""
        return {
            "categories": len(self.categories),
            "subcategories": sum(len(category.subcategories) for category in self.categories.values()),
            "category_rules": sum(len(category.rules) for category in self.categories.values()),
            "category_patterns": sum(
                len(rule.patterns) for category in self.categories.values() for rule in category.rules
            ),
            "class_rules": sum(map(len, self.classes.values())),
            "severity_cues": len(self.severity.cues),
            "labels": len(self.labels),
            "places": sum(map(len, self.places.regions.values())),
        }


_SEPARATOR = r"[ \-]{1,3}"
_BETWEEN = 3
"""Words that ``..`` allows in between."""
_GAP = re.compile(r"\.\.([1-9]?)")
_WORD = re.compile(r"[a-z0-9'#*\-]+(?:\|[a-z0-9'#*\-]+)*\??")


def phrase_pattern(phrase: str) -> Pattern:
    """The pattern of a phrase as people write it in the rule files.

    Words stand between single blanks. ``a|b`` is one of several words, ``word*`` any ending, ``word?`` may be
    missing, ``#`` is a number, and ``..`` between two words allows up to three others (``..6`` up to six), within
    a sentence.

    Raises:
        ValueError: the phrase holds something else.
    """
    words = phrase.split(" ")
    if _GAP.fullmatch(words[0]) or _GAP.fullmatch(words[-1]):
        raise ValueError("'..' must stand between two words")
    if words[0].endswith("?"):
        raise ValueError("the first word of a phrase cannot be optional")
    pattern, separator, needles = "", "", [""]
    for word in words:
        if gap := _GAP.fullmatch(word):
            separator = rf"(?: {{1,3}}[^ .!?;]{{1,25}}){{0,{gap[1] or _BETWEEN}}} {{1,3}}"
            needles.append("")
            continue
        if not _WORD.fullmatch(word):
            raise ValueError(f"{word!r} is no word; write lower-case letters, digits and ' - | * ? #")
        choices = word.removesuffix("?").split("|")
        one = "|".join(_word_pattern(choice) for choice in choices)
        optional = word.endswith("?")
        pattern += f"(?:{separator}(?:{one}))?" if optional else f"{separator}(?:{one})"
        if not needles[-1]:
            needles[-1] = "" if optional else rf"\b(?:{one})"
        else:
            needles[-1] += f"(?:{_SEPARATOR}(?:{one}))?" if optional else f"{_SEPARATOR}(?:{one})"
        separator = _SEPARATOR
    if not all(needles):
        raise ValueError("'..' must stand between two words")
    return Pattern(
        source=phrase,
        regex=rf"\b(?:{pattern})\b",
        needles=tuple(rf"{needle}\b".replace(_ENDING, "[a-z]*") for needle in needles),
        begins_word=all(choice[0].isalnum() or choice[0] == "#" for choice in words[0].split("|")),
    )


_ENDING = "[a-z]{0,15}"


def _word_pattern(word: str) -> str:
    return "".join({"'": "'?", "*": _ENDING, "#": "[0-9][0-9.,]{0,9}"}.get(char, char) for char in word)


# What could make Python's engine try a text again and again: loops without an end and loops over groups.
_UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{\d+,\}|\)\{)|\(\?(?!:)|\\[1-9]")


def regex_pattern(regex: str) -> Pattern:
    """``regex`` as a pattern, if every engine in use runs it in time linear in the text.

    Raises:
        ValueError: it loops without bound or over a group, looks around or back, or is no regular expression.
    """
    if found := _UNBOUNDED.search(regex):
        raise ValueError(
            f"{found.group()!r} is not allowed: bound every repetition, as in a{{0,20}}, and repeat no group"
        )
    import re2  # type: ignore[import-untyped]  # heavy, needed only where rules are read

    options = re2.Options()
    options.log_errors = False
    try:
        re.compile(regex, re.ASCII)
        re2.compile(regex, options)
    except (re.error, re2.error) as error:
        raise ValueError(f"no regular expression: {error}") from error
    if any(found.start() == found.end() for text in ("", " a ", " 1 ") for found in re.finditer(regex, text)):
        raise ValueError("it finds nothing at all in any text: ask for one character at least")
    return Pattern(source=regex, regex=regex, needles=(regex,))
