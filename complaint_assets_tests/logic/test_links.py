"""A repeat is of the same customer and matter and looks back only; links equal their definition in any order."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from complaint_assets.logic.complaints.links import CONTACT, link_repeats, of_same_customers

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
SCHEMA = pa.schema(
    {
        "complaint_id": pa.string(),
        "subject_id": pa.string(),
        "subject_refs": pa.list_(pa.string()),
        "category": pa.string(),
        "occurred_at": pa.timestamp("us", tz="UTC"),
        "is_amplification": pa.bool_(),
        "text": pa.string(),
    }
)
ADA, OBI, UCHE = (name.rjust(26, "a") for name in ("ada", "obi", "uche"))


def contact(ident: str, hours: float, **given_columns: Any) -> dict[str, Any]:
    return {
        "complaint_id": ident,
        "subject_id": ADA,
        "subject_refs": [],
        "category": "network",
        "occurred_at": NOON + timedelta(hours=hours),
        "is_amplification": False,
        "text": None,
    } | given_columns


def form(ident: str, hours: float, phone: str, email: str, **given_columns: Any) -> dict[str, Any]:
    """A contact whose record names a phone and an e-mail address."""
    return contact(
        ident, hours, subject_id=phone, subject_refs=[f"email:{email}", f"phone:{phone}"], **given_columns
    )


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA).select(CONTACT)


def repeats(rows: list[dict[str, Any]], window_hours: int = 24, most_partners: int = 5) -> dict[str, str]:
    found = link_repeats(table(rows), window_hours, most_partners).to_pylist()
    assert len(found) == len({row["complaint_id"] for row in found})
    return {row["complaint_id"]: row["repeat_of"] for row in found}


def test_a_repeat_points_to_the_nearest_earlier_contact_within_the_window() -> None:
    rows = [contact("a", 0), contact("b", 5), contact("c", 29), contact("d", 53.001)]
    assert repeats(rows) == {"b": "a", "c": "b"}
    assert repeats(rows, window_hours=4) == {}


def test_other_subjects_other_matters_and_reposts_are_no_repeats() -> None:
    rows = [
        contact("a", 0),
        contact("b", 1, subject_id=OBI),
        contact("c", 2, category="billing"),
        contact("d", 3, is_amplification=True),
        contact("e", 4, subject_id=None),
        contact("f", 5, subject_id=None),
        contact("g", 6),
    ]
    assert repeats(rows) == {"g": "a"}


def test_contacts_of_one_instant_are_linked_one_way() -> None:
    assert repeats([contact("b", 0), contact("a", 0)]) == {"b": "a"}


def test_nearly_the_same_words_are_the_same_matter_whatever_the_category() -> None:
    said = "My data bundle finished in one day, please help"
    rows = [
        contact("a", 0, category="data", text=said),
        contact("b", 1, category="other", text="My data bundle FINISHED in one day,  please help!!"),
        contact("c", 2, category="billing", text="why was I charged twice for the same month?"),
        contact("d", 3, subject_id=OBI, category="voice", text=said),
        contact("e", 30, category="care", text=said),
    ]
    assert repeats(rows) == {"b": "a"}


def test_the_bar_for_the_same_words_is_a_ratio_of_85() -> None:
    # Indel ratio of texts of 20 that share 17 in order: 2 * 17 / 40 = 0.85; one letter less is below.
    ten = "abcdefghijklmnopq"
    at, below = ten + "rst", ten[:-1] + "wrst"
    rows = [contact("a", 0, category="x", text=ten + "uvw"), contact("b", 1, category="y", text=at)]
    assert fuzz.ratio(ten + "uvw", at) == 85
    assert repeats(rows) == {"b": "a"}
    rows[1]["text"] = below + "1"
    assert fuzz.ratio(ten + "uvw", below + "1") < 85
    assert repeats(rows) == {}


def test_a_form_links_the_message_before_it_to_the_mail_after_it() -> None:
    rows = [
        contact("sms", 0, subject_id=ADA),
        form("form", 1, phone=ADA, email=OBI),
        contact("mail", 2, subject_id=OBI),
        contact("stranger", 3, subject_id=UCHE),
    ]
    assert repeats(rows) == {"form": "sms", "mail": "form"}


def test_an_identifier_declared_beside_many_others_links_nobody() -> None:
    """The switchboard of a company stands in the forms of many people."""
    people = [f"p{n}".rjust(26, "a") for n in range(3)]
    rows = [form(f"f{n}", n, phone=ADA, email=person) for n, person in enumerate(people)]
    assert repeats(rows, most_partners=3) == {"f1": "f0", "f2": "f1"}
    assert repeats(rows, most_partners=2) == {}
    again = contact("again", 5, subject_id=people[0])  # a person's own address still links
    assert repeats([*rows, again], most_partners=2) == {"again": "f0"}


maybe_text = st.sampled_from([None, "no network here", "no network  HERE!", "charged twice again"])
drawn_contacts = st.lists(
    st.tuples(
        st.integers(0, 47),
        st.sampled_from([ADA, OBI, UCHE, None]),
        st.sampled_from([None, ADA, OBI]),
        st.sampled_from("nb"),
        st.booleans(),
        maybe_text,
    ),
    min_size=10,
    max_size=50,
)


def drawn(rows: list[Any]) -> list[dict[str, Any]]:
    return [
        form(f"{n:02}", hours, subject, other, category=category, is_amplification=repost, text=text)
        if subject and other and subject != other
        else contact(f"{n:02}", hours, subject_id=subject, category=category, is_amplification=repost, text=text)
        for n, (hours, subject, other, category, repost, text) in enumerate(rows)
    ]


def identities(row: dict[str, Any], rows: list[dict[str, Any]], most: int) -> set[str]:
    """By the definition: all identifiers of a contact but those that its day shows to be shared."""
    mine = {ref.split(":")[1] for ref in row["subject_refs"]} | ({row["subject_id"]} - {None})
    kept = set()
    for one in mine:
        partners = set()
        for other in rows:
            refs = {ref.split(":")[1] for ref in other["subject_refs"]}
            same_day = other["occurred_at"].date() == row["occurred_at"].date()
            if one in refs and same_day and not other["is_amplification"]:
                partners |= refs - {one}
        if len(partners) <= most:
            kept.add(one)
    return kept


@settings(max_examples=12, deadline=None)
@given(drawn_contacts, st.randoms(use_true_random=False), st.sampled_from([1, 5]))
def test_links_equal_the_definition_in_any_order(rows: list[Any], rnd: random.Random, most: int) -> None:
    contacts = drawn(rows)
    expected = {}
    for row in contacts:
        before = [
            other
            for other in contacts
            if not row["is_amplification"]
            and not other["is_amplification"]
            and (other["occurred_at"], other["complaint_id"]) < (row["occurred_at"], row["complaint_id"])
            and row["occurred_at"] - other["occurred_at"] <= timedelta(hours=24)
            and identities(row, contacts, most) & identities(other, contacts, most)
        ]
        matching = [
            (other["occurred_at"], other["complaint_id"])
            for other in before
            if other["category"] == row["category"]
            or (
                row["text"]
                and other["text"]
                # Only a few contacts back are compared by their words.
                and len(
                    [
                        x
                        for x in before
                        if (x["occurred_at"], x["complaint_id"]) >= (other["occurred_at"], other["complaint_id"])
                    ]
                )
                <= 4
                and fuzz.ratio(" ".join(row["text"].lower().split()), " ".join(other["text"].lower().split()))
                >= 85
            )
        ]
        if matching:
            expected[row["complaint_id"]] = max(matching)[1]
    rnd.shuffle(contacts)
    assert repeats(contacts, most_partners=most) == expected


@settings(max_examples=3, deadline=None)
@given(drawn_contacts)
def test_a_day_needs_itself_and_of_the_day_before_the_same_customers(rows: list[Any]) -> None:
    contacts = drawn(rows)
    everything = repeats(contacts, most_partners=1)
    for today in {row["occurred_at"].date() for row in contacts}:
        of_day = table([row for row in contacts if row["occurred_at"].date() == today])
        before = table([row for row in contacts if row["occurred_at"].date() == today - timedelta(days=1)])
        kept = before.filter(of_same_customers(before, of_day))
        found = repeats(pa.concat_tables([of_day, kept]).to_pylist(), most_partners=1)
        ids = set(of_day["complaint_id"].to_pylist())
        assert {k: v for k, v in found.items() if k in ids} == {k: v for k, v in everything.items() if k in ids}


def test_contacts_of_the_same_customers_are_found_by_any_identifier() -> None:
    today = table([contact("a", 24, subject_id=OBI), form("b", 24, phone=UCHE, email=ADA)])
    before = table(
        [
            contact("1", 0, subject_id=ADA),
            form("2", 0, phone="x" * 26, email=OBI),
            contact("3", 0, subject_id="y" * 26),
            contact("4", 0, subject_id=None),
        ]
    )
    assert of_same_customers(before, today).to_pylist() == [True, True, False, False]


@pytest.mark.parametrize("rows", [[], [contact("a", 0)]])
def test_nothing_to_link_gives_no_links(rows: list[dict[str, Any]]) -> None:
    assert repeats(rows) == {}
    assert of_same_customers(table(rows), table([])).to_pylist() == [False] * len(rows)
