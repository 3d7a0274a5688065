"""The promises of regulators' tables: their codes, their idea of a complaint, and no figure of few people."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import ibis
import pytest

from complaint_assets.logic.enriched.rules import Category
from complaint_assets.logic.marts.metric_rows import Slice
from complaint_assets.logic.marts.regulator import FORMS, regulator_rows
from complaint_assets.metrics import load_metrics
from complaint_assets_tests.logic.test_metrics import DAY, HOUR, NOON, fact, table

CODES = {"trai": "billing", "acma": "billing_charges", "ofcom": "billing_pricing"}
CATEGORIES = {
    "billing": Category("billing", "money", False, 2.0, {"overcharge": {"ncc": "A1"}}, {"ncc": "A", **CODES}),
    "network": Category("network", "connectivity", True, 3.0, {}, {"ncc": "C", "trai": "faults_network"}),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[ibis.BaseBackend]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


def told(engine: ibis.BaseBackend, regulator: str, facts: list[dict[str, Any]], k: int = 0) -> dict[str, Any]:
    asked = Slice.days(DAY, DAY)
    given = regulator_rows(regulator, load_metrics(), table(engine, facts), asked, CATEGORIES, 200_000.0, k)
    assert all(list(row) == ["code", *FORMS[regulator].columns] for row in given)
    assert given[-1]["code"] == "all"
    return {row.pop("code"): row for row in given}


def resolved(number: int, hours: float, **more: Any) -> dict[str, Any]:
    return fact(number, resolution_status="resolved", resolved_at=NOON + hours * HOUR, **more)


FACTS = [
    resolved(1, 10, subcategory="overcharge"),  # within the 24 hours of billing
    resolved(2, 30),  # beyond
    fact(3, category="network", contact_class="fault_report"),
    fact(4, category="fraud"),
]


def test_ncc_counts_by_its_finest_code_and_within_and_beyond_limits(engine: ibis.BaseBackend) -> None:
    rows = told(engine, "ncc", FACTS)
    assert set(rows) == {"A1", "A", "C", "uncoded", "all"}
    assert rows["A1"] == {
        "complaints": 1,
        "resolved": 1,
        "within_limit": 1,
        "beyond_limit": 0,
        "within_limit_share": 1.0,
    }
    assert rows["all"] == {
        "complaints": 4,
        "resolved": 2,
        "within_limit": 1,
        "beyond_limit": 1,
        "within_limit_share": 0.5,
    }


def test_acma_leaves_first_fault_reports_out_and_tells_the_days_for_80_percent(engine: ibis.BaseBackend) -> None:
    rows = told(engine, "acma", FACTS)
    assert rows["all"] == {
        "complaints": 3,
        "resolved": 2,
        "days_to_80_percent": round(26 / 24, 2),
        "per_10k": 0.15,
    }
    assert "faults" not in rows


def test_ofcom_shares_add_up_and_rates_are_per_100000(engine: ibis.BaseBackend) -> None:
    rows = told(engine, "ofcom", FACTS)
    assert (rows["billing_pricing"]["share"], rows["billing_pricing"]["per_100k"]) == (round(2 / 3, 4), 1.0)
    assert rows["all"]["share"] == 1


def test_trai_brings_forward_what_was_pending_before(engine: ibis.BaseBackend) -> None:
    day = timedelta(days=1)
    rows = told(
        engine,
        "trai",
        [
            fact(1, occurred_at=NOON - day, resolution_status="open"),  # pending before and after
            fact(2, occurred_at=NOON - day, resolution_status="resolved", resolved_at=NOON),  # pending before
            fact(3, resolution_status="pending"),
            resolved(4, 1),
        ],
    )["billing"]
    assert rows == {"pending_before": 2, "complaints": 2, "within_limit": 1, "beyond_limit": 0, "pending": 2}


def test_codes_of_few_people_have_no_figures(engine: ibis.BaseBackend) -> None:
    many = [fact(100 + n, category="network") for n in range(9)]
    rows = told(engine, "ncc", [*FACTS, *many], k=5)
    # A, A1 and uncoded have a person each: the next larger code, C, is withheld with them.
    assert {code for code, row in rows.items() if row["complaints"] is None} == {"A", "A1", "uncoded", "C"}
    assert rows["all"]["complaints"] == 13
