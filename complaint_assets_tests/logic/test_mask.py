"""Masking hides what identifies people and leaves what they complain about."""

import csv
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.logic.privacy.mask import mask
from complaint_assets.logic.privacy.mask_scan import PLACEHOLDER as PLACEHOLDERS
from complaint_assets.vocabulary import load_masker

REAL_DATA = Path(os.environ.get("COMPLAINTS_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
TWEETS = REAL_DATA / "social" / "uk_operator_tweets_o2_vodafone.csv"
LABELLED = REAL_DATA / "truth" / "presidio_synth_dataset_v2.json"
PLACEHOLDER = re.compile(PLACEHOLDERS)
ANALYTIC, STRICT = load_masker("analytic", "NG"), load_masker("strict", "NG")


def mask_text(text: str, country: str = "NG", known: Iterable[str] = (), brands: Iterable[str] = ()) -> str:
    return load_masker("analytic", country, brands).text(text, known)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call me on 08031234567 now", "call me on [phone] now"),
        ("paid on 08031234567", "paid on [phone]"),
        ("+234 (0)803-123-4567x12, or 0803.123.4567", "[phone], or [phone]"),
        ("O803 I23", "O803 I23"),
        ("O803 123 4567 and 08O31234567", "[phone] and [phone]"),
        ("card 4111 1111 1111 1111 was charged", "card [card] was charged"),
        ("IMEI 356938035643809", "IMEI [id]"),
        ("my NIN is 12345678901, BVN: 22212345678", "my NIN is [id], BVN: [id]"),
        ("account number 0123456789", "account number [id]"),
        ("ticket INC1234567", "ticket [id]"),
        ("iban GB82WEST12345698765432", "iban [id]"),
        ("plot MM90000 0000", "plot MM[phone]"),
        ("900000000MB", "[id]MB"),
        ("loaded *555*1234567890123456#", "loaded *555*[id]#"),
        ("mac 00:1B:44:11:3A:B7, 00-1b-44-11-3a-b7 or 001b.4411.3ab7", "mac [id], [id] or [id]"),
        ("IBAN GB82 WEST 1234 5698 7654 32 please", "IBAN [id] please"),
        ("from 2001:db8::8a2e:370:7334 and ::1f", "from [ip] and [ip]"),
        ("ssn 078-05-1120", "ssn [phone]"),
        ("see@a@b@c@d", "see@a@b@c@d"),
        ("my pin is 1234", "my pin is [id]"),
        ("Ada.Obi+x@example.co.uk, ada (at) example.com", "[email], [email]"),
        ("write to ada at gmail dot com or ada@gmail", "write to [email] or [email]"),
        ("see https://x.com/ada?id=1 or bit.ly/ada", "see [url] or [url]"),
        ("thanks @ada_obi and @ada@social.example", "thanks [handle] and [handle]"),
        ("from 192.168.1.17 and 2001:db8:0:0:1:0:2:3", "from [ip] and [ip]"),
        ("My name is Adaeze Obi-Nwosu and I", "My name is [name] and I"),
        ("my name is adaeze obi and i", "my name is [name] and i"),
        ("NAME: ADAEZE OBI AND HELP", "NAME: [name] AND HELP"),
        ("Surname: Obi", "Surname: [name]"),
        ("sunana Musa Bello", "sunana [name]"),
        ("Regards, Ngozi", "Regards, [name]"),
        ("regards, your customer", "regards, your customer"),
        ("spoke to Mr. Okafor and Alhaji M. Bello Sani", "spoke to Mr. [name] and Alhaji [name]"),
    ],
)
def test_identifiers_are_masked(text: str, expected: str) -> None:
    assert mask_text(text, "NG") == expected


@pytest.mark.parametrize(
    "text",
    [
        "No network in Lekki since yesterday!",
        "since 2026-11-10 07:35:12 and 10/11/2026, again 10.11.2026",
        "you took ₦1,500,000 and N5000, then 200000000 naira",
        "my 100GB plan ran out in 3 days, 24/7 support from 08:00-20:00",
        "version 14.0.1.2, contract 2019-2020",
        "*131*1*2# does not work, dial 300",
        "my name is not on the list",
        "the Chief Executive, the Dr said",
        "2G 3G 4G 5G, 5 10 15",
        "kini gbogbo eyi? Ọ̀rọ̀ ò dùn 😡",
        "",
    ],
)
def test_what_complaints_are_about_stays(text: str) -> None:
    assert mask_text(text, "NG") == text


def test_an_amount_or_date_does_not_hide_the_number_behind_it() -> None:
    assert mask_text("paid ₦5000 08031234567 on 20/11/2026 08031234567", "NG") == (
        "paid ₦5000 [phone] on 20/11/2026 [phone]"
    )
    assert "0803" not in mask_text("0803-12-10-2019", "NG")


def test_brand_handles_are_kept() -> None:
    assert mask_text("@MTNNG and @ada", "NG", brands={"mtnng"}) == "@MTNNG and [handle]"


def test_what_the_record_knows_is_masked_in_its_text() -> None:
    known = ["Grace Ada Eze", "grace.eze", "5 Allen Avenue, Ikeja", "AC-3456", "", "Al"]
    text = "I am grace ada EZE (Grace) of 5 allen avenue, ikeja, account AC-3456. A grace period, Al. GRACE!"
    expected = "I am [name] ([name]) of [id], account [id]. A grace period, Al. [name]!"
    assert mask_text(text, "NG", known) == expected


def test_the_order_of_what_is_known_does_not_matter() -> None:
    for known in (["Ada", "Ada Obi"], ["Ada Obi", "Ada"]):
        assert mask_text("Ada Obi here", "NG", known) == "[name] here"


def test_a_known_value_is_never_read_inside_a_placeholder() -> None:
    assert mask_text("call 08031234567", "NG", ["Phone", "name"]) == "call [phone]"


# fmt: off
FRAGMENTS = [
    "08031234567", "+234", "@", "@ada", "ada@example.com", "@gmail", "[phone]", "[name]", "[", "]", "Mr ",
    "my name is ", "John", "Obi", " ", ".", "-", "/", "http://x", "www.", "2019-12-04", "₦", "5,000", "GB",
    "O", "0", "12345", "(", ")", "x12", "::", "1:2:3:4:5", "pin 1234", " at ", " dot com", "_", "\u200b",
]
# fmt: on


@given(
    st.lists(st.one_of(st.text(max_size=12), st.sampled_from(FRAGMENTS)), max_size=12).map("".join),
    st.lists(st.sampled_from(["Ada Obi", "phone", "John", "12345"]), max_size=2),
)
def test_masking_twice_changes_nothing(text: str, known: list[str]) -> None:
    once = mask_text(text, "NG", known)
    assert mask_text(once, "NG", known) == once


SEPARATORS = st.sampled_from(["", "", "", " ", "-", ".", " - ", ") ", " ("])


@given(
    st.text("abc .,:!@/[]Mr", max_size=8),
    st.lists(st.tuples(st.sampled_from("0123456789"), SEPARATORS), min_size=8, max_size=20),
    st.text("abc ,:!@/[]Mr", max_size=8),
)
def test_no_long_run_of_digits_survives_unless_it_is_a_date_or_an_amount(
    before: str, digits: list[tuple[str, str]], after: str
) -> None:
    # The first digit is never 1 or 2, so that no year can begin the run; nothing here is money.
    run = "9" + "".join(digit.replace("1", "8").replace("2", "8") + gap for digit, gap in digits)
    masked = mask_text(f"{before}{run}{after}", "NG")
    assert len(re.findall(r"\d", masked)) < 7


def test_arrow_arrays_keep_length_and_nulls() -> None:
    texts = pa.array(["call 08031234567", None, "fine"])
    assert mask(texts, ANALYTIC).to_pylist() == ["call [phone]", None, "fine"]


def _hidden(text: str, masked: str) -> list[bool]:
    """Which characters of ``text`` are hidden, by laying what ``masked`` kept over it from left to right."""
    hidden, at = [True] * len(text), 0
    for kept in PLACEHOLDER.split(masked):
        at = text.index(kept, at)
        hidden[at : at + len(kept)] = [False] * len(kept)
        at += len(kept)
    return hidden


@pytest.mark.skipif(not LABELLED.is_file(), reason="the labelled texts are not part of the repository")
def test_recall_on_labelled_texts() -> None:
    found: dict[str, list[bool]] = {}
    for row in json.loads(LABELLED.read_text(encoding="utf-8")):
        text = row["full_text"]
        hidden = _hidden(text, mask_text(text, "NG"))
        for span in row["spans"]:
            places = range(span["start_position"], span["end_position"])
            full = all(hidden[at] for at in places if text[at].isalnum())
            found.setdefault(span["entity_type"], []).append(full)
    recall = {kind: sum(each) / len(each) for kind, each in found.items()}
    assert recall["EMAIL_ADDRESS"] >= 0.99
    assert recall["CREDIT_CARD"] >= 0.99
    assert recall["PHONE_NUMBER"] >= 0.95
    assert recall["US_SSN"] >= 0.95
    assert recall["IBAN_CODE"] >= 0.95


@pytest.mark.skipif(not TWEETS.is_file(), reason="the real posts are not part of the repository")
def test_real_posts_are_rarely_changed_beyond_handles_and_links() -> None:
    with TWEETS.open(encoding="utf-8", newline="") as file:
        texts = sorted({row["Tweet Text"] for row in csv.DictReader(file)})
    changed = sum(bool(re.search(r"\[(?:phone|email|card|id|ip|name)\]", mask_text(each, "GB"))) for each in texts)
    assert changed / len(texts) <= 0.03
