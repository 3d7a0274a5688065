"""Features of customers know what was known then, and nothing that came later."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.marts.features import customer_features
from complaint_assets.schemas.marts import CustomerFeatures
from complaint_assets.schemas.types import CHANNELS, arrow_schema
from complaint_assets.schemas.validate import breaches
from complaint_assets.schemas.warehouse import ComplaintFacts

FACTS, FEATURES = arrow_schema(ComplaintFacts), arrow_schema(CustomerFeatures)
START = date(2026, 1, 1)


def fact(number: int, subject: str | None, day: int, **known: Any) -> dict[str, Any]:
    """A complaint of the ``day``-th day; ``closed`` is the day on which its matter was closed."""
    at = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
    closed = known.pop("closed", None)
    if closed is not None:
        known |= {"resolution_status": "resolved", "resolved_at": at + timedelta(days=closed - day)}
    return {
        **dict.fromkeys(FACTS.names),
        "complaint_id": f"{number:026}",
        "subject_id": subject and subject * 26,
        "event_date": at.date(),
        "event_hour": at,
        "occurred_at": at,
        "received_at": at,
        "channel": "sms",
        "source": "gateway",
        "contact_class": "complaint",
        "is_complaint": True,
        "domain": "connectivity",
        "category": "network",
        "region": "unknown",
        "language": "en",
        "severity": 2,
        "is_repeat": False,
        "is_amplification": False,
        "deliveries": 1,
        "taxonomy_version": "1.0.0",
        **known,
    }


def features(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = evaluate(customer_features, pa.Table.from_pylist(rows, schema=FACTS))
    table = found.select(FEATURES.names).cast(FEATURES)
    assert breaches(CustomerFeatures, table) == []
    return sorted(table.to_pylist(), key=lambda row: (row["subject_id"], row["event_date"]))


def as_known_on(rows: list[dict[str, Any]], day: date) -> list[dict[str, Any]]:
    """What the facts were at the end of ``day``: later contacts and later closings had not happened."""
    known = []
    for row in rows:
        if row["event_date"] > day:
            continue
        later = row["resolved_at"] is not None and row["resolved_at"].date() > day
        known.append({**row, "resolution_status": "open", "resolved_at": None} if later else row)
    return known


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for number in range(draw(st.integers(1, 12))):
        day = draw(st.integers(0, 130))
        state = draw(st.sampled_from(["none", "open", "closed"]))
        more: dict[str, Any] = {"open": {"resolution_status": "open"}}.get(state, {})
        if state == "closed":
            more = {"closed": day + draw(st.integers(0, 60))}
        rows.append(
            fact(
                number,
                draw(st.sampled_from(["a", "b", None])),
                day,
                channel=draw(st.sampled_from(CHANNELS)),
                category=draw(st.sampled_from(["network", "billing", "other"])),
                severity=draw(st.integers(1, 5)),
                sentiment=draw(st.none() | st.sampled_from([-0.9, -0.31, 0.0, 0.47])),
                is_repeat=draw(st.booleans()),
                is_complaint=draw(st.booleans()),
                is_amplification=draw(st.integers(0, 5)) == 0,
                **more,
            )
        )
    return rows


@settings(max_examples=12, deadline=None)
@given(histories(), st.integers(0, 130))
def test_rebuilding_the_past_with_what_is_known_today_changes_nothing(
    rows: list[dict[str, Any]], cut: int
) -> None:
    day = START + timedelta(days=cut)
    then = features(as_known_on(rows, day))
    assert [row for row in features(rows) if row["event_date"] <= day] == then


def test_every_feature_is_what_its_description_says() -> None:
    rows = [
        fact(0, "a", 0, channel="web_form", category="billing", severity=5, sentiment=0.6, closed=41),
        fact(1, "a", 35, sentiment=-0.2, is_repeat=True, resolution_status="open"),
        fact(2, "a", 41, channel="survey", sentiment=-0.4, is_complaint=False, contact_class="praise"),
        fact(3, "a", 41, is_amplification=True),
        fact(4, "a", 91, severity=3),
        fact(5, None, 91),
    ]
    told = features(rows)
    assert [row["event_date"] - START for row in told] == [timedelta(n) for n in (0, 35, 41, 91)]
    names = ("contacts_7d", "contacts_30d", "contacts_90d", "complaints_30d", "repeats_30d", "categories_90d")
    assert [[row[name] for name in names] for row in told] == [
        [1, 1, 1, 1, 0, 1],
        [1, 1, 2, 1, 1, 2],
        [2, 2, 3, 1, 1, 2],
        [1, 1, 3, 1, 0, 1],
    ]
    assert [row["worst_severity_90d"] for row in told] == [5, 5, 5, 3]
    assert [row["days_since_previous"] for row in told] == [None, 35, 6, 50]
    # The first is closed on day 41, at its end no longer open; the second never is.
    assert [row["open_matters"] for row in told] == [1, 2, 1, 1]
    assert [(row["web_form_90d"], row["sms_90d"], row["survey_90d"]) for row in told] == [
        (1, 0, 0),
        (1, 1, 0),
        (1, 1, 1),
        (0, 2, 1),
    ]
    assert [row["mean_sentiment_30d"] for row in told[:3]] == [0.6, -0.2, -0.3]
    # Day 35 looks at days 6 to 35 and -24 to 5; day 41 at 12 to 41 and -18 to 11; day 91 has no score lately.
    assert told[0]["sentiment_trend"] is None
    assert abs(told[1]["sentiment_trend"] - (-0.2 - 0.6)) < 1e-9
    assert abs(told[2]["sentiment_trend"] - (-0.3 - 0.6)) < 1e-9
    assert told[3]["sentiment_trend"] is None
    # complaints 10 each, repeats 10 each, 5 per step of severity, 10 for an open matter, 10 for a fall
    assert [row["churn_risk_score"] for row in told] == [10 + 20 + 10, 10 + 10 + 20 + 10 + 10, 60, 10 + 10 + 10]
