"""Customers are what declared links join, in any order; shared identifiers join nobody."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from complaint_assets.logic.complaints.links_declared import declared_links, resolve
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.subjects import SubjectLinks, Subjects
from complaint_assets.schemas.types import arrow_schema, to_pandas

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
LINKS = arrow_schema(SubjectLinks)


def subject(name: object) -> str:
    return str(name).rjust(26, "a")


def complaint(ident: str, hours: float, *refs: str, source: str = "website") -> dict[str, Any]:
    return {
        "complaint_id": ident,
        "channel": "web_form",
        "source": source,
        "occurred_at": NOON + timedelta(hours=hours),
        "subject_refs": sorted(f"{ref.split(':')[0]}:{subject(ref.split(':')[1])}" for ref in refs),
    }


def links(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("complaint_id", "channel", "source", "occurred_at", "subject_refs")
    schema = pa.schema([arrow_schema(Complaints).field(name) for name in names])
    table = evaluate(declared_links, pa.Table.from_pylist(list(rows), schema=schema))
    table = table.select(LINKS.names).cast(LINKS)
    SubjectLinks.validate(to_pandas(table), lazy=True)
    return sorted(table.to_pylist(), key=lambda row: tuple(map(str, row.values())))


def customers(pairs: list[tuple[str, str]], most: int = 5) -> dict[str, str]:
    rows = [
        {
            "left": min(subject(a), subject(b)),
            "right": max(subject(a), subject(b)),
            "evidence": "email+phone",
            "source": "web_form/website",
            "first_at": NOON + timedelta(hours=n),
            "last_at": NOON + timedelta(days=9),
            "complaints": 1,
        }
        for n, (a, b) in enumerate(pairs)
    ]
    found = resolve(pa.Table.from_pylist(rows, schema=LINKS), most)
    assert found.schema.equals(arrow_schema(Subjects))
    Subjects.validate(to_pandas(found), lazy=True)
    return {row["subject_id"]: row["customer_id"] for row in found.to_pylist()}


def test_a_link_tells_evidence_source_validity_and_count() -> None:
    found = links(
        complaint("a", 5, "phone:p", "email:e"),
        complaint("b", 1, "phone:p", "email:e"),
        complaint("c", 9, "phone:p", "email:e", source="app"),
        complaint("d", 0, "phone:p"),
    )
    common = {"left": subject("e"), "right": subject("p"), "evidence": "email+phone"}
    assert found == [
        common
        | {
            "source": "web_form/app",
            "first_at": NOON + timedelta(hours=9),
            "last_at": NOON + timedelta(hours=9),
            "complaints": 1,
        },
        common
        | {
            "source": "web_form/website",
            "first_at": NOON + timedelta(hours=1),
            "last_at": NOON + timedelta(hours=5),
            "complaints": 2,
        },
    ]


def test_three_identifiers_in_one_record_are_three_links() -> None:
    found = links(complaint("a", 0, "phone:p", "email:e", "handle:h"))
    assert [(row["left"], row["right"], row["evidence"]) for row in found] == [
        (subject("e"), subject("h"), "email+handle"),
        (subject("e"), subject("p"), "email+phone"),
        (subject("h"), subject("p"), "handle+phone"),
    ]


def test_a_chain_of_links_is_one_customer_named_by_its_least_subject() -> None:
    found = customers([("d", "c"), ("c", "b"), ("x", "y")])
    assert found == {
        **dict.fromkeys(map(subject, "bcd"), subject("b")),
        **dict.fromkeys(map(subject, "xy"), subject("x")),
    }


def test_an_identifier_with_too_many_partners_links_nobody() -> None:
    pairs = [("line", f"p{n}") for n in range(4)] + [("p0", "q0")]
    assert len(set(customers(pairs, most=4).values())) == 1
    apart = customers(pairs, most=3)
    assert apart[subject("line")] == subject("line")
    assert apart[subject("q0")] == apart[subject("p0")] == subject("p0")
    assert len(set(apart.values())) == 5


def test_the_same_pair_shown_twice_is_one_partner() -> None:
    assert len(set(customers([("a", "b"), ("b", "a"), ("a", "b")], most=1).values())) == 1


def test_a_subject_tells_since_when_it_is_linked_and_how_many_belong_together() -> None:
    rows = [
        dict(zip(LINKS.names, (subject(a), subject(b), "email+phone", "s", at, at, 1), strict=True))
        for a, b, at in (("a", "b", NOON + timedelta(days=2)), ("b", "c", NOON), ("d", "e", NOON))
    ]
    found = {row["subject_id"]: row for row in resolve(pa.Table.from_pylist(rows, schema=LINKS), 5).to_pylist()}
    assert found[subject("a")]["linked_at"] == NOON + timedelta(days=2)
    assert found[subject("b")]["linked_at"] == NOON
    assert [found[subject(s)]["identifiers"] for s in "abcd"] == [3, 3, 3, 2]
    alone = resolve(pa.Table.from_pylist(rows[:2], schema=LINKS), 1).to_pylist()
    assert [(row["is_shared"], row["linked_at"]) for row in alone] == [(False, None), (True, None), (False, None)]


def test_no_links_make_no_customers() -> None:
    assert customers([]) == {}
    assert links(complaint("a", 0)) == []


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda p: p[0] != p[1]), max_size=20),
    st.randoms(use_true_random=False),
    st.integers(1, 4),
)
def test_customers_equal_the_definition_in_any_order(
    pairs: list[tuple[int, int]], rnd: random.Random, most: int
) -> None:
    named = [(f"{a:02}", f"{b:02}") for a, b in pairs]
    partners: dict[str, set[str]] = {}
    for a, b in named:
        partners.setdefault(a, set()).add(b)
        partners.setdefault(b, set()).add(a)
    owner = {name: name for name in partners}
    for _ in owner:  # as many rounds as the longest chain can need
        for a, b in named:
            if len(partners[a]) <= most and len(partners[b]) <= most:
                owner[a] = owner[b] = min(owner[a], owner[b])
    rnd.shuffle(named)
    assert customers(named, most) == {subject(name): subject(least) for name, least in owner.items()}
