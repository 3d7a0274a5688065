"""How bad a complaint is, from 1 (low) to 5 (critical), and why."""

import math
from collections.abc import Iterable

from .rules import Hit, Rules

LOWEST, HIGHEST = 1, 5


def severity(
    category: str,
    contact_class: str,
    hits: Iterable[Hit],
    rules: Rules,
    *,
    sentiment: float | None,
    rating: float | None,
) -> tuple[int, list[str]]:
    """Severity and its reasons, sorted: the category's base plus the weights of what else is known.

    Half points round up: what is between two grades is looked at rather sooner.
    """
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
    reasons |= {hit.rule.id: hit.rule.weight for hit in hits if hit.rule.id in cues}
    total = math.floor(sum(reasons.values()) + 0.5)
    return min(HIGHEST, max(LOWEST, total)), sorted(reasons)
