"""On a labelled stream: no redelivery kept, no complaint lost, every repeat found and none invented."""

import hashlib
import io
import json
import random
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from rapidfuzz import fuzz

from complaint_assets.logic.complaints.deduplicate import merge_deliveries
from complaint_assets.logic.complaints.links import CONTACT, link_repeats
from complaint_assets.logic.digest import digest
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.raw.parse import parse
from complaint_assets.logic.standardised.standardise import Origin, standardise
from complaint_assets.vocabulary import load_masker
from complaint_assets_tests.logic.labelled_stream import CONTRACTS, WORDS, Stream, labelled_stream

KEYS = Keys(b"a key for tests, 32 bytes long..")


def read(number: int, source: str, content: bytes) -> pa.Table:
    """One object, from bytes to deliveries."""
    contract = CONTRACTS[source]
    received = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=number)
    origin = Origin(contract.channel, source, "2026-11-20", hashlib.sha256(content).hexdigest(), received)
    result = standardise(
        parse(io.BytesIO(content), contract),
        contract,
        origin,
        KEYS,
        "NG",
        date(2013, 1, 1),
        load_masker("analytic", "NG"),
    )
    assert not result.quarantine.num_rows
    return result.deliveries


@pytest.fixture(scope="module")
def stream() -> Stream:
    return labelled_stream(seed=4)


@pytest.fixture(scope="module")
def objects(stream: Stream) -> list[pa.Table]:
    return [read(number, source, content) for number, (source, content) in enumerate(stream.objects)]


@pytest.fixture(scope="module")
def complaints(objects: list[pa.Table]) -> pa.Table:
    return evaluate(merge_deliveries, pa.concat_tables(objects))


def events(table: pa.Table) -> list[str]:
    """The true event of every row."""
    return [json.loads(value)["event"] for value in table["attributes"].to_pylist()]


def test_the_stream_is_large_and_its_words_tell_matters_apart(stream: Stream, objects: list[pa.Table]) -> None:
    assert sum(table.num_rows for table in objects) >= 20_000
    assert stream.redeliveries > 1_500
    assert len(stream.repeat_of) > 4_000
    said = [(category, text) for category, texts in WORDS.items() for text in [*texts, "any news?"]]
    assert all(fuzz.ratio(a, b) < 80 for c, a in said for d, b in said if c != d and a != b)


def test_no_redelivery_is_kept_and_no_complaint_is_lost(
    stream: Stream, objects: list[pa.Table], complaints: pa.Table
) -> None:
    deliveries = pa.concat_tables(objects)
    pairs = set(zip(events(deliveries), deliveries["complaint_id"].to_pylist(), strict=True))
    assert len(pairs) == len({event for event, _ in pairs}) == len({ident for _, ident in pairs})
    assert {event for event, _ in pairs} == set(stream.category)
    assert sorted(events(complaints)) == sorted(stream.category)
    assert pc.sum(complaints["deliveries"]).as_py() == len(stream.category) + stream.redeliveries


def test_strangers_with_the_same_words_share_a_cluster_and_nothing_else(complaints: pa.Table) -> None:
    rows = complaints.select(["text", "content_cluster", "subject_id"]).to_pylist()
    same = [row for row in rows if row["text"] == WORDS["network"][0]]
    assert len(same) > 1_000
    assert len({row["content_cluster"] for row in same}) == 1
    assert len({row["subject_id"] for row in same}) > 1_000


def test_the_newest_words_and_every_feed_are_kept(stream: Stream, complaints: pa.Table) -> None:
    rows = complaints.select(["text", "feeds", "record_version"]).to_pylist()
    said = dict(zip(events(complaints), rows, strict=True))
    for event, operators in stream.feeds.items():
        assert said[event]["feeds"] == sorted(operators)
        assert said[event]["text"] == stream.newest_text[event]
    assert sum(row["record_version"] == 2 for row in rows) > 100


def test_objects_and_days_in_any_order_twice_or_apart_give_one_digest(
    objects: list[pa.Table], complaints: pa.Table
) -> None:
    shuffled = objects[:]
    random.Random(1).shuffle(shuffled)
    deliveries = pa.concat_tables([*shuffled, *shuffled[:20]])  # some objects read twice
    days = pc.unique(deliveries["event_date"]).to_pylist()
    cuts = [sorted(days)[n::3] for n in (2, 0, 1)]
    parts = [
        evaluate(merge_deliveries, deliveries.filter(pc.is_in(deliveries["event_date"], value_set=pa.array(cut))))
        for cut in cuts
    ]
    assert digest(pa.concat_tables(parts)) == digest(complaints)


def test_every_repeat_is_found_and_none_is_invented(stream: Stream, complaints: pa.Table) -> None:
    names = events(complaints)
    category = pa.array([stream.category[name] for name in names])
    contacts = complaints.append_column("category", category).select(CONTACT)
    event = dict(zip(complaints["complaint_id"].to_pylist(), names, strict=True))
    found = {event[row["complaint_id"]]: event[row["repeat_of"]] for row in link_repeats(contacts).to_pylist()}
    assert found == stream.repeat_of
