"""What a contact is about and what kind of contact it is, from the rules that fired in it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .rules import OTHER, Label, Rule, Rules

SECONDARY_SHARE = 0.5
"""A further category is named if it scores at least this share of the first."""
DISSATISFIED = -0.4
"""VADER score from which a text that nothing else explains counts as a complaint."""
CONTENT = 0.5
LOW_RATING, HIGH_RATING = 2, 4


class Topic(NamedTuple):
    """What a contact is about."""

    category: str
    subcategory: str
    secondary: list[str]
    trouble: bool
    """A rule of the category says that something is wrong, not only what the subject is."""


def label_of(labels: Iterable[Label], value: str | None) -> tuple[Label | None, Label | None]:
    """The first of ``labels`` that names a category, and the first that names a class, for a source's label."""
    found = [label for label in labels if value and label.regex.search(value.casefold())]
    return (
        next((label for label in found if label.category), None),
        next((label for label in found if label.contact_class), None),
    )


def topic(fired: Collection[Rule], label: Label | None, rules: Rules) -> Topic:
    """The category whose fired rules weigh most; of equals, the one that the rule file names first.

    Each rule counts once, however often it hits. The source's ``label`` counts as a rule of its category.
    """
    ids = {rule.id for rule in fired}
    score: dict[str, float] = defaultdict(float)
    parts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    troubled = set()
    for name, category in rules.categories.items():
        for rule in category.rules:
            if rule.id in ids:
                score[name] += rule.weight
                if rule.subcategory:
                    parts[name][rule.subcategory] += rule.weight
                if not rule.topic:
                    troubled.add(name)
    if label and label.category:
        score[label.category] += label.weight
    if not score:
        return Topic(OTHER, OTHER, [], trouble=False)
    order = {name: place for place, name in enumerate(rules.categories)}
    ranked = sorted(score, key=lambda name: (-score[name], order[name]))
    first = ranked[0]
    subcategory = max(parts[first], key=lambda name: parts[first][name]) if parts[first] else OTHER
    secondary = sorted(n for n in ranked[1:] if n in troubled and score[n] >= SECONDARY_SHARE * score[first])
    return Topic(first, subcategory, secondary, trouble=first in troubled)


def contact_class(
    fired: Collection[Rule],
    about: Topic,
    rules: Rules,
    *,
    declared: str | None,
    label: Label | None,
    rating: float | None,
    sentiment: float | None,
) -> str:
    """The kind of contact: what the source vouches for, else what words, rating and sentiment say.

    An expression of dissatisfaction makes a complaint; trouble with what can break, told without any, is a
    fault report (the distinction of ISO 10002:2018, 3.2, and of Australia's complaints-handling standard).
    """
    if declared:
        return declared
    weights: Mapping[str, float] = {
        name: sum(rule.weight for rule in fired if rule.id.startswith(f"class.{name}.")) for name in rules.classes
    }
    broken = about.trouble and rules.categories[about.category].fault
    if weights["spam"] > weights["complaint"] + about.trouble:
        return "spam"
    if label and label.contact_class:
        return label.contact_class
    if weights["complaint"] or (rating is not None and rating <= LOW_RATING and not broken):
        return "complaint"
    if broken:
        return "fault_report"
    if weights["praise"] and not about.trouble:
        return "praise"
    unhappy = sentiment is not None and sentiment <= DISSATISFIED
    if weights["enquiry"] and not unhappy:
        return "enquiry"
    if about.trouble or unhappy:
        return "complaint"
    if (rating is not None and rating >= HIGH_RATING) or (sentiment is not None and sentiment >= CONTENT):
        return "praise"
    return "enquiry"
