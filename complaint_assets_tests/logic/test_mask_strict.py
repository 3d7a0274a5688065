"""The strict profile shows approved words and shapes of numbers, and nothing else."""

import json
import re
from pathlib import Path
from re import _constants as opcodes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.masking import IDENTIFYING, chat, hidden, is_hidden
from complaint_assets.logic.privacy import mask_names, mask_scan, mask_strict
from complaint_assets.logic.privacy.mask import Masker, mask
from complaint_assets.logic.privacy.mask_strict import Vocabulary, common_words, mask_unknown
from complaint_assets.taxonomy import load_rules
from complaint_assets.vocabulary import VocabularyError, load_cues, load_masker

STRICT, ANALYTIC = load_masker("strict", "NG"), load_masker("analytic", "NG")
SMALL = Vocabulary(
    "1",
    frozenset(("i", "am", "no", "network", "so", "slow", "in", "don't", "lagos", "call", "my", "or")),
    frozenset(("grace", "will")),
    {"victoria": [("island",)], "ring": [("road",), ("road", "two")]},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am Zorva Quenlith in Lagos", "I am [word] in Lagos"),
        ("Zorva, quenlith!", "[word]!"),
        ("NO NETWORK, network's sooooo slow, don’t", "NO NETWORK, network's sooooo slow, don’t"),
        ("grace will, Grace Will", "grace will, [word]"),
        ("in Victoria Island, Victoria", "in Victoria Island, [word]"),
        ("ring road two, ring, ring roads", "ring road two, [word]"),
        ("my Zorva K. van der Quenlith", "my [word]"),
        ("New Zorva City", "[word]"),
        ("call 131 or *131*1#, 5GB in 3days zorva 07:30", "call 131 or *131*1#, 5GB in 3days [word] 07:30"),
        ("₦5,000 10/11/2026 v1.2.3", "₦5,000 10/11/2026 v1.2.3"),
        ("1234, 12 34 56, 4567 8", "[number]"),
        ("a1b2 K9", "[word]"),
        ("12 Zorva Quenlith Street, Lagos", "[address], Lagos"),
        ("Ọ̀rọ̀ नमस्ते Привет", "[word]"),
        ("no 😡 [phone] no", "no 😡 [phone] no"),
        ("", ""),
    ],
)
def test_only_what_is_approved_is_shown(text: str, expected: str) -> None:
    assert mask_unknown(text, SMALL) == expected


def test_the_strict_profile_is_the_analytic_one_and_more() -> None:
    text = "My name is Ada, call 08031234567, I am Zorvath from Port Harcourt, no network since Monday"
    assert STRICT.text(text) == (
        "My name is [name], call [phone], I am [word] from Port Harcourt, no network since Monday"
    )


def test_words_that_classify_and_weigh_are_shown() -> None:
    """Category, language and sentiment computed on strict text depend on them."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    rules = load_rules("NG")
    assert STRICT.vocabulary is not None
    words = {word for word in SentimentIntensityAnalyzer().lexicon if re.fullmatch("[a-z]{2,}", word)}
    missing = (words | rules.english | rules.pidgin) - STRICT.vocabulary.words
    assert not {word for word in missing if STRICT.text(word) != word}


@pytest.mark.parametrize("name", ["Chidinma", "Okafor", "Abdullahi", "Jennifer", "Nguyen", "Kowalski", "thomas"])
def test_names_are_no_approved_words(name: str) -> None:
    assert STRICT.text(f"I am {name} here") == "I am [word] here"


def test_more_approved_words_come_from_folders(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("# reviewed\nZorvath\n~quenlith\n")
    more = load_masker("strict", "NG", folders=(tmp_path,))
    assert more.text("zorvath Zorvath quenlith Quenlith") == "zorvath Zorvath quenlith [word]"
    assert more.vocabulary is not None
    assert STRICT.vocabulary is not None
    assert more.vocabulary.version != STRICT.vocabulary.version
    with pytest.raises(VocabularyError, match="COMPLAINTS_VOCABULARY"):
        load_masker("strict", "NG", folders=(tmp_path / "absent",))
    (tmp_path / "bad.txt").write_bytes(b"\xff")
    with pytest.raises(VocabularyError, match=r"bad\.txt"):
        load_masker("strict", "NG", folders=(tmp_path, tmp_path))


def test_a_word_is_common_when_different_customers_use_it_and_it_is_no_name() -> None:
    texts = [
        "Dropzone! dropzone [phone]",
        "DROPZONE Zorvath",
        "rare rare",
        None,
        "rare",
        "dropzone Zorvath",
        "rare",
    ]
    customers = ["a", "b", "a", "a", "a", "c", None]
    assert common_words(texts, customers, 2, {"zorvath"}) == {"dropzone"}
    assert common_words(texts, customers, 3, set()) == {"dropzone"}
    assert common_words(texts, customers, 1, set()) == {"dropzone", "zorvath", "rare"}


# fmt: off
PIECES = st.sampled_from([
    "Ada", "ada@x.com", "@ada", "+234 803 123 4567", "[phone]", "[word]", "[", "]", " ", " ", " ", ".", "-", "'",
    "’", "new ", "New ", "city", " city", "van ", "de ", "K. ", "Mr ", "name is ", "regards, ", "12 ", "1234",
    "Street", "Victoria", "Island", "http://x", "_", "5GB", "a1", "Zorva", "network", "\u0300", "№", "१२३",
    "@", ":", "/",
])
# fmt: on
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=14).map("".join)
KNOWN = st.lists(st.sampled_from(["Ada Obi", "phone", "Zorva", "12345", "new york"]), max_size=2)
MASKERS = st.sampled_from([ANALYTIC, STRICT])


@given(MASKERS, TEXTS, KNOWN)
def test_masking_twice_changes_nothing(masker: Masker, text: str, known: list[str]) -> None:
    once = masker.text(text, known)
    assert masker.text(once, known) == once


@given(TEXTS)
def test_what_the_analytic_profile_removes_the_strict_one_never_shows(text: str) -> None:
    assert STRICT.text(ANALYTIC.text(text)) == STRICT.text(text)


@given(MASKERS, TEXTS)
def test_a_placeholder_at_most_replaces_a_character(masker: Masker, text: str) -> None:
    assert len(masker.text(text)) <= len("[address]") * len(text)


@given(st.lists(st.none() | TEXTS, max_size=8), MASKERS)
def test_a_batch_is_its_texts_one_by_one(texts: list[str | None], masker: Masker) -> None:
    alone = [None if text is None else masker.text(text) for text in texts]
    assert mask(pa.array(texts, pa.string()), masker).to_pylist() == alone
    assert mask(pa.chunked_array([texts, texts], pa.string()), masker).to_pylist() == alone * 2


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12))
def test_a_lone_word_is_shown_as_it_is_or_not_at_all(word: str) -> None:
    shown = STRICT.text(word)
    assert shown == word or re.fullmatch(mask_scan.PLACEHOLDER, shown) or not shown.isalnum()


def loops(tree: Any, inside: bool = False) -> list[str]:
    """Repetitions of a compiled pattern that could be tried in more ways than one without end."""
    found: list[str] = []
    for code, argument in tree:
        if code in (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT, opcodes.POSSESSIVE_REPEAT):
            _, most, inner = argument
            endless = most == opcodes.MAXREPEAT
            single = len(inner) == 1 and inner[0][0] in (opcodes.IN, opcodes.NOT_LITERAL, opcodes.LITERAL)
            if endless and code is not opcodes.POSSESSIVE_REPEAT and (inside or not single):
                found.append(str(inner))
            found += loops(inner, inside or most > 1)
        elif code is opcodes.SUBPATTERN:
            found += loops(argument[-1], inside)
        elif code is opcodes.BRANCH:
            for branch in argument[1]:
                found += loops(branch, inside)
        elif code in (opcodes.ASSERT, opcodes.ASSERT_NOT):
            found += loops(argument[1], inside)
        elif code is opcodes.ATOMIC_GROUP:
            found += loops(argument, inside)
    return found


def test_no_pattern_can_be_made_to_try_again_and_again() -> None:
    """A loop without end gives nothing back, or repeats one set of characters at the end of a match."""
    patterns = [
        value
        for module in (mask_scan, mask_names, mask_strict)
        for value in vars(module).values()
        if isinstance(value, re.Pattern)
    ]
    assert len(patterns) >= 6
    for pattern in [*patterns, load_cues().pattern]:
        assert not loops(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)), pattern.pattern[:80]
    assert loops(parser.parse("(?:a+b?)+c"))


@pytest.mark.parametrize(
    "piece",
    ["1", "1 ", "a.", "@a", "aaa@", "1,", "1:", "a.b/", "2019-", "name: A.b'", "a at b dot ", "a" * 70 + "@",
     "Mr ", "new ", "[word]", "ada@a.", "x[phone]"],
)  # fmt: skip
def test_hostile_texts_are_looked_at_a_few_times_only(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    once = Masker._once
    monkeypatch.setattr(
        Masker, "_once", lambda self, text, known: looks.append(len(text)) or once(self, text, known)
    )
    STRICT.text(piece * 2000)
    assert len(looks) <= 6


def test_recall_on_labelled_texts(real_data: Path) -> None:
    rows = json.loads((real_data / "truth/presidio_synth_dataset_v2.json").read_text(encoding="utf-8"))
    caught = []
    for row in rows:
        gone = hidden(row["full_text"], STRICT.text(row["full_text"]))
        for span in row["spans"]:
            if span["entity_type"] == "PERSON":
                places = (span["start_position"], span["end_position"])
                caught.append(is_hidden(row["full_text"], gone, places))
    assert sum(caught) / len(caught) >= 0.95


def test_personal_data_in_chat_is_hidden_and_little_else(real_data: Path) -> None:
    caught, lost = chat(STRICT, IDENTIFYING)
    assert caught >= 0.98
    assert lost <= 0.15
