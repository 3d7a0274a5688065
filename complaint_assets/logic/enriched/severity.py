"""How bad a complaint is, from 1 (low) to 5 (critical), and why."""

import math
from collections.abc import Iterable, Mapping

from .rules import Rule, Rules

LOWEST, HIGHEST = 1, 5
REPEAT = "repeat"


def severity(
    category: str,
    contact_class: str,
    fired: Iterable[Rule],
    rules: Rules,
    *,
    sentiment: float | None,
    rating: float | None,
) -> dict[str, float]:
    """The weights of what is known of a complaint, by reason: the category's base and what adds to it."""
    weights = rules.severity
    reasons = {f"category.{category}": rules.categories[category].severity}
    if weights.classes[contact_class]:
        reasons[f"class.{contact_class}"] = weights.classes[contact_class]
    for name, value, thresholds in (
        ("sentiment", sentiment, weights.sentiment),
        ("rating", rating, weights.rating),
    ):
        weight = next((weight for limit, weight in thresholds if value is not None and value <= limit), 0.0)
        if weight:
            reasons[name] = weight
    cues = {rule.id for rule in weights.cues}
    return reasons | {rule.id: rule.weight for rule in fired if rule.id in cues}


def grade(reasons: Mapping[str, float]) -> int:
    """Severity of weighted ``reasons``. Half points round up: what is between two is looked at rather sooner."""
    return min(HIGHEST, max(LOWEST, math.floor(sum(reasons.values()) + 0.5)))
