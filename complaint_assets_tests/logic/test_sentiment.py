"""The compiled passes answer as the packages and plain Python do, to the last bit."""

import string
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vaderSentiment import vaderSentiment as vader  # noqa: N813

from complaint_assets.logic.enriched.language import languages, measure, words_of
from complaint_assets.logic.enriched.sentiment import analyser, compound, utf8
from complaint_assets.taxonomy import load_rules

RULES = load_rules("NG")
SCORE = vader.SentimentIntensityAnalyzer().polarity_scores
IDIOMS = [*vader.SPECIAL_CASES, *(key for key in vader.BOOSTER_DICT if " " in key), "without doubt", "never so"]
WORDS = [
    *IDIOMS,
    *(word for idiom in IDIOMS for word in idiom.split()),
    *["no", "or", "nor", "least", "at", "very", "but", "kind", "of", "this", "not", "isn't", "n't", "cannot"],
    *["good", "great", "bad", "horrible", "love", "hate", "fine", "service", "the", "I", ":)", ":(", ":D", "lol"],
    *[
        "really",
        "so",
        "extremely",
        "barely",
        "sort-of",
        "kinda",
        "uber",
        "!",
        "!!!!!",
        "?",
        "??",
        "????",
        "(",
        '"',
    ],
    *[
        "😀",
        "💔",
        "👍🏽",
        "❤️",
        "£5",
        "don’t",
        "É",
        "naïve",
        "ß",
        "İ",
        "Σ",
        "ﬁ",
        "Ⅷ",
        "\u0301",
        "\u200d",
        "\U0001f9d1",
    ],
]
BLANKS = [" ", " ", " ", "  ", "\n", "\t", "", "\x1c", "\u00a0", "\u2028"]
WORD = st.one_of(st.sampled_from(WORDS), st.sampled_from(sorted(analyser().lexicon)), st.text(max_size=5))
SHAPES = st.sampled_from([str, str.upper, str.title, lambda word: f"({word})!", lambda word: f"'{word}',"])
TEXT = st.lists(st.tuples(WORD, SHAPES, st.sampled_from(BLANKS)), max_size=12).map(
    lambda parts: "".join(shape(word) + blank for word, shape, blank in parts).encode(errors="replace").decode()
)


def assert_equal_to_vader(texts: list[str]) -> None:
    found = compound(pa.array(texts, pa.string()), compiled=True).to_pylist()
    for text, score in zip(texts, found, strict=True):
        assert score == SCORE(text)["compound"], text


@given(st.lists(TEXT, min_size=1, max_size=40))
@settings(max_examples=150, deadline=None)
def test_compiled_sentiment_is_vaders_on_whatever_is_written(texts: list[str]) -> None:
    assert_equal_to_vader(texts)


def test_compiled_sentiment_is_vaders_on_every_word_and_emoji_it_knows() -> None:
    assert_equal_to_vader([f"It is {word} but NOT {word.upper()}!" for word in analyser().lexicon])
    assert_equal_to_vader([f"good{emoji}{emoji} {emoji}!" for emoji in analyser().emojis])
    assert_equal_to_vader([f"very {char}good{char} not bad{char}" for char in map(chr, range(1, 0x3000))])
    assert_equal_to_vader([f"{mark}ok{mark} {mark}good{mark} a{mark} {mark}" for mark in string.punctuation])


def test_compiled_sentiment_is_vaders_on_its_own_ground_truth(real_data: Path) -> None:
    files = sorted((real_data / "truth").glob("vader_*_ground_truth.txt"))
    assert files
    for file in files:
        assert_equal_to_vader([line.split("\t")[2] for line in file.read_text(encoding="utf-8").splitlines()])


def test_nulls_stay_null_and_slices_are_read_where_they_begin() -> None:
    texts = pa.array(["bad", None, "I love it", "", None, "horrible, truly horrible"])
    for compiled in (True, False):
        found = compound(texts.slice(1), compiled=compiled).to_pylist()
        assert found == [
            None,
            SCORE("I love it")["compound"],
            0.0,
            None,
            SCORE("horrible, truly horrible")["compound"],
        ]


MARKS = st.sampled_from(
    [
        *["don't", "dey", "una's", "wetin ", "the ", "THE", " ", "-", "'", "’", "@", "#", "_", "1", "http://"],
        *[
            "https://",
            "http",
            "s",
            "://",
            "[phone]",
            "[",
            "]",
            "é",
            "\u00a0",
            "\x1c",
            "\t",
            "😀",
            "٣",
            "\u0301",
            "İ",
        ],
    ]
)


@given(st.lists(st.lists(MARKS, max_size=14).map("".join), min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_compiled_word_counts_are_those_of_plain_python(texts: list[str]) -> None:
    from complaint_assets.logic.enriched.language_kernel import measures, tables

    counted, odd = measures(*utf8(pa.array(texts)), tables(RULES))
    for row in np.flatnonzero(~odd):
        assert tuple(counted[:, row]) == tuple(measure(words_of(texts[row]), RULES)), texts[row]


@pytest.mark.parametrize("compiled", [True, False])
def test_languages_are_told_apart_and_short_texts_are_not_guessed(compiled: bool) -> None:
    texts = {
        "My network has been down since this morning and I need it": "en",
        "Abeg wetin dey happen, una network no dey": "pcm",
        "Ina son in san lokacin da za a gyara wannan matsalar": "ha",
        "Je voudrais savoir quand ma ligne sera réparée": "fr",
        "good service": "en",
        "Kamar haka": "und",
        "@MTN #wetin https://abeg.example/dey [phone] 123": "und",
        "": "und",
    }
    assert dict(zip(texts, languages(pa.array(texts), RULES, compiled=compiled).to_pylist(), strict=True)) == texts


def test_code_that_cannot_be_kept_anywhere_is_compiled_all_the_same() -> None:
    from complaint_assets.logic.enriched.compiled import jit

    names: dict[str, Any] = {}
    exec("def twice(number):\n    return 2 * number\n", names)  # noqa: S102  # a function of no file has no cache
    assert jit(names["twice"])(21) == 42
