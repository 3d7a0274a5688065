"""The promises of the metrics: each is what its meaning says, and no part of the house has figures of its own."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaint_assets.logic.marts.marts import figures, restatements
from complaint_assets.logic.marts.metric_rows import Slice
from complaint_assets.logic.marts.metrics import DIMENSIONS, PEOPLE
from complaint_assets.logic.report.figures import Asking
from complaint_assets.logic.surges.calendar import Calendar
from complaint_assets.metrics import MetricError, load_metrics
from complaint_assets.roles import load_roles
from complaint_assets.schemas.standardised import Intake
from complaint_assets.schemas.surges import Surges
from complaint_assets.schemas.types import CHANNELS, arrow_schema
from complaint_assets.schemas.warehouse import ComplaintFacts

METRICS = load_metrics()
NAMES = ("complaints", "complainants", "repeats", "negative", "with_sentiment", "resolved")
DAY = date(2026, 11, 10)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = Slice.days(DAY, DAY + timedelta(days=6))
SUBSCRIBERS = {date.min: {"NG-LA": 200_000.0, "NG-KN": 50_000.0}}


def fact(number: int, **changes: Any) -> dict[str, Any]:
    """A complaint about billing in Lagos at noon; ``changes`` are columns."""
    row = {
        "complaint_id": f"c{number:025}",
        "subject_id": f"s{number:025}",
        "occurred_at": NOON,
        "channel": "sms",
        "source": "gateway",
        "contact_class": "complaint",
        "is_complaint": True,
        "domain": "money",
        "category": "billing",
        "subcategory": None,
        "region": "NG-LA",
        "language": "en",
        "sentiment": None,
        "severity": 2,
        "rating": None,
        "is_repeat": False,
        "is_amplification": False,
        "content_cluster": None,
        "resolution_status": None,
        "resolved_at": None,
        "deliveries": 1,
        "taxonomy_version": "1.0.0",
        **changes,
    }
    at = row["occurred_at"]
    return {
        "event_date": at.date(),
        "event_hour": at.replace(minute=0, second=0, microsecond=0),
        "received_at": at + timedelta(minutes=1),
        **row,
    }


@pytest.fixture(scope="module")
def engine() -> Iterator[ibis.BaseBackend]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


def table(engine: ibis.BaseBackend, rows: list[dict[str, Any]], model: Any = ComplaintFacts) -> ibis.Table:
    engine.con.register("given_rows", pa.Table.from_pylist(rows, schema=arrow_schema(model)))
    return engine.table("given_rows")


def value(engine: ibis.BaseBackend, name: str, rows: list[dict[str, Any]], asked: Slice = WEEK) -> Any:
    """The metric over all ``rows``."""
    found = METRICS.answer(name, table(engine, rows), asked, [], SUBSCRIBERS).to_pyarrow().to_pylist()
    assert len(found) == 1
    return found[0][name]


def test_reposts_and_praise_are_no_complaints_and_only_praise_is_a_contact(engine: ibis.BaseBackend) -> None:
    rows = [
        fact(1),
        fact(2, is_complaint=False, contact_class="praise"),
        fact(3, is_complaint=False, is_amplification=True),
    ]
    assert (value(engine, "complaints", rows), value(engine, "contacts", rows)) == (1, 2)


def test_people_are_counted_once_and_the_unknown_one_by_one(engine: ibis.BaseBackend) -> None:
    rows = [
        fact(1, subject_id="a" * 26),
        fact(2, subject_id="a" * 26),
        *(fact(n, subject_id=None) for n in (3, 4)),
    ]
    assert value(engine, "complainants", rows) == 3


def test_negative_share_leaves_unmeasured_texts_out_and_tells_how_many_were_measured(
    engine: ibis.BaseBackend,
) -> None:
    rows = [fact(1, sentiment=-0.05), fact(2, sentiment=-0.0499), fact(3), fact(4)]
    (row,) = METRICS.answer("negative_share", table(engine, rows), WEEK, []).to_pyarrow().to_pylist()
    assert (row["negative_share"], row["with_sentiment"], row["sentiment_coverage"]) == (0.5, 2, 0.5)


def test_rate_takes_complaints_and_subscribers_of_the_same_regions(engine: ibis.BaseBackend) -> None:
    rows = [fact(1), fact(2), fact(3, region="NG-KN"), fact(4, region="unknown")]
    assert value(engine, "complaints_per_100k", rows) == 1.2  # 3 of 250,000; nobody knows whose the fourth is
    by_region = METRICS.answer("complaints_per_100k", table(engine, rows), WEEK, ["region"], SUBSCRIBERS)
    found = {row["region"]: row["complaints_per_100k"] for row in by_region.to_pyarrow().to_pylist()}
    assert found == {"NG-LA": 1.0, "NG-KN": 2.0}


def test_rate_takes_the_subscribers_of_the_month_of_each_row_or_of_the_last_day(engine: ibis.BaseBackend) -> None:
    months = {"NG-LA": {"2026-10": 100_000, "2026-11": 200_000}, "NG-KN": {"2026-11": 50_000}, "NG-OY": 10}
    known = Calendar.of({"subscribers": months}).subscribers
    days = [datetime(2026, month, 10, tzinfo=UTC) for month in (9, 10, 11, 12)]
    rows = [fact(n, occurred_at=day) for n, day in enumerate(days)]
    asked = Slice.days(date(2026, 9, 1), date(2026, 12, 31), filters={"region": ("NG-LA",)})

    def told(*by: str) -> list[Any]:
        found = (
            METRICS.answer("complaints_per_100k", table(engine, rows), asked, by, known).to_pyarrow().to_pylist()
        )
        return [row["complaints_per_100k"] for row in found]

    # September comes before all that is known, December after it: the first and the last known number hold.
    assert told("month") == told("event_date", "region") == told("region", "month") == [1.0, 1.0, 0.5, 0.5]
    assert told() == told("region") == [2.0]  # 4 complaints of the 200,000 of December


def test_a_repeat_is_the_same_subject_on_the_same_category_within_the_days_also_from_before_the_period(
    engine: ibis.BaseBackend,
) -> None:
    who = {"subject_id": "a" * 26}
    rows = [
        fact(1, **who, occurred_at=NOON - timedelta(days=7)),  # before the period
        fact(2, **who),  # exactly 7 days later
        fact(3, **who, category="network"),
        fact(4, **who, occurred_at=NOON + timedelta(days=1), is_complaint=False),
        fact(5, subject_id=None),
        fact(6),
        fact(7, subject_id="s" + "0" * 24 + "6", occurred_at=NOON - timedelta(days=20)),  # before that of 6
    ]
    assert value(engine, "repeat_rate_7d", rows) == round(1 / 3, 4)
    assert value(engine, "repeat_rate_30d", rows) == round(2 / 3, 4)


def test_a_complaint_after_its_matter_was_resolved_reopens_it(engine: ibis.BaseBackend) -> None:
    who = {"subject_id": "a" * 26}
    rows = [
        fact(1, **who, resolved_at=NOON + HOUR, resolution_status="resolved"),
        fact(2, **who, occurred_at=NOON + 2 * HOUR),
        fact(3, **who, occurred_at=NOON + 3 * HOUR),  # the one before was not resolved
    ]
    assert value(engine, "reopened", rows) == 1


def test_time_to_resolve_and_its_limits_count_resolved_complaints_only(engine: ibis.BaseBackend) -> None:
    hours = [1, 2, 3, 4, 25]  # the limit of billing is 24
    rows = [fact(n, resolved_at=NOON + h * HOUR, resolution_status="closed") for n, h in enumerate(hours)] + [
        fact(9)
    ]
    assert value(engine, "median_hours_to_resolve", rows) == 3
    assert value(engine, "p80_hours_to_resolve", rows) == 8.2  # 4 + 0.2 * 21: linear between the 4th and the 5th
    assert value(engine, "within_limit_share", rows) == 0.8
    assert (value(engine, "resolved", rows), value(engine, "resolved_beyond_limit", rows)) == (5, 1)


def test_backlog_is_what_was_open_at_the_end_by_age(engine: ibis.BaseBackend) -> None:
    told = {"resolution_status": "resolved"}
    rows = [
        fact(1, resolution_status="open"),
        fact(2, **told, resolved_at=NOON + HOUR),  # resolved before the end
        fact(3, **told, resolved_at=WEEK.end + HOUR),  # after it
        fact(4, resolution_status="pending", occurred_at=WEEK.end - HOUR),
        fact(5, resolution_status="open", occurred_at=WEEK.end + HOUR),  # happened after it
        fact(6),  # its source does not tell
        fact(7, resolution_status="open", occurred_at=NOON - timedelta(days=60)),
    ]
    found = METRICS.answer("backlog_ageing", table(engine, rows), WEEK).to_pyarrow().to_pylist()
    assert {row["age"]: row["backlog_ageing"] for row in found} == {"00-01 d": 1, "03-07 d": 2, "30+ d": 1}
    assert value(engine, "open_backlog", rows) == 4


def test_an_answer_as_of_a_moment_knows_nothing_of_what_came_later(engine: ibis.BaseBackend) -> None:
    rows = [
        fact(1, resolved_at=NOON + 3 * HOUR, resolution_status="resolved"),
        fact(2, received_at=NOON + 2 * HOUR),
    ]
    then = Slice.days(DAY, DAY, known_by=NOON + HOUR)
    assert [value(engine, name, rows, then) for name in ("complaints", "resolved", "open_backlog")] == [1, 0, 1]


def test_surge_minutes_are_those_within_the_period(engine: ibis.BaseBackend) -> None:
    blank = {field.name: [] if pa.types.is_list(field.type) else None for field in arrow_schema(Surges)}
    surges = [
        {**blank, "started_at": WEEK.start - HOUR, "last_hour_at": WEEK.start + HOUR},  # 2 hours within
        {**blank, "started_at": WEEK.end - HOUR, "last_hour_at": WEEK.end + 5 * HOUR},  # 1 hour within
        {**blank, "started_at": WEEK.end, "last_hour_at": WEEK.end},
    ]
    rows = table(engine, surges, Surges)
    assert METRICS.answer("surge_minutes", rows, WEEK, []).to_pyarrow().to_pylist() == [{"surge_minutes": 180}]


def test_quarantine_rate_is_of_the_records_that_arrived_in_the_period(engine: ibis.BaseBackend) -> None:
    blank = {field.name: None for field in arrow_schema(Intake)}
    objects = [
        {**blank, "channel": "sms", "slot": "2026-11-10T06", "records_in": 90, "quarantined": 1},
        {**blank, "channel": "survey", "slot": "2026-11-16", "records_in": 10, "quarantined": 1},
        {**blank, "channel": "sms", "slot": "2026-11-17T00", "records_in": 10, "quarantined": 10},
    ]
    rows = table(engine, objects, Intake)
    found = METRICS.answer("quarantine_rate", rows, WEEK, []).to_pyarrow().to_pylist()
    assert found == [{"quarantine_rate": 0.02}]


def test_arrival_times_and_duplicates_are_those_of_every_contact(engine: ibis.BaseBackend) -> None:
    late = {"received_at": NOON + timedelta(minutes=41)}
    rows = [
        fact(1, deliveries=3),
        fact(2, **late),
        fact(3, received_at=NOON - HOUR),
    ]  # 1, 41 and, a clock ahead, 0
    assert (value(engine, "deliveries", rows), value(engine, "duplicates", rows)) == (5, 2)
    assert value(engine, "median_minutes_to_arrive", rows) == 1.0
    assert value(engine, "p95_minutes_to_arrive", rows) == 37.0  # 90 % of the way from 1 to 41


def test_positive_begins_at_the_threshold(engine: ibis.BaseBackend) -> None:
    rows = [fact(1, sentiment=0.05), fact(2, sentiment=0.0499), fact(3), fact(4, sentiment=-0.9)]
    assert value(engine, "positive", rows) == 1


def test_freshness_runs_from_the_last_arrival_to_the_moment_of_asking(engine: ibis.BaseBackend) -> None:
    asked = Slice.days(DAY, DAY, now=NOON + timedelta(hours=2, minutes=1))
    assert value(engine, "freshness_hours", [fact(1), fact(2, occurred_at=NOON - HOUR)], asked) == 2.0


def test_shares_of_all_groups_add_up_to_one(engine: ibis.BaseBackend) -> None:
    rows = [fact(1), fact(2), fact(3), fact(4, category="network")]
    found = METRICS.answer("category_share", table(engine, rows), WEEK).to_pyarrow().to_pylist()
    assert {row["category"]: row["category_share"] for row in found} == {"billing": 0.75, "network": 0.25}


FACTS = st.lists(
    st.builds(
        lambda number, who, **changes: {**changes, "subject_id": who and f"{who:026}"},
        number=st.integers(0, 9),
        who=st.one_of(st.none(), st.integers(1, 12)),
        occurred_at=st.integers(0, 6 * 24 - 1).map(lambda hour: WEEK.start + hour * HOUR),
        region=st.sampled_from(["NG-LA", "NG-KN", "unknown"]),
        category=st.sampled_from(["billing", "network", "other"]),
        channel=st.sampled_from(CHANNELS[:3]),
        sentiment=st.sampled_from([None, -0.8, 0.0, 0.7]),
        severity=st.integers(1, 5),
        is_amplification=st.booleans(),
        resolution_status=st.sampled_from([None, "open", "resolved"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=15, deadline=None)
@given(drawn=FACTS, by=st.lists(st.sampled_from(["region", "category", "channel", "event_date"]), unique=True))
def test_mart_report_and_answer_give_the_same_number(
    engine: ibis.BaseBackend, drawn: list[dict[str, Any]], by: list[str]
) -> None:
    rows = [fact(n, **one, is_complaint=not one["is_amplification"]) for n, one in enumerate(drawn)]
    facts = table(engine, rows)
    asking = Asking(
        role=load_roles()["operations"], end=WEEK.end, metrics=METRICS, facts=facts, hourly=facts, closing_hours=6
    )
    told = asking.told(NAMES, [], WEEK)
    for name in NAMES:
        assert METRICS.answer(name, facts, WEEK, []).to_pyarrow()[name].to_pylist() == told[name].tolist()
    by = by or ["region"]
    mart = figures(METRICS, facts, by, NAMES, WEEK.end).to_pyarrow().to_pylist()
    for name in NAMES:
        cells = METRICS.answer(name, facts, WEEK, by).to_pyarrow().to_pylist()
        answered = {tuple(row[key] for key in by): row[name] for row in cells}
        published = {tuple(row[key] for key in by): row[name] for row in mart}
        # A group of nothing but reposts has an answer, 0, and no row in a mart.
        assert published == {key: n for key, n in answered.items() if key in published}
        assert not any(n for key, n in answered.items() if key not in published)


@settings(max_examples=15, deadline=None)
@given(drawn=FACTS)
def test_no_published_cell_tells_of_fewer_people_than_allowed(
    engine: ibis.BaseBackend, drawn: list[dict[str, Any]]
) -> None:
    rows = [fact(n, **one, is_complaint=not one["is_amplification"] and n % 3 > 0) for n, one in enumerate(drawn)]
    by = ["channel", "category", "region"]
    names = ["contacts", "complainants"]
    merged = figures(METRICS, table(engine, rows), by, names, WEEK.end, small_cell=5).to_pyarrow().to_pylist()
    plain = sum(not row["is_amplification"] for row in rows)
    assert all(row["contacts"] is None or row["contacts"] >= 5 for row in merged)
    assert all(row["complainants"] in (None, 0) or row["complainants"] >= 5 for row in merged)
    assert sum(row["contacts"] or 0 for row in merged) <= plain


@pytest.mark.parametrize(("complained", "others", "told"), [(5, 0, 5), (4, 9, None), (0, 5, 0), (0, 4, None)])
def test_a_cell_is_told_by_five_who_complained_or_if_nobody_did_by_five_who_made_contact(
    engine: ibis.BaseBackend, complained: int, others: int, told: int | None
) -> None:
    rows = [fact(n, is_complaint=n < complained) for n in range(complained + others)]
    found = figures(METRICS, table(engine, rows), ["channel"], ["complaints"], WEEK.end, small_cell=5)
    assert found.to_pyarrow()["complaints"].to_pylist() == [told]


def test_behind_figures_of_complaints_stand_those_who_complained_and_not_all_who_made_contact(
    engine: ibis.BaseBackend,
) -> None:
    rows = [*(fact(n, is_complaint=n < 3, sentiment=-0.9 if n == 0 else 0.0) for n in range(8))]

    def people(name: str) -> int:
        (row,) = METRICS.answer(name, table(engine, rows), WEEK, []).to_pyarrow().to_pylist()
        return int(row[PEOPLE])

    told = {
        name: people(name)
        for name in ("contacts", "channel_mix", "complaints", "negative_share", "category_share")
    }
    assert told == {"contacts": 8, "channel_mix": 8, "complaints": 3, "negative_share": 3, "category_share": 3}


def test_a_day_is_restated_by_what_arrives_after_it_was_closed(engine: ibis.BaseBackend) -> None:
    closed = datetime(2026, 11, 11, 6, tzinfo=UTC)
    rows = [
        fact(1, received_at=closed - timedelta(seconds=1)),
        fact(2, received_at=closed),
        fact(3, received_at=closed + timedelta(days=2), is_complaint=False),
    ]
    found = restatements(table(engine, rows), WEEK.end, 6).to_pyarrow().to_pylist()
    assert sorted((row["restated_on"].day, row["contacts"], row["complaints"]) for row in found) == [
        (11, 1, 1),
        (13, 1, 0),
    ]
    hidden = restatements(table(engine, rows), WEEK.end, 6, small_cell=5).to_pyarrow().to_pylist()
    assert {(row["restated_on"].day, row["contacts"]) for row in hidden} == {(11, None), (13, None)}


def test_every_metric_answers_by_every_dimension_of_its_rows(engine: ibis.BaseBackend) -> None:
    empty = {
        "facts": table(engine, [fact(1)]),
        "surges": ibis.memtable(arrow_schema(Surges).empty_table()),
        "intake": ibis.memtable(arrow_schema(Intake).empty_table()),
    }
    empty["backlog"] = empty["facts"]
    for name, metric in METRICS.metrics.items():
        answer = METRICS.answer(name, empty[metric.of], WEEK, DIMENSIONS[metric.of], SUBSCRIBERS)
        assert [name, *metric.beside] == [column for column in answer.columns if column in METRICS.metrics]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("formula: {share: complaints}", "formula: {share: complainants}", "category_share: complainants"),
        ("where: [complaint, measured]", "where: [complaint, measurd]", "with_sentiment: no condition measurd"),
        ("good: lower", "good: worse", "'worse' is not one of"),
    ],
)
def test_a_wrong_definition_is_refused_by_name(tmp_path: Any, old: str, new: str, told: str) -> None:
    from complaint_assets.metrics import BUILT_IN

    text = (BUILT_IN / "metrics.yaml").read_text()
    assert old in text
    (tmp_path / "metrics.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(MetricError, match=told):
        load_metrics(tmp_path / "metrics.yaml")
