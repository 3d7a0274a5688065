"""Texts for the benchmarks: the real ones under COMPLAINTS_REAL_DATA, and made ones that try every corner."""

import csv
import html
import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("COMPLAINTS_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
TWEETS = DATA / "social" / "uk_operator_tweets_o2_vodafone.csv"


def column(file: str, name: str, delimiter: str = ",") -> list[str]:
    with (DATA / file).open(encoding="utf-8", errors="replace", newline="") as lines:
        return [row[name] for row in csv.DictReader(lines, delimiter=delimiter) if row.get(name)]


def tweets() -> list[dict[str, str]]:
    """Rows of the British tweets, as text."""
    with TWEETS.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        row["text"] = html.unescape(row["Tweet Text"])
        row["subject"] = row["Subject"].strip().lower()
    return rows


def of_no_place() -> list[str]:
    """Texts in which no Nigerian place is named: SMS of Singapore, English reviews and posts."""
    sms = [
        str(json.loads(line).get("text") or "")
        for line in (DATA / "sms/nus_sms_sample.jsonl").open(encoding="utf-8")
    ]
    return [text for text in sms if text] + vader_truth()


def vader_truth() -> list[str]:
    return [
        line.split("\t")[2]
        for file in sorted((DATA / "truth").glob("vader_*_ground_truth.txt"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]


def real() -> list[str]:
    """Every real text there is; none where the data is absent."""
    if not (DATA / "README.md").exists():
        return []
    texts = [row["Tweet Text"] for row in tweets()] + of_no_place()
    texts += column("social/lagos_isp_tweets.csv", "Text")
    texts += column("whatsapp/cable_chat_turns_dev.tsv", "utterance", "\t")
    for number in (1, 2):
        texts += column(f"survey/kenya_app_reviews_scrape_{number}.csv", "review_text")
    return texts


def made(count: int, seed: int = 11) -> Iterator[str]:
    """Texts of VADER's own words, idioms, negations, emoji and odd characters, in odd order and shape."""
    from vaderSentiment import vaderSentiment as vader  # noqa: N813

    from complaint_assets.logic.enriched.sentiment_kernel import NAMED

    analyser, rng = vader.SentimentIntensityAnalyzer(), Random(seed)
    idioms = [
        *vader.SPECIAL_CASES,
        *(key for key in vader.BOOSTER_DICT if " " in key),
        "without doubt",
        "never so",
    ]
    function = [*NAMED, "not", "the", "a", "I", "service"]
    odd = [
        "É",
        "ß",
        "ﬁ",
        "İ",
        "Σ",
        "\u00a0",
        "\u2028",
        "\x1c",
        "£5",
        "don’t",
        "DON'T",
        "N'T",
        "naïve",
        "\u200d",
        "٣",
    ]
    words = [
        *(word for word in analyser.lexicon for _ in range(1)),
        *[*vader.BOOSTER_DICT, *vader.NEGATE] * 30,
        *[*function, *idioms, *(word for idiom in idioms for word in idiom.split())] * 60,
        *[*odd, "!", "?", "!!!!!", "??", "????", ":)", ":("] * 40,
        *analyser.emojis,
    ]
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 12)):
            word, shape = rng.choice(words), rng.random()
            if shape < 0.12:
                word = word.upper()
            elif shape < 0.18:
                word = word.capitalize()
            elif shape < 0.25:
                word = rng.choice("!?.,'\"(-") + word + rng.choice("!?.,'\")-")
            parts.append(word + rng.choice(["", "\n", "\u00a0", "  ", *[" "] * 20]))
        yield "".join(parts)
