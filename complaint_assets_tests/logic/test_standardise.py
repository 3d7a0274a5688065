"""Records to canonical columns: what each delivery becomes, which event it is, and what may not leak."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.contract import Contract, build_contract
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.raw.parse import Columns, Record, Refused, parse
from complaint_assets.logic.standardised.standardise import Origin, Standardising, standardise
from complaint_assets.schemas.standardised import Quarantine, Standardised
from complaint_assets.schemas.types import arrow_schema, to_pandas
from complaint_assets.vocabulary import load_masker
from complaint_assets_tests.logic.native_samples import (
    CSAT,
    SAMPLES,
    WEBSITE,
    jsonl,
    mastodon_post,
    sms_message,
    whatsapp_body,
    x_post,
)

CONTRACTS = load_contracts()
KEYS = Keys(b"a key for tests, 32 bytes long..")
MASKER = load_masker("analytic", "NG")
RECEIVED = datetime(2026, 11, 10, 18, tzinfo=UTC)
X, SMS, LOG = ("social", "x"), ("sms", "gateway"), ("call_centre", "contact_log")


def standardised(
    content: bytes, by: Contract, sha: str = "a" * 64, received: datetime = RECEIVED
) -> Standardising:
    origin = Origin(by.channel, by.source, "2026-11-10", sha, received)
    return standardise(parse(io.BytesIO(content), by), by, origin, KEYS, "NG", date(2013, 1, 1), MASKER)


def rows(key: tuple[str, str], content: bytes | None = None, **more: Any) -> list[dict[str, Any]]:
    result = standardised(SAMPLES[key] if content is None else content, CONTRACTS[key], **more)
    return result.deliveries.to_pylist()


def refusals(key: tuple[str, str], content: bytes | None = None) -> list[tuple[str, str | None]]:
    result = standardised(SAMPLES[key] if content is None else content, CONTRACTS[key])
    return [(row["reason"], row["field"]) for row in result.quarantine.to_pylist()]


def small(**keys: Any) -> Contract:
    """A contract for JSON lines with an id ``i``, a time ``t`` and what ``keys`` say."""
    base = {
        "channel": "survey",
        "source": "s",
        "version": "1.0",
        "description": "d",
        "owner": "team:t",
        "format": {"type": "jsonl"},
        "identity": {"record_id": ["i"]},
        "occurred_at": {"fields": ["t"]},
    }
    return build_contract({**base, **keys})


def one(by: Contract, **fields: Any) -> dict[str, Any]:
    """The one delivery of a record with ``fields``."""
    content = jsonl({"i": "1", "t": "2026-11-10T10:00:00Z", **fields})
    (row,) = standardised(content, by).deliveries.to_pylist()
    return row


def ids(result: Standardising) -> list[str]:
    return result.deliveries["complaint_id"].to_pylist()


@pytest.mark.parametrize("key", SAMPLES)
def test_every_source_gives_tables_that_its_models_accept(key: tuple[str, str]) -> None:
    by = CONTRACTS[key]
    result = standardised(SAMPLES[key], by)
    assert result.deliveries.schema.equals(arrow_schema(Standardised), check_metadata=True)
    assert result.quarantine.schema.equals(arrow_schema(Quarantine), check_metadata=True)
    assert result.deliveries.num_rows
    Standardised.validate(to_pandas(result.deliveries))
    Quarantine.validate(to_pandas(result.quarantine))
    entries = [e for e in parse(io.BytesIO(SAMPLES[key]), by) if not isinstance(e, Columns)]
    assert result.records_in == len(entries) == result.deliveries.num_rows + result.quarantine.num_rows
    assert all("new_field" not in row["quality_flags"] for row in result.deliveries.to_pylist())


def test_post() -> None:
    first, edited, repost = rows(X)
    assert first["occurred_at"] == datetime(2026, 11, 10, 6, 35, 12, tzinfo=UTC)
    assert (first["occurred_at_quality"], first["event_date"]) == ("exact", date(2026, 11, 10))
    assert first["place"] == "Lekki, Lagos"
    assert "08031234567" not in first["text"]
    assert "& fix it 😡" in first["text"]
    assert json.loads(first["attributes"])["data.lang"] == "en"
    assert "ada_o" not in str(first)
    assert "Ada Obi" not in str(first)
    assert edited["complaint_id"] == first["complaint_id"]
    assert edited["delivery_id"] != first["delivery_id"]
    assert (first["record_version"], edited["record_version"]) == (1, 2)
    assert [row["is_amplification"] for row in (first, edited, repost)] == [False, False, True]


def test_markup_edits_and_boosts_of_mastodon() -> None:
    first, edited, boost = rows(("social", "mastodon"))
    assert first["text"] == "Data is slow again\nin Yaba & Surulere\nPlease fix"
    assert first["complaint_id"] == edited["complaint_id"]
    assert edited["record_version"] > first["record_version"] == 0
    assert boost["is_amplification"]
    assert boost["text"] == "Slow"
    assert not first["is_amplification"]
    assert "tunde" not in str([first, edited, boost])


def test_one_phone_number_is_one_author_in_every_source_however_it_is_written() -> None:
    authors = {row["author_ref"] for row in rows(SMS)}
    authors |= {row["author_ref"] for row in rows(("whatsapp", "cloud_api"))}
    authors.add(rows(LOG)[0]["author_ref"])
    authors.add(rows(("web_form", "website"))[1]["author_ref"])
    authors.add(rows(("web_form", "app"))[1]["author_ref"])
    authors.add(rows(("survey", "csat"))[0]["author_ref"])
    authors.add(rows(("survey", "nps"))[0]["author_ref"])
    assert len(authors) == 1
    assert None not in authors


def test_the_same_handle_in_two_sources_is_two_authors() -> None:
    author = [{"field": "who", "kind": "handle"}]
    assert (
        one(small(author=author), who="ada")["author_ref"] == one(small(author=author), who="@Ada")["author_ref"]
    )
    other = small(author=author, source="other")
    assert one(small(author=author), who="ada")["author_ref"] != one(other, who="ada")["author_ref"]


def test_local_time_becomes_utc() -> None:
    assert rows(SMS)[0]["occurred_at"] == datetime(2026, 11, 10, 6, 35, 12, tzinfo=UTC)
    assert rows(("survey", "nps"))[0]["occurred_at"] == datetime(2026, 11, 10, 13, 35, 12, tzinfo=UTC)


def test_chat_messages_mask_the_sender_s_own_name() -> None:
    first, second = rows(("whatsapp", "cloud_api"))
    assert first["text"] == "No data"
    assert second["text"] == "[name] again: still no data"
    assert "Eze" not in str([first, second])


def test_case_log() -> None:
    first, second, third = rows(LOG)
    assert first["text"].startswith("Mr [name] was billed twice")
    assert (first["source_category"], first["resolution_status"]) == ("Billing > Refund", "resolved")
    assert first["resolved_at"] == datetime(2026, 11, 10, 15, tzinfo=UTC)
    assert (first["rating"], first["place"], first["occurred_at_quality"]) == (2.0, "Ikeja, Lagos", "minute")
    assert "Okafor" not in str(first)
    assert "Joy" not in str(first)
    assert (second["resolution_status"], second["resolved_at"], second["rating"]) == (None, None, None)
    assert second["quality_flags"] == ["unknown_status"]
    assert third["rating"] is None
    assert third["resolved_at"] is None
    assert third["quality_flags"] == ["invalid_rating", "invalid_resolved_at", "no_author"]
    assert refusals(LOG) == [("unparseable_time", "Opened"), ("malformed", None)]


def test_coordinates_of_forms() -> None:
    known, missing, wrong = rows(("web_form", "website"))
    assert (known["latitude"], known["longitude"]) == (7.38, 3.94)
    assert (missing["latitude"], missing["longitude"]) == (None, None)
    assert missing["quality_flags"] == ["missing_coordinates"]
    assert (wrong["latitude"], wrong["quality_flags"]) == (None, ["invalid_coordinates", "no_author"])
    assert missing["place"] is None
    app = rows(("web_form", "app"))
    assert (app[0]["latitude"], app[0]["text"], app[0]["rating"]) == (6.45, "Recharge\nCard failed", 1.0)
    assert app[1]["quality_flags"] == ["missing_field", "no_text"]


def test_ratings_are_mapped_to_one_scale() -> None:
    assert [row["rating"] for row in rows(("survey", "nps"))] == [1.0, 5.0]
    reverse = small(rating={"field": "r", "scale": [6, 1]})
    assert [one(reverse, r=value)["rating"] for value in (6, "1", 3.5, 0, "n/a", None)] == [
        1,
        5,
        3,
        None,
        None,
        None,
    ]
    assert "invalid_rating" in one(reverse, r=7)["quality_flags"]
    assert "invalid_rating" not in one(reverse, r=None)["quality_flags"]


@pytest.mark.parametrize("key", SAMPLES)
def test_a_file_delivered_again_is_the_same_complaints_in_new_deliveries(key: tuple[str, str]) -> None:
    once = standardised(SAMPLES[key], CONTRACTS[key])
    again = standardised(SAMPLES[key], CONTRACTS[key], sha="b" * 64, received=RECEIVED + timedelta(hours=3))
    assert ids(once) == ids(again)
    assert not {*once.deliveries["delivery_id"].to_pylist()} & {*again.deliveries["delivery_id"].to_pylist()}


def test_equal_rows_without_id_and_time_stay_separate_and_match_when_exported_again() -> None:
    by = small(identity={}, occurred_at={"otherwise": "2018-04-01"}, rating={"field": "r", "scale": [1, 5]})
    content = jsonl({"r": 5, "n": "x"}, {"r": 4, "n": "x"}, {"n": "x", "r": 5}, {"r": 5, "n": "x"})
    first = ids(standardised(content, by))
    assert len(set(first)) == 4
    shuffled = jsonl({"r": 4, "n": "x"}, {"r": 5, "n": "x"}, {"r": 5, "n": "x"}, {"r": 5, "n": "x"})
    assert set(ids(standardised(shuffled, by, sha="b" * 64))) == set(first)


def test_without_an_id_who_said_what_when_is_the_event() -> None:
    by = small(identity={}, text={"fields": ["x"]}, author=[{"field": "p", "kind": "phone"}])
    post = {"t": "2026-11-10T10:00:00Z", "p": "08031234567", "x": "No  Network", "extra": 1}
    same = [post, {**post, "p": "+234 803 123 4567"}, {**post, "x": "no network"}, {**post, "extra": 2}]
    assert len(set(ids(standardised(jsonl(*same), by)))) == 1
    other = [{**post, "p": "08031234568"}, {**post, "x": "No data"}, {**post, "t": "2026-11-10T10:00:01Z"}]
    assert len(set(ids(standardised(jsonl(post, *other), by)))) == 4


def test_equal_words_on_one_day_are_not_one_event_if_only_the_day_is_known() -> None:
    by = small(identity={}, text={"fields": ["x"]}, occurred_at={"fields": ["t"], "layouts": ["%Y-%m-%d"]})
    row = {"t": "2026-11-10", "x": "good"}
    assert len(set(ids(standardised(jsonl(row, row), by)))) == 2


def test_one_id_in_two_sources_is_two_complaints() -> None:
    assert one(small())["complaint_id"] != one(small(source="other"))["complaint_id"]


@pytest.mark.parametrize(
    ("message", "reason", "field"),
    [
        (sms_message(messageId=None), "missing_required", "messageId"),
        (sms_message(messageId="  "), "missing_required", "messageId"),
        (sms_message(receivedAt=""), "missing_required", "receivedAt"),
        (sms_message(receivedAt="2026-11-31 10:00:00"), "unparseable_time", "receivedAt"),
        (sms_message(receivedAt="10/11/2026"), "unparseable_time", "receivedAt"),
        (sms_message(receivedAt="2012-12-31 10:00:00"), "time_out_of_range", "receivedAt"),
        (sms_message(messageId=["a", {"b": 1}]), "invalid_value", None),
    ],
)
def test_a_record_that_cannot_be_used_is_quarantined_and_its_neighbours_are_not(
    message: dict[str, Any], reason: str, field: str | None
) -> None:
    content = jsonl(sms_message(7), message, sms_message(8))
    result = standardised(content, CONTRACTS[SMS])
    assert result.deliveries["source_record_id"].to_pylist() == ["s7", "s8"]
    (row,) = result.quarantine.to_pylist()
    assert (row["reason"], row["field"]) == (reason, field)
    raw = content[row["byte_offset"] : row["byte_offset"] + row["byte_length"]]
    assert json.loads(raw) == message


def test_a_time_that_two_layouts_read_differently_is_not_guessed() -> None:
    by = small(occurred_at={"fields": ["t"], "layouts": ["%d/%m/%Y", "%m/%d/%Y"]})
    content = jsonl({"i": 1, "t": "05/04/2026"}, {"i": 2, "t": "25/04/2026"}, {"i": 3, "t": "05/05/2026"})
    result = standardised(content, by)
    assert result.quarantine["reason"].to_pylist() == ["ambiguous_time"]
    assert result.deliveries["event_date"].to_pylist() == [date(2026, 4, 25), date(2026, 5, 5)]


@pytest.mark.parametrize(
    ("received_at", "flag"),
    [
        ("2026-11-10 19:00:00", None),
        ("2026-11-10 19:00:01", "future_time"),
        ("2026-11-11 19:00:00", "future_time"),
        ("2026-11-03 19:00:00", None),
        ("2026-11-03 18:59:59", "late"),
    ],
)
def test_late_and_future_times_are_flagged(received_at: str, flag: str | None) -> None:
    (row,) = rows(SMS, jsonl(sms_message(receivedAt=received_at)))
    assert row["quality_flags"] == ([flag] if flag else [])


def test_a_missing_time_is_what_the_contract_declares() -> None:
    declared = small(occurred_at={"fields": ["t"], "otherwise": "2018-04-01"}, missing=["unknown"])
    row = one(declared, t="Unknown")
    assert (row["occurred_at"], row["occurred_at_quality"]) == (datetime(2018, 4, 1, tzinfo=UTC), "declared")
    assert not declared.event_time_moves
    received = small(occurred_at={"fields": ["t"], "otherwise": "received"})
    row = one(received, t=None)
    assert (row["occurred_at"], row["occurred_at_quality"]) == (RECEIVED, "received")
    assert received.event_time_moves
    broken = standardised(jsonl({"i": 1, "t": "soon"}), declared)
    assert broken.quarantine["reason"].to_pylist() == ["unparseable_time"]


def test_date_and_time_in_fields_of_their_own_are_one_time() -> None:
    by = small(occurred_at={"fields": ["d", "h"], "layouts": ["%m/%d/%Y %I:%M:%S %p", "%d-%m-%y %I:%M:%S %p"]})
    assert one(by, d="4/11/2026", h="7:48:05 PM")["occurred_at"] == datetime(2026, 4, 11, 19, 48, 5, tzinfo=UTC)
    assert one(by, d="22-04-26", h="3:53:50 PM")["event_date"] == date(2026, 4, 22)


def test_category_flags_and_coordinates_in_text() -> None:
    by = small(
        category={"flags": ["Billing", "Service", "Other"]},
        coordinates={"field": "Location", "missing": [[0, 0]]},
    )
    row = one(by, Billing="1", Service="", Other="11", Location="Duke Street (north)\nMD\n(39.29, -76.6)")
    assert (row["source_category"], row["latitude"], row["longitude"]) == ("Billing; Other", 39.29, -76.6)
    row = one(by, Billing="0", Location="Rockville, MD 20850")
    assert (row["source_category"], row["latitude"]) == (None, None)
    assert one(by, Location="(0.0, 0)")["quality_flags"] == [
        *("missing_coordinates", "missing_field", "no_author", "no_text"),
    ]


def test_what_is_not_mapped_is_kept_masked_and_sorted() -> None:
    by = small(attributes=["b", "nested.list"], personal=["name", "address"], text={"fields": ["x"]})
    row = one(
        by,
        x="I am Chiamaka of 5 Awolowo Road",
        name="Chiamaka Nwosu",
        address={"street": "5 Awolowo Road", "city": "Ikoyi"},
        b="call 08031234567",
        nested={"list": ["NWOSU", 2], "n": None},
    )
    assert json.loads(row["attributes"]) == {"b": "call [phone]", "nested.list[]": ["[name]", 2]}
    assert list(json.loads(row["attributes"])) == ["b", "nested.list[]"]
    assert "Chiamaka" not in row["text"]
    assert "Awolowo" not in row["text"]
    assert "new_field" not in row["quality_flags"]
    row = one(by, surprise=2348031234567, z=12, deep={"flag": True})
    assert "new_field" in row["quality_flags"]
    assert json.loads(row["attributes"]) == {"deep.flag": True, "surprise": "[phone]", "z": 12}


def test_equal_content_shares_a_key_whoever_says_it() -> None:
    first, second, third = rows(
        SMS,
        jsonl(*(sms_message(n, text=text) for n, text in enumerate(["No data!!", "no data 😡", "No signal"]))),
    )
    assert first["content_key"] == second["content_key"] != third["content_key"]
    angry, again, glad = rows(SMS, jsonl(*(sms_message(n, text=text) for n, text in enumerate("😡😡👍"))))
    assert angry["content_key"] == again["content_key"] != glad["content_key"], (
        "a text without words is all it holds"
    )


def test_other_keys_give_other_pseudonyms() -> None:
    by = CONTRACTS[SMS]
    origin = Origin(*SMS, "2026-11-10T06", "a" * 64, RECEIVED)
    other = standardise(
        parse(io.BytesIO(SAMPLES[SMS]), by),
        by,
        origin,
        Keys(b"another key of sufficient length"),
        "NG",
        date(2013, 1, 1),
        MASKER,
    )
    mine = standardised(SAMPLES[SMS], by)
    for column in ("complaint_id", "author_ref", "content_key"):
        assert not {*other.deliveries[column].to_pylist()} & {*mine.deliveries[column].to_pylist()}
    assert other.deliveries["delivery_id"].equals(mine.deliveries["delivery_id"])


def test_a_refused_object_is_one_row_of_the_quarantine() -> None:
    content = WEBSITE.replace(b"submitted_at", b"when")
    assert refusals(("web_form", "website"), content) == [("held", "submitted_at")]


def test_versions() -> None:
    by = small(identity={"record_id": ["i"], "version": "v"})
    versions = [one(by, v=value)["record_version"] for value in (None, 3, "4", "2026-11-10T10:00:00Z", -1, "x")]
    assert versions == [0, 3, 4, 1794304800000, 0, 0]
    assert "invalid_version" in one(by, v=2**70)["quality_flags"]


def test_a_contract_reads_only_its_own_source() -> None:
    origin = Origin("sms", "other", "2026-11-10T06", "a" * 64, RECEIVED)
    with pytest.raises(ValueError, match="sms/gateway cannot read sms/other"):
        standardise([], CONTRACTS[SMS], origin, KEYS, "NG", date(2013, 1, 1), MASKER)
    naive = Origin(*SMS, "2026-11-10T06", "a" * 64, RECEIVED.replace(tzinfo=None))
    with pytest.raises(ValueError, match="UTC"):
        standardise([], CONTRACTS[SMS], naive, KEYS, "NG", date(2013, 1, 1), MASKER)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data(), key=st.sampled_from([X, ("social", "mastodon"), SMS, ("whatsapp", "cloud_api")]))
@settings(max_examples=200, deadline=None)
def test_no_value_whatever_in_any_field_stops_the_neighbours(data: st.DataObject, key: tuple[str, str]) -> None:
    good = {
        X: x_post(9),
        ("social", "mastodon"): mastodon_post(9),
        SMS: sms_message(9),
        ("whatsapp", "cloud_api"): whatsapp_body("fine"),
    }[key]
    bad = json.loads(json.dumps(good))
    node = bad
    while True:
        name = data.draw(st.sampled_from(sorted(node)))
        if isinstance(node[name], dict) and node[name] and data.draw(st.booleans()):
            node = node[name]
            continue
        node[name] = data.draw(JSON_VALUES)
        break
    content = json.dumps(bad).encode() + b"\n" + jsonl(good)
    result = standardised(content, CONTRACTS[key])
    assert result.deliveries.num_rows + result.quarantine.num_rows == result.records_in
    assert result.deliveries.num_rows >= 1
    Standardised.validate(to_pandas(result.deliveries))


@given(st.lists(st.sampled_from(["R", "F"]), max_size=30))
@settings(max_examples=30, deadline=None)
def test_rows_come_in_the_order_of_the_entries_across_batches(pattern: list[str]) -> None:
    entries = [
        Record(n, 1, 0, sms_message(n)) if kind == "R" else Refused(n, 1, 0, "malformed")
        for n, kind in enumerate(pattern)
    ]
    origin = Origin(*SMS, "2026-11-10T06", "a" * 64, RECEIVED)
    result = standardise(entries, CONTRACTS[SMS], origin, KEYS, "NG", date(2013, 1, 1), MASKER)
    for table, kind in ((result.deliveries, "R"), (result.quarantine, "F")):
        offsets = table["byte_offset"].to_pylist()
        assert offsets == [n for n, of in enumerate(pattern) if of == kind]
        assert all(a < b for a, b in pairwise(offsets))


def test_survey_without_comment_is_kept() -> None:
    _first, second = rows(("survey", "csat"), CSAT)
    assert (second["text"], second["content_key"], second["rating"]) == (None, None, 5.0)
    assert second["quality_flags"] == ["no_text"]


# Subjects


def test_identifiers_of_one_record_are_told_together_and_the_first_is_the_author() -> None:
    author = [{"field": "tel", "kind": "phone"}, {"field": "mail", "kind": "email"}]
    both = one(small(author=author), tel="08031234567", mail="Ada@Example.com")
    alone = one(small(author=author), mail="ada@example.com")
    kinds = [ref.split(":")[0] for ref in both["subject_refs"]]
    assert kinds == ["email", "phone"]
    assert both["author_ref"] == both["subject_refs"][1].split(":")[1]
    assert alone["author_ref"] == both["subject_refs"][0].split(":")[1]
    assert alone["subject_refs"] == []


def test_a_handle_that_a_form_asks_for_is_the_platforms_if_the_contract_says_so() -> None:
    declared = small(author=[{"field": "x", "kind": "handle", "of": "social/x"}])
    platform = small(channel="social", source="x", author=[{"field": "x", "kind": "handle"}])
    own = small(author=[{"field": "x", "kind": "handle"}])
    found = [one(contract, x="@Ada")["author_ref"] for contract in (declared, platform, own)]
    assert found[0] == found[1] != found[2]


def test_identifiers_are_exchanged_in_one_call_for_many_records() -> None:
    calls: list[list[tuple[str, str]]] = []

    def exchange(wanted: Any) -> list[str]:
        calls.append(list(wanted))
        return [f"{number:026d}" for number in range(len(wanted))]

    by = small(author=[{"field": "tel", "kind": "phone"}, {"field": "acc", "kind": "account"}])
    lines = [
        {"i": n, "t": "2026-11-10T08:00:00Z", "tel": f"0803123456{n % 3}", "acc": f"A-{n % 2}"} for n in range(50)
    ]
    origin = Origin(by.channel, by.source, "2026-11-10", "a" * 64, RECEIVED)
    result = standardise(
        parse(io.BytesIO(jsonl(*lines)), by), by, origin, KEYS, "NG", date(2013, 1, 1), MASKER, exchange
    )
    [wanted] = calls
    assert sorted(wanted) == [
        ("account", "survey/s|a0"),
        ("account", "survey/s|a1"),
        *(("phone", f"+234803123456{n}") for n in range(3)),
    ]
    assert result.deliveries["author_ref"][0].as_py() == f"{wanted.index(('phone', '+2348031234560')):026d}"
