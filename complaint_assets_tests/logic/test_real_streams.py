"""Merge and links on posts and reviews nobody here wrote; what is expected is counted from the files alone."""

import csv
import html
import io
import json
from bisect import bisect_left
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.complaints.deduplicate import merge_deliveries
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.raw.parse import parse
from complaint_assets.logic.standardised.standardise import Origin, standardise
from complaint_assets.vocabulary import load_masker
from complaint_assets_tests.conftest import REAL_CONTRACTS

Row = dict[str, str]


def merged(channel: str, source: str, *paths: Path) -> pa.Table:
    """The complaints of ``paths``."""
    contract = load_contracts([REAL_CONTRACTS])[channel, source]
    keys = Keys(b"a key for tests, 32 bytes long..")
    parts = []
    for path in paths:
        content = path.read_bytes()
        received = datetime(2026, 11, 20, tzinfo=UTC)
        origin = Origin(channel, source, "2026-11-20", sha256(content).hexdigest(), received)
        parts.append(
            standardise(
                parse(io.BytesIO(content), contract),
                contract,
                origin,
                keys,
                "NG",
                date(2009, 1, 1),
                load_masker("analytic", "NG"),
            )
        )
    return evaluate(merge_deliveries, pa.concat_tables([part.deliveries for part in parts]))


def rows_of(path: Path) -> list[Row]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def tweets(real_data: Path) -> list[Row]:
    return rows_of(real_data / "social/uk_operator_tweets_o2_vodafone.csv")


@pytest.fixture(scope="module")
def posts(real_data: Path) -> pa.Table:
    return merged("social", "uk_operators", real_data / "social/uk_operator_tweets_o2_vodafone.csv")


def test_the_same_words_at_the_same_second_are_one_post_with_all_its_operators(
    tweets: list[Row], posts: pa.Table
) -> None:
    feeds: dict[tuple[str, str], set[str]] = {}
    for row in tweets:
        key = row["Tweet Created At"], words(html.unescape(row["Tweet Text"]))
        feeds.setdefault(key, set()).add(row["Mobile Network"])
    assert posts.num_rows == len(feeds) < len(tweets)
    of_row = {row["Unnamed: 0"]: row for row in tweets}
    for post in posts.select(["attributes", "feeds"]).to_pylist():
        row = of_row[str(json.loads(post["attributes"])["Unnamed: 0"])]
        expected = feeds[row["Tweet Created At"], words(html.unescape(row["Tweet Text"]))]
        assert post["feeds"] == sorted(expected)


def quoted(retweet: str) -> str:
    """What a retweet quotes, without the name before it and the ellipsis behind it."""
    return words(retweet).partition(": ")[2].rstrip(".… ")


def test_retweets_are_tagged_and_join_the_post_that_they_quote(tweets: list[Row], posts: pa.Table) -> None:
    """By plain reading: the quoted text, as far as it goes, begins the original's text."""
    of_row = {row["Unnamed: 0"]: html.unescape(row["Tweet Text"]) for row in tweets}
    found = [
        (
            of_row[str(json.loads(post["attributes"])["Unnamed: 0"])],
            post["content_cluster"],
            post["is_amplification"],
        )
        for post in posts.select(["attributes", "content_cluster", "is_amplification"]).to_pylist()
    ]
    retweets = [(text, cluster) for text, cluster, _ in found if text.startswith("RT @")]
    originals = sorted((words(text), str(cluster)) for text, cluster, _ in found if not text.startswith("RT @"))
    assert all(tagged == text.startswith("RT @") for text, _, tagged in found)
    assert len(retweets) > 1_500

    with_original = joined = 0
    for text, cluster in retweets:
        quote = quoted(text)
        first, last = (bisect_left(originals, (bound,)) for bound in (quote, quote + "\U0010ffff"))
        groups = {cluster_of for _, cluster_of in originals[first:last]}
        with_original += bool(groups)
        joined += cluster in groups
    assert with_original > 500
    assert joined >= 0.95 * with_original

    # Where the original was not collected, copies of one retweet still find each other.
    copies: dict[str, set[str]] = {}
    for text, cluster in retweets:
        copies.setdefault(text, set()).add(cluster)
    assert all(len(clusters) == 1 and None not in clusters for clusters in copies.values())


def test_original_posts_that_share_a_cluster_begin_with_the_same_words(tweets: list[Row], posts: pa.Table) -> None:
    """A cluster is no guess: of the originals, hardly any cluster holds texts that go on differently."""
    by_cluster: dict[str, set[str]] = {}
    of_row = {row["Unnamed: 0"]: html.unescape(row["Tweet Text"]) for row in tweets}
    for post in posts.select(["attributes", "content_cluster"]).to_pylist():
        text = of_row[str(json.loads(post["attributes"])["Unnamed: 0"])]
        if not text.startswith("RT @") and post["content_cluster"]:
            said = [word for word in words(text).casefold().split() if word[0] not in "@#" and "//" not in word]
            by_cluster.setdefault(post["content_cluster"], set()).add("".join(filter(str.isalnum, "".join(said))))
    mixed = [texts for texts in by_cluster.values() if len(texts) > 1]
    assert len(mixed) < 0.02 * len(by_cluster)


def test_scrapes_merge_by_review_and_never_by_words(real_data: Path) -> None:
    paths = [real_data / f"survey/kenya_app_reviews_scrape_{n}.csv" for n in (1, 2)]
    rows = [row for path in paths for row in rows_of(path)]
    newest = {row["review_id"]: row for row in sorted(rows, key=lambda row: row["scrape_date"])}
    reviews = merged("survey", "kenya_app", *paths)
    assert sorted(reviews["source_record_id"].to_pylist()) == sorted(newest)
    assert sum(reviews["deliveries"].to_pylist()) == len(rows)
    texts = [row["review_text"].strip() for row in newest.values()]
    assert len(texts) - len(set(texts)) > 1_500, "thousands of people wrote what somebody else wrote"
    edited = {row["review_id"] for row in rows if row["review_text"] != newest[row["review_id"]]["review_text"]}
    assert edited
    said = dict(zip(reviews["source_record_id"].to_pylist(), reviews["text"].to_pylist(), strict=True))
    # Digits may be masked.
    plain = {ident for ident in edited if not any(map(str.isdigit, newest[ident]["review_text"]))}
    assert plain
    assert all(words(said[ident]) == words(newest[ident]["review_text"]) for ident in plain)
