"""What is doubtful about a set of rules, told to the person who writes them.

Every rule is tried on its own examples, and every phrase of a category on sentences made of its own words.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice, product
from typing import NamedTuple

import pyarrow as pa

from complaint_assets.logic.enriched.classify import topic
from complaint_assets.logic.enriched.matcher import Matcher, fold, matcher
from complaint_assets.logic.enriched.rules import OTHER, Pattern, Rule, Rules

REGULATORS = ("ncc", "trai", "ofcom", "acma", "fcc")
ERRORS = frozenset({"dead", "counter_example"})
"""Findings with which no rules may be used; the others are for a person to weigh."""
_REALISATIONS = 60
"""Sentences made of one phrase at most."""


class Finding(NamedTuple):
    """One thing that is wrong or doubtful."""

    kind: str
    rule: str
    what: str


def check(rules: Rules, texts: Iterable[str] = ()) -> list[Finding]:
    """Everything found, by kind and rule.

    dead: an example, or no text of ``texts`` if there are any, makes the rule fire. counter_example: one makes it
    fire. untested: it has no example. shadowed: wherever the phrase stands alone, another category outweighs it.
    redundant: another phrase of the rule finds all that it finds. overlap: rules of two categories find the same
    phrase. missing_code: a regulator's code is not given.
    """
    search = matcher(rules)
    found = [*_examples(rules, search), *_codes(rules), *_phrases(rules, search)]
    texts = list(texts)
    if texts:
        fired = {hit.rule.id for text in _folded(texts) for hit in search.hits(text)}
        found += [
            Finding("dead", rule.id, f"fires in none of the {len(texts)} texts given")
            for rule in rules.every()
            if rule.id not in fired
        ]
    return sorted(set(found))


def _folded(texts: list[str]) -> list[str]:
    folded: list[str] = fold(pa.array(texts, pa.string())).to_pylist()
    return folded


def _examples(rules: Rules, search: Matcher) -> Iterator[Finding]:
    for rule in rules.every():
        if not rule.examples:
            yield Finding("untested", rule.id, "has no example")
        for text in _folded([*rule.examples]):
            if not any(hit.rule is rule for hit in search.hits(text)):
                yield Finding("dead", rule.id, f"does not fire in its example: {text}")
        for text in _folded([*rule.counter_examples]):
            if any(hit.rule is rule for hit in search.hits(text)):
                yield Finding("counter_example", rule.id, f"fires in its counter-example: {text}")


def _codes(rules: Rules) -> Iterator[Finding]:
    for name, category in rules.categories.items():
        if missing := [regulator for regulator in REGULATORS if regulator not in category.codes]:
            yield Finding("missing_code", name, f"has no code of {', '.join(missing)}")
        if OTHER not in category.subcategories:
            yield Finding("missing_code", name, f"has no subcategory {OTHER}")


def _phrases(rules: Rules, search: Matcher) -> Iterator[Finding]:
    category_of = {rule.id: name for name, category in rules.categories.items() for rule in category.rules}
    overlaps: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, category in rules.categories.items():
        for rule in category.rules:
            for pattern in rule.patterns:
                sentences = list(realisations(pattern))
                if not sentences:
                    continue
                fired = [tuple(dict.fromkeys(hit.rule for hit in search.hits(text))) for text in sentences]
                if not rule.topic:
                    winners = {topic(rules_fired, None, rules).category for rules_fired in fired}
                    if name not in winners:
                        where = ", ".join(sorted(winners))
                        yield Finding("shadowed", rule.id, f"{pattern.source}: always outweighed by {where}")
                    for other in {other for others in fired for other in others if not other.topic}:
                        if category_of.get(other.id, name) != name:
                            overlaps[tuple(sorted((rule.id, other.id)))].append(pattern.source)  # type: ignore[index]
                if twin := _twin(rule, pattern, sentences):
                    yield Finding("redundant", rule.id, f"{pattern.source}: {twin} finds the same")
    for (first, second), sources in overlaps.items():
        some = "; ".join(sorted(set(sources))[:3])
        yield Finding("overlap", first, f"{second} fires on {len(set(sources))} phrases of theirs: {some}")


def _twin(rule: Rule, pattern: Pattern, sentences: list[str]) -> str | None:
    """Another pattern of ``rule`` that covers every sentence of ``pattern`` from end to end."""
    for other in rule.patterns:
        if other is not pattern and all(
            (match := other.search(text)) is not None and match.span() == (0, len(text)) for text in sentences
        ):
            return other.source
    return None


def realisations(pattern: Pattern) -> Iterator[str]:
    """Sentences in which the phrase of ``pattern`` stands, without anything in between; none of a regex."""
    if pattern.source == pattern.regex:
        return
    choices: list[list[str]] = []
    for word in pattern.source.split(" "):
        if word.startswith(".."):
            continue
        options = [option.replace("*", "").replace("#", "3") for option in word.removesuffix("?").split("|")]
        choices.append([*options, ""] if word.endswith("?") else options)
    for words in islice(product(*choices), _REALISATIONS):
        yield " ".join(word for word in words if word)
