"""Tables in the shape of regulators' forms, from the metrics and the taxonomy's external codes.

What each regulator asks for, and what of it is not covered, is told in ``docs/regulators.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import ibis

from complaint_assets.logic.enriched.rules import Category

from .metric_rows import Slice
from .metrics import PEOPLE, Metrics
from .roles import withheld

ALL = "all"
UNCODED = "uncoded"
_FIGURES = {
    "complaints": "complaints",
    "resolved": "resolved",
    "within_limit": "resolved_within_limit",
    "beyond_limit": "resolved_beyond_limit",
    "within_limit_share": "within_limit_share",
    "hours_to_80_percent": "p80_hours_to_resolve",
}
"""Columns of the forms and the metrics they hold."""


@dataclass(frozen=True)
class Form:
    """What a regulator's table holds: classes of contact that count as complaints there, and columns."""

    classes: tuple[str, ...]
    columns: tuple[str, ...]


_WITH_FAULTS = ("complaint", "fault_report")
FORMS: Mapping[str, Form] = {
    "ncc": Form(_WITH_FAULTS, ("complaints", "resolved", "within_limit", "beyond_limit", "within_limit_share")),
    "trai": Form(_WITH_FAULTS, ("pending_before", "complaints", "within_limit", "beyond_limit", "pending")),
    "acma": Form(("complaint",), ("complaints", "resolved", "days_to_80_percent", "per_10k")),
    "ofcom": Form(("complaint",), ("complaints", "share", "per_100k")),
}


def form(name: str) -> Form:
    """The form of the regulator ``name``.

    Raises:
        ValueError: there is none.
    """
    if name not in FORMS:
        raise ValueError(f"{name} has no form; there are {', '.join(FORMS)}")
    return FORMS[name]


def coded(rows: ibis.Table, regulator: str, categories: Mapping[str, Category]) -> ibis.Table:
    """``rows`` with the regulator's ``code``: that of the subcategory, else of the category."""
    branches = []
    for category in categories.values():
        for name, codes in category.subcategories.items():
            if regulator in codes:
                branches.append(((rows.category == category.name) & (rows.subcategory == name), codes[regulator]))
        if regulator in category.codes:
            branches.append((rows.category == category.name, category.codes[regulator]))
    return rows.mutate(code=ibis.cases(*branches, else_=UNCODED) if branches else ibis.literal(UNCODED))


def regulator_rows(
    regulator: str,
    metrics: Metrics,
    facts: ibis.Table,
    asked: Slice,
    categories: Mapping[str, Category],
    subscribers: float,
    small_cell: int,
) -> list[dict[str, Any]]:
    """The table of ``regulator`` for whole days: a row per code, by code, then one of all.

    Args:
        regulator: whose form.
        metrics: the definitions.
        facts: ``ComplaintFacts``.
        asked: the period.
        categories: of the taxonomy, with their codes.
        subscribers: of all regions; 0 = not known, then rates are null.
        small_cell: figures of codes with fewer people are null, and those of the next larger ones as needed.

    Raises:
        ValueError: there is no such form.
    """
    wanted = form(regulator)
    facts = facts.filter(facts.contact_class.isin(wanted.classes))
    needed = metrics.needed(_FIGURES.values()) | {"complainant"}
    before = replace(asked, end=asked.start, start=asked.start)
    rows = coded(metrics.rows_of("facts", facts, asked, needed), regulator, categories)
    pending = {
        name: coded(metrics.rows_of("backlog", facts, when, {"complainant"}), regulator, categories)
        for name, when in (("pending_before", before), ("pending", asked))
    }
    figures: dict[str, dict[str, Any]] = {}
    for table, names in ((rows, _FIGURES), *((part, {name: "open_backlog"}) for name, part in pending.items())):
        complaints = table.filter(table.is_complaint)
        cells = {column: metrics.measure(metric, complaints) for column, metric in names.items()}
        cells[PEOPLE] = complaints.complainant.nunique()
        for row in complaints.group_by("code").agg(**cells).to_pyarrow().to_pylist():
            own = figures.setdefault(row.pop("code"), {})
            own.update({**row, PEOPLE: max(row[PEOPLE], own.get(PEOPLE, 0))})
        whole = complaints.aggregate(**cells).to_pyarrow().to_pylist()[0]
        own = figures.setdefault(ALL, {})
        own.update({**whole, PEOPLE: max(whole[PEOPLE], own.get(PEOPLE, 0))})
    codes = sorted(figures.keys() - {ALL})
    hidden = [*withheld([figures[code][PEOPLE] for code in codes], small_cell)]
    hidden.append(0 < figures[ALL][PEOPLE] < small_cell)
    total = figures[ALL]["complaints"]
    return [
        {"code": code, **_columns(wanted, {} if hide else figures[code], 0 if hide else total, subscribers)}
        for code, hide in zip([*codes, ALL], hidden, strict=True)
    ]


def _columns(wanted: Form, found: Mapping[str, Any], total: int, subscribers: float) -> dict[str, Any]:
    """The columns of a form; nulls where nothing is ``found``."""
    if not found:
        return dict.fromkeys(wanted.columns)
    counts = ("complaints", "resolved", "within_limit", "beyond_limit", "pending_before", "pending")
    row = {**dict.fromkeys(counts, 0), **found}
    hours, complaints = row.get("hours_to_80_percent"), row["complaints"]
    row["days_to_80_percent"] = None if hours is None else round(hours / 24, 2)
    row["share"] = round(complaints / total, 4) if total else None
    row["per_100k"] = round(complaints * 100_000 / subscribers, 2) if subscribers else None
    row["per_10k"] = round(complaints * 10_000 / subscribers, 2) if subscribers else None
    return {name: row.get(name) for name in wanted.columns}
