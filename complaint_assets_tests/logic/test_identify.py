"""Pseudonyms keep purposes apart; every spelling of one identifier or text has one normal form."""

import hashlib
import hmac
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.logic.identify import (
    Keys,
    cluster_words,
    content_of,
    delivery_id,
    normalise_identifier,
    normalise_text,
)

MASTER = b"a master key for tests, 32 bytes"


def test_a_pseudonym_is_hmac_sha256_under_a_key_derived_by_hkdf() -> None:
    # RFC 5869 by hand: one block of expansion is the whole key.
    extracted = hmac.digest(bytes(32), MASTER, hashlib.sha256)
    key = hmac.digest(extracted, b"complaint-assets pseudonym author" + b"\x01", hashlib.sha256)
    expected = hmac.digest(key, b"+2348031234567", hashlib.sha256)
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    bits = "".join(f"{byte:08b}" for byte in expected)
    by_hand = "".join(alphabet[int(bits[at : at + 5], 2)] for at in range(0, 130, 5))

    assert Keys(MASTER).pseudonym("author", "+2348031234567") == by_hand


@given(st.text(max_size=40), st.text(max_size=40))
def test_pseudonyms_are_equal_exactly_when_the_values_are(left: str, right: str) -> None:
    keys = Keys(MASTER)
    found = keys.pseudonym("content", left)
    assert re.fullmatch(r"[a-z2-7]{26}", found)
    assert (found == keys.pseudonym("content", right)) == (left == right)


def test_purposes_and_masters_cannot_be_compared() -> None:
    keys, others = Keys(MASTER), Keys(MASTER[::-1])
    purposes = ("complaint", "author", "content", "surge")
    found = {k.pseudonym(purpose, "same") for k in (keys, others) for purpose in purposes}  # type: ignore[arg-type]  # a str is no Literal
    assert len(found) == 8


def test_pseudonyms_are_the_same_in_another_process() -> None:
    code = (
        "from complaint_assets.logic.identify import Keys;"
        f"print(Keys({MASTER!r}).pseudonym('author', 'x'), end='')"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert elsewhere.stdout == Keys(MASTER).pseudonym("author", "x")


def test_a_short_master_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Keys(b"short")


def test_deliveries_differ_by_source_object_offset_and_ordinal() -> None:
    of_object = [("a" * 64, 1, 0), ("b" * 64, 1, 0), ("a" * 64, 2, 0), ("a" * 64, 1, 1), ("a" * 64, 11, 0)]
    sources = [("sms", "gateway"), ("sms", "gateway2"), ("web_form", "gateway")]
    places = [(*source, *place) for source in sources for place in of_object]
    found = {delivery_id(*place) for place in places}
    assert len(found) == len(places)
    assert all(re.fullmatch(r"[a-z2-7]{26}", each) for each in found)


@pytest.mark.parametrize(
    "spelling",
    [
        "+2348031234567",
        "2348031234567",
        "08031234567",
        "0803 123 4567",
        "0803-123-4567",
        "(0803) 123.4567",
        "00234 803 123 4567",
        "009 234 803 123 4567",
        "\u202a+234 803\u00a0123 4567\u202c",
        "０８０３１２３４５６７",
        8031234567,
        2348031234567.0,
    ],
)
def test_every_spelling_of_a_phone_number_is_one_number(spelling: object) -> None:
    assert normalise_identifier("phone", spelling, "NG") == "+2348031234567"


def test_a_full_foreign_number_keeps_its_country() -> None:
    assert normalise_identifier("phone", "447911123456", "NG") == "+447911123456"
    assert normalise_identifier("phone", "07911 123456", "GB") == "+447911123456"


@pytest.mark.parametrize(
    "value", ["", "300", "call me", "08031234567 or 08099999999", None, float("nan"), True, "9" * 400, b"1"]
)
def test_what_is_no_phone_number_is_none(value: object) -> None:
    assert normalise_identifier("phone", value, "NG") is None


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("email", " Ada.Obi@Example.COM ", "ada.obi@example.com"),
        ("email", "mailto:ada@example.com", "ada@example.com"),
        ("email", "ada@example", None),
        ("email", "ada@example.com, obi@example.com", None),
        ("handle", "@Ada_Obi", "ada_obi"),
        ("handle", "Ada@Social.Example", "ada@social.example"),
        ("handle", "@", None),
        ("handle", "two words", None),
        ("account", " ab-12 34/X ", "ab1234x"),
        ("account", 1234567.0, "1234567"),
        ("account", "--", None),
        ("platform_id", " AbC-1 ", "AbC-1"),
        ("platform_id", 1234567890123456789, "1234567890123456789"),
        ("platform_id", "  ", None),
    ],
)
def test_identifiers_have_one_spelling(kind: str, value: object, expected: str | None) -> None:
    assert normalise_identifier(kind, value, "NG") == expected  # type: ignore[arg-type]  # a str is no Literal


@given(st.sampled_from(["phone", "email", "handle", "account", "platform_id"]), st.text(max_size=40))
def test_normalising_an_identifier_again_changes_nothing(kind: str, value: str) -> None:
    once = normalise_identifier(kind, value, "NG")  # type: ignore[arg-type]  # a str is no Literal
    if once is not None:
        assert normalise_identifier(kind, once, "NG") == once  # type: ignore[arg-type]  # a str is no Literal


@given(st.text())
def test_normalising_a_text_again_changes_nothing(text: str) -> None:
    once = normalise_text(text)
    assert normalise_text(once) == once


@pytest.mark.parametrize("text", ["ß\u0301", "\u03aa\u0301", "İstanbul", "ﬁbre"])
def test_folding_case_and_form_together_is_stable(text: str) -> None:
    assert normalise_text(normalise_text(text)) == normalise_text(text)
    assert normalise_text(unicodedata.normalize("NFD", text)) == normalise_text(text)


def test_transport_does_not_change_a_text() -> None:
    assert (
        normalise_text("My\u200b  NETWORK\r\nis  down…")
        == normalise_text("my network is down...")
        == "my network is down..."
    )
    assert normalise_text("ọ̀la") == normalise_text("ọ̀la")  # composed and decomposed


def test_a_copy_meets_its_original() -> None:
    original = "Network is DOWN again in Lekki!!! 😡 https://t.co/x1"
    copies = [
        "RT @ada: Network is DOWN again in Lekki!!! 😡 https://t.co/x2…",
        "network is down again in lekki",
        "@MTNNG @someone network is down, again, in Lekki…",
        "RT @b: RT @ada: network is down again in Lekki 😡😡",
    ]
    assert {content_of(copy) for copy in copies} == {content_of(original)} == {"network is down again in lekki"}


def test_different_words_have_different_content() -> None:
    assert content_of("no network in Ikeja") != content_of("no network in Lekki")
    assert content_of("email ada@example.com") == "email ada example com"


@pytest.mark.parametrize("text", ["", "😡😡", "@ada @obi", "https://t.co/x", "…!?"])
def test_without_words_there_is_no_content(text: str) -> None:
    assert content_of(text) is None


@given(st.text())
def test_content_is_made_of_single_spaced_words(text: str) -> None:
    found = content_of(text)
    assert found is None or (found and found == " ".join(found.split()))


def test_a_repost_that_was_cut_off_meets_its_original_and_copies_without_words_meet_each_other() -> None:
    original = "@Telco my 4G is gone since Monday and nobody answers, what am I paying you for??"
    cut = "RT @ada: @Telco my 4G is gone since Monday and nobody answers, wh…"
    assert cluster_words(original) == cluster_words(cut)
    listed = "RT @ada: @Telco @obi @uche…"
    assert cluster_words(listed) == cluster_words("RT @eze: @Telco @obi @uche")
    assert cluster_words(listed) != cluster_words("RT @ada: @Telco @obi")


def test_texts_that_begin_differently_share_no_cluster() -> None:
    assert cluster_words("no network in Ikeja") != cluster_words("no network in Lekki")
    assert cluster_words("no network") != cluster_words("no network in Lekki")
    assert cluster_words("😡 @telco") != cluster_words("😡 @other")
    assert cluster_words("… ") is None
