"""How far the rules agree with people: samples to label, Cohen's kappa, precision and recall per category."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

Label = tuple[str, str, str]
"""Complaint, labeller, category."""
LEAST = 30
"""Labels below which agreement is not judged: chance would."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def stratified(rows: Iterable[tuple[str, Hashable]], per_stratum: int, seed: int) -> list[str]:
    """Ids of up to ``per_stratum`` of each stratum, drawn by ``seed``, in the order drawn, strata mixed.

    Args:
        rows: id and stratum.
        per_stratum: most of one stratum.
        seed: another one draws others.
    """
    strata: dict[Hashable, list[tuple[str, str]]] = defaultdict(list)
    for one, stratum in rows:
        strata[stratum].append((hashlib.sha256(f"{seed}/{one}".encode()).hexdigest(), one))
    drawn = [pair for of_stratum in strata.values() for pair in sorted(of_stratum)[:per_stratum]]
    return [one for _, one in sorted(drawn)]


def harmless(text: str) -> str:
    """``text`` as a spreadsheet cell that no program takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa (1960) of two raters; None without answers, or where chance alone agrees always."""
    if not pairs:
        return None
    total = len(pairs)
    left, right = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(count * right[answer] for answer, count in left.items()) / total**2
    return None if by_chance == 1 else (_agreement(pairs) - by_chance) / (1 - by_chance)


def _agreement(pairs: Sequence[tuple[str, str]]) -> float:
    return sum(one == other for one, other in pairs) / len(pairs)


def calibration(
    labels: Iterable[Label], rules: Mapping[str, str], former: Mapping[str, str], version: str, before: str
) -> list[dict[str, Any]]:
    """The rows of ``Calibration``.

    Args:
        labels: one per complaint and labeller; those of unknown complaints do not count.
        rules: category of each complaint under the active rules.
        former: the same under the rules before, as far as they classified it.
        version: of the active rules.
        before: of the former rules; "" = none.

    Active and former rules are compared on the labels that both have an answer for, if there are any.
    """
    known = sorted(label for label in labels if label[0] in rules)
    pairs = [(category, rules[one]) for one, _, category in known]
    rows = [_compared("rules", version, pairs)]
    if before:
        both = [(category, one) for one, _, category in known if one in former]
        rows.append(_compared("former_rules", before, [(category, former[one]) for category, one in both]))
        rows.append(_compared("rules_beside_former", version, [(category, rules[one]) for category, one in both]))
    by_labeller: dict[str, dict[str, str]] = defaultdict(dict)
    for one, labeller, category in known:
        by_labeller[labeller][one] = category
    for labeller, said in sorted(by_labeller.items()):
        rows.append(_compared("labeller", labeller, [(category, rules[one]) for one, category in said.items()]))
    for left, right in combinations(sorted(by_labeller), 2):
        shared = by_labeller[left].keys() & by_labeller[right].keys()
        answers = [(by_labeller[left][one], by_labeller[right][one]) for one in sorted(shared)]
        rows.append(_compared("labellers", f"{left} + {right}", answers))
    people, found = Counter(category for category, _ in pairs), Counter(category for _, category in pairs)
    right_ones = Counter(one for one, other in pairs if one == other)
    for category in sorted(people.keys() | found.keys()):
        rows.append(
            {
                **_row("category", category, people[category]),
                "precision": right_ones[category] / found[category] if found[category] else None,
                "recall": right_ones[category] / people[category] if people[category] else None,
            }
        )
    return rows


def _row(scope: str, name: str, labels: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("agreement", "kappa", "precision", "recall"))
    return {"scope": scope, "name": name, "labels": labels, **nothing}


def _compared(scope: str, name: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    agreement = _agreement(pairs) if pairs else None
    return {**_row(scope, name, len(pairs)), "agreement": agreement, "kappa": kappa(pairs)}


def too_low(rows: Iterable[Mapping[str, Any]], floor: float, drop: float) -> tuple[bool, bool]:
    """Whether kappa of the active rules is below ``floor``, and whether more than ``drop`` below the former's.

    Fewer than ``LEAST`` labels judge nothing.
    """
    values = {row["scope"]: row["kappa"] for row in rows if row["labels"] >= LEAST and row["kappa"] is not None}
    now, beside = values.get("rules"), values.get("rules_beside_former")
    before = values.get("former_rules")
    dropped = beside is not None and before is not None and beside < before - drop
    return now is not None and now < floor, dropped
