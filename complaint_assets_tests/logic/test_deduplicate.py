"""Complaints do not depend on the order or number of deliveries; only the same event is ever merged."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from complaint_assets.logic.complaints.deduplicate import merge_deliveries
from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.standardised import Standardised
from complaint_assets.schemas.types import arrow_schema, to_pandas

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
SCHEMA = arrow_schema(Standardised)


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    yield connection
    connection.disconnect()


def pseudonym(name: object) -> str:
    return str(name).rjust(26, "a")


def delivery(ident: object, complaint: object, **given_columns: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    row |= {
        "delivery_id": pseudonym(ident),
        "complaint_id": pseudonym(complaint),
        "channel": "sms",
        "source": "gateway",
        "record_version": 0,
        "slot": "2026-11-10T12",
        "arrival_date": date(2026, 11, 10),
        "object_sha256": "0" * 64,
        "byte_offset": 0,
        "byte_length": 1,
        "received_at": NOON,
        "occurred_at": NOON,
        "occurred_at_quality": "exact",
        "subject_refs": [],
        "is_amplification": False,
        "attributes": "{}",
        "quality_flags": [],
        "contract_version": "1",
    }
    row |= given_columns
    row["event_date"] = row["occurred_at"].date()
    return row


def merge(engine: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    deliveries = pa.Table.from_pylist(rows, schema=SCHEMA)
    merged = engine.to_pyarrow(merge_deliveries(ibis.memtable(deliveries)))
    return sorted(merged.to_pylist(), key=lambda row: row["complaint_id"])


def test_the_result_is_a_complaints_table(engine: Any) -> None:
    rows = [delivery(1, "x", text="no network"), delivery(2, "y", feed="a", quality_flags=["late"])]
    merged = engine.to_pyarrow(merge_deliveries(ibis.memtable(pa.Table.from_pylist(rows, schema=SCHEMA))))
    expected = arrow_schema(Complaints)
    assert [(field.name, field.type) for field in merged.schema] == [
        (field.name, field.type) for field in expected
    ]
    Complaints.validate(to_pandas(merged), lazy=True)


def test_a_redelivery_changes_the_count_and_the_times_of_arrival_only(engine: Any) -> None:
    first = delivery(1, "x", text="no network", author_ref=pseudonym("ada"), content_key=pseudonym("words"))
    again = first | {"delivery_id": pseudonym(2), "received_at": NOON + timedelta(hours=3)}
    [once], [twice] = merge(engine, [first]), merge(engine, [again, first])
    assert twice == once | {"deliveries": 2, "last_received_at": NOON + timedelta(hours=3)}


def test_the_highest_version_of_an_edited_message_wins_whenever_it_arrives(engine: Any) -> None:
    edited = delivery(
        1,
        "x",
        record_version=2,
        text="no network in Lekki",
        rating=1.0,
        resolution_status="closed",
        resolved_at=NOON,
    )
    old = delivery(
        2,
        "x",
        record_version=1,
        text="no netwrok",
        rating=3.0,
        place="Lagos",
        received_at=NOON + timedelta(hours=1),
    )
    [merged] = merge(engine, [edited, old])
    assert (merged["text"], merged["rating"], merged["record_version"]) == ("no network in Lekki", 1.0, 2)
    assert (merged["resolution_status"], merged["resolved_at"]) == ("closed", NOON)
    assert merged["place"] is None  # of the newest as a whole, not a mixture
    assert merged["first_delivery_id"] == pseudonym(1)


def test_of_equal_versions_the_last_to_arrive_is_the_newest(engine: Any) -> None:
    opened = delivery(2, "x", resolution_status="open")
    closed = delivery(1, "x", resolution_status="closed", received_at=NOON + timedelta(days=1))
    [merged] = merge(engine, [closed, opened])
    assert merged["resolution_status"] == "closed"


def test_times_flags_and_feeds_are_extremes_and_unions(engine: Any) -> None:
    late = delivery(1, "x", feed="b", quality_flags=["late", "no_author"], is_amplification=True)
    early = delivery(
        2,
        "x",
        feed="a",
        quality_flags=["late", "cut"],
        occurred_at=NOON - timedelta(days=1),
        occurred_at_quality="minute",
        received_at=NOON + timedelta(hours=1),
        author_ref=pseudonym("ada"),
    )
    plain = delivery(3, "x", received_at=NOON + timedelta(hours=2), is_amplification=True)
    [merged] = merge(engine, [late, early, plain])
    assert merged["feeds"] == ["a", "b"]
    assert merged["quality_flags"] == ["cut", "late", "no_author"]
    assert (merged["occurred_at"], merged["occurred_at_quality"]) == (NOON - timedelta(days=1), "minute")
    assert merged["event_date"] == date(2026, 11, 9)
    assert (merged["first_received_at"], merged["last_received_at"]) == (NOON, NOON + timedelta(hours=2))
    assert merged["subject_id"] == pseudonym("ada")
    assert merged["is_amplification"] is False


def test_same_words_by_different_people_are_never_merged(engine: Any) -> None:
    rows = [
        delivery(number, number, text="no network", content_key=pseudonym("words"), author_ref=pseudonym(number))
        for number in range(5)
    ]
    merged = merge(engine, rows)
    assert [row["complaint_id"] for row in merged] == [pseudonym(number) for number in range(5)]
    assert {row["content_cluster"] for row in merged} == {pseudonym("words")}


def test_nothing_gives_nothing(engine: Any) -> None:
    assert merge(engine, []) == []


maybe = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
deliveries = st.lists(
    st.fixed_dictionaries(
        {
            "complaint": st.sampled_from("xyz"),
            "record_version": st.integers(0, 2),
            "hours": st.integers(0, 3),
            "minutes": st.integers(0, 3),
            "text": maybe,
            "feed": maybe,
            "place": maybe,
            "author_ref": st.one_of(st.none(), st.sampled_from([pseudonym("ada"), pseudonym("obi")])),
            "is_amplification": st.booleans(),
            "rating": st.one_of(st.none(), st.sampled_from([1.0, 2.0])),
            "quality_flags": st.lists(st.sampled_from(["a", "b"]), unique=True),
            "occurred_at_quality": st.sampled_from(["exact", "minute"]),
        }
    ),
    max_size=30,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries, st.randoms(use_true_random=False))
def test_order_and_repetition_of_the_input_do_not_matter(
    engine: Any, drawn: list[dict[str, Any]], rnd: random.Random
) -> None:
    rows = []
    for number, each in enumerate(drawn):
        columns = dict(each)
        received = NOON + timedelta(hours=columns.pop("hours"))
        occurred = NOON - timedelta(minutes=columns.pop("minutes"))
        rows.append(
            delivery(number, columns.pop("complaint"), received_at=received, occurred_at=occurred, **columns)
        )
    shuffled = rows + rows[: len(rows) // 2]
    rnd.shuffle(shuffled)
    assert merge(engine, shuffled) == merge(engine, rows)
